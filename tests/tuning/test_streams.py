"""Drafts that are made on purpose: shares of kinds, and what is left for later."""

from __future__ import annotations

import math
from collections.abc import Iterator

from hltune.search.gains import GAIN
from hltune.search.remedied import MOVE, REMEDY
from hltune.tuning.operators import Successes
from hltune.tuning.streams import NEAR, Stream, some_of_each
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule
from hltune.values.provenance import Mutated

NOTHING_TRIED = Successes(tries={}, wins={})
CANDIDATE = Candidate(schedule=Schedule(), provenance=Mutated(parent="", changes=()))


def stream(kind: str, count: int = 1000) -> Stream:
    return ((f"{kind} {number}", CANDIDATE) for number in range(count))


def kinds(found: dict[str, Candidate]) -> dict[str, int]:
    names = [key.partition(" ")[0] for key in found]
    return {name: names.count(name) for name in names}


def some(
    streams: dict[str, Stream], successes: Successes = NOTHING_TRIED, *, end_s: float = math.inf
) -> dict[str, int]:
    return kinds(some_of_each(streams, 100, allowed=lambda *_: True, end_s=end_s, successes=successes))


def test_each_kind_has_its_share_as_long_as_there_are_any() -> None:
    streams = {kind: stream(kind) for kind in (GAIN, NEAR, REMEDY)} | {MOVE: stream(MOVE, 3)}
    assert some(streams) == {GAIN: 20, NEAR: 15, REMEDY: 15, MOVE: 3}


def test_what_never_wins_is_made_less_often_and_what_wins_not_much_more() -> None:
    fail, win = Successes(tries={MOVE: 20}, wins={}), Successes(tries={MOVE: 20}, wins={MOVE: 20})
    assert some({MOVE: stream(MOVE)}, fail) == {MOVE: 2} and some({MOVE: stream(MOVE)}, win) == {MOVE: 20}


def test_what_was_not_asked_for_comes_later() -> None:
    given = stream(NEAR)
    assert some({NEAR: given}, end_s=0.0) == {}
    assert next(given)[0] == "near 0"
    assert some({NEAR: given}) == {NEAR: 15} and next(given)[0] == "near 16"


def test_nothing_comes_twice_and_nothing_that_is_not_allowed() -> None:
    def twins() -> Iterator[tuple[str, Candidate]]:
        yield from [("near 0", CANDIDATE), ("move 1", CANDIDATE), ("move 2", CANDIDATE)]

    found = some_of_each(
        {NEAR: stream(NEAR, 1), MOVE: twins()},
        100,
        allowed=lambda key, _: key != "move 1",
        end_s=math.inf,
        successes=NOTHING_TRIED,
    )
    assert [*found] == ["near 0", "move 2"]
