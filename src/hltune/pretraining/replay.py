"""What was measured of random programs: the part of the store that pre-training works with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hltune.cost_model.dataset import Dataset
from hltune.samples.reader import Reader
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId

HELD_OUT = 0.15
"""Share of the programs that no weights are ever trained on."""
PREFIX = "program-"
"""How the names of random programs begin."""
MOST_LEARNED, MOST_HELD_OUT = 2000, 200
"""Programs that a checkpoint reads at most, half of them the newest ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Hashes of the random programs in a store, in the order in which they came.

    Attributes:
        learned: those that may be trained on.
        held_out: those that weights are evaluated by; the hash alone decides which ones.
    """

    learned: tuple[str, ...]
    held_out: tuple[str, ...]


class Replay:
    """Reads samples of random programs and of benchmarks, as they were measured on one machine."""

    def __init__(self, reader: Reader, machine: MachineId) -> None:
        self._reader = reader
        self._machine = machine

    def programs(self) -> Programs:
        """All random programs of the store."""
        hashes = [key for key, name in self._reader.pipelines().items() if name.startswith(PREFIX)]
        return Programs(
            learned=tuple(key for key in hashes if not is_held_out(key)),
            held_out=tuple(key for key in hashes if is_held_out(key)),
        )

    def read(self, hashes: Sequence[str]) -> list[Dataset]:
        """The samples of each pipeline; those without any are left out, and those that overflowed."""
        datasets: list[Dataset] = []
        for key in hashes:
            for data in self._reader.training_data(key, self._machine.key):
                try:
                    datasets.append(Dataset.stored(data, cores=self._machine.threads))
                except InputError:  # features of imported samples are not checked before
                    continue
        return datasets


def is_held_out(pipeline_hash: str) -> bool:
    """True if a program is held out, for ever and on every machine."""
    return int(pipeline_hash[:13], 16) / 16**13 < HELD_OUT


def chosen(hashes: tuple[str, ...], most: int, *, seed: int) -> list[str]:
    """The newest of them, and as many of the others at random."""
    if len(hashes) <= most:
        return list(hashes)
    newest, others = hashes[-(most // 2) :], hashes[: -(most // 2)]
    picked = np.random.default_rng(seed).choice(len(others), size=most - len(newest), replace=False)
    return [*(others[index] for index in sorted(picked)), *newest]
