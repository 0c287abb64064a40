"""What calls make of a program that Halide lowers: where it loads from, what it costs, and which one it is."""

from __future__ import annotations

import halide as hl
import pytest

from hltune.lowered.account import Account, Body, account
from hltune.lowered.identity import program_hash
from hltune.lowered.job import arguments_of, lower
from hltune.lowered.parse import parse_lowered
from hltune.lowered.walk import walk
from hltune.pipeline.build import spec_of
from hltune.schedule.parse import parse_schedule
from hltune.values.pipeline import BufferArgument, ScalarArgument

SIZE = 256


def account_of(
    output: hl.Func,
    arguments: list[BufferArgument | ScalarArgument],
    schedule: str,
    box: tuple[tuple[int, int], ...] = ((0, SIZE), (0, SIZE)),
    target: str = "host",
) -> Account:
    """Of one Func; the schedule calls it OUTPUT."""
    spec = spec_of("calls", hl.serialize_pipeline(hl.Pipeline([output])), arguments, [box])
    directives = parse_schedule(schedule.replace("OUTPUT", spec.funcs[-1].name), spec.funcs)
    program = parse_lowered(lower(spec, directives, target).text)
    walked = walk(program, *arguments_of(spec), vector_bits=256, datapath_bits=256)
    return account(walked, program_hash(program), cores=2)


def heaviest(found: Account) -> Body:
    return max(found.bodies, key=lambda each: each.seconds)


def test_where_a_parameter_decides_is_known() -> None:
    """A rotation walks through its image as the angle says; what has sines, or is rounded, is no table lookup."""
    x, y = hl.vars("x y")
    angle, image = hl.Param(hl.Float(32), "angle", 0.0), hl.ImageParam(hl.UInt(8), 2, "image")
    output = hl.Func("rotated")
    across, down = hl.cos(angle) * x - hl.sin(angle) * y, hl.sin(angle) * x + hl.cos(angle) * y
    output[x, y] = image[tuple(hl.clamp(hl.i32(hl.round(each)), 0, SIZE - 1) for each in (across, down))]
    arguments = [
        BufferArgument(name="image", dtype="uint8", estimate=((0, SIZE), (0, SIZE))),
        ScalarArgument(name="angle", dtype="float32", estimate=1 / 64),
    ]
    body = heaviest(account_of(output, arguments, "OUTPUT.vectorize(x, 8);"))
    assert body.features["load gather"] and not body.by_data and not body.gathered
    assert body.features["read_beyond_l1"] < 4 * SIZE * SIZE  # a line for each lane would be 64 times the image


def test_the_other_side_of_a_butterfly_is_known() -> None:
    x, k = hl.Var("x"), hl.Param(hl.Int(32), "k", 64)
    source, output = hl.ImageParam(hl.Float(32), 1, "source"), hl.Func("butterfly")
    output[x] = source[x] + source[hl.clamp(x ^ k, 0, 1023)]
    arguments = [
        BufferArgument(name="source", dtype="float32", estimate=((0, 1024),)),
        ScalarArgument(name="k", dtype="int32", estimate=64),
    ]
    body = heaviest(account_of(output, arguments, "OUTPUT.vectorize(x, 8);", ((0, 1024),)))
    assert body.features["load gather"] and not body.by_data and not body.gathered
    assert body.clamped  # lanes are side by side


def test_where_a_table_decides_is_not() -> None:
    x = hl.Var("x")
    table, output = hl.ImageParam(hl.Int(32), 1, "table"), hl.Func("looked_up")
    found = table[x] ^ 5
    output[x] = table[hl.clamp(found * found, 0, 1023)]
    arguments = [BufferArgument(name="table", dtype="int32", estimate=((0, 1024),))]
    body = heaviest(account_of(output, arguments, "OUTPUT.vectorize(x, 8);", ((0, 1024),)))
    assert body.by_data and body.gathered == {"table"}


@pytest.mark.parametrize("schedule", ["", "OUTPUT.vectorize(x, 8);"])
def test_strict_floats_cost_what_others_do(schedule: str) -> None:
    x, y = hl.vars("x y")
    image = hl.ImageParam(hl.Float(32), 2, "image")
    value = hl.min(image[x, y] * 3.0 + 1.0, 7.0) - image[x + 1, y]
    strict, plain = hl.Func("strict"), hl.Func("plain")
    strict[x, y], plain[x, y] = hl.strict_float(value), value
    arguments = [BufferArgument(name="image", dtype="float32", estimate=((0, SIZE + 1), (0, SIZE)))]
    one, other = (account_of(each, [*arguments], schedule) for each in (strict, plain))
    assert [each.features for each in one.bodies] == [each.features for each in other.bodies]


def test_what_is_atomic_is_another_program() -> None:
    x, r = hl.Var("x"), hl.RDom([hl.Range(0, 8)], "r")
    source, total = hl.ImageParam(hl.UInt(32), 2, "source"), hl.Func("summed")
    total[x] = hl.u32(0)
    total[x] += source[x, r.x]
    arguments = [BufferArgument(name="source", dtype="uint32", estimate=((0, 64), (0, 8)))]
    plain, again, atomic = (
        account_of(total, [*arguments], f"OUTPUT.update(0){how}.parallel(x);", ((0, 64),))
        for how in ("", "", ".atomic()")
    )
    assert plain.program_hash == again.program_hash != atomic.program_hash
    assert plain.bodies[-1].terms == atomic.bodies[-1].terms
