"""What `Drafts` ask of what was measured, and of which of it they learn."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from heapq import nsmallest
from typing import Protocol

from hltune.values.directives import Schedule
from hltune.values.program_features import ProgramFeatures


class Known(Protocol):
    """What was measured of a pipeline; nothing, where that is not said."""

    def __contains__(self, key: str) -> bool:
        """The schedule with this hash was measured."""
        ...

    def working(self) -> dict[str, float]:
        """Costs of all that did not fail by the hash of the schedule, best first."""
        return {}

    def failed(self) -> tuple[str, ...]:
        """Hashes of what only failed, and not because Halide refuses it."""
        return ()

    def schedules(self, _keys: Collection[str], /) -> dict[str, Schedule]:
        """Of what was measured, those with these hashes."""
        return {}

    def program_hashes(self) -> dict[str, str]:
        """Hashes of the programs whose features were kept, by the hash of the schedule."""
        return {}

    def programs(self, _keys: Collection[str], /) -> dict[str, ProgramFeatures]:
        """Features that were kept, of these schedules, by their hashes."""
        return {}

    def keep_programs(self, programs: Mapping[str, ProgramFeatures]) -> None:
        """Keeps features of what was measured."""


def best_and_others(keys: Sequence[str], count: int) -> list[str]:
    """So many of some hashes, in their order: the first half, and some of the others.

    Most of these are among them in the next round, too, and need not be read again.
    """
    best = keys[: count // 2]
    return [*best, *some_of(keys[len(best) :], count - len(best))]


def same_share(working: Sequence[str], failed: Sequence[str], most: int) -> tuple[list[str], list[str]]:
    """The same share of both, at most so many of each: how many fail tells the chance that one does."""
    share = min(1.0, most / max(1, len(working), len(failed)))
    return some_of(working, round(share * len(working))), some_of(failed, round(share * len(failed)))


def some_of(keys: Sequence[str], count: int) -> list[str]:
    """So many of some hashes, in their order: the least, which are any."""
    least = set(nsmallest(count, keys))
    return [key for key in keys if key in least]
