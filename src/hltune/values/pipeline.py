"""What to schedule: a pipeline as an immutable value that any process can build."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferArgument:
    """An input image.

    Attributes:
        dtype: NumPy's name of the element type.
        estimate: one interval per dimension, the innermost (x) first.
        constraints: what the algorithm was written for.
        alignment: the address of its first element is a multiple of so many bytes; None if the code promises nothing.
    """

    name: str
    dtype: str
    estimate: tuple[Interval, ...]
    constraints: Constraints = field(default=(), repr=False)
    alignment: int | None = field(default=None, repr=False)


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
        constraints: as the algorithm has them; the serialized pipeline holds them, too.
    """

    name: str
    dtypes: tuple[str, ...]
    estimate: tuple[Interval, ...]
    constraints: Constraints = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FuncInfo:
    """The loops of a Func before scheduling.

    Attributes:
        name: as in the pipeline, with ``$`` replaced by ``_``.
        args: its pure variables, innermost first.
        updates: per update definition, its reduction variables, innermost first.
        update_args: per update definition, the pure variables that it loops over, innermost first.
    """

    name: str
    args: tuple[str, ...]
    updates: tuple[tuple[str, ...], ...] = ()
    update_args: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSpec:
    """A pipeline: the algorithm, its arguments and their estimates.

    Attributes:
        name: what people call it; not part of its identity.
        hlpipe: the algorithm without a schedule, as Halide serializes it.
        inputs: the inputs, in the order in which compiled code takes them.
        outputs: follow the inputs.
        funcs: all Funcs in the order of ``Pipeline.get_func``, that is producers first.
        manual: the pipeline with the schedule that its author wrote, as Halide serializes it; None if there is none.
            Not part of the pipeline's identity.
        notes: what people should know of how it was loaded; not part of its identity either.
    """

    name: str
    hlpipe: bytes
    inputs: tuple[BufferArgument | ScalarArgument, ...]
    outputs: tuple[OutputArgument, ...]
    funcs: tuple[FuncInfo, ...]
    manual: bytes | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def content_hash(self) -> str:
        """Identity of algorithm, estimates and promises about inputs: 64 hexadecimal digits."""
        digest = hashlib.sha256(self.hlpipe)
        digest.update(repr((self.inputs, self.outputs)).encode())
        promises = [
            (a.constraints, a.alignment) if isinstance(a, BufferArgument) else (a.minimum, a.maximum)
            for a in self.inputs
        ]
        if any(part not in (None, ()) for promise in promises for part in promise):
            digest.update(repr(promises).encode())
        return digest.hexdigest()

    @property
    def manual_hash(self) -> str | None:
        """What `Schedule.base` is for the author's own schedule: 64 hexadecimal digits."""
        return None if self.manual is None else hashlib.sha256(self.manual).hexdigest()

    def buffers(self) -> Iterator[BufferArgument]:
        """The inputs that are images."""
        return (argument for argument in self.inputs if isinstance(argument, BufferArgument))


def fits(value: Number, dtype: str) -> bool:
    """True if a number is a value of a type, by NumPy's name of it."""
    import numpy as np  # the command line reads numbers, and starts faster without it

    if dtype == "bool":
        return value in (0, 1)
    if dtype.startswith("float"):
        return abs(value) <= float(np.finfo(dtype).max)
    return type(value) is int and int(np.iinfo(dtype).min) <= value <= int(np.iinfo(dtype).max)
