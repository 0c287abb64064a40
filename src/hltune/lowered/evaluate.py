"""What the integers of a lowered program are, in some iterations of the loops around them.

| symbol | what                                                                                             |
|--------|--------------------------------------------------------------------------------------------------|
| S      | sampled iterations of the whole program: each loop goes through its extent, in its own order      |
| R      | row 0: the iteration itself; row d + 1: the loop at depth d has gone one iteration further        |
| L      | the first, the second and the last lane of a vector                                               |

A value is an array [R, S], [L, R, S] for a vector, or a plain number. So one evaluation tells the strides of an index
in all loops and lanes, through minima, maxima, quotients and remainders. Unknown is None: what depends on data, on
functions of others, or on numbers that NumPy's types do not hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hltune.lowered.arithmetic import CALLS, OPERATORS, as_operator
from hltune.lowered.tree import INT, Binary, Broadcast, Call, Cast, Expression, Let, Load, Name, Not, Number, Ramp, Text
from hltune.pipeline.layout import Dimension

SAMPLES = 32
_DIGITS = 5
_RESIDUES = 8
"""Of a long loop, as many samples leave each remainder by this number: so y/2, y/4 and y/8 move in so many of them."""
_VECTOR = 3
Value = NDArray[Any] | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What a lowered program asks of its arguments, as the estimates say, and of the tables that it brings along."""

    buffers: Mapping[str, Sequence[Dimension]]
    scalars: Mapping[str, int | float]


class Names:
    """What names stand for, at the place where a walk is: expressions are evaluated when somebody asks, and once."""

    def __init__(self, sizes: Sizes, depth: int) -> None:
        self._rows = depth + 1
        self._known: dict[str, Value] = dict(sizes.scalars)
        self._waiting: dict[str, Expression] = {}
        self._buffers = sizes.buffers
        order = np.random.default_rng(0)
        """Not the user's seed: the same program has the same features everywhere."""
        self._positions = [_positions(order) for _ in range(depth)]
        self._residues = [order.permutation(SAMPLES) % _RESIDUES for _ in range(depth)]

    def bind(self, name: str, value: Expression) -> None:
        """From here on, a name stands for an expression of names that are known here."""
        self._known.pop(name, None)
        self._waiting[name] = value

    def enter(self, name: str, depth: int, minimum: Value, extent: Value) -> None:
        """From here on, a name is that of the loop at a depth."""
        known = row(extent)
        count = np.maximum(1, 1 if known is None else known)
        steps = np.floor(self._positions[depth] * count).astype(np.int64)
        even = steps - steps % _RESIDUES + self._residues[depth]
        steps = np.where((count > SAMPLES) & (even < count), even, steps)
        values = np.zeros((self._rows, SAMPLES), np.int64) + (0 if minimum is None else minimum)
        values += steps
        values[depth + 1] += 1
        self._waiting.pop(name, None)
        self._known[name] = values

    def __call__(self, expression: Expression) -> Value:
        """What an expression is."""
        try:
            match expression:
                case Name():
                    return self._name(expression)
                case Binary():
                    return self._binary(expression)
                case Number():
                    return expression.value
                case Call():
                    return self._call(expression)
                case Ramp():
                    return self._ramp(expression)
                case Broadcast():
                    return self(expression.value)
                case Cast():
                    return self._cast(expression)
                case Not():
                    value = self(expression.value)
                    return None if value is None else np.logical_not(value)
                case Let():
                    self.bind(expression.name, expression.value)
                    return self(expression.body)
                case Load() | Text():
                    return None
        except (ArithmeticError, TypeError, ValueError):  # of NumPy: a number is too large, or of the wrong kind
            return None

    def bound(self, name: str) -> Expression | None:
        """What a name was bound to, if it is that of a value."""
        return self._waiting.get(name)

    def ramp_stride(self, expression: Expression) -> float | None:
        """How far lanes of a vector are apart, if code knows it: of a ramp whose stride is a number, whatever its base.

        Where that is a ramp itself, it is how far the innermost lanes are apart from those that are next in order.
        """
        match expression:
            case Ramp():
                stride = self._meant(expression.stride)
                number = stride.value if isinstance(stride, Broadcast) else stride
                return float(number.value) if isinstance(number, Number) else None
            case Name():
                meant = self._meant(expression)
                return None if meant is expression else self.ramp_stride(meant)
            case Let():
                self.bind(expression.name, expression.value)
                return self.ramp_stride(expression.body)
            case _:
                return None

    def _meant(self, expression: Expression) -> Expression:
        """What a name was bound to, if it is one."""
        return self._waiting.get(expression.name, expression) if isinstance(expression, Name) else expression

    def _name(self, each: Name) -> Value:
        if each.name not in self._known:
            waiting = self._waiting.get(each.name)
            self._known[each.name] = None if waiting is None else self(waiting)
        return self._known[each.name]

    def _binary(self, each: Binary) -> Value:
        left = self(each.left)
        if left is None:
            return None
        right = self(each.right)
        return None if right is None else OPERATORS[each.operator].value(left, right)

    def _cast(self, each: Cast) -> Value:
        value = self(each.value)
        if value is None or each.bits:
            return None  # bits of another type
        if "float" in each.type.kind or isinstance(value, int):
            return value
        return np.asarray(np.floor(value), np.int64)

    def _ramp(self, each: Ramp) -> Value:
        base, stride = self(each.base), self(each.stride)
        if base is None or stride is None:
            return None
        if is_vector(base):  # vectors, one after the other
            return base + np.array([0, 0, each.lanes - 1])[:, None, None] * stride
        return base + np.array([0, 1, each.lanes - 1])[:, None, None] * np.asarray(stride)

    def _call(self, each: Call) -> Value:
        if each.name.startswith("_halide_buffer_get_"):
            return self._of_buffer(each)
        if (plain := as_operator(each)) is not None:
            return self._binary(plain)
        called = CALLS.get(each.name)
        if called is None:
            return None
        arguments = [self(argument) for argument in each.arguments]
        if any(argument is None for argument in arguments):
            return None
        return called.value(each.type or INT, *arguments) if called.typed else called.value(*arguments)

    def _of_buffer(self, each: Call) -> Value:
        buffer, dimension = each.arguments[0], each.arguments[-1]
        if not isinstance(buffer, Name) or not isinstance(dimension, Number):
            return None
        dimensions = self._buffers.get(buffer.name.removesuffix(".buffer"), ())
        if int(dimension.value) >= len(dimensions):
            return None
        found = dimensions[int(dimension.value)]
        what = each.name.removeprefix("_halide_buffer_get_")
        return {"min": found.minimum, "extent": found.extent, "stride": found.stride}.get(what)


def _positions(order: np.random.Generator) -> NDArray[np.float64]:
    """Where samples are in a loop [S], 0 the beginning and 1 the end: one in each part of it, in no step with it.

    In the middle of the parts, all that are taken of 64 iterations would be odd. So parts have parts, and these again,
    as far as there are iterations.
    """
    within: NDArray[np.float64] = np.full(SAMPLES, 0.5)
    for _ in range(_DIGITS):
        within = (order.permutation(SAMPLES) + within) / SAMPLES
    return within


def is_vector(value: Value) -> bool:
    """Whether it has lanes."""
    return isinstance(value, np.ndarray) and value.ndim == _VECTOR


def row(value: Value) -> Value:
    """What a scalar is in the sampled iterations themselves: [S], or a plain number."""
    return value[0] if isinstance(value, np.ndarray) and value.ndim else value
