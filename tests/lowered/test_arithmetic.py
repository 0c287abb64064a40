"""The table of calls is that of Halide, and what it says of their values is what Halide computes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import halide as hl
import numpy as np
import pytest

from hltune.lowered.arithmetic import CALLS, OPERATORS
from hltune.lowered.evaluate import Names, Sizes, row
from hltune.lowered.operations import CLASSES
from hltune.lowered.parse import parse_lowered
from hltune.lowered.tree import Bind, Expression, Name, Number, Type
from hltune.pipeline.build import expression_text

POINTS = 19
_OF_FLOATS = re.compile(r"(\w+)_f(?:16|32|64)")


def expressions() -> Mapping[str, hl.Expr]:
    """By their names, of a variable x that goes from 0 to 18."""
    x = hl.Var("x")
    signed, unsigned, short = x - 9, hl.cast(hl.UInt(8), x * 13), hl.cast(hl.Int(16), (x - 9) * 1000)
    real = hl.f32(x - 9) * 0.375  # from -3.375 to 3.375
    small, positive = real / 4.0, real * real + 0.5
    seven, hundred, many = hl.u8(7), hl.u8(100), hl.i16(3001)
    return {
        "sin": hl.sin(real),
        "cos": hl.cos(real),
        "tan": hl.tan(small),
        "asin": hl.asin(small),
        "acos": hl.acos(small),
        "atan": hl.atan(real),
        "atan2": hl.atan2(real, small + 2.0),
        "sinh": hl.sinh(real),
        "cosh": hl.cosh(real),
        "tanh": hl.tanh(real),
        "asinh": hl.asinh(real),
        "acosh": hl.acosh(positive + 0.5),
        "atanh": hl.atanh(small),
        "exp": hl.exp(real),
        "log": hl.log(positive),
        "pow": hl.pow(positive, small),
        "sqrt": hl.sqrt(positive),
        "fast_inverse": hl.fast_inverse(positive),
        "fast_inverse_sqrt": hl.fast_inverse_sqrt(positive),
        "floor": hl.floor(real),
        "ceil": hl.ceil(real),
        "trunc": hl.trunc(real),
        "round": hl.round(hl.f32(signed) / 2.0),
        "is_nan": hl.is_nan(hl.sqrt(real)),
        "is_inf": hl.is_inf(hl.log(hl.abs(real))),
        "is_finite": hl.is_finite(hl.log(hl.abs(real))),
        "abs": hl.abs(signed),
        "absd": hl.absd(signed, 3),
        "bitwise_and": signed & 6,
        "bitwise_or": signed | 6,
        "bitwise_xor": signed ^ 6,
        "bitwise_not": ~signed,
        "bitwise_not of unsigned": ~unsigned,
        "shift_left": signed << hl.cast(hl.Int(32), x % 3),
        "shift_right": signed >> hl.cast(hl.Int(32), x % 3),
        "rounding_shift_left": hl.rounding_shift_left(signed, x % 5 - 2),
        "rounding_shift_right": hl.rounding_shift_right(signed, x % 5 - 2),
        "widening_shift_left": hl.widening_shift_left(short, hl.i16(3)),
        "widening_shift_right": hl.widening_shift_right(short, hl.i16(3)),
        "halving_add": hl.halving_add(unsigned, seven),
        "halving_sub": hl.halving_sub(short, many),
        "rounding_halving_add": hl.rounding_halving_add(unsigned, seven),
        "saturating_add": hl.saturating_add(unsigned, hundred),
        "saturating_sub": hl.saturating_sub(unsigned, hundred),
        "saturating_cast": hl.saturating_cast(hl.UInt(8), signed * 40),
        "widening_add": hl.widening_add(unsigned, hundred),
        "widening_sub": hl.widening_sub(unsigned, hundred),
        "widening_mul": hl.widening_mul(short, many),
        "widen_right_add": hl.widen_right_add(hl.u16(300), unsigned),
        "widen_right_sub": hl.widen_right_sub(hl.u16(300), unsigned),
        "widen_right_mul": hl.widen_right_mul(hl.u16(100), unsigned),
        "mul_shift_right": hl.mul_shift_right(short, many, hl.u16(9)),
        "rounding_mul_shift_right": hl.rounding_mul_shift_right(short, many, hl.u16(12)),
        "div_round_to_zero": hl.div_round_to_zero(signed, 4),
        "mod_round_to_zero": hl.mod_round_to_zero(signed, 4),
        "popcount": hl.popcount(signed),
        "count_leading_zeros": hl.count_leading_zeros(signed),
        "count_trailing_zeros": hl.count_trailing_zeros(unsigned),
        "select": hl.select(signed > 0, signed, 4),
        "mux": hl.mux(x, [signed, 3, 5]),
        "likely": hl.likely(signed),
        "strict": hl.strict_float(hl.max(real * small - 1.0, hl.min(real, small + 2.0) / 3.0)),
        "strict comparison": hl.strict_float((real < 1.0) | (small <= -0.5) | (real == 2.25)),
        "division": signed / 4 + signed % 4,
    }


EXPRESSIONS = expressions()
_NEVER_WRITTEN = {
    "if_then_else",
    "likely_if_innermost",
    "promise_clamped",
    "return_second",
    "sorted_avg",
    "unsafe_promise_clamped",
}
"""By those who write algorithms in Python: passes of Halide's make them."""


def parsed(expression: hl.Expr) -> Expression:
    """As Halide prints it."""
    (bound,) = parse_lowered(f"let it = {expression_text(expression)}\n").statements
    assert isinstance(bound, Bind)
    return bound.value


@pytest.fixture(scope="module")
def computed() -> Mapping[str, np.ndarray]:
    """What Halide computes, compiled at once."""
    funcs: list[hl.Func] = []
    for expression in EXPRESSIONS.values():
        func = hl.Func("computed")
        func[hl.Var("x")] = expression
        funcs.append(func)
    found = hl.Pipeline(funcs).realize([POINTS])
    return {name: np.array(each) for name, each in zip(EXPRESSIONS, found, strict=True)}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_values_are_those_of_halide(name: str, computed: Mapping[str, np.ndarray]) -> None:
    names = Names(Sizes(buffers={}, scalars={}), depth=1)
    names.enter("x", 0, 0, POINTS)
    at = row(names(Name("x")))
    with np.errstate(all="ignore"):
        value = names(parsed(EXPRESSIONS[name]))
    assert value is not None and isinstance(at, np.ndarray) and len(set(at)) == POINTS
    expected = computed[name][at]
    rough = 1e-3 if name.startswith("fast") else 1e-5
    np.testing.assert_allclose(np.asarray(row(value), np.float64), expected, rtol=rough, atol=1e-6)


def test_all_calls_are_tried_that_can_be_written() -> None:
    written = set(re.findall(r"\w+", " ".join(map(expression_text, EXPRESSIONS.values()))))
    of_float32 = {name for name in CALLS if not re.fullmatch(r"\w+_f(16|64)", name)}
    assert of_float32 - written == _NEVER_WRITTEN


def test_the_table_has_no_names_that_halide_has_not() -> None:
    header = (Path(hl.__file__).parent / "include" / "Halide.h").read_text()
    (intrinsics,) = re.findall(r"enum IntrinsicOp \{(.*?)\};", header, re.DOTALL)
    known = set(re.findall(r"^ *(\w+),", intrinsics, re.MULTILINE))
    assert {name for name in CALLS if not _OF_FLOATS.fullmatch(name)} - {"select"} <= known
    strict = {name for name in known if name.startswith("strict_")}
    text = " ".join(expression_text(EXPRESSIONS[name]) for name in ("strict", "strict comparison"))
    assert strict == set(re.findall(r"strict_\w+", text))


def test_each_is_counted_as_something() -> None:
    assert {each.cost for each in (*CALLS.values(), *OPERATORS.values())} == {*CLASSES, None} - {"shuffle"}


@pytest.mark.parametrize(
    "text",
    [
        "uint64(x)*(uint64)11400714819323198485",
        "(uint64)shift_right(uint64(x)*(uint64)11400714819323198485, (uint64)58)",
        "shift_left((float32)sqrt_f32(float32(x)), 2)",
        "of_others(x)",
    ],
)
def test_what_numpy_does_not_hold_is_unknown(text: str) -> None:
    names = Names(Sizes(buffers={}, scalars={}), depth=1)
    names.enter("x", 0, 0, POINTS)
    (bound,) = parse_lowered(f"let it = {text}\n").statements
    assert isinstance(bound, Bind) and names(bound.value) is None


def test_a_number_that_is_too_large_is_known_as_long_as_nothing_is_done_with_it() -> None:
    number = Number(1 << 63, Type("uint", 64))
    assert Names(Sizes(buffers={}, scalars={}), depth=0)(number) == 1 << 63
