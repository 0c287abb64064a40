"""The weights of one pipeline on one machine, from round to round.

::

    latest-ROUND.weights     what training goes on from, with the state of the optimizer
    best-ROUND.weights       the ones whose beam search found the fastest schedule

Each has its sidecar, see `hltune.cost_model.adams2019.sidecar`; its parent is the initial weights. A new
version is complete before the old one goes, so that a kill leaves at least one.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hltune.cost_model.adams2019.optimizer import OptimizerState
from hltune.cost_model.adams2019.sidecar import (
    Stored,
    WeightsOrigin,
    read_stored,
    sidecar_path,
    state_path,
    write_stored,
)
from hltune.cost_model.adams2019.weights import Weights, weights_hash
from hltune.values.errors import InputError

Kind = Literal["latest", "best"]
BEAM_COST = "beam_s"
"""Name of the metric by which weights are the best: cost of the schedule that beam search finds with them."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """A folder of weights that come from the same initial ones; nothing is created before something is written."""

    directory: Path

    def read(self, kind: Kind, initial: Weights) -> Stored | None:
        """The newest version, or None.

        Raises:
            InputError: it is damaged, or comes from other initial weights.
        """
        path = self.path(kind)
        if path is None:
            return None
        stored = read_stored(path)
        expected = weights_hash(initial)
        if stored.sidecar.origin.parent_hash != expected:
            raise InputError(
                "these weights were trained from other initial ones",
                where=str(path),
                expected=f"initial weights {expected[:12]}",
                found=f"initial weights {(stored.sidecar.origin.parent_hash or 'none')[:12]}",
                todo="give the same --weights as before, or start over with --fresh",
            )
        return stored

    def path(self, kind: Kind) -> Path | None:
        """The file of the newest version, or None."""
        versions = self._versions(kind)
        return versions[max(versions)] if versions else None

    def version(self, kind: Kind) -> int:
        """Number of the newest version; 0 if there is none."""
        return max(self._versions(kind), default=0)

    def write(
        self, kind: Kind, round_number: int, weights: Weights, origin: WeightsOrigin, state: OptimizerState | None
    ) -> Path:
        """Writes a version and removes the older ones. No version is ever written twice.

        Args:
            kind: which of the two lines.
            round_number: number of the version, unless there is a newer one already.
            weights: weights to write.
            origin: where they come from.
            state: state of the optimizer that training goes on with.

        Raises:
            InputError: the place cannot be written to.
        """
        old = self._versions(kind)
        version = max([round_number, *(number + 1 for number in old)])
        path = self.directory / f"{kind}-{version:05d}.weights"
        write_stored(path, weights, origin, state)
        for each in old.values():
            _remove(each)
        return path

    def clear(self) -> None:
        """Removes all versions."""
        for kind in ("latest", "best"):
            for path in self._versions(kind).values():
                _remove(path)

    def _versions(self, kind: Kind) -> dict[int, Path]:
        paths = self.directory.glob(f"{kind}-*.weights")
        found = ((re.fullmatch(rf"{kind}-([0-9]+)\.weights", path.name), path) for path in paths)
        return {int(match[1]): path for match, path in found if match}


def _remove(path: Path) -> None:
    for file in (path, sidecar_path(path), state_path(path)):
        file.unlink(missing_ok=True)
