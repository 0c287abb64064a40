from __future__ import annotations

from hypothesis import given

from hltune.schedule.parse import parse_schedule
from hltune.schedule.text import directive_text
from hltune.values.directives import Rfactor, Schedule, Split, Stage
from tests.schedule.strategies import FUNCS, fitting_schedules, to_text


def test_a_directive_is_written_as_halide_prints_it() -> None:
    split = Split(Stage("hist", 1), "r4_x", "r4_x", "r4_xi", 8, "GuardWithIf")
    assert directive_text(split) == "hist.update(1).split(r4_x, r4_x, r4_xi, 8, TailStrategy::GuardWithIf)"


def test_an_rfactor_is_an_assignment() -> None:
    rfactor = Rfactor(Stage("hist", 0), (("r_x", "u"), ("r_y", "v")), "part")
    assert directive_text(rfactor) == "part = hist.update(0).rfactor({{r_x, u}, {r_y, v}})"


@given(fitting_schedules())
def test_text_round_trip(schedule: Schedule) -> None:
    assert parse_schedule(to_text(schedule), FUNCS) == schedule
