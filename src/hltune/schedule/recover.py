"""The directives of a schedule that a serialized pipeline carries, as far as directives can say it.

Splits, fusions, the order and types of loops, levels, storage and memory are found in what Halide serializes; the rest
is named as lost. What was found is replayed, and has to give the same serialized schedule again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import get_args

from hltune.pipeline.serialized import plain_name
from hltune.pipeline.serialized_schedule import (
    INLINED,
    ROOT,
    BoundDim,
    FuncPlan,
    Level,
    LoopDim,
    LoopSplit,
    StagePlan,
    StoredDim,
    read_plans,
)
from hltune.runtime.worker import Process
from hltune.schedule.canonical import canonical_names
from hltune.schedule.loops import LoopNests
from hltune.values.directives import (
    OUTERMOST,
    AlignStorage,
    Atomic,
    Bound,
    ComputeAt,
    ComputeRoot,
    Directive,
    FoldStorage,
    Fuse,
    HoistStorage,
    HoistStorageRoot,
    Parallel,
    Partition,
    Reorder,
    ReorderStorage,
    Schedule,
    Split,
    StoreAt,
    StoreIn,
    StoreRoot,
    Unroll,
    Vectorize,
)
from hltune.values.errors import InputError
from hltune.values.pipeline import FuncInfo, PipelineSpec
from hltune.values.roles import MemoryType, PartitionPolicy, Stage, TailStrategy

_RECOVER_S = 60.0
_HEXAGON = 6
"""Halide's number of the device that is the target itself where such schedules run."""
_POLICIES = get_args(PartitionPolicy)
"""In the order of Halide's numbers."""
_KINDS = {"parallel": Parallel, "vectorized": Vectorize, "unrolled": Unroll}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What directives can say of the author's schedule.

    Attributes:
        schedule: the directives; None if they give no schedule, or another one.
        lost: what they leave out, in the words of people; empty if they say all.
        reason: why there is none.
        dropped: Funcs whose prefetches nothing of ours can call, so that the author's schedule is measured without.
    """

    schedule: Schedule | None = None
    lost: tuple[str, ...] = ()
    reason: str | None = None
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecoverJob:
    """Recovers the schedule that the pipeline's author wrote."""

    spec: PipelineSpec

    def run(self, process: Process) -> Recovered:
        """Runs in the worker, where Halide replays the directives."""
        from hltune.pipeline.build import lost_prefetches

        process.enter("recover the hand-written schedule", timeout_s=_RECOVER_S)
        assert self.spec.manual is not None, "asked for it"
        dropped = lost_prefetches(self.spec.manual, where=self.spec.name)
        return replace(self._recovered(self.spec.manual), dropped=dropped)

    def _recovered(self, manual: bytes) -> Recovered:
        import halide as hl

        from hltune.pipeline.build import func_infos
        from hltune.pipeline.strip import strip_schedule
        from hltune.schedule.apply import scheduled

        spec = self.spec
        if func_infos(strip_schedule(manual, where=spec.name)) != spec.funcs:
            return Recovered(reason="it is for other Funcs than the algorithm has without it")
        plans = {plain_name(name): plan for name, plan in read_plans(manual, where=spec.name).items()}
        try:
            without = read_plans(spec.hlpipe, where=spec.name)
            promised = {plain_name(name): plan.bounds for name, plan in without.items()}
            found = _Recovery(spec.funcs, promised)
            schedule = Schedule(tuple(found.directives(plans)))
            built, _ = scheduled(spec, schedule)
        except InputError as error:
            return Recovered(reason=str(error))
        replayed = read_plans(hl.serialize_pipeline(built.pipeline), where=spec.name)
        for name, plan in replayed.items():
            if _sayable(plan) != _sayable(plans[plain_name(name)]):
                return Recovered(reason=f"directives give {plain_name(name)} another schedule")
        return Recovered(schedule=canonical_names(schedule, spec.funcs), lost=tuple(dict.fromkeys(found.lost)))


@dataclass
class _Recovery:
    """Goes through the plans of all Funcs; consumers and producers are told apart by names alone.

    Attributes:
        _promised: bounds that the algorithm has without a schedule, by Func.
    """

    _funcs: tuple[FuncInfo, ...]
    _promised: Mapping[str, tuple[BoundDim, ...]]
    lost: list[str] = field(default_factory=list[str])

    def directives(self, plans: dict[str, FuncPlan]) -> Iterator[Directive]:
        """The directives of every Func, consumers first."""
        nests = LoopNests(self._funcs)
        for info in reversed(self._funcs):
            plan = plans[info.name]
            self.lost += [f"{what} ({info.name})" for what in sorted(plan.extras)]
            for number, stage in enumerate(plan.stages):
                self.lost += [f"{what} ({info.name})" for what in sorted(stage.extras)]
                yield from self._stage(Stage(info.name, number - 1 if number else None), stage, nests)
            yield from self._place(Stage(info.name), plan)

    def _stage(self, stage: Stage, plan: StagePlan, nests: LoopNests) -> Iterator[Directive]:
        for split in plan.splits:
            directive = self._split(stage, split)
            nests.advance(directive)
            yield directive
        loops = [dim for dim in plan.dims if dim.var != OUTERMOST]
        order = tuple(_short(dim.var) for dim in loops)
        if order != tuple(loop.name for loop in nests.of(stage)):
            yield Reorder(stage, order)
        if plan.atomic:
            yield Atomic(stage)
        for dim in plan.dims:
            if dim.device not in (0, _HEXAGON):
                self.lost.append(f"a GPU ({stage})")
            if dim.partition and dim.var != OUTERMOST:
                yield Partition(stage, _short(dim.var), _POLICIES[dim.partition])
            if dim.kind in _KINDS:
                yield _KINDS[dim.kind](stage, _short(dim.var))

    def _split(self, stage: Stage, split: LoopSplit) -> Directive:
        old, outer, inner = map(_short, (split.old, split.outer, split.inner))
        if split.kind == "fuse":
            return Fuse(stage, inner, outer, old)
        if split.kind == "rename":
            raise InputError("a loop is renamed", where=str(stage), found=f"{old} to {outer}")
        if not isinstance(split.factor, int):
            raise InputError("the factor of a split is no constant", where=str(stage), found=f"a split of {old}")
        if _tail(split.tail) != split.tail:
            self.lost.append(f"TailStrategy::{split.tail} ({stage})")
        return Split(stage, old, outer, inner, split.factor, _tail(split.tail))

    def _place(self, stage: Stage, plan: FuncPlan) -> Iterator[Directive]:
        if plan.compute == ROOT:
            yield ComputeRoot(stage)
        elif plan.compute != INLINED:
            yield ComputeAt(stage, *self._level(stage, plan.compute))
        if plan.store == ROOT:
            yield StoreRoot(stage)
        elif plan.store != INLINED:
            yield StoreAt(stage, *self._level(stage, plan.store))
        if plan.hoist == ROOT:
            yield HoistStorageRoot(stage)
        elif plan.hoist != INLINED:
            yield HoistStorage(stage, *self._level(stage, plan.hoist))
        if plan.memory != _memory(plan.memory):
            self.lost.append(f"MemoryType::{plan.memory} ({stage})")
        elif plan.memory != "Auto":
            yield StoreIn(stage, _memory(plan.memory))
        yield from self._storage(stage, plan.dims)
        for bound in plan.bounds:
            if bound in self._promised[stage.func]:
                continue
            if _is_sayable_bound(bound):
                assert isinstance(bound.min, int) and isinstance(bound.extent, int)
                yield Bound(stage, _short(bound.var), bound.min, bound.extent)
            else:
                self.lost.append(f"bound ({stage})")

    def _level(self, stage: Stage, level: Level) -> tuple[str, str]:
        if level.stage >= 0:
            self.lost.append(f"a level in a certain stage of {_short(level.func)} ({stage})")
        return plain_name(level.func), _short(level.var)

    def _storage(self, stage: Stage, dims: tuple[StoredDim, ...]) -> Iterator[Directive]:
        names = tuple(_short(dim.var) for dim in dims)
        args = next(info.args for info in self._funcs if info.name == stage.func)
        if names != args:
            yield ReorderStorage(stage, names)
        for dim, name in zip(dims, names, strict=True):
            if isinstance(dim.alignment, int):
                yield AlignStorage(stage, name, dim.alignment)
            if isinstance(dim.fold, int) and dim.forward:
                yield FoldStorage(stage, name, dim.fold)
            if _sayable_dim(dim) != dim:
                self.lost.append(f"a storage dimension ({stage})")


def _short(name: str) -> str:
    """What the author calls a loop: ``xi`` for ``x.xi``."""
    return plain_name(name.rpartition(".")[2])


def _tail(name: str) -> TailStrategy:
    return next((tail for tail in get_args(TailStrategy) if tail == name), "GuardWithIf")


def _memory(name: str) -> MemoryType:
    return next((memory for memory in get_args(MemoryType) if memory == name), "Auto")


def _sayable(plan: FuncPlan) -> FuncPlan:
    """What directives can say of a plan, with names as hltune has them."""
    return replace(
        plan,
        name=_short(plan.name),
        store=_sayable_level(plan.store),
        compute=_sayable_level(plan.compute),
        hoist=_sayable_level(plan.hoist),
        bounds=tuple({replace(each, var=_short(each.var)): None for each in plan.bounds if _is_sayable_bound(each)}),
        dims=tuple(map(_sayable_dim, plan.dims)),
        memory=_memory(plan.memory),
        stages=tuple(map(_sayable_stage, plan.stages)),
        extras=frozenset(),
    )


def _is_sayable_bound(bound: BoundDim) -> bool:
    return isinstance(bound.min, int) and isinstance(bound.extent, int) and bound.extent > 0 and not bound.aligned


def _sayable_level(level: Level) -> Level:
    return replace(level, func=plain_name(level.func), var=_short(level.var), stage=-1)


def _sayable_dim(dim: StoredDim) -> StoredDim:
    alignment, fold = (each if isinstance(each, int) else None for each in (dim.alignment, dim.fold))
    forward = dim.forward and fold is not None
    return StoredDim(plain_name(dim.var), alignment, None, fold if forward else None, forward)


def _sayable_stage(plan: StagePlan) -> StagePlan:
    return replace(
        plan,
        rvars=tuple(plain_name(name) for name in plan.rvars),
        splits=tuple(map(_sayable_split, plan.splits)),
        dims=tuple(map(_sayable_loop, plan.dims)),
        extras=frozenset(),
    )


def _sayable_loop(dim: LoopDim) -> LoopDim:
    partition = 0 if dim.var == OUTERMOST else dim.partition  # it has one iteration
    return LoopDim(plain_name(dim.var), dim.kind, purity=dim.purity, partition=partition)


def _sayable_split(split: LoopSplit) -> LoopSplit:
    old, outer, inner = (plain_name(name) for name in (split.old, split.outer, split.inner))
    return LoopSplit(split.kind, old, outer, inner, split.factor, _tail(split.tail))
