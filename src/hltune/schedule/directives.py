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

The annotation of a field names its `Role`. Checking, JSON, text, replay and source code all follow from the roles, so
that a new directive is one class here and its effect on the loops in `loops`.

Source: Halide 21 ``Func.h``; which of them an autoscheduler emits: its ``schedule_source``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_type_hints

from hltune.errors import InputError

TailStrategy = Literal["Auto", "RoundUp", "GuardWithIf", "ShiftInwards", "Predicate"]
MemoryType = Literal["Auto", "Heap", "Stack", "Register"]

OUTERMOST = "__outermost"
"""Halide's name of the loop of one iteration around all loops of a stage."""


class Role(Enum):
    """What a field of a directive stands for; the value is what a message calls it."""

    STAGE = "a stage"
    FUNC = "a Func, not one of its updates"
    UPDATE = "an update definition"
    LOOP = "the name of a loop"
    NEW_LOOP = "a name for a new loop"
    LOOPS = "different names of loops"
    PRESERVED = "pairs of a reduction loop and a name for a new pure loop"
    NEW_FUNC = "a name for a new Func"
    CONSUMER = "the name of a Func"
    LEVEL = "the name of a loop of the consumer"
    DIM = "the name of a dimension"
    DIMS = "two or more different names of dimensions"
    COUNT = "a whole number, 1 or more"
    TAIL = "one of " + ", ".join(get_args(TailStrategy))
    MEMORY = "one of " + ", ".join(get_args(MemoryType))


_NAMES = {Role.LOOP, Role.NEW_LOOP, Role.NEW_FUNC, Role.CONSUMER, Role.LEVEL, Role.DIM}
_CHOICES = {Role.TAIL: get_args(TailStrategy), Role.MEMORY: get_args(MemoryType)}


@dataclass(frozen=True, slots=True)
class Stage:
    """One definition of one Func: the pure one, or update number ``update``."""

    func: str
    update: int | None = None

    def __str__(self) -> str:
        return self.func if self.update is None else f"{self.func}.update({self.update})"


OfStage = Annotated[Stage, Role.STAGE]
OfFunc = Annotated[Stage, Role.FUNC]
OfUpdate = Annotated[Stage, Role.UPDATE]
Loop = Annotated[str, Role.LOOP]
NewLoop = Annotated[str, Role.NEW_LOOP]
Loops = Annotated[tuple[str, ...], Role.LOOPS]
Preserved = Annotated[tuple[tuple[str, str], ...], Role.PRESERVED]
NewFunc = Annotated[str, Role.NEW_FUNC]
Consumer = Annotated[str, Role.CONSUMER]
Level = Annotated[str, Role.LEVEL]
Dim = Annotated[str, Role.DIM]
Dims = Annotated[tuple[str, ...], Role.DIMS]
Count = Annotated[int, Role.COUNT]
Tail = Annotated[TailStrategy, Role.TAIL]
Memory = Annotated[MemoryType, Role.MEMORY]


class _Checked:
    """Checks every field against its role."""

    __slots__ = ()

    def __post_init__(self) -> None:
        form = form_of(type(self))
        for name, role in form.fields:
            value = getattr(self, name)
            if not _fits(role, value):
                raise InputError(f"{form.call}: {name} is wrong", expected=role.value, found=repr(value))


@dataclass(frozen=True, slots=True)
class Split(_Checked):
    """Splits ``old`` into ``outer`` and ``inner`` of ``factor`` iterations.

    ``for x in 64`` becomes ``for xo in 8: for xi in 8``.
    """

    stage: OfStage
    old: Loop
    outer: NewLoop
    inner: NewLoop
    factor: Count
    tail: Tail = "Auto"


@dataclass(frozen=True, slots=True)
class Fuse(_Checked):
    """Joins ``inner`` and ``outer`` into ``fused``, in the place of ``inner``."""

    stage: OfStage
    inner: Loop
    outer: Loop
    fused: NewLoop


@dataclass(frozen=True, slots=True)
class Reorder(_Checked):
    """Puts loops into this order, the innermost first; loops not named stay where they are."""

    stage: OfStage
    vars: Loops


@dataclass(frozen=True, slots=True)
class Vectorize(_Checked):
    """Computes all iterations of a loop of constant extent at once."""

    stage: OfStage
    var: Loop


@dataclass(frozen=True, slots=True)
class Unroll(_Checked):
    """Repeats the body of a loop of constant extent."""

    stage: OfStage
    var: Loop


@dataclass(frozen=True, slots=True)
class Parallel(_Checked):
    """Runs the iterations of a loop on the thread pool."""

    stage: OfStage
    var: Loop


@dataclass(frozen=True, slots=True)
class Atomic(_Checked):
    """Lets an update race, made safe by atomic operations."""

    stage: OfStage


@dataclass(frozen=True, slots=True)
class Rfactor(_Checked):
    """Makes the Func ``intermediate`` of partial results over the preserved reduction variables.

    ``f() += g(r)`` with ``r`` split into ``ro, ri`` and ``ro`` preserved as ``u`` becomes ``intermediate(u) += g(u, ri)``
    and ``f() += intermediate(ro)``.
    """

    stage: OfUpdate
    preserved: Preserved
    intermediate: NewFunc


@dataclass(frozen=True, slots=True)
class ComputeRoot(_Checked):
    """Computes the whole Func before its consumers."""

    stage: OfFunc


@dataclass(frozen=True, slots=True)
class ComputeAt(_Checked):
    """Computes what one iteration of a loop of ``consumer`` needs."""

    stage: OfFunc
    consumer: Consumer
    var: Level


@dataclass(frozen=True, slots=True)
class StoreRoot(_Checked):
    """Allocates the Func outside of all loops."""

    stage: OfFunc


@dataclass(frozen=True, slots=True)
class StoreAt(_Checked):
    """Allocates the Func inside a loop of ``consumer``."""

    stage: OfFunc
    consumer: Consumer
    var: Level


@dataclass(frozen=True, slots=True)
class StoreIn(_Checked):
    """Chooses the kind of memory."""

    stage: OfFunc
    memory: Memory


@dataclass(frozen=True, slots=True)
class ReorderStorage(_Checked):
    """Order of the dimensions in memory, the innermost first."""

    stage: OfFunc
    vars: Dims


@dataclass(frozen=True, slots=True)
class AlignStorage(_Checked):
    """Pads a dimension in memory to a multiple of ``alignment`` elements."""

    stage: OfFunc
    var: Dim
    alignment: Count


@dataclass(frozen=True, slots=True)
class FoldStorage(_Checked):
    """Keeps only a circular window of ``extent`` elements of a dimension."""

    stage: OfFunc
    var: Dim
    extent: Count


@dataclass(frozen=True, slots=True)
class Unscheduled(_Checked):
    """Says that a stage is left as it is on purpose."""

    stage: OfStage


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


@dataclass(frozen=True, slots=True)
class Form:
    """How a directive is written: the name of the call, and its fields with their roles.

    The first field is the stage that is called; an `Rfactor` is assigned to its last.
    """

    kind: type[Directive]
    call: str
    fields: tuple[tuple[str, Role], ...]

    @property
    def arguments(self) -> tuple[tuple[str, Role], ...]:
        """The fields that stand between the parentheses of the call."""
        return tuple(field for field in self.fields[1:] if field[1] is not Role.NEW_FUNC)


@cache
def form_of(kind: type[Any]) -> Form:
    """The form of a kind of directive, read from its annotations."""
    call = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
    hints = get_type_hints(kind, include_extras=True)
    return Form(kind, call, tuple((name, hint.__metadata__[0]) for name, hint in hints.items()))


@cache
def forms() -> dict[str, Form]:
    """All forms, by the name of the call."""
    return {form_of(kind).call: form_of(kind) for kind in get_args(Directive)}


def _fits(role: Role, value: object) -> bool:
    if role in _NAMES:
        return _is_name(value)
    if role in _CHOICES:
        return value in _CHOICES[role]
    match role, value:
        case (Role.STAGE | Role.FUNC | Role.UPDATE), Stage(func, update):
            wanted = {Role.STAGE: True, Role.FUNC: update is None, Role.UPDATE: update is not None}
            return _is_name(func) and wanted[role] and (update is None or (_is_whole(update) and update >= 0))
        case (Role.LOOPS | Role.DIMS), tuple():
            least = 1 if role is Role.LOOPS else 2
            return len(value) >= least and all(map(_is_name, value)) and len(set(value)) == len(value)
        case Role.PRESERVED, tuple():
            pairs = [pair for pair in value if isinstance(pair, tuple) and len(pair) == 2]
            return 0 < len(pairs) == len(value) and all(_is_name(name) for pair in pairs for name in pair)
        case Role.COUNT, int():
            return _is_whole(value) and value >= 1
        case _:
            return False


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""
