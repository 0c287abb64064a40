from __future__ import annotations

import pytest

from hltune.schedule.loops import LoopNests, callable_order, loop_nests
from hltune.values.directives import (
    AlignStorage,
    ComputeAt,
    Directive,
    Fuse,
    Parallel,
    Partition,
    Reorder,
    ReorderStorage,
    Rfactor,
    Schedule,
    Split,
    Stage,
    Unroll,
    Vectorize,
)
from hltune.values.errors import InputError
from hltune.values.pipeline import FuncInfo
from tests.schedule.strategies import FUNCS

BLUR = Stage("blur")
HIST = Stage("hist", 0)


def shown(nests: LoopNests, stage: Stage) -> str:
    """The loops, outermost first; ``!`` marks reduction variables."""
    marks = {"for": "", "parallel": "||", "vectorized": "v:", "unrolled": "u:"}
    return " ".join(
        marks[loop.kind] + loop.name + "!" * loop.rvar + (f"={loop.extent}" if loop.extent else "")
        for loop in nests.loops[stage][::-1]
    )


@pytest.mark.parametrize(
    ("directives", "loops"),
    [
        ((), "c y x"),
        ((Split(BLUR, "x", "xo", "xi", 8),), "c y xo xi=8"),
        ((Split(BLUR, "x", "x", "xi", 8), Split(BLUR, "xi", "xi", "xii", 3)), "c y x xi=3 xii=3"),
        ((Parallel(BLUR, "x"), Split(BLUR, "x", "x", "xi", 8)), "c y ||x ||xi=8"),
        ((Fuse(BLUR, "x", "c", "t"),), "y t"),
        ((Fuse(BLUR, "y", "x", "y"),), "c y"),
        ((Reorder(BLUR, ("c", "x")),), "x y c"),
        ((Reorder(BLUR, ("y", "c", "x")),), "x c y"),
        ((Vectorize(BLUR, "x"), Unroll(BLUR, "y"), Parallel(BLUR, "c")), "||c u:y v:x"),
    ],
)
def test_directives_change_loops_as_in_halide(directives: tuple[Directive, ...], loops: str) -> None:
    assert shown(loop_nests(Schedule(directives), FUNCS), BLUR) == loops


def test_loops_of_reductions_stay_reductions() -> None:
    nests = loop_nests(Schedule((Split(HIST, "r_x", "ro", "ri", 8), Fuse(HIST, "ri", "r_y", "t"))), FUNCS)
    assert shown(nests, HIST) == "ro! t!"


def test_the_algorithm_tells_how_long_reductions_are() -> None:
    funcs = [FuncInfo(name="sum", args=("x",), updates=(("r_x", "r_y"),), update_args=(("x",),), extents=((10, None),))]
    update = Stage("sum", 0)
    assert shown(loop_nests(Schedule(), funcs), update) == "x r_y! r_x!=10"
    assert shown(loop_nests(Schedule((Split(update, "r_x", "ro", "ri", 4),)), funcs), update) == "x r_y! ro!=3 ri!=4"


def test_rfactor_makes_a_func() -> None:
    update = Stage("hist", 1)
    rfactor = Rfactor(update, (("ro", "u"),), "part")
    nests = loop_nests(Schedule((Split(update, "r4_x", "ro", "ri", 8), Parallel(update, "x"), rfactor)), FUNCS)
    assert shown(nests, Stage("part")) == "u _0 x"
    assert shown(nests, Stage("part", 0)) == "||x u ri!=8"
    assert shown(nests, update) == "_0 ||x ro!"


@pytest.mark.parametrize(
    ("directive", "message"),
    [
        (Vectorize(BLUR, "z"), "blur has no loop 'z' here\n  expected: one of x, y, c"),
        (Vectorize(Stage("blr"), "x"), "no stage blr\n  expected: one of blur, hist"),
        (Vectorize(Stage("hist", 3), "x"), "expected: one of hist, hist.update(0), hist.update(1), hist.update(2)"),
        (Split(BLUR, "x", "x", "y", 4), "blur has a loop 'y' already"),
        (Split(BLUR, "x", "t", "t", 4), "blur has a loop 't' already"),
        (Fuse(BLUR, "x", "y", "c"), "blur has a loop 'c' already"),
        (Fuse(BLUR, "x", "x", "c"), "cannot be fused with itself"),
        (Reorder(BLUR, ("x", "z")), "no loop 'z'"),
        (Partition(BLUR, "z", "Never"), "blur has no loop 'z' here"),
        (ReorderStorage(BLUR, ("x", "xi")), "no dimension 'xi'\n  expected: one of x, y, c"),
        (AlignStorage(Stage("hist"), "y", 8), "no dimension 'y'"),
        (Rfactor(Stage("hist", 1), (("x", "u"),), "part"), "x of hist.update(1) is not a reduction variable"),
        (Rfactor(HIST, (("r_x", "u"),), "blur"), "has a Func 'blur' already"),
        (Rfactor(HIST, (("r_x", "r_y"),), "part"), "a new name is taken"),
        (ComputeAt(BLUR, "outptu", "x"), "no Func 'outptu'\n  expected: one of blur"),
        (ComputeAt(BLUR, "output", "xi"), "output has no loop 'xi'\n  expected: one of x, y, __outermost"),
    ],
)
def test_what_does_not_fit_is_refused(directive: Directive, message: str) -> None:
    with pytest.raises(InputError) as caught:
        loop_nests(Schedule((directive,)), FUNCS)
    assert message in str(caught.value)


def test_a_name_keeps_its_kind() -> None:
    update = Stage("hist", 1)
    made = (Split(update, "r4_x", "t", "ri", 8), Fuse(update, "ri", "t", "all"), Split(update, "x", "t", "xi", 8))
    with pytest.raises(InputError, match="has a loop 't' already"):
        loop_nests(Schedule(made), FUNCS)


def test_what_is_inside_a_func_that_an_rfactor_makes_later_is_called_after_it() -> None:
    inside, other = ComputeAt(BLUR, "part", "u"), ComputeAt(BLUR, "output", "y")
    rfactor = Rfactor(HIST, (("r4_x", "u"),), "part")
    assert [*callable_order((inside, rfactor, other), FUNCS)] == [rfactor, inside, other]
    assert [*callable_order((other, rfactor, inside), FUNCS)] == [other, rfactor, inside]


def test_a_producer_may_name_a_loop_that_comes_later() -> None:
    nests = loop_nests(Schedule((ComputeAt(BLUR, "output", "xo"), Split(Stage("output"), "x", "xo", "xi", 8))), FUNCS)
    assert nests.level("output", "xo")[0] == Stage("output")
