"""What has made one schedule faster is done to the best one."""

from __future__ import annotations

from hltune.schedule.parse import parse_schedule
from hltune.search.gains import GAIN, Gain, with_gains
from hltune.values.directives import Schedule
from hltune.values.pipeline import FuncInfo
from hltune.values.provenance import Mutated
from hltune.values.schedule_codec import schedule_hash

FUNCS = tuple(FuncInfo(name=name, args=("x", "y")) for name in ("a", "b", "c"))


def schedule(a: int, b: int, c: int) -> Schedule:
    return parse_schedule(
        f"a.compute_root().vectorize(x, {a});b.compute_root().vectorize(x, {b});c.vectorize(x, {c});", FUNCS
    )


def made(best: Schedule, *gains: Gain) -> list[Schedule]:
    found = list(with_gains(best, gains, FUNCS))
    for key, each in found:
        assert key == schedule_hash(each.schedule)
        assert each.provenance == Mutated(parent=schedule_hash(best), changes=(GAIN,))
    return [each.schedule for _, each in found]


def test_all_together_come_first_then_half_of_them_then_each_alone() -> None:
    start = schedule(8, 8, 8)
    gains = [Gain(start, schedule(16, 8, 8)), Gain(start, schedule(8, 16, 8)), Gain(start, schedule(8, 8, 16))]
    assert made(start, *gains) == [schedule(16, 16, 16), schedule(16, 8, 8), schedule(8, 16, 8), schedule(8, 8, 16)]


def test_what_the_best_has_changed_meanwhile_is_left_alone() -> None:
    start, best = schedule(8, 8, 8), schedule(32, 8, 8)
    assert made(best, Gain(start, schedule(16, 8, 8)), Gain(start, schedule(8, 16, 8))) == [schedule(32, 16, 8)]


def test_of_two_that_change_the_same_the_larger_gain_counts() -> None:
    start = schedule(8, 8, 8)
    gains = [Gain(start, schedule(16, 8, 8)), Gain(start, schedule(32, 8, 8))]
    assert made(start, *gains) == [schedule(16, 8, 8), schedule(32, 8, 8)]


def test_nothing_comes_of_nothing() -> None:
    start = schedule(8, 8, 8)
    assert made(start) == [] and made(start, Gain(schedule(8, 8, 8), start)) == []
