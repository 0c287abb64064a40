"""Two schedules, and what lies between them."""

from __future__ import annotations

from hltune.schedule.parse import parse_schedule
from hltune.schedule.text import directive_text
from hltune.search.parts import parts
from hltune.values.pipeline import FuncInfo

FUNCS = (FuncInfo(name="rows", args=("x", "y")), FuncInfo(name="out", args=("x", "y")))
OLD = "out.split(y, y, yi, 64).parallel(y).vectorize(x, 16); rows.compute_at(out, y).vectorize(x, 16);"
NEW = "out.split(y, y, yi, 128).parallel(y).vectorize(x, 32); rows.compute_at(out, y).align_storage(x, 64);"


def said(one: str, other: str) -> list[set[str]]:
    """What each part says that the other schedule does not."""
    new, old = (parse_schedule(text, FUNCS) for text in (one, other))
    before = {directive_text(each) for each in old.directives}
    return [{directive_text(each) for each in part.directives} - before for part in parts(new, old, FUNCS)]


def test_numbers_are_parts_of_their_own_and_so_are_stages() -> None:
    found = said(NEW, OLD)
    assert [len(each) for each in found] == [1, 1, 2, 1]
    (strip,), (lanes,), both, (storage,) = found
    assert "128" in strip and "32" in lanes and both == {strip, lanes} and "align_storage" in storage


def test_a_single_difference_has_no_parts() -> None:
    assert said(OLD.replace("64", "128"), OLD) == [] and said(OLD, OLD) == []


def test_loops_are_the_same_whatever_they_are_called() -> None:
    """What is only called otherwise is no part, and the place of a Func is one."""
    renamed = OLD.replace("yi", "y_tile")
    assert said(renamed, OLD) == []
    further_in = renamed.replace("compute_at(out, y)", "compute_at(out, y_tile)") + " out.unroll(y_tile);"
    found = said(further_in, OLD)
    assert {"rows.compute_at(out, yi)"} in found and all("y_tile" not in text for each in found for text in each)


def test_what_needs_loops_of_another_stage_is_left_out() -> None:
    inside = "out.split(y, y, yi, 64).split(x, x, xi, 8).vectorize(xi); rows.compute_at(out, xi).vectorize(x, 8);"
    found = said(inside, "out.parallel(y); rows.compute_root();")
    assert found and not any("compute_at(out, xi)" in text for each in found for text in each)
