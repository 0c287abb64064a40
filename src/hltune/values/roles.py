"""What the fields of directives stand for; checking, JSON, text, replay and source code all follow from it.

A field of a directive names its `Role` in its annotation. `Checked` holds every value to its role, and `form_of` reads
the annotations as the `Form` of a call.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Literal, TypeGuard, cast, get_args, get_type_hints

from hltune.values.errors import InputError

TailStrategy = Literal["Auto", "RoundUp", "GuardWithIf", "ShiftInwards", "Predicate"]
MemoryType = Literal["Auto", "Heap", "Stack", "Register"]
PartitionPolicy = Literal["Auto", "Never", "Always"]


class Role(Enum):
    """What a field of a directive stands for; the value is what a message calls it."""

    STAGE = "a stage"
    FUNC = "a Func, not one of its updates"
    UPDATE = "an update definition"
    LOOP = "the name of a loop"
    NEW_LOOP = "a name for a new loop"
    LOOPS = "different names of loops"
    PRESERVED = "pairs of a reduction loop, each another, and a name for a new pure loop"
    NEW_FUNC = "a name for a new Func"
    CONSUMER = "the name of a Func"
    LEVEL = "the name of a loop of the consumer"
    DIM = "the name of a dimension"
    DIMS = "two or more different names of dimensions"
    COUNT = "a whole number from 1 to 2147483647"
    COORDINATE = "a whole number from -2147483648 to 2147483647"
    TAIL = "one of " + ", ".join(get_args(TailStrategy))
    MEMORY = "one of " + ", ".join(get_args(MemoryType))
    POLICY = "one of " + ", ".join(get_args(PartitionPolicy))


@dataclass(frozen=True, slots=True)
class Enumeration:
    """An enumeration of Halide's: its name, and those of its elements that directives use."""

    name: str
    elements: tuple[str, ...]


ENUMERATIONS = {
    Role.TAIL: Enumeration("TailStrategy", get_args(TailStrategy)),
    Role.MEMORY: Enumeration("MemoryType", get_args(MemoryType)),
    Role.POLICY: Enumeration("Partition", get_args(PartitionPolicy)),
}
"""What stands for an element of an enumeration."""


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
LoopName = Annotated[str, Role.LOOP]
NewLoopName = Annotated[str, Role.NEW_LOOP]
LoopNames = Annotated[tuple[str, ...], Role.LOOPS]
Preserved = Annotated[tuple[tuple[str, str], ...], Role.PRESERVED]
NewFuncName = Annotated[str, Role.NEW_FUNC]
ConsumerName = Annotated[str, Role.CONSUMER]
LevelName = Annotated[str, Role.LEVEL]
DimName = Annotated[str, Role.DIM]
DimNames = Annotated[tuple[str, ...], Role.DIMS]
Count = Annotated[int, Role.COUNT]
Coordinate = Annotated[int, Role.COORDINATE]
Tail = Annotated[TailStrategy, Role.TAIL]
Memory = Annotated[MemoryType, Role.MEMORY]
Policy = Annotated[PartitionPolicy, Role.POLICY]


class Checked:
    """Checks every field against its role."""

    __slots__ = ()

    def __post_init__(self) -> None:
        form = form_of(type(self))
        for name, role in form.fields:
            value = getattr(self, name)
            if not _fits(role, value):
                raise InputError(f"{form.call}: {name} is wrong", expected=role.value, found=repr(value))


@dataclass(frozen=True, slots=True)
class Form:
    """How a directive is written: the name of the call, and its fields with their roles.

    The first field is the stage that is called; the Func that an rfactor makes is assigned.
    """

    call: str
    fields: tuple[tuple[str, Role], ...]

    @property
    def arguments(self) -> tuple[tuple[str, Role], ...]:
        """The fields that stand between the parentheses of the call."""
        return tuple(field for field in self.fields[1:] if field[1] is not Role.NEW_FUNC)


@cache
def form_of(kind: type[Checked]) -> Form:
    """The form of a kind of directive, read from its annotations."""
    call = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
    hints = get_type_hints(kind, include_extras=True)
    return Form(call, tuple((name, hint.__metadata__[0]) for name, hint in hints.items()))


def _fits(role: Role, value: object) -> bool:
    match role:
        case Role.STAGE | Role.FUNC | Role.UPDATE:
            return isinstance(value, Stage) and _is_stage(role, value)
        case Role.LOOPS | Role.DIMS:
            least = 1 if role is Role.LOOPS else 2
            return _are_names(value) and least <= len(value) == len(set(value))
        case Role.PRESERVED:
            return _are_pairs(value)
        case Role.COUNT:
            return _is_whole(value, least=1)
        case Role.COORDINATE:
            return _is_whole(value, least=-(2**31))
        case Role.TAIL | Role.MEMORY | Role.POLICY:
            return value in ENUMERATIONS[role].elements
        case _:
            return _is_name(value)


def _is_stage(role: Role, stage: Stage) -> bool:
    if stage.update is None:
        return _is_name(stage.func) and role is not Role.UPDATE
    return _is_name(stage.func) and role is not Role.FUNC and _is_whole(stage.update, least=0)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _are_names(value: object) -> TypeGuard[tuple[str, ...]]:
    return isinstance(value, tuple) and all(map(_is_name, cast("tuple[object, ...]", value)))


def _are_pairs(value: object) -> bool:
    items = cast("tuple[object, ...]", value) if isinstance(value, tuple) else ()
    pairs = [item for item in items if _are_names(item) and len(item) == 2]
    return 0 < len(items) == len(pairs) == len({old for old, _ in pairs})


def _is_whole(value: object, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**31
