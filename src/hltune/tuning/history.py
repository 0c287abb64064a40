"""What was measured of one pipeline on one machine: the part of the store that a tuner works with."""

from __future__ import annotations

import time

from hltune.cost_model.dataset import Dataset
from hltune.samples.writer import Store
from hltune.search.jobs import Candidate
from hltune.tuning.pool import featurization_of
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.values.sample import Origin, Sample, Timing


class History:
    """Knows every schedule that was ever measured; what it keeps survives whatever happens.

    Args:
        spec: of a pipeline that the store knows.
        machine: that the measurements belong to.
        store: open for writing.
        learned: newest samples that a model learns from.
    """

    def __init__(self, spec: PipelineSpec, machine: MachineId, store: Store, *, learned: int) -> None:
        self._key = (spec.content_hash, machine.key)
        self._machine = machine
        self._store = store
        self._learned = learned
        self._times_s = store.times(*self._key)
        self.last_round = store.last_round(*self._key)

    def __contains__(self, key: str) -> bool:
        return key in self._times_s

    def __len__(self) -> int:
        return len(self._times_s)

    def time_s(self, key: str) -> float | None:
        """Running time of the schedule with this hash; None if it is not known, or failed."""
        return self._times_s.get(key)

    @property
    def best_s(self) -> float | None:
        """Of the fastest schedule."""
        return min((value for value in self._times_s.values() if value is not None), default=None)

    def best(self, count: int) -> list[Schedule]:
        """The fastest schedules, best first; of those that cost exactly the same, one."""
        ranked = self._store.best(*self._key, count, distinct=True)
        return [each.schedule for each in ranked if each.schedule is not None]

    def keep(self, schedule: Schedule, candidate: Candidate | None, origin: Origin, measurement: Measurement) -> None:
        """Stores a measurement; when this returns it is on the disk."""
        sample = Sample(
            pipeline_hash=self._key[0],
            machine=self._machine,
            schedule=schedule,
            featurization=candidate and featurization_of(candidate),
            measurement=_stored(measurement),
            origin=origin,
            measured_at_s=time.time(),
        )
        self._store.add(sample)
        known_s = self._times_s.get(sample.schedule_hash)
        new_s = measurement.value if isinstance(measurement, Cost) else None
        self._times_s[sample.schedule_hash] = min((each for each in (known_s, new_s) if each is not None), default=None)

    def samples(self) -> Dataset | None:
        """What a model can learn from; None if there is nothing."""
        sets = self._store.training_data(*self._key, newest=self._learned)
        # More than one set only if the plugin saw other stages in earlier versions of itself.
        largest = max(sets, key=lambda data: len(data.times_s), default=None)
        return None if largest is None else Dataset.stored(largest, cores=self._machine.threads)


def _stored(measurement: Measurement) -> Timing | Failure:
    if isinstance(measurement, Failure):
        return measurement
    return Timing(repeats_s=measurement.repeats, pruned=measurement.pruned)
