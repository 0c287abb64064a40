"""Reads the schedule that a serialized pipeline carries. Needs no Halide.

The numbers are slots, as in `serialized`; what an expression computes is only told of constants.

| table         | fields                                                                                        |
|---------------|-----------------------------------------------------------------------------------------------|
| Func          | 0 name, 5 args, 6 func_schedule, 7 init_def, 8 updates, 12 extern_function_name               |
| FuncSchedule  | 0 store_level, 1 compute_level, 2 hoist_storage_level, 3 storage_dims, 4 bounds, 6 wrappers,  |
|               | 7 memory_type, 8 memoized, 9 async, 10-11 ring_buffer, 12-13 memoize_eviction_key             |
| LoopLevel     | 0 func_name, 1 stage_index, 2 var_name, 3 is_rvar                                             |
| StorageDim    | 0 var, 1-2 alignment, 3-4 bound, 5-6 fold_factor, 7 fold_forward                              |
| Bound         | 0 var, 1-2 min, 3-4 extent, 5-6 modulus, 7-8 remainder                                         |
| WrapperRef    | 0 func_name, 1 func_index                                                                     |
| Definition    | 5-6 args, 7 stage_schedule, 8 specializations                                                 |
| StageSchedule | 0 rvars, 1 splits, 2 dims, 3 prefetches, 4 fuse_level, 5 fused_pairs, 6 touched,              |
|               | 7 allow_race_conditions, 8 atomic, 9 override_atomic_associativity_test                       |
| FuseLoopLevel | 0 fuse_level, 1 align_dimension_names, 2 align_strategies                                     |
| Split         | 0 old_var, 1 outer, 2 inner, 3-4 factor, 6 tail, 7 split_type                                 |
| Dim           | 0 var, 1 for_type, 2 device_api, 3 dim_type, 4 partition_policy                               |
| Variable      | 0 name, 2 param_name                                                                          |

Source: Halide 21 ``src/halide_ir.fbs``, ``Serialization.cpp``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hltune.pipeline.flatbuffer import Table
from hltune.pipeline.serialized import read_root
from hltune.values.errors import InputError

ALLOWS_RACES, MEMOIZES, ASYNC = "allow_race_conditions", "memoize", "async"
UNDEFINED = 32
"""Kind of an expression that is none."""
_INT, _UINT, _VARIABLE = 1, 2, 29

Constant = int | Literal["expression"] | None
"""A whole number, something else, or nothing."""
SplitKind = Literal["split", "rename", "fuse"]
LoopType = Literal["serial", "parallel", "vectorized", "unrolled", "other"]
_TAILS = (
    "RoundUp",
    "GuardWithIf",
    "Predicate",
    "PredicateLoads",
    "PredicateStores",
    "ShiftInwards",
    "ShiftInwardsAndBlend",
    "RoundUpAndBlend",
    "Auto",
)
_MEMORY = ("Auto", "Heap", "Stack", "Register", "GPUShared", "GPUTexture", "LockedCache", "VTCM", "AMXTile")
_SPLITS: tuple[SplitKind, ...] = ("split", "rename", "fuse")
_LOOPS: tuple[LoopType, ...] = ("serial", "parallel", "vectorized", "unrolled")
EXTERN_LOOP = 4
"""Number of the type of loops that an extern function has inside."""


@dataclass(frozen=True, slots=True)
class Level:
    """A loop that something is computed or stored in.

    Attributes:
        stage: number of the consumer's stage, -1 for whichever has the loop.
    """

    func: str = ""
    stage: int = -1
    var: str = ""
    rvar: bool = False


INLINED, ROOT = Level(), Level(var="__root")


@dataclass(frozen=True, slots=True)
class StoredDim:
    """A dimension of a Func in memory."""

    var: str
    alignment: Constant = None
    bound: Constant = None
    fold: Constant = None
    forward: bool = False


@dataclass(frozen=True, slots=True)
class BoundDim:
    """What is promised of a dimension.

    Attributes:
        aligned: its start or extent is promised to be a multiple of something.
    """

    var: str
    min: Constant
    extent: Constant
    aligned: bool = False


@dataclass(frozen=True, slots=True)
class LoopSplit:
    """What made new loops of old ones, by their full names such as ``x.xi``."""

    kind: SplitKind
    old: str
    outer: str
    inner: str
    factor: Constant
    tail: str


@dataclass(frozen=True, slots=True)
class LoopDim:
    """A loop, by its full name.

    Attributes:
        device: Halide's number of the device that it runs on; 0 for the one of the target.
        purity: 0 for a pure variable, 1 for a reduction variable whose iterations are independent, 2 for others.
        partition: Halide's number of how the loop's ends are treated; 0 for automatic.
    """

    var: str
    kind: LoopType = "serial"
    device: int = 0
    purity: int = 0
    partition: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """How a definition is scheduled.

    Attributes:
        rvars: its reduction variables, innermost first.
        dims: its loops, innermost first, the outermost one of one iteration included.
        extras: what else the schedule says, in the words of people.
    """

    rvars: tuple[str, ...]
    splits: tuple[LoopSplit, ...]
    dims: tuple[LoopDim, ...]
    atomic: bool
    extras: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FuncPlan:
    """How a Func is scheduled.

    Attributes:
        stages: its pure definition, then its updates.
        extras: what else the schedule says, in the words of people.
    """

    name: str
    store: Level
    compute: Level
    hoist: Level
    bounds: tuple[BoundDim, ...]
    dims: tuple[StoredDim, ...]
    memory: str
    stages: tuple[StagePlan, ...]
    extras: frozenset[str]


def read_plans(data: bytes, *, where: str) -> dict[str, FuncPlan]:
    """Reads how each Func is scheduled, by its name with ``$``.

    Raises:
        InputError: the file is damaged.
    """
    try:
        return {func.text(0): _func(func) for func in read_root(data, where=where).tables(0)}
    except (struct.error, UnicodeDecodeError, IndexError) as error:
        raise InputError("damaged file", where=where, found=str(error)) from error


def funcs_that(extra: str, data: bytes, *, where: str) -> list[str]:
    """Names of the Funcs whose own schedule, or that of one of their stages, says this beside loops and places.

    Raises:
        InputError: the file is damaged.
    """
    plans = read_plans(data, where=where).values()
    return [plan.name for plan in plans if extra in plan.extras.union(*(stage.extras for stage in plan.stages))]


def definitions(func: Table) -> list[Table]:
    """The pure definition and the updates of a Func."""
    pure = func.table(7)
    return [each for each in (pure, *func.tables(8)) if each is not None]


def level(table: Table | None) -> Level:
    """A loop level; inlined if there is none."""
    if table is None:
        return INLINED
    return Level(table.text(0), int(table.number(1, "<i")), table.text(2), bool(table.number(3, "<B")))


def constant(table: Table, slot: int) -> Constant:
    """An expression in two slots."""
    kind, value = table.number(slot, "<B"), table.table(slot + 1)
    if kind in (0, UNDEFINED) or value is None:
        return None
    return int(value.number(0, "<q")) if kind in (_INT, _UINT) else "expression"


def stored_dim(table: Table) -> StoredDim:
    """A dimension in memory."""
    forward = bool(table.number(7, "<B"))
    return StoredDim(table.text(0), constant(table, 1), constant(table, 3), constant(table, 5), forward)


def loop_dim(table: Table) -> LoopDim:
    """A loop."""
    number = int(table.number(1, "<B"))
    kind: LoopType = _LOOPS[number] if number < len(_LOOPS) else "other"
    device, purity, partition = (int(table.number(slot, "<B")) for slot in (2, 3, 4))
    return LoopDim(table.text(0), kind, device, purity, partition)


def loop_split(table: Table) -> LoopSplit:
    """A split, a renaming or a fusion."""
    return LoopSplit(
        _SPLITS[int(table.number(7, "<B"))],
        table.text(0),
        table.text(1),
        table.text(2),
        constant(table, 3),
        _TAILS[int(table.number(6, "<B"))],
    )


def free_variables(definition: Table, args: list[str]) -> list[str]:
    """The pure variables that a definition loops over: arguments on its left side that are they themselves.

    A scalar input that is named like one is none.
    """
    kinds = definition.octets(5)
    found = [
        value.text(0) if kind == _VARIABLE and not value.text(2) else ""
        for kind, value in zip(kinds, definition.tables(6), strict=True)
    ]
    return [arg for arg, name in zip(args, found, strict=True) if arg == name]


def free_variables_of_updates(data: bytes) -> dict[str, list[list[str]]]:
    """Of every Func, by its name as Halide has it, the `free_variables` of each update."""
    return {
        func.text(0): [free_variables(update, list(func.texts(5))) for update in func.tables(8)]
        for func in read_root(data, where="updates").tables(0)
    }


def _func(func: Table) -> FuncPlan:
    schedule = func.table(6)
    assert schedule is not None, "Halide always writes it"
    extras = {
        "in or clone_in": any(True for _ in schedule.tables(6)),
        MEMOIZES: schedule.number(8, "<B"),
        ASYNC: schedule.number(9, "<B"),
        "ring_buffer": constant(schedule, 10) is not None,
        "an extern function": func.text(12),
    }
    return FuncPlan(
        name=func.text(0),
        store=level(schedule.table(0)),
        compute=level(schedule.table(1)),
        hoist=level(schedule.table(2)),
        bounds=tuple(map(_bound, schedule.tables(4))),
        dims=tuple(map(stored_dim, schedule.tables(3))),
        memory=_MEMORY[int(schedule.number(7, "<B"))],
        stages=tuple(map(_stage, definitions(func))),
        extras=frozenset(name for name, there in extras.items() if there),
    )


def _bound(table: Table) -> BoundDim:
    aligned = any(constant(table, slot) is not None for slot in (5, 7))
    return BoundDim(table.text(0), constant(table, 1), constant(table, 3), aligned)


def with_specializations(definition: Table) -> Iterator[Table]:
    """A definition and what stands in its place under conditions."""
    yield definition
    for specialization in definition.tables(8):
        inner = specialization.table(2)
        if inner is not None:
            yield from with_specializations(inner)


def _stage(definition: Table) -> StagePlan:
    schedule = definition.table(7)
    assert schedule is not None, "Halide always writes it"
    fuse = schedule.table(4)
    extras = {
        "specialize": any(True for _ in definition.tables(8)),
        "prefetch": any(True for _ in schedule.tables(3)),
        "compute_with": (fuse is not None and level(fuse.table(0)) != INLINED) or any(True for _ in schedule.tables(5)),
        ALLOWS_RACES: any(own.number(7, "<B") for each in with_specializations(definition) if (own := each.table(7))),
        "atomic without a proof": schedule.number(9, "<B"),
    }
    return StagePlan(
        rvars=tuple(rvar.text(0) for rvar in schedule.tables(0)),
        splits=tuple(map(loop_split, schedule.tables(1))),
        dims=tuple(map(loop_dim, schedule.tables(2))),
        atomic=bool(schedule.number(8, "<B")),
        extras=frozenset(name for name, there in extras.items() if there),
    )
