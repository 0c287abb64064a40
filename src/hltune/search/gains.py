"""Changes that have made a schedule faster, made to the best one: what helps one of them mostly helps all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from hltune.search.twins import by_stage, with_stage
from hltune.search.view import Directives, legal
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule
from hltune.values.pipeline import FuncInfo
from hltune.values.provenance import Mutated
from hltune.values.schedule_codec import schedule_hash

GAIN = "gain"
"""What provenance calls a schedule to which such changes are made."""


class Gain(NamedTuple):
    """A schedule, and a change of it that took less time."""

    before: Schedule
    after: Schedule


def with_gains(best: Schedule, gains: Sequence[Gain], funcs: Sequence[FuncInfo]) -> Iterator[tuple[str, Candidate]]:
    """The schedule with all changes that go together, with the first half of these and so on, and with each alone.

    Args:
        gains: the largest first.
    """
    together: list[Schedule] = [best]
    for gain in gains:
        if (changed := _with(together[-1], gain, funcs)) is not None:
            together.append(changed)
    count = len(together) - 1
    halves: list[Schedule] = [together[count >> at] for at in range(count.bit_length())]
    alone = filter(None, (_with(best, gain, funcs) for gain in gains))
    parent, seen = schedule_hash(best), {best}
    for each in chain(halves, alone):
        if each not in seen:
            seen.add(each)
            yield schedule_hash(each), Candidate(schedule=each, provenance=Mutated(parent=parent, changes=(GAIN,)))


def _with(schedule: Schedule, gain: Gain, funcs: Sequence[FuncInfo]) -> Schedule | None:
    """With the stages that a change was about, if they are as they were before it."""
    own, before, after = (by_stage(each.directives) for each in (schedule, gain.before, gain.after))
    different = [stage for stage in before | after if before.get(stage) != after.get(stage)]
    if any(own.get(stage) != before.get(stage) for stage in different):
        return None
    changed: Directives = list(schedule.directives)
    for stage in different:
        changed = with_stage(changed, stage, after.get(stage, []))
    return legal(changed, funcs)
