"""A program in the making, and what a kind of stage adds to it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import halide as hl

from hltune.pipeline.build import halide_type
from hltune.programs.bounded import LARGEST, Bounded
from hltune.programs.choices import Draw
from hltune.programs.program import Node
from hltune.values.pipeline import BufferArgument

Index = hl.Expr | hl.Var | hl.RVar | int

Extents = tuple[int, int, int]
"""Extents along x, y and channel."""

INTEGERS = ("uint8", "uint8", "uint8", "uint16", "uint16", "int16", "int16", "int8", "uint32", "int32")
"""Element types, as often as they should come."""
_FEWEST_ELEMENTS = 1_000
_MOST_ELEMENTS = 6_000_000
_MOST_WORK = 200_000_000
"""Multiplications, roughly, of one stage: the slow schedules of a stage must end as well."""
_TO_FLOAT = 0.1
"""Chance that integers turn into floats."""

x, y, c = hl.Var("x"), hl.Var("y"), hl.Var("c")


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """What a stage computes: a function of x, y and channel.

    Attributes:
        extents: where it is worth reading; it is defined everywhere.
        low, high: no value is smaller or larger.
    """

    func: hl.Func
    dtype: str
    extents: Extents
    low: float
    high: float

    @property
    def real(self) -> bool:
        """True if its elements are floats."""
        return self.dtype == "float32"

    def at(self, i: Index, j: Index, k: Index) -> Bounded:
        """An element, ready to compute with."""
        return Bounded.wide(self.element(i, j, k), self.dtype, self.low, self.high)

    def element(self, i: Index, j: Index, k: Index) -> hl.Expr:
        """An element in its own type."""
        return hl.Expr(self.func[i, j, k])

    def window(self, width: int, height: int, stride: int = 1, *, middle: tuple[int, int] = (0, 0)) -> list[Bounded]:
        """The elements around x and y, row by row; `middle` is the place in the window that stands for x and y."""
        return [
            self.at(place(x, i - middle[0], stride), place(y, j - middle[1], stride), c)
            for j in range(height)
            for i in range(width)
        ]

    def resampled(self, extents: Extents) -> Bounded:
        """The element at x, y and c when the whole is stretched to other extents: the nearest one."""
        i, j = (_stretched(var, old, new) for var, old, new in zip((x, y), self.extents, extents, strict=False))
        channels = self.extents[2]
        return self.at(i, j, c if channels >= extents[2] else c % channels)


Source = Image | hl.ImageParam
"""What a stage reads."""


class Draft:
    """Images, inputs and names of a program. All names are given, for those that Halide invents depend on the process.

    Attributes:
        draw: decides.
        kind: kind of the stage that is being made: its functions, and its nodes, bear that name.
        images: what stages may read, in the order of their definitions.
        bordered_inputs: those of them that are inputs with a condition at their borders.
        inputs: the pipeline's inputs.
        nodes: one for each Func and input.
    """

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.kind = ""
        self.images: list[Image] = []
        self.bordered_inputs: tuple[Image, ...] = ()
        self.inputs: list[BufferArgument] = []
        self.nodes: list[Node] = []

    def recent(self) -> Image:
        """Any image, rather a new one than an old one."""
        return self.draw.recent(self.images)

    def deep(self) -> list[Image]:
        """The images with several channels."""
        return [image for image in self.images if image.extents[2] > 1]

    def integers(self) -> list[Image]:
        """The images whose elements are integers."""
        return [image for image in self.images if not image.real]

    def input(self, dtype: str, extents: tuple[int, ...]) -> tuple[hl.ImageParam, float, float]:
        """A new input, and the range of the random data that it will be given."""
        name = f"input_{len(self.inputs)}"
        self.inputs.append(BufferArgument(name=name, dtype=dtype, estimate=tuple((0, extent) for extent in extents)))
        self.nodes.append(Node(name=name, kind="input", dtype=dtype, extents=extents, reads=()))
        param = hl.ImageParam(halide_type(dtype), len(extents), name)
        if dtype == "float32":
            return param, 0.0, 1.0
        return param, 0 if dtype.startswith("u") else -LARGEST[dtype] - 1, LARGEST[dtype]

    def func(self) -> hl.Func:
        """A new Func."""
        return hl.Func(f"{self.kind}_{sum(node.kind != 'input' for node in self.nodes)}")

    def domain(self, *extents: int) -> hl.RDom:
        """A reduction domain that begins at 0."""
        return hl.RDom([hl.Range(0, extent) for extent in extents], f"r{len(self.nodes)}")

    def affordable(self, extents: Extents, work: int = 1) -> bool:
        """True if a stage of this size, with so many multiplications per element, is neither tiny nor huge."""
        elements = math.prod(extents)
        return _FEWEST_ELEMENTS <= elements <= _MOST_ELEMENTS and elements * work <= _MOST_WORK

    def pure(self, value: Bounded, extents: Extents, reads: Sequence[Source], dtype: str | None = None) -> Image:
        """A stage with one definition in x, y and c; without an element type one is drawn."""
        if dtype is None:
            real = value.real or self.draw.chance(_TO_FLOAT)
            dtype = "float32" if real else self.draw.choice(INTEGERS)
        value = (value.as_real() if dtype == "float32" else value).narrowed(dtype)
        func = self.func()
        func[x, y, c] = value.stored(dtype)
        return self.defined(func, dtype, extents, value, reads)

    def defined(self, func: hl.Func, dtype: str, extents: Extents, value: Bounded, reads: Sequence[Source]) -> Image:
        """Takes note of a Func whose values have the range of `value`."""
        names = tuple(dict.fromkeys(each.func.name() if isinstance(each, Image) else each.name() for each in reads))
        self.nodes.append(Node(name=func.name(), kind=self.kind, dtype=dtype, extents=extents, reads=names))
        return Image(func, dtype, extents, value.low, value.high)


def place(var: hl.Var, offset: Index = 0, stride: int = 1) -> Index:
    """``var * stride + offset``."""
    start = var if stride == 1 else var * stride
    return start if isinstance(offset, int) and offset == 0 else start + offset


def _stretched(var: hl.Var, old: int, new: int) -> Index:
    divisor = math.gcd(old, new)
    start = var if old == divisor else var * (old // divisor)
    return start if new == divisor else start / (new // divisor)
