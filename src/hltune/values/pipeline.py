"""What to schedule: a pipeline as an immutable value that any process can build."""

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from hltune.values.errors import InputError

Number = float | int | bool

Interval = tuple[int, int]
"""(minimum, extent) of one dimension."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """What the user's code promises of one dimension of an image; None where anything goes.

    Attributes:
        stride: distance of neighbours in memory, in elements.
    """

    minimum: int | None = None
    extent: int | None = None
    stride: int | None = None


Constraints = tuple[Constraint, ...]
"""One per dimension, innermost first; empty for Halide's default, which is a stride of 1 in the first dimension."""

Limit = Literal["minimum", "extent", "stride"]
LIMITS: tuple[Limit, ...] = ("minimum", "extent", "stride")
"""What a constraint may fix."""
SETTERS: Mapping[Limit, str] = {
    "minimum": "set_min_constraint",
    "extent": "set_extent_constraint",
    "stride": "set_stride_constraint",
}
"""Halide's calls that fix it."""


def unless_default(constraints: Constraints) -> Constraints:
    """Empty where they are Halide's default, in full."""
    default = all(c == Constraint(stride=None if d else 1) for d, c in enumerate(constraints))
    return () if default else constraints


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A constraint that is no constant, such as a stride that is a multiple of 128.

    Attributes:
        expression: a pipeline of one Func without dimensions, whose value it is, as Halide serializes it.
    """

    dimension: int
    what: Limit
    expression: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferArgument:
    """An input image.

    Attributes:
        dtype: NumPy's name of the element type.
        estimate: one interval per dimension, the innermost (x) first.
        constraints: what the algorithm was written for.
        promises: those of its constraints that are no constants; they say nothing in `constraints`.
        alignment: the address of its first element is a multiple of so many bytes; None if the code promises nothing.
        pitches: per dimension, its stride is a multiple of so many elements, as the code promises; empty if of none.
    """

    name: str
    dtype: str
    estimate: tuple[Interval, ...]
    constraints: Constraints = field(default=(), repr=False)
    promises: tuple[Promise, ...] = field(default=(), repr=False)
    alignment: int | None = field(default=None, repr=False)
    pitches: tuple[int, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarArgument:
    """An input parameter and the value that it is searched and measured with.

    Attributes:
        minimum: the least value that the user's code allows, None if all are.
        maximum: the largest one.
    """

    name: str
    dtype: str
    estimate: Number
    minimum: Number | None = field(default=None, repr=False)
    maximum: Number | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputArgument:
    """An output Func.

    Attributes:
        dtypes: NumPy's name of the element type, one per element of a Tuple-valued Func.
        estimate: one interval per dimension, the innermost (x) first.
        constraints: as the algorithm has them; the serialized pipeline holds them, too, or else `OutputImage`.
        alignment: the address of its first element is a multiple of so many bytes; None if the code promises nothing.
        pitches: as those of an input.
    """

    name: str
    dtypes: tuple[str, ...]
    estimate: tuple[Interval, ...]
    constraints: Constraints = field(default=(), repr=False)
    alignment: int | None = field(default=None, repr=False)
    pitches: tuple[int, ...] = field(default=(), repr=False)

    @property
    def element_names(self) -> list[str]:
        """One for each element of a Tuple."""
        count = len(self.dtypes)
        return [self.name] if count == 1 else [f"{self.name}_{number}" for number in range(count)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputImage:
    """What the code promises of the image of an output.

    Where something of the pipeline names the image, such as a specialization, Halide takes it for an input when it
    reads a serialized pipeline, and forgets what was promised of it.

    Attributes:
        name: that of its parameter: each element of a Tuple has an image.
        constraints, promises, alignment: as those of an input.
    """

    name: str
    constraints: Constraints = ()
    promises: tuple[Promise, ...] = ()
    alignment: int | None = None

    @property
    def is_promised(self) -> bool:
        """Anything is."""
        return self != OutputImage(name=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class FuncInfo:
    """The loops of a Func before scheduling.

    Attributes:
        name: as in the pipeline, with ``$`` replaced by ``_``.
        args: its pure variables, innermost first.
        updates: per update definition, its reduction variables, innermost first.
        update_args: per update definition, the pure variables that it loops over, innermost first.
        extents: per update definition, how many iterations each of its reduction variables has, None where that is no
            constant; empty if none is.
    """

    name: str
    args: tuple[str, ...]
    updates: tuple[tuple[str, ...], ...] = ()
    update_args: tuple[tuple[str, ...], ...] = ()
    extents: tuple[tuple[int | None, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSpec:
    """A pipeline: the algorithm, its arguments and their estimates.

    Attributes:
        name: what people call it; not part of its identity.
        hlpipe: the algorithm without a schedule, as Halide serializes it.
        inputs: the inputs, in the order in which compiled code takes them.
        outputs: follow the inputs.
        funcs: all Funcs in the order of ``Pipeline.get_func``, that is producers first.
        output_images: what is promised of outputs, and is forgotten with `hlpipe`.
        manual: the pipeline with the schedule that its author wrote, as Halide serializes it; None if there is none.
            Not part of the pipeline's identity.
        manual_images: as `output_images`, with `manual`.
        notes: what people should know of how it was loaded; not part of its identity either.
    """

    name: str
    hlpipe: bytes
    inputs: tuple[BufferArgument | ScalarArgument, ...]
    outputs: tuple[OutputArgument, ...]
    funcs: tuple[FuncInfo, ...]
    output_images: tuple[OutputImage, ...] = ()
    manual: bytes | None = field(default=None, repr=False)
    manual_images: tuple[OutputImage, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()

    @property
    def output_names(self) -> list[str]:
        """One for each image that it computes: a Tuple has one for each of its elements."""
        return [name for output in self.outputs for name in output.element_names]

    @property
    def content_hash(self) -> str:
        """Identity of algorithm, estimates and promises about images: 64 hexadecimal digits."""
        digest = hashlib.sha256(self._without_promises())
        promises = [
            (a.constraints, a.alignment) if isinstance(a, BufferArgument) else (a.minimum, a.maximum)
            for a in self.inputs
        ]
        if any(part not in (None, ()) for promise in promises for part in promise):
            digest.update(repr(promises).encode())
        for promise in (promise for a in self.buffers() for promise in a.promises):
            digest.update(repr(promise).encode())
        if self.output_images:
            digest.update(repr(self.output_images).encode())
        return digest.hexdigest()

    @property
    def former_hash(self) -> str:
        """Identity before promises about inputs were a part of it."""
        return hashlib.sha256(self._without_promises()).hexdigest()

    def _without_promises(self) -> bytes:
        return self.hlpipe + repr((self.inputs, self.outputs)).encode()

    @property
    def manual_hash(self) -> str | None:
        """What `Schedule.base` is for the author's own schedule: 64 hexadecimal digits."""
        return None if self.manual is None else hashlib.sha256(self.manual).hexdigest()

    def has_base(self, base: str | None) -> bool:
        """A schedule with this base is one of this pipeline, as its author's file is now."""
        return base in (None, self.manual_hash)

    @property
    def rfactored(self) -> tuple[str, ...]:
        """The Funcs that a call of ``rfactor`` made, as names and variables tell: they belong to the algorithm."""
        funcs = {func.name: func for func in self.funcs}
        found = {name: re.fullmatch(r"(.+)_intm(_\d+)?", name) for name in funcs}
        return tuple(
            name
            for name, match in found.items()
            if match and (base := funcs.get(match[1])) is not None and _is_made_of(funcs[name], base)
        )

    def rfactor_note(self) -> str | None:
        """What people should know who put another schedule in place of their own; None without an ``rfactor``."""
        if not self.rfactored:
            return None
        return (
            f"schedules need {', '.join(self.rfactored)}, as your call of rfactor makes it: where one takes the place "
            "of yours, keep that call, with what it needs, and leave out the rest"
        )

    def buffers(self) -> Iterator[BufferArgument]:
        """The inputs that are images."""
        return (argument for argument in self.inputs if isinstance(argument, BufferArgument))


def _is_made_of(func: FuncInfo, base: FuncInfo) -> bool:
    """Whether a Func can be what an ``rfactor`` of another one makes: it has more variables, and both have updates."""
    shared = len(base.args)
    return len(func.args) > shared and func.args[:shared] == base.args and bool(func.updates and base.updates)


def check_range(argument: ScalarArgument, value: Number, *, where: str) -> None:
    """Refuses a value that the user's code does not allow.

    Raises:
        InputError: it is outside of the scalar's range; tells `where` the user gave it.
    """
    minimum, maximum, held = argument.minimum, argument.maximum, converted(value, argument.dtype)
    if (minimum is not None and held < minimum) or (maximum is not None and held > maximum):
        low, high = ("any" if limit is None else limit for limit in (minimum, maximum))
        raise InputError(
            f"scalar {argument.name} is out of its range",
            where=where,
            expected=f"a value of {low} to {high}, as the pipeline says",
            found=str(value),
            todo=f"give one of these, or change the range of {argument.name} in the file",
        )


def fits(value: Number, dtype: str) -> bool:
    """True if a number is a value of a type, by NumPy's name of it; floats may be infinite."""
    import numpy as np  # the command line reads numbers, and starts faster without it

    if dtype == "bool":
        return value in (0, 1)
    if dtype.startswith("float"):
        return abs(value) <= float(np.finfo(dtype).max) or abs(value) == math.inf
    return type(value) is int and int(np.iinfo(dtype).min) <= value <= int(np.iinfo(dtype).max)


def converted(value: Number, dtype: str) -> Number:
    """A number that fits, as its type holds it: floats are rounded, as Halide rounds those of the user's code."""
    import numpy as np

    return np.dtype(dtype).type(value).item()
