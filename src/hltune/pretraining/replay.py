"""What was measured of random programs: the part of the store that pre-training works with."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from hltune.cost_model.dataset import Dataset
from hltune.cost_model.pretrained import Group
from hltune.cost_model.programs import Programs
from hltune.lowered.features import VERSION, decoded
from hltune.machine.sensitivity import every_func_at_root
from hltune.programs.program import is_program_name
from hltune.samples.reader import Reader
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId
from hltune.values.schedule_codec import schedule_hash

HELD_OUT = 0.15
"""Share of the programs that no weights are ever trained on."""
MOST_LEARNED, MOST_HELD_OUT = 2000, 200
"""Programs that a checkpoint reads at most, half of them the newest ones."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Reads samples of random programs and of benchmarks, as they were measured on one machine."""

    reader: Reader
    machine: MachineId

    def programs(self) -> tuple[list[str], list[str]]:
        """Hashes of the random programs in the order in which they came: those to learn from, and those held out.

        Only of those of which something was measured on this machine.
        """
        here = self.reader.measured_on(self.machine.key)
        named = [key for key, name in self.reader.pipelines().items() if is_program_name(name) and key in here]
        tuned = self.reader.tuned() if named else set[str]()  # somebody's pipeline may have such a name
        hashes = [key for key in named if key not in tuned]
        return [key for key in hashes if not is_held_out(key)], [key for key in hashes if is_held_out(key)]

    def unread(self) -> list[str]:
        """Hashes of programs of which this version has no features, or not all that an earlier one has."""
        outdated = self.reader.outdated_programs(self.machine.key, VERSION)
        lowered = self.reader.lowered(self.machine.key, VERSION)
        return [key for hashes in self.programs() for key in hashes if key in outdated or key not in lowered]

    def read(self, hashes: Sequence[str]) -> list[Dataset]:
        """The samples of each pipeline; those without any are left out, and those that overflowed."""
        datasets: list[Dataset] = []
        for key in hashes:
            for data in self.reader.training_data(key, self.machine.key):
                with suppress(InputError):  # features of imported samples are not checked before
                    datasets.append(Dataset.stored(data, cores=self.machine.threads))
        return datasets

    def groups(self, hashes: Sequence[str]) -> list[Group]:
        """What was lowered and measured of each pipeline; those without a root, or without samples, are left out."""
        groups: list[Group] = []
        for key in hashes:
            spec = None
            with suppress(InputError):  # one that is damaged does not keep the others from teaching
                spec = self.reader.spec(key)
            if spec is None:
                continue
            programs = decoded(self.reader.programs(key, self.machine.key, VERSION))
            root = programs.get(schedule_hash(every_func_at_root(spec)))
            costs = self.reader.costs(key, self.machine.key)
            known = {each: cost for each, cost in costs.items() if cost is not None and each in programs}
            failed = [each for each, cost in costs.items() if cost is None and each in programs]
            if root is not None and len(known) > 1:
                lowered, broken = (
                    Programs.of([programs[each] for each in keys], cores=self.machine.threads, root=root)
                    for keys in (known, failed)
                )
                groups.append(Group(programs=lowered, costs=np.array([*known.values()]), failed=broken))
        return groups


def is_held_out(pipeline_hash: str) -> bool:
    """True if a program is held out, for ever and on every machine."""
    return int(pipeline_hash[:13], 16) / 16**13 < HELD_OUT


def chosen(hashes: Sequence[str], most: int, *, seed: int) -> list[str]:
    """The newest of them, and as many of the others at random."""
    if len(hashes) <= most:
        return list(hashes)
    newest, others = hashes[-(most // 2) :], hashes[: -(most // 2)]
    picked = np.random.default_rng(seed).choice(len(others), size=most - len(newest), replace=False)
    return [*(others[int(index)] for index in sorted(picked)), *newest]
