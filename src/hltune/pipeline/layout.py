"""How images lie in memory: by the strides that the user's code fixes, and densely where it fixes none."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hltune.pipeline.images import Array
from hltune.runtime.worker import physical_memory_bytes
from hltune.values.errors import InputError
from hltune.values.pipeline import BufferArgument, Constraint, Constraints, OutputArgument

_POISON, _FLOAT_POISON = 0xA5, 0xFF
"""Outputs are filled with it first, so that what nobody wrote shows, and what nobody should have written.

Floats become no numbers: small ones could pass for what is expected near zero.
"""

_ALIGNMENT_BYTES = 128
_GUARD_BYTES = 4096
"""Poisoned before and behind an image as well. A page, so that the image's place in its pages is malloc's."""

_Placed = list[tuple[int, int]]
"""Stride and extent of the dimensions that have a place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """A dimension of a buffer: where it begins, its size, and how far neighbours are apart, in elements."""

    minimum: int
    extent: int
    stride: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the elements of an image are.

    Attributes:
        extents: per dimension, innermost first.
        strides: distances of neighbours, in elements.
        size: elements in memory, with those between rows that belong to nobody.
    """

    dtype: np.dtype
    extents: tuple[int, ...]
    strides: tuple[int, ...]
    size: int

    @property
    def poison(self) -> int:
        """The byte of which memory is full that nobody wrote to."""
        return _FLOAT_POISON if self.dtype.kind == "f" else _POISON

    @property
    def bits(self) -> int:
        """Of an element, as Halide counts them."""
        return 1 if self.dtype.kind == "b" else 8 * self.dtype.itemsize

    def view(self, memory: Array) -> Array:
        """The image in a flat array of `size` elements, with Halide's dimensions reversed."""
        strides = [stride * self.dtype.itemsize for stride in reversed(self.strides)]
        return np.ndarray(tuple(reversed(self.extents)), self.dtype, memory.data, strides=strides)

    def filled(self, image: Array | float) -> bytes:
        """The memory of an image, with zeros between its rows."""
        memory = np.zeros(self.size, self.dtype)
        self.view(memory)[...] = image
        return memory.tobytes()

    def gaps_intact(self, memory: Array) -> bool:
        """True if all that lies between the elements of the image is still `poison`."""
        if self.size == math.prod(self.extents):
            return True
        gaps = np.full(self.size, fill_value=True)
        replace(self, dtype=np.dtype(bool)).view(gaps)[...] = False
        return bool((memory.view(np.uint8).reshape(self.size, -1)[gaps] == self.poison).all())


def blank(image: Array) -> NDArray[np.bool_]:
    """Where the floats of an image are as poison leaves them; nowhere in one of others, which may be so by chance."""
    if image.dtype.kind != "f":
        return np.zeros((), np.bool_)
    words = image.view(f"u{image.dtype.itemsize}")
    return words == np.iinfo(words.dtype).max


@dataclass(frozen=True, slots=True)
class Stored:
    """An image in memory of its own.

    Attributes:
        guards: the bytes before and behind it that belong to nobody, where it has them.
    """

    layout: Layout
    memory: Array
    guards: tuple[Array, ...] = ()

    @property
    def array(self) -> Array:
        """The elements, with Halide's dimensions reversed."""
        return self.layout.view(self.memory)

    def poison(self) -> None:
        """Overwrites all of it, and what lies around it."""
        for each in (self.memory.view(np.uint8), *self.guards):
            each.fill(self.layout.poison)

    def gaps_intact(self) -> bool:
        """True if only elements were written since `poison`."""
        around = all(bool((guard == self.layout.poison).all()) for guard in self.guards)
        return around and self.layout.gaps_intact(self.memory)


def layout_of(argument: BufferArgument | OutputArgument, dtype: str, *, row: int = 1) -> Layout:
    """The layout of an input, or of an element of an output, at the size of its estimate.

    Args:
        row: rows begin at multiples of so many elements, unless their stride is fixed; as far as they are promised to,
            they do anyway.

    Raises:
        InputError: the image does not fit into the fixed strides.
    """
    extents = tuple(extent for _, extent in argument.estimate)
    fixed = fixed_strides(argument.constraints, len(extents))
    _check(argument.name, extents, fixed)
    multiples = [math.lcm(row, pitch) for pitch in argument.pitches] or [row] * len(extents)
    strides = _complete(extents, fixed, multiples)
    size = max((stride * extent for stride, extent in zip(strides, extents, strict=True)), default=1)
    return Layout(_kind(dtype), extents, strides, _round_up(size, row) if extents else 1)


def middle(argument: OutputArgument, most: int) -> OutputArgument:
    """The argument with the middle of its estimate, of so many elements at most in dimensions that nothing fixes."""
    constraints = argument.constraints or (Constraint(),) * len(argument.estimate)
    region = tuple(
        (minimum + max(0, extent - most) // 2, min(extent, most)) if (c.minimum, c.extent) == (None, None) else whole
        for c, whole in zip(constraints, argument.estimate, strict=True)
        for minimum, extent in [whole]
    )
    return replace(argument, estimate=region)


def fixed_strides(constraints: Constraints, dimensions: int) -> tuple[int | None, ...]:
    """Per dimension, the stride that compiled code insists on; Halide's default is 1 in the first one."""
    if constraints:
        return tuple(constraint.stride for constraint in constraints)
    return (1, *(None for _ in range(dimensions - 1)))[:dimensions]


def stored(layout: Layout, *, name: str, alignment: int | None = None) -> Stored:
    """Uninitialised memory for an image, aligned as Halide aligns its own, or as the user's code promises.

    Raises:
        InputError: this machine has not so much.
    """
    needed, there = layout.size * layout.dtype.itemsize, physical_memory_bytes()
    if needed > there:
        raise InputError(
            "the image does not fit into the memory of this machine, or of its container",
            where=name,
            expected=f"{there / 2**30:.1f} GiB at most",
            found=f"{needed / 2**30:.1f} GiB: {'x'.join(map(str, layout.extents))} elements of {layout.dtype}",
            todo="schedule for a smaller size: --size, --estimate or --example, or the estimates in the file",
        )
    multiple = boundary(alignment)
    raw = np.empty(needed + 2 * _GUARD_BYTES + multiple, dtype=np.uint8)
    begin = _GUARD_BYTES + -(raw.ctypes.data + _GUARD_BYTES) % multiple
    before, image, behind = np.split(raw, [begin, begin + needed])
    return Stored(layout, image.view(layout.dtype), (before, behind))


def boundary(*alignments: int | None) -> int:
    """Where images begin: at multiples of so many bytes, as Halide aligns its own, and as all of these demand."""
    return math.lcm(_ALIGNMENT_BYTES, *(each or 1 for each in alignments))


def _kind(dtype: str) -> np.dtype:
    # np.uint64 is 'L' on Linux, and the bindings only know 'Q'.
    return np.dtype("Q" if dtype == "uint64" else dtype)


def _check(name: str, extents: Iterable[int], fixed: Iterable[int | None]) -> None:
    placed = sorted((s, extent) for s, extent in zip(fixed, extents, strict=True) if s is not None and extent > 1)
    needed = 1
    for stride, extent in placed:
        if stride < needed:
            raise InputError(
                "the image does not fit into the strides that the pipeline fixes",
                where=name,
                expected=f"a stride of {needed} or more for a dimension of {extent}",
                found=f"stride {stride}",
                todo=f"give a smaller size, --estimate {name}=..., or change set_stride in the file; "
                "the axes of .npy files are in reverse order: channels, rows, columns",
            )
        needed = stride * extent


def _complete(extents: tuple[int, ...], fixed: tuple[int | None, ...], multiples: Sequence[int]) -> tuple[int, ...]:
    placed: _Placed = [(stride, extent) for stride, extent in zip(fixed, extents, strict=True) if stride is not None]
    strides: list[int] = []
    for stride, extent, multiple in zip(fixed, extents, multiples, strict=True):
        if stride is None:
            placed.append((_first_fit(extent, placed, multiple), extent))
        strides.append(placed[-1][0] if stride is None else stride)
    return tuple(strides)


def _first_fit(extent: int, placed: _Placed, row: int) -> int:
    """The least stride with which a dimension lies between those that have a place, or around them."""
    innermost = [] if any(stride == 1 for stride, _ in placed) else [1]
    around = sorted(_round_up(stride * inner, row) for stride, inner in placed)
    fitting = (
        chosen
        for chosen in [*innermost, *around]
        if all(inside * count <= chosen or chosen * extent <= inside for inside, count in placed)
    )
    return next(fitting)


def _round_up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple
