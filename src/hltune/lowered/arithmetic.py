"""Halide's operators, and its calls that depend on their arguments alone: what they cost, and what they are.

Of anything else that is called nothing is known, and it costs what a call does.

Source: Halide 21, ``src/IR.h`` (``Call::IntrinsicOp``), ``src/IROperator.cpp``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hltune.lowered.tree import Binary, Call, Type

_BITS = (16, 32, 64)
"""Of floats, with which names of functions of floats end."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator or a call.

    Attributes:
        cost: one of `hltune.lowered.operations.CLASSES`; None if there is no code for it.
        value: the same for NumPy's arrays, and for plain numbers; None if nobody knows.
        typed: `value` is told the type of its result first.
    """

    cost: str | None
    value: Callable[..., Any]
    typed: bool = False


def as_operator(call: Call) -> Binary | None:
    """What a call stands for where compilers must not reorder floats: ``strict_add(a, b)`` is a + b."""
    symbol = _STRICT.get(call.name)
    return None if symbol is None else Binary(symbol, *call.arguments)


_STRICT: Mapping[str, str] = {
    "strict_add": "+",
    "strict_sub": "-",
    "strict_mul": "*",
    "strict_div": "/",
    "strict_min": "min",
    "strict_max": "max",
    "strict_eq": "==",
    "strict_lt": "<",
    "strict_le": "<=",
}


def _divide(left: Any, right: Any) -> Any:
    """Halide's: rounds down for positive divisors, and by zero is zero."""
    quotient = np.divide(left, right) if _is_float(left) or _is_float(right) else np.floor_divide(left, right)
    return np.where(np.asarray(right) == 0, 0, quotient)


def _remainder(left: Any, right: Any) -> Any:
    return np.where(np.asarray(right) == 0, 0, np.mod(left, np.abs(right)))


def _divide_towards_zero(left: Any, right: Any) -> Any:
    return np.floor_divide(left - np.fmod(left, right), right)


def _inverse(value: Any) -> Any:
    return np.divide(1.0, value)


def _inverse_root(value: Any) -> Any:
    return np.divide(1.0, np.sqrt(value))


def _is_float(value: Any) -> bool:
    return np.asarray(value).dtype.kind == "f"


def _first(value: Any, *_: Any) -> Any:
    return value


def _second(_: Any, value: Any) -> Any:
    return value


def _mux(number: Any, *values: Any) -> Any:
    """The value of that number; the last one, of a number that none has."""
    *numbered, last = values
    return np.select([np.equal(number, each) for each in range(len(numbered))], numbered, last)


def _distance(left: Any, right: Any) -> Any:
    return np.abs(np.subtract(left, right))


def _halving_add(left: Any, right: Any) -> Any:
    return np.floor_divide(np.add(left, right), 2)


def _halving_subtract(left: Any, right: Any) -> Any:
    return np.floor_divide(np.subtract(left, right), 2)


def _rounding_halving_add(left: Any, right: Any) -> Any:
    return _halving_add(np.add(left, right), 1)


def _shifted(value: Any, by: Any) -> Any:
    """To the left, and to the right by what is negative, where halves are rounded up."""
    return np.asarray(np.floor(np.ldexp(value, by) + 0.5), np.int64)


def _shifted_right(value: Any, by: Any) -> Any:
    return _shifted(value, np.negative(by))


def _saturated(type_: Type, value: Any) -> Any:
    """What a type of integers can hold that is next to a value."""
    least, most = (-1 << type_.bits - 1, 1 << type_.bits - 1) if type_.kind == "int" else (0, 1 << type_.bits)
    return np.clip(value, least, most - 1)


def _saturating_add(type_: Type, left: Any, right: Any) -> Any:
    return _saturated(type_, np.add(left, right))


def _saturating_subtract(type_: Type, left: Any, right: Any) -> Any:
    return _saturated(type_, np.subtract(left, right))


def _multiply_shift_right(type_: Type, left: Any, right: Any, by: Any) -> Any:
    return _saturated(type_, np.right_shift(np.multiply(left, right), by))


def _rounding_multiply_shift_right(type_: Type, left: Any, right: Any, by: Any) -> Any:
    return _saturated(type_, _shifted_right(np.multiply(left, right), by))


def _bits(type_: Type, value: Any) -> Any:
    """Those of a value, as a number without a sign."""
    return np.bitwise_and(value, (1 << type_.bits) - 1)


def _inverted(type_: Type, value: Any) -> Any:
    inverted = np.invert(value)
    return inverted if type_.kind == "int" else _bits(type_, inverted)


def _length(value: Any) -> Any:
    """How many bits it takes to write a number."""
    return np.asarray(np.frexp(value)[1], np.int64)


def _count_bits(type_: Type, value: Any) -> Any:
    return np.asarray(np.bitwise_count(_bits(type_, value)), np.int64)


def _leading_zeros(type_: Type, value: Any) -> Any:
    return type_.bits - _length(_bits(type_, value))


def _trailing_zeros(type_: Type, value: Any) -> Any:
    bits = _bits(type_, value)
    return np.where(bits == 0, type_.bits, _length(bits & -bits) - 1)


OPERATORS: Mapping[str, Operation] = {
    "+": Operation("add", operator.add),
    "-": Operation("add", operator.sub),
    "*": Operation("multiply", operator.mul),
    "/": Operation("divide", _divide),
    "%": Operation("divide", _remainder),
    "min": Operation("minmax", np.minimum),
    "max": Operation("minmax", np.maximum),
    "==": Operation("select", operator.eq),
    "!=": Operation("select", operator.ne),
    "<": Operation("select", operator.lt),
    "<=": Operation("select", operator.le),
    ">": Operation("select", operator.gt),
    ">=": Operation("select", operator.ge),
    "&&": Operation("select", np.logical_and),
    "||": Operation("select", np.logical_or),
}


def _of_floats(cost: str, functions: Iterable[tuple[str, Callable[..., Any]]]) -> Mapping[str, Operation]:
    """By their names in Halide, such as ``sin_f32``."""
    return {f"{name}_f{bits}": Operation(cost, function) for name, function in functions for bits in _BITS}


CALLS: Mapping[str, Operation] = {
    "likely": Operation(None, _first),
    "likely_if_innermost": Operation(None, _first),
    "promise_clamped": Operation(None, _first),
    "unsafe_promise_clamped": Operation(None, _first),
    "return_second": Operation(None, _second),
    "select": Operation("select", np.where),
    "if_then_else": Operation("select", np.where),
    "mux": Operation("select", _mux),
    "abs": Operation("minmax", np.abs),
    "absd": Operation("minmax", _distance),
    "shift_left": Operation("add", np.left_shift),
    "shift_right": Operation("add", np.right_shift),
    "rounding_shift_left": Operation("add", _shifted),
    "rounding_shift_right": Operation("add", _shifted_right),
    "widening_shift_left": Operation("add", np.left_shift),
    "widening_shift_right": Operation("add", np.right_shift),
    "bitwise_and": Operation("add", np.bitwise_and),
    "bitwise_or": Operation("add", np.bitwise_or),
    "bitwise_xor": Operation("add", np.bitwise_xor),
    "bitwise_not": Operation("add", _inverted, typed=True),
    "halving_add": Operation("add", _halving_add),
    "halving_sub": Operation("add", _halving_subtract),
    "rounding_halving_add": Operation("add", _rounding_halving_add),
    "sorted_avg": Operation("add", _halving_add),
    "saturating_add": Operation("add", _saturating_add, typed=True),
    "saturating_sub": Operation("add", _saturating_subtract, typed=True),
    "saturating_cast": Operation("add", _saturated, typed=True),
    "widening_add": Operation("add", operator.add),
    "widening_sub": Operation("add", operator.sub),
    "widen_right_add": Operation("add", operator.add),
    "widen_right_sub": Operation("add", operator.sub),
    "widening_mul": Operation("multiply", operator.mul),
    "widen_right_mul": Operation("multiply", operator.mul),
    "mul_shift_right": Operation("multiply", _multiply_shift_right, typed=True),
    "rounding_mul_shift_right": Operation("multiply", _rounding_multiply_shift_right, typed=True),
    "div_round_to_zero": Operation("divide", _divide_towards_zero),
    "mod_round_to_zero": Operation("divide", np.fmod),
    "popcount": Operation("call", _count_bits, typed=True),
    "count_leading_zeros": Operation("call", _leading_zeros, typed=True),
    "count_trailing_zeros": Operation("call", _trailing_zeros, typed=True),
    "round": Operation("cast", np.rint),
    **_of_floats("cast", (("floor", np.floor), ("ceil", np.ceil), ("trunc", np.trunc))),
    **_of_floats("select", (("is_nan", np.isnan), ("is_inf", np.isinf), ("is_finite", np.isfinite))),
    **_of_floats("divide", (("sqrt", np.sqrt), ("fast_inverse", _inverse), ("fast_inverse_sqrt", _inverse_root))),
    **_of_floats(
        "math",
        (
            ("exp", np.exp),
            ("log", np.log),
            ("pow", np.power),
            ("sin", np.sin),
            ("cos", np.cos),
            ("tan", np.tan),
            ("asin", np.arcsin),
            ("acos", np.arccos),
            ("atan", np.arctan),
            ("atan2", np.arctan2),
            ("sinh", np.sinh),
            ("cosh", np.cosh),
            ("tanh", np.tanh),
            ("asinh", np.arcsinh),
            ("acosh", np.arccosh),
            ("atanh", np.arctanh),
        ),
    ),
}
"""Halide's pure calls by name."""
