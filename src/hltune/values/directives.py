"""All that a schedule can say, one frozen value per scheduling call.

| directive       | Halide call                              | what it does to the loop nest             |
|-----------------|------------------------------------------|-------------------------------------------|
| Split           | s.split(old, outer, inner, factor, tail) | one loop becomes two                      |
| Fuse            | s.fuse(inner, outer, fused)              | two loops become one                      |
| Reorder         | s.reorder(innermost, ..., outermost)     | changes the order of loops                |
| Vectorize       | s.vectorize(var)                         | a loop becomes vector instructions        |
| Unroll          | s.unroll(var)                            | a loop becomes straight code              |
| Parallel        | s.parallel(var)                          | iterations run on several threads         |
| Partition       | s.partition(var, Partition::X)           | whether its ends get code of their own    |
| Atomic          | s.atomic()                               | an update may race, made safe             |
| Rfactor         | f.update(k).rfactor([(r, v), ...])       | a reduction gets a Func of partial results|
| ComputeRoot     | f.compute_root()                         | all of f is computed before its consumers |
| ComputeAt       | f.compute_at(consumer, var)              | f is computed inside a loop of a consumer |
| StoreRoot       | f.store_root()                           | f is allocated outside of all loops       |
| StoreAt         | f.store_at(consumer, var)                | f is allocated inside a loop of a consumer|
| HoistStorageRoot| f.hoist_storage_root()                   | f's memory is taken once for all loops    |
| HoistStorage    | f.hoist_storage(consumer, var)           | f's memory is taken once for a loop's body|
| StoreIn         | f.store_in(MemoryType.X)                 | stack, heap, ...                          |
| ReorderStorage  | f.reorder_storage(innermost, ...)        | order of dimensions in memory             |
| AlignStorage    | f.align_storage(var, alignment)          | pads a dimension in memory                |
| FoldStorage     | f.fold_storage(var, extent)              | keeps a circular window of a dimension    |
| Bound           | f.bound(var, min, extent)                | promises what of a dimension is computed  |
| Unscheduled     | s.unscheduled()                          | nothing: the stage stays as it is         |

The annotation of a field says what it stands for (see `roles`), and all that is done with directives follows from it.
A new directive is one class here, and what it does to the loops in `loops`.

Source: Halide 21 ``Func.h``; which of them an autoscheduler emits: its ``schedule_source``.
"""

from dataclasses import dataclass
from functools import cache
from typing import get_args

from hltune.values.roles import (
    Checked,
    ConsumerName,
    Coordinate,
    Count,
    DimName,
    DimNames,
    LevelName,
    LoopName,
    LoopNames,
    Memory,
    NewFuncName,
    NewLoopName,
    OfFunc,
    OfStage,
    OfUpdate,
    Policy,
    Preserved,
    Tail,
    form_of,
)
from hltune.values.roles import Stage as Stage

OUTERMOST = "__outermost"
"""Halide's name of the loop of one iteration around all loops of a stage."""


@dataclass(frozen=True, slots=True)
class Split(Checked):
    """Splits ``old`` into ``outer`` and ``inner`` of ``factor`` iterations.

    ``for x in 64`` becomes ``for xo in 8: for xi in 8``.
    """

    stage: OfStage
    old: LoopName
    outer: NewLoopName
    inner: NewLoopName
    factor: Count
    tail: Tail = "Auto"


@dataclass(frozen=True, slots=True)
class Fuse(Checked):
    """Joins ``inner`` and ``outer`` into ``fused``, in the place of ``inner``."""

    stage: OfStage
    inner: LoopName
    outer: LoopName
    fused: NewLoopName


@dataclass(frozen=True, slots=True)
class Reorder(Checked):
    """Puts loops into this order, the innermost first; loops not named stay where they are."""

    stage: OfStage
    vars: LoopNames


@dataclass(frozen=True, slots=True)
class Vectorize(Checked):
    """Computes all iterations of a loop of constant extent at once."""

    stage: OfStage
    var: LoopName


@dataclass(frozen=True, slots=True)
class Unroll(Checked):
    """Repeats the body of a loop of constant extent."""

    stage: OfStage
    var: LoopName


@dataclass(frozen=True, slots=True)
class Parallel(Checked):
    """Runs the iterations of a loop on the thread pool."""

    stage: OfStage
    var: LoopName


@dataclass(frozen=True, slots=True)
class Partition(Checked):
    """Says whether the first and last iterations of a loop get code of their own, where others need less."""

    stage: OfStage
    var: LoopName
    policy: Policy


@dataclass(frozen=True, slots=True)
class Atomic(Checked):
    """Lets an update race, made safe by atomic operations."""

    stage: OfStage


@dataclass(frozen=True, slots=True)
class Rfactor(Checked):
    """Makes the Func ``intermediate`` of partial results over the preserved reduction variables.

    ``f() += g(r)``, with ``r`` split into ``ro, ri`` and ``ro`` preserved as ``u``, becomes
    ``intermediate(u) += g(u, ri); f() += intermediate(ro)``.
    """

    stage: OfUpdate
    preserved: Preserved
    intermediate: NewFuncName


@dataclass(frozen=True, slots=True)
class ComputeRoot(Checked):
    """Computes the whole Func before its consumers."""

    stage: OfFunc


@dataclass(frozen=True, slots=True)
class ComputeAt(Checked):
    """Computes what one iteration of a loop of ``consumer`` needs."""

    stage: OfFunc
    consumer: ConsumerName
    var: LevelName


@dataclass(frozen=True, slots=True)
class StoreRoot(Checked):
    """Allocates the Func outside of all loops."""

    stage: OfFunc


@dataclass(frozen=True, slots=True)
class StoreAt(Checked):
    """Allocates the Func inside a loop of ``consumer``."""

    stage: OfFunc
    consumer: ConsumerName
    var: LevelName


@dataclass(frozen=True, slots=True)
class HoistStorageRoot(Checked):
    """Takes the memory of the Func outside of all loops, however often it is stored anew."""

    stage: OfFunc


@dataclass(frozen=True, slots=True)
class HoistStorage(Checked):
    """Takes the memory of the Func inside a loop of ``consumer``, however often it is stored anew further in."""

    stage: OfFunc
    consumer: ConsumerName
    var: LevelName


@dataclass(frozen=True, slots=True)
class StoreIn(Checked):
    """Chooses the kind of memory."""

    stage: OfFunc
    memory: Memory


@dataclass(frozen=True, slots=True)
class ReorderStorage(Checked):
    """Order of the dimensions in memory, the innermost first."""

    stage: OfFunc
    vars: DimNames


@dataclass(frozen=True, slots=True)
class AlignStorage(Checked):
    """Pads a dimension in memory to a multiple of ``alignment`` elements."""

    stage: OfFunc
    var: DimName
    alignment: Count


@dataclass(frozen=True, slots=True)
class FoldStorage(Checked):
    """Keeps only a circular window of ``extent`` elements of a dimension."""

    stage: OfFunc
    var: DimName
    extent: Count


@dataclass(frozen=True, slots=True)
class Bound(Checked):
    """Promises that exactly this interval of a dimension is computed, which is checked when the code runs."""

    stage: OfFunc
    var: DimName
    min: Coordinate
    extent: Count


@dataclass(frozen=True, slots=True)
class Unscheduled(Checked):
    """Says that a stage is left as it is on purpose."""

    stage: OfStage


Directive = (
    Split
    | Fuse
    | Reorder
    | Vectorize
    | Unroll
    | Parallel
    | Partition
    | Atomic
    | Rfactor
    | ComputeRoot
    | ComputeAt
    | StoreRoot
    | StoreAt
    | HoistStorageRoot
    | HoistStorage
    | StoreIn
    | ReorderStorage
    | AlignStorage
    | FoldStorage
    | Bound
    | Unscheduled
)


InsideLoop = ComputeAt | StoreAt | HoistStorage
"""What happens in a loop of a consumer."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """An ordered list of directives; Funcs without a directive are inlined.

    Funcs and loop variables go by their names in `PipelineSpec.funcs`.

    Attributes:
        base: `PipelineSpec.manual_hash` if this is the schedule that the pipeline's author wrote and directives cannot
            express it; there are none then. Else None.
    """

    directives: tuple[Directive, ...] = ()
    base: str | None = None


@cache
def kinds() -> dict[str, type[Directive]]:
    """All kinds of directives, by the name of the call."""
    return {form_of(kind).call: kind for kind in get_args(Directive)}
