"""Ranges hold, and nothing overflows: Halide's results against NumPy's in 64 bits."""

from __future__ import annotations

from collections.abc import Callable

import halide as hl
import numpy as np
import pytest

from hltune.pipeline.build import halide_type
from hltune.programs.bounded import LARGEST, Bounded
from hltune.programs.choices import Draw

INTEGERS = [dtype for dtype in LARGEST if dtype != "float32"]
COUNT = 512


def inputs(dtype: str, seed: int) -> np.ndarray:
    info = np.iinfo(dtype)
    values = np.random.default_rng(seed).integers(info.min, info.max, COUNT, dtype=dtype, endpoint=True)
    values[:2] = info.min, info.max
    return values


def realized(expr: hl.Expr, x: hl.Var) -> np.ndarray:
    func = hl.Func("f")
    func[x] = expr
    return np.array(func.realize([COUNT])).astype(np.int64)


OPERATORS: dict[str, tuple[Callable[[Bounded, Bounded], Bounded], Callable[[np.ndarray, np.ndarray], np.ndarray]]] = {
    "add": (Bounded.__add__, np.add),
    "subtract": (Bounded.__sub__, np.subtract),
    "multiply": (Bounded.__mul__, np.multiply),
    "min": (Bounded.min, np.minimum),
    "max": (Bounded.max, np.maximum),
}


def as_numpy(value: np.ndarray, bounded: Bounded, most: int) -> np.ndarray:
    """What `limited` does, in 64 bits."""
    shift = 0
    while bounded.size > most * 2**shift:
        shift += 1
    return value >> shift


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_operators_against_64_bits(name: str, dtype: str) -> None:
    ours, theirs = OPERATORS[name]
    x = hl.Var("x")
    arrays = [inputs(dtype, seed) for seed in (1, 2)]
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    a, b = (Bounded.wide(hl.Buffer(array)[x], dtype, low, high) for array in arrays)
    result = ours(a, b)
    most = 2**14 if name == "multiply" else 2**28
    wide = [as_numpy(array.astype(np.int64), Bounded(a.expr, low, high, False), 2**28) for array in arrays]
    expected = theirs(*(as_numpy(value, bounded, most) for value, bounded in zip(wide, (a, b), strict=True)))
    found = realized(result.expr, x)
    assert np.array_equal(found, expected)
    assert result.low <= found.min() and found.max() <= result.high and result.size < 2**31


@pytest.mark.parametrize("seed", range(20))
def test_no_chain_of_operations_leaves_its_range(seed: int) -> None:
    draw = Draw(seed)
    x = hl.Var("x")
    dtype = draw.choice(INTEGERS)
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    arrays = [inputs(dtype, seed + k) for k in range(2)]
    values = [Bounded.wide(hl.Buffer(array)[x], dtype, low, high) for array in arrays]
    for _ in range(6):
        operator = draw.choice([ours for ours, _ in OPERATORS.values()])
        values.append(operator(draw.recent(values), draw.recent(values)).times(draw.mask(1)[0]))
    found = realized(values[-1].expr, x)
    assert values[-1].low <= found.min() and found.max() <= values[-1].high and values[-1].size < 2**31


@pytest.mark.parametrize("dtype", INTEGERS)
def test_narrowed_values_fit_their_type(dtype: str) -> None:
    x = hl.Var("x")
    array = inputs("int32", 3)
    value = Bounded.wide(hl.Buffer(array)[x], "int32", -(2**31), 2**31 - 1).narrowed(dtype)
    wide, stored = realized(value.expr, x), realized(value.stored(dtype), x)
    assert np.array_equal(wide, stored)
    assert value.size <= LARGEST[dtype] and halide_type(dtype) == value.stored(dtype).type()


def test_a_float_never_turns_into_an_integer() -> None:
    with pytest.raises(ValueError, match="float"):
        Bounded(hl.cast(hl.Float(32), 1.5), 0, 2, True).narrowed("uint8")
