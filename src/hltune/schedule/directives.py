"""All that a schedule can say, one frozen value per scheduling call.

| directive       | Halide call                              | what it does to the loop nest             |
|-----------------|------------------------------------------|-------------------------------------------|
| Split           | s.split(old, outer, inner, factor, tail) | one loop becomes two                      |
| Fuse            | s.fuse(inner, outer, fused)              | two loops become one                      |
| Reorder         | s.reorder(innermost, ..., outermost)     | changes the order of loops                |
| Vectorize       | s.vectorize(var)                         | a loop becomes vector instructions        |
| Unroll          | s.unroll(var)                            | a loop becomes straight code              |
| Parallel        | s.parallel(var)                          | iterations run on several threads         |
| Atomic          | s.atomic()                               | an update may race, made safe             |
| Rfactor         | f.update(k).rfactor([(r, v), ...])       | a reduction gets a Func of partial results|
| ComputeRoot     | f.compute_root()                         | all of f is computed before its consumers |
| ComputeAt       | f.compute_at(consumer, var)              | f is computed inside a loop of a consumer |
| StoreRoot       | f.store_root()                           | f is allocated outside of all loops       |
| StoreAt         | f.store_at(consumer, var)                | f is allocated inside a loop of a consumer|
| StoreIn         | f.store_in(MemoryType.X)                 | stack, heap, ...                          |
| ReorderStorage  | f.reorder_storage(innermost, ...)        | order of dimensions in memory             |
| AlignStorage    | f.align_storage(var, alignment)          | pads a dimension in memory                |
| FoldStorage     | f.fold_storage(var, extent)              | keeps a circular window of a dimension    |
| Unscheduled     | s.unscheduled()                          | nothing: the stage stays as it is         |

Source: Halide 21 ``Func.h``; which of them an autoscheduler emits: its ``schedule_source``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hltune.errors import InputError

TailStrategy = Literal["Auto", "RoundUp", "GuardWithIf", "ShiftInwards", "Predicate"]
MemoryType = Literal["Auto", "Heap", "Stack", "Register"]

OUTERMOST = "__outermost"
"""Halide's name of the loop of one iteration around all loops of a stage."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One definition of one Func: the pure one, or update number ``update``."""

    func: str
    update: int | None = None

    def __str__(self) -> str:
        return self.func if self.update is None else f"{self.func}.update({self.update})"


@dataclass(frozen=True, slots=True)
class Split:
    """Splits ``old`` into ``outer`` and ``inner`` of ``factor`` iterations."""

    stage: Stage
    old: str
    outer: str
    inner: str
    factor: int
    tail: TailStrategy = "Auto"

    def __post_init__(self) -> None:
        if self.factor < 1:
            raise InputError("a split factor is too small", where=str(self.stage), expected="1 or more",
                             found=str(self.factor))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fuse:
    """Joins ``inner`` and ``outer`` into ``fused``."""

    stage: Stage
    inner: str
    outer: str
    fused: str


@dataclass(frozen=True, slots=True)
class Reorder:
    """Puts loops into this order, the innermost first."""

    stage: Stage
    vars: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vectorize:
    """Computes all iterations of a loop of constant extent at once."""

    stage: Stage
    var: str


@dataclass(frozen=True, slots=True)
class Unroll:
    """Repeats the body of a loop of constant extent."""

    stage: Stage
    var: str


@dataclass(frozen=True, slots=True)
class Parallel:
    """Runs the iterations of a loop on the thread pool."""

    stage: Stage
    var: str


@dataclass(frozen=True, slots=True)
class Atomic:
    """Lets an update race, made safe by atomic operations."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class Rfactor:
    """Makes the Func ``intermediate`` of partial results over the kept reduction variables."""

    stage: Stage
    preserved: tuple[tuple[str, str], ...]
    intermediate: str


@dataclass(frozen=True, slots=True)
class ComputeRoot:
    """Computes the whole Func before its consumers."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class ComputeAt:
    """Computes what one iteration of a loop of ``consumer`` needs."""

    stage: Stage
    consumer: str
    var: str


@dataclass(frozen=True, slots=True)
class StoreRoot:
    """Allocates the Func outside of all loops."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class StoreAt:
    """Allocates the Func inside a loop of ``consumer``."""

    stage: Stage
    consumer: str
    var: str


@dataclass(frozen=True, slots=True)
class StoreIn:
    """Chooses the kind of memory."""

    stage: Stage
    memory: MemoryType


@dataclass(frozen=True, slots=True)
class ReorderStorage:
    """Order of the dimensions in memory, the innermost first."""

    stage: Stage
    vars: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlignStorage:
    """Pads a dimension in memory to a multiple of ``alignment`` elements."""

    stage: Stage
    var: str
    alignment: int


@dataclass(frozen=True, slots=True)
class FoldStorage:
    """Keeps only a circular window of ``extent`` elements of a dimension."""

    stage: Stage
    var: str
    extent: int


@dataclass(frozen=True, slots=True)
class Unscheduled:
    """Says that a stage is left as it is on purpose."""

    stage: Stage


Directive = (
    Split
    | Fuse
    | Reorder
    | Vectorize
    | Unroll
    | Parallel
    | Atomic
    | Rfactor
    | ComputeRoot
    | ComputeAt
    | StoreRoot
    | StoreAt
    | StoreIn
    | ReorderStorage
    | AlignStorage
    | FoldStorage
    | Unscheduled
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """An ordered list of directives; Funcs without a directive are inlined.

    Funcs and loop variables go by their names in `PipelineSpec.funcs`.
    """

    directives: tuple[Directive, ...] = ()
