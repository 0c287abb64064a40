"""What was measured of one pipeline on one machine: the part of the store that a tuner works with."""

import time

from hltune.cost_model.dataset import Dataset
from hltune.samples.writer import Store
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.values.sample import Sample


class History:
    """Knows every schedule that was ever measured; what it keeps survives whatever happens.

    Args:
        spec: a pipeline that the store knows.
        machine: machine that the measurements belong to.
        store: open for writing.
        learned: how many of the newest samples a model learns from.
    """

    def __init__(self, spec: PipelineSpec, machine: MachineId, store: Store, *, learned: int) -> None:
        self._key = (spec.content_hash, machine.key)
        self._machine = machine
        self._store = store
        self._learned = learned
        self._costs = store.costs(*self._key)
        self.last_round = store.last_round(*self._key)

    def __contains__(self, key: str) -> bool:
        return key in self._costs

    def __len__(self) -> int:
        return len(self._costs)

    def cost(self, key: str) -> float | None:
        """Cost of the schedule with this hash; None if it is not known, or failed."""
        return self._costs.get(key)

    @property
    def best_cost(self) -> float | None:
        """Cost of the fastest schedule."""
        return min((value for value in self._costs.values() if value is not None), default=None)

    def best(self, count: int) -> list[Schedule]:
        """The fastest schedules, best first; of those that cost exactly the same, one."""
        ranked = self._store.best(*self._key, count, distinct=True)
        return [each.schedule for each in ranked if each.schedule is not None]

    def keep(self, candidate: Candidate, measurement: Measurement, *, round_number: int = 0) -> None:
        """Stores a measurement; when this returns it is on the disk."""
        sample = Sample(
            pipeline_hash=self._key[0],
            machine=self._machine,
            schedule=candidate.schedule,
            featurization=candidate.features,
            measurement=measurement,
            provenance=candidate.provenance,
            round=round_number,
            measured_at_s=time.time(),
        )
        self._store.add(sample)
        known = self._costs.get(sample.schedule_hash)
        new = measurement.value if isinstance(measurement, Cost) else None
        self._costs[sample.schedule_hash] = min((each for each in (known, new) if each is not None), default=None)

    def samples(self) -> Dataset | None:
        """What a model can learn from; None if there is nothing."""
        sets = self._store.training_data(*self._key, newest=self._learned)
        # More than one set only if the plugin saw other stages in earlier versions of itself.
        largest = max(sets, key=lambda data: len(data.costs), default=None)
        return None if largest is None else Dataset.stored(largest, cores=self._machine.threads)
