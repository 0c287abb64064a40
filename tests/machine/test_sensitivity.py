"""Inputs that move by one unit in the last place, as rounding could have moved them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hltune.machine.sensitivity import in_another_order, moved_inputs, vectorised
from hltune.schedule.parse import parse_schedule
from hltune.values.directives import Schedule
from hltune.values.pipeline import BufferArgument, FuncInfo, Number, PipelineSpec, ScalarArgument

TENTH = float(np.float32(0.1))


def moved(value: float, *, minimum: Number | None = None, maximum: Number | None = None) -> tuple[float, float]:
    """The scalar, moved either way: the lower one first."""
    argument = ScalarArgument(name="s", dtype="float32", estimate=value, minimum=minimum, maximum=maximum)
    spec = PipelineSpec(name="p", hlpipe=b"", inputs=(argument,), outputs=(), funcs=())
    found: list[float] = []
    for way in (1, -1):
        with moved_inputs((value,), spec, way) as (after,):
            assert isinstance(after, float)
            found.append(after)
    least, most = sorted(found)
    return least, most


def test_scalars_move_both_ways() -> None:
    neighbours = tuple(float(np.nextafter(np.float32(0.1), np.float32(way))) for way in (0, 1))
    assert moved(TENTH, minimum=0, maximum=1) == neighbours


@pytest.mark.parametrize(("minimum", "maximum"), [(0, TENTH), (TENTH, 1), (TENTH, TENTH)])
def test_scalars_stay_in_their_range(minimum: Number, maximum: Number) -> None:
    """Code refuses what lies outside, and with it the whole variant is lost."""
    below, above = moved(TENTH, minimum=minimum, maximum=maximum)
    assert minimum <= below <= above <= maximum
    assert (below < above) == (minimum < maximum)


def test_images_move_while_it_lasts() -> None:
    image = BufferArgument(name="i", dtype="float32", estimate=((0, 4),))
    spec = PipelineSpec(name="p", hlpipe=b"", inputs=(image,), outputs=(), funcs=())
    array = np.array([0.1, 0.2, 1.0, np.inf], np.float32)
    before = array.copy()
    with moved_inputs((array,), spec, 1) as (inside,):
        assert inside is array and np.array_equal(array != before, [True, True, False, False])
    np.testing.assert_array_equal(array, before)


def test_what_is_below_one_stays_so() -> None:
    """As random data is: scaled to 256, one would not fit into a byte any more."""
    image = BufferArgument(name="i", dtype="float16", estimate=((0, 64),))
    spec = PipelineSpec(name="p", hlpipe=b"", inputs=(image,), outputs=(), funcs=())
    array = np.full(64, 2047 / 2048, np.float16)
    with moved_inputs((array,), spec, 1) as (inside,):
        assert isinstance(inside, np.ndarray) and inside.max() < 1 and inside.min() < 2047 / 2048


def test_all_definitions_are_vectorised_along_what_is_pure_in_them() -> None:
    sums = FuncInfo(name="sums", args=("x", "x_v"), updates=(("r",), ("r",)), update_args=(("x", "x_v"), ()))
    table = FuncInfo(name="table", args=("i",))
    spec = PipelineSpec(name="p", hlpipe=b"", inputs=(), outputs=(), funcs=(sums, table))
    wanted = """
        sums.compute_root().split(x, x, x_vv, 8, TailStrategy::GuardWithIf).vectorize(x_vv).parallel(x_v);
        sums.update(0).split(x, x, x_vv, 8, TailStrategy::GuardWithIf).vectorize(x_vv).parallel(x_v);
        table.compute_root().split(i, i, i_v, 8, TailStrategy::GuardWithIf).vectorize(i_v);
    """
    assert vectorised(spec) == parse_schedule(wanted, spec.funcs)


def test_long_reductions_are_turned_round() -> None:
    long = FuncInfo(name="long", args=("x",), updates=(("r_x", "r_y"),), update_args=((),), extents=((100, 30),))
    short = replace(long, name="short", extents=((3, 3),))
    spec = PipelineSpec(name="p", hlpipe=b"", inputs=(), outputs=(), funcs=(long, short))
    variant = in_another_order(spec, "host")
    assert variant is not None
    turned = "long.update(0).split(r_x, r_x, r_x_v, 8, TailStrategy::GuardWithIf).reorder(r_y, r_x, r_x_v);"
    fast = vectorised(spec)
    assert variant.schedule == Schedule((*fast.directives, *parse_schedule(turned, spec.funcs).directives))
    assert in_another_order(replace(spec, funcs=(short,)), "host") is None
