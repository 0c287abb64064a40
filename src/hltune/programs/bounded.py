"""Expressions that know their range, so that no random program ever overflows.

Halide takes for granted that 32-bit signed arithmetic does not overflow; where it does, two schedules may give
different results. All arithmetic here is in int32 or float32, and each operation scales its operands down as
needed. A float never turns into an integer again: schedules round floats differently, and integers have to be exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import halide as hl
import numpy as np

from hltune.pipeline.build import halide_type

_INTEGERS = ("uint8", "uint16", "uint32", "int8", "int16", "int32")
LARGEST = {dtype: int(np.iinfo(dtype).max) for dtype in _INTEGERS} | {"float32": math.inf}
"""Value of an element type, by NumPy's name."""
_FACTOR = 2**14
_TERM = 2**28
"""Largest absolute value of what is multiplied, and of what is added: the result fits 31 bits."""


@dataclass(frozen=True, slots=True)
class Bounded:
    """An expression of type int32 or float32.

    Attributes:
        low, high: no value is smaller or larger.
        real: whether it is float32.
    """

    expr: hl.Expr
    low: float
    high: float
    real: bool

    @classmethod
    def wide(cls, expr: hl.Expr, dtype: str, low: float, high: float) -> Bounded:
        """From an expression of any element type whose values are known to lie in this range."""
        if dtype == "float32":
            return cls(expr, low, high, True)
        largest = max(abs(low), abs(high))
        shift = max(0, math.ceil(math.log2(largest / _TERM))) if largest else 0
        expr = hl.cast(hl.Int(32), expr >> shift if shift else expr)
        return cls(expr, int(low) >> shift, int(high) >> shift, False)

    @property
    def size(self) -> float:
        """The largest absolute value."""
        return max(abs(self.low), abs(self.high))

    def limited(self, most: float) -> Bounded:
        """Divided by a power of two, if need be, so that no value is larger."""
        shift = 0
        while self.size > most * 2**shift:
            shift += 1
        return self.halved(shift)

    def halved(self, times: int) -> Bounded:
        """Divided by a power of two; integers are rounded down."""
        if times == 0:
            return self
        if self.real:
            factor = 0.5**times
            return Bounded(self.expr * factor, self.low * factor, self.high * factor, True)
        return Bounded(self.expr >> times, int(self.low) >> times, int(self.high) >> times, False)

    def as_real(self) -> Bounded:
        """The same values as float32."""
        return self if self.real else Bounded(hl.cast(hl.Float(32), self.expr), self.low, self.high, True)

    def __add__(self, other: Bounded) -> Bounded:
        a, b = _alike(self, other, _TERM)
        return Bounded(a.expr + b.expr, a.low + b.low, a.high + b.high, a.real)

    def __sub__(self, other: Bounded) -> Bounded:
        a, b = _alike(self, other, _TERM)
        return Bounded(a.expr - b.expr, a.low - b.high, a.high - b.low, a.real)

    def __mul__(self, other: Bounded) -> Bounded:
        a, b = _alike(self, other, _FACTOR)
        products = [left * right for left in (a.low, a.high) for right in (b.low, b.high)]
        return Bounded(a.expr * b.expr, min(products), max(products), a.real)

    def times(self, factor: int) -> Bounded:
        """Multiplied by a constant."""
        if factor == 1:
            return self
        value = self.limited(_TERM / abs(factor))
        low, high = sorted((value.low * factor, value.high * factor))
        return Bounded(value.expr * factor, low, high, value.real)

    def min(self, other: Bounded) -> Bounded:
        """The smaller of two values."""
        a, b = _alike(self, other, _TERM)
        return Bounded(hl.min(a.expr, b.expr), min(a.low, b.low), min(a.high, b.high), a.real)

    def max(self, other: Bounded) -> Bounded:
        """The larger of two values."""
        a, b = _alike(self, other, _TERM)
        return Bounded(hl.max(a.expr, b.expr), max(a.low, b.low), max(a.high, b.high), a.real)

    def absolute(self) -> Bounded:
        """Without its sign."""
        expr = hl.abs(self.expr)
        if not self.real:
            expr = hl.cast(hl.Int(32), expr)
        return Bounded(expr, 0, self.size, self.real)

    def difference(self, other: Bounded) -> Bounded:
        """How far two values are apart."""
        return (self - other).absolute()

    def rectified(self) -> Bounded:
        """0 instead of negative values."""
        return Bounded(hl.max(self.expr, zero(self.real)), max(self.low, 0), max(self.high, 0), self.real)

    def narrowed(self, dtype: str) -> Bounded:
        """With values that fit a type; the expression still has the wide one. Floats only fit float32."""
        if self.real != (dtype == "float32"):
            raise ValueError(f"{dtype} for a value that is {'' if self.real else 'not '}a float")
        value = self.absolute() if dtype.startswith("u") and self.low < 0 else self
        return value.limited(LARGEST[dtype])

    def stored(self, dtype: str) -> hl.Expr:
        """As an expression of this element type, which the values fit."""
        return self.expr if self.real else hl.cast(halide_type(dtype), self.expr)


def dtype_of(real: bool) -> str:
    """The element type of `Bounded` expressions, by NumPy's name."""
    return "float32" if real else "int32"


def zero(real: bool) -> hl.Expr:
    """0 as float32 or int32."""
    return hl.cast(halide_type(dtype_of(real)), 0)


def total(values: list[Bounded]) -> Bounded:
    """The sum of one value or more, halves first, so that ranges grow evenly."""
    if len(values) == 1:
        return values[0]
    middle = len(values) // 2
    return total(values[:middle]) + total(values[middle:])


def _alike(a: Bounded, b: Bounded, most: int) -> tuple[Bounded, Bounded]:
    if a.real or b.real:
        return a.as_real().limited(2.0**40), b.as_real().limited(2.0**40)
    return a.limited(most), b.limited(most)
