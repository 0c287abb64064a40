"""Mutants made on purpose: what `explain` would try against a fault, and what regroups stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import TypeVar

from hltune.search.case import Case
from hltune.search.faults import KINDS, faults
from hltune.search.moves import moves
from hltune.search.mutation import ALIKE
from hltune.search.twins import alike
from hltune.search.view import legal
from hltune.values.candidate import Candidate
from hltune.values.directives import InsideLoop, Schedule
from hltune.values.provenance import Mutated
from hltune.values.schedule_codec import schedule_hash

T = TypeVar("T")

REMEDY, MOVE = "remedy", "move"
"""What provenance calls a change that addresses a fault, and one of what is computed in whose loops."""
_LEAST_SHARE = 0.005
"""Of the time, of a Func that is worth moving."""


def remedied(case: Case, free: Set[str] | None = None) -> Iterator[tuple[str, Candidate]]:
    """Changes that address the faults of a schedule, with their hashes; of each fault in turn, the largest one first.

    What can be done to all stages that are scheduled alike, those of `free` Funcs if it is told which these are, is
    done to all of them first. Each is made when it is asked for: of a pipeline of a hundred stages, all of them take
    seconds.
    """
    if not _has_names(case):
        return
    parent, seen = schedule_hash(case.schedule), set[str]()
    for change in in_turns([fault.remedy() for fault in faults(case)]):
        for schedule, names in ((_everywhere(case, change, free), (REMEDY, ALIKE)), (change, (REMEDY,))):
            if schedule is not None and (key := schedule_hash(schedule)) not in seen:
                seen.add(key)
                yield key, Candidate(schedule=schedule, provenance=Mutated(parent=parent, changes=names))


def padded(case: Case) -> Iterator[tuple[str, Candidate]]:
    """Those that keep memory from going back to the system in each call, if that takes long."""
    provenance = Mutated(parent=schedule_hash(case.schedule), changes=(REMEDY,))
    for fault in KINDS["faults"](case) if _has_names(case) else ():
        for change in fault.remedy() if case.matters(fault.seconds) else ():
            yield schedule_hash(change), Candidate(schedule=change, provenance=provenance)


def moved(case: Case, free: Set[str] | None = None) -> Iterator[tuple[str, Candidate]]:
    """Changes of what is computed in whose loops, with their hashes; of each Func in turn, the slowest one first.

    Each is made when it is asked for. Only `free` Funcs are moved, if it is told which they are.
    """
    if not _has_names(case):
        return
    shares = case.shares
    funcs = [func for func in sorted(shares, key=shares.__getitem__, reverse=True) if shares[func] >= _LEAST_SHARE]
    funcs = [func for func in funcs if free is None or func in free]
    parent, seen = schedule_hash(case.schedule), set[str]()
    for change in in_turns([moves(case.patient, func) for func in funcs]):
        if (key := schedule_hash(change)) not in seen:
            seen.add(key)
            yield key, Candidate(schedule=change, provenance=Mutated(parent=parent, changes=(MOVE,)))


def in_turns(streams: Sequence[Iterator[T]]) -> Iterator[T]:
    """One of each, then the next of each, until there are none."""
    left = list(streams)
    while left:
        for stream in tuple(left):
            if (found := next(stream, None)) is None:
                left.remove(stream)
            else:
                yield found


def _has_names(case: Case) -> bool:
    """What nobody can name, nobody can change."""
    return case.funcs <= case.patient.view.nests.args.keys()


def _everywhere(case: Case, change: Schedule, free: Set[str] | None) -> Schedule | None:
    """A change of all stages that are scheduled alike; None where there are no others.

    What is moved into a loop of its consumer is none: each of the others has another consumer.
    """
    before, after = list(case.schedule.directives), list(change.directives)
    inside = {each.stage for each in before if isinstance(each, InsideLoop)}
    if any(isinstance(each, InsideLoop) and each.stage not in inside for each in after):
        return None
    found = alike(before, after, free)
    return None if found is None else legal(found, case.spec.funcs)
