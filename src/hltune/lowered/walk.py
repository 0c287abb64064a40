"""How often each store of a lowered program runs, what it reads and computes, and from where.

| symbol | what                                                                                          |
|--------|-----------------------------------------------------------------------------------------------|
| w      | [S]: the product of the extents of all loops around, or 0 where a guard is false; its mean is  |
|        | the number of runs                                                                            |
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hltune.lowered.access import Access, places_of
from hltune.lowered.evaluate import SAMPLES, Names, Sizes, Value, is_vector, row
from hltune.lowered.memory import HEAP, LARGEST_ON_STACK, Allocation, Held
from hltune.lowered.operations import Counter, Work
from hltune.lowered.sites import PARALLEL, Loop, Site, Walked, as_vectors
from hltune.lowered.tree import (
    HANDLE,
    Acquire,
    Allocate,
    Assert,
    Atomic,
    Bind,
    Block,
    Consume,
    Evaluate,
    Expression,
    For,
    Free,
    If,
    Load,
    Produce,
    Store,
    Type,
)
from hltune.runtime.malloc import LARGEST_MOVING

_UNKNOWN = 0.5
"""The share of iterations for which what depends on data is thought to hold."""


def walk(program: Block, sizes: Sizes, types: Mapping[str, Type], *, vector_bits: int, datapath_bits: int) -> Walked:
    """Walks through a program.

    Args:
        types: of the arguments by name: elements of buffers, and scalars.
        vector_bits: of the target's registers.
        datapath_bits: of these, how many are computed at a time.
    """
    walker = _Walker(sizes, dict(types), _depth(program), vector_bits, datapath_bits)
    with np.errstate(all="ignore"):  # what overflows, or is no number, is so in some iterations only
        walker.block(program)
    return Walked(
        sites=tuple(walker.sites),
        allocations=tuple(walker.allocations),
        held=tuple(walker.held),
        launches=walker.launches,
        tasks=walker.tasks,
        stack_peak=walker.stack.peak,
        vector_bits=vector_bits,
    )


@dataclass(frozen=True, slots=True)
class _Bound:
    """What a name stands for costs, how often it is computed, and within which loops."""

    work: Work
    runs: float
    loops: Sequence[Loop]


@dataclass(slots=True)
class _Walker:
    sizes: Sizes
    types: dict[str, Type]
    depth: int
    vector_bits: int
    datapath_bits: int
    sites: list[Site] = field(default_factory=list[Site])
    allocations: list[Allocation] = field(default_factory=list[Allocation])
    held: list[Held] = field(default_factory=list[Held])
    launches: float = 0.0
    tasks: float = 0.0
    stack: Held = field(default_factory=Held)
    _heap: Held = field(default_factory=Held)
    _seen: int = 0
    _sides: int = 0
    _loops: list[Loop] = field(default_factory=list[Loop])
    _weight: NDArray[np.float64] = field(default_factory=lambda: np.ones(SAMPLES))
    _unguarded: NDArray[np.float64] = field(default_factory=lambda: np.ones(SAMPLES))
    _data: dict[str, _Bound] = field(default_factory=dict[str, _Bound])
    _moving: dict[int, int] = field(default_factory=dict[int, int])
    """Numbers of sites that compute nothing, and how many loads these have of their own."""
    _asked: list[str] = field(default_factory=list[str])
    """Names in `_data` of the conditions of branches around."""
    _loaded: set[str] = field(default_factory=set[str])
    """Names of what cannot be said without a load."""
    _buffer_bytes: dict[str, float] = field(default_factory=dict[str, float])
    _names: Names = field(init=False)
    _counter: Counter = field(init=False)

    def __post_init__(self) -> None:
        self._names = Names(self.sizes, self.depth)
        for name, dimensions in self.sizes.buffers.items():
            elements = 1 + sum((each.extent - 1) * abs(each.stride) for each in dimensions)
            element = self.types.get(name, HANDLE)
            self._buffer_bytes[name] = float(elements * max(1, element.bits // 8))
        self._counter = Counter(self.types, self.datapath_bits, self._names.bind)

    def block(self, block: Block) -> None:
        for each in block.statements:
            match each:
                case Bind():
                    self._bind(each)
                case Store():
                    self._store(each)
                case For():
                    self._for(each)
                case If():
                    self._if(each)
                case Produce() | Consume() | Acquire() | Atomic():
                    self.block(each.body)
                case Block():
                    self.block(each)
                case Allocate():
                    self._allocate(each)
                case Free():
                    self._free(each.buffer)
                case Assert() | Evaluate():
                    pass

    def _bind(self, bind: Bind) -> None:
        self._names.bind(bind.name, bind.value)
        work = Work()
        type_ = self._counter(bind.value, work)
        if bind.name not in self.sizes.buffers:  # else it is the address, and the type of the elements is known
            self.types[bind.name] = type_
        self._data[bind.name] = _Bound(work, float(self._weight.mean()), tuple(self._loops))
        if work.loads or (work.names | work.addresses) & self._loaded:
            self._loaded.add(bind.name)
        else:
            self._loaded.discard(bind.name)

    def _for(self, loop: For) -> None:
        minimum, extent = self._names(loop.minimum), self._names(loop.extent)
        times = np.maximum(0.0, _numbers(row(extent), 1.0))
        weight, unguarded = self._weight, self._unguarded
        entries = float(weight.mean())
        self._names.enter(loop.name, len(self._loops), minimum, extent)
        self.types.pop(loop.name, None)
        self._data.pop(loop.name, None)
        self._loaded.discard(loop.name)
        self._weight, self._unguarded = weight * times, unguarded * times
        runs = float(self._weight.mean())
        mean = runs / entries if entries else 0.0
        self._seen += 1
        inside = Loop(number=self._seen, name=loop.name, kind=loop.kind, extent=mean, entries=entries)
        self._loops.append(inside)
        if loop.kind in PARALLEL:
            self.tasks += runs
            if not any(each.kind in PARALLEL for each in self._loops[:-1]):
                self.launches += entries
        heap, self._heap = self._heap, Held()
        before, held = len(self.sites), len(self.held)
        self.block(loop.body)
        if len(self.sites) == before + 1 and before in self._moving and self.sites[before].loops[-1] == inside:
            self.sites[before] = as_vectors(self.sites[before], self._moving[before], self.vector_bits)
        heap.enclose(max((each.peak for each in self.held[held:]), default=0.0))
        self._heap = heap
        self._loops.pop()
        self._weight, self._unguarded = weight, unguarded

    def _if(self, branch: If) -> None:
        holds = _numbers(row(self._names(branch.condition)), _UNKNOWN)
        self._ask(branch.condition)
        self._branch(branch.then, holds)
        if branch.otherwise is not None:
            self._branch(branch.otherwise, 1.0 - holds)
        self._data.pop(self._asked.pop(), None)

    def _ask(self, condition: Expression) -> None:
        """What a branch asks is computed for the first store in it."""
        work = Work()
        self._counter(condition, work)
        name = f"branch {len(self._asked)}"  # no name of Halide's, which have no spaces
        self._data[name] = _Bound(work, float(self._weight.mean()), tuple(self._loops))
        self._asked.append(name)

    def _branch(self, block: Block, holds: NDArray[np.float64]) -> None:
        """One side of a branch, to which the iterations of the loop around come in which it holds."""
        weight, loops = self._weight, self._loops
        self._weight = weight * holds
        if loops and weight.any():
            share = float(self._weight.mean() / weight.mean())
            self._sides += 1
            self._loops = [*loops[:-1], replace(loops[-1], share=loops[-1].share * share, side=self._sides)]
        self.block(block)
        self._weight, self._loops = weight, loops

    def _allocate(self, each: Allocate) -> None:
        self.types[each.buffer] = each.type
        size = np.full(SAMPLES, max(1, each.type.bits // 8) * each.type.lanes, np.float64)
        extents = [_numbers(row(self._names(extent)), 1.0) for extent in each.extents]
        for extent in extents:
            size = size * extent
        holds = 1.0 if each.condition is None else _numbers(row(self._names(each.condition)), _UNKNOWN)
        weight = self._weight * holds
        runs = float(weight.mean())
        mean = float((size * weight).mean() / runs) if runs else 0.0
        constant = self._are_constant(each.extents)
        memory = "Stack" if each.memory == "Auto" and constant and mean <= LARGEST_ON_STACK else each.memory
        found = Allocation(
            buffer=each.buffer,
            bytes=mean,
            runs=runs,
            memory=memory,
            constant=constant,
            extents=tuple(float((extent * weight).mean() / runs) for extent in extents) if runs else (),
        )
        self.allocations.append(found)
        self._buffer_bytes[each.buffer] = mean
        if memory in HEAP and mean <= LARGEST_MOVING:  # larger ones come from the system one by one
            self._heap.take(each.buffer, mean, runs)
        elif memory not in HEAP:
            self.stack.take(each.buffer, mean, runs)

    def _are_constant(self, extents: Sequence[Expression]) -> bool:
        """Known when it is compiled, as 32 + 3 is, too, which the text does not fold."""
        work = Work()
        for each in extents:
            self._counter(each, work)
        return not (work.names or work.loads)

    def _free(self, buffer: str) -> None:
        if self._heap.give_back(buffer):
            self.held.append(self._heap)
            self._heap = Held()
        self.stack.give_back(buffer)

    def _store(self, store: Store) -> None:
        work = Work()
        type_ = self._counter(store.value, work)
        if store.predicate is not None:
            self._counter(store.predicate, work)
        lanes = max(type_.lanes, self._counter.address(store.index, work))
        runs, loops = float(self._weight.mean()), tuple(self._loops)
        loads = [(each, runs, loops) for each in work.loads]
        if not work.operations and not work.names and len(loads) <= 1:
            self._moving[len(self.sites)] = len(loads)
        loads += self._follow(work, runs)
        most = float(self._unguarded.mean())
        element = self.types.get(store.buffer, type_)
        element = Type(element.kind, element.bits)
        self.sites.append(
            Site(
                store=self._access(
                    store.buffer, store.index, element, lanes, store.aligned, store.predicate, runs, loops
                ),
                loads=tuple(self._load(*each) for each in loads),
                operations=work.operations,
                runs=runs,
                guarded=runs / most if most else 0.0,
                loops=loops,
                reduced=work.reduced,
            )
        )

    def _needs_load(self, expression: Expression) -> bool:
        """It, or what a name in it stands for, cannot be said without data."""
        waiting: list[Expression] = [expression]
        seen: set[str] = set()
        while waiting:
            work = Work()
            self._counter(waiting.pop(), work)
            if work.loads:
                return True
            names = (work.names | work.addresses) - seen
            seen |= names
            waiting += [bound for each in names if (bound := self._names.bound(each)) is not None]
        return False

    def _follow(self, work: Work, runs: float) -> list[tuple[Load, float, Sequence[Loop]]]:
        """Adds what is bound to the names in it, once: the first store that needs data pays for it.

        What is bound further out is computed there, and not each time that the store runs.

        Returns:
            what is loaded for these names, how often, and within which loops.
        """
        loads: list[tuple[Load, float, Sequence[Loop]]] = []
        if not runs:
            return loads  # another one pays that runs
        waiting = [*work.names, *work.addresses & self._loaded, *self._asked]
        while waiting:
            found = self._data.pop(waiting.pop(), None)
            if found is None:
                continue
            work.add(found.work, times=found.runs / runs)
            loads += [(each, found.runs, found.loops) for each in found.work.loads]
            waiting += [*found.work.names, *found.work.addresses & self._loaded]
        return loads

    def _load(self, load: Load, runs: float, loops: Sequence[Loop]) -> Access:
        lanes = self._counter(load.index, Work()).lanes
        type_ = self._counter.load_type(load)
        return self._access(load.buffer, load.index, type_, lanes, load.aligned, load.predicate, runs, loops)

    def _access(
        self,
        buffer: str,
        index: Expression,
        type_: Type,
        lanes: int,
        aligned: int,
        predicate: Expression | None,
        runs: float,
        loops: Sequence[Loop],
    ) -> Access:
        stride = self._names.ramp_stride(index)
        places = places_of(self._names(index), lanes, depth=len(self._loops), known_stride=stride)
        enabled = 1.0
        if predicate is not None:
            holds = _numbers(row(_ends(self._names(predicate))), _UNKNOWN)
            weight = self._weight if self._weight.any() else None
            enabled = float(np.average(holds, weights=weight))
        registers = 1.0 if places.lane_stride == 0.0 else self._counter.registers(Type(type_.kind, type_.bits, lanes))
        return Access(
            buffer=buffer,
            type=type_,
            lanes=lanes,
            lane_stride=places.lane_stride,
            # A clamped index of 32 lanes, say, is that of 32 neighbours nearly always, and a gather all the same.
            one_by_one=stride is None,
            strides=places.strides,
            offset=places.offset,
            by_data=places.offset is None and self._needs_load(index),
            aligned=aligned,
            runs=runs,
            executed=runs / _still(places.strides, loops),
            enabled=enabled,
            buffer_bytes=self._buffer_bytes.get(buffer, math.inf),
            registers=registers,
        )


def _still(strides: Sequence[float | None], loops: Sequence[Loop]) -> float:
    """How many iterations of the innermost loops leave an access where it is: LLVM moves it out of these loops."""
    iterations = 1.0
    for loop, stride in reversed([*zip(loops, strides, strict=False)]):
        if stride != 0.0 or loop.kind in PARALLEL:
            break
        iterations *= max(1.0, loop.iterations)
    return iterations


def _ends(value: Value) -> Value:
    """The mean of the first and the last lane: where a predicate ends within a vector, half of it on average."""
    return np.asarray(value)[::2].mean(axis=0) if is_vector(value) else value


def _numbers(value: Value, unknown: float) -> NDArray[np.float64]:
    """[S] of what `row` returned."""
    array = np.asarray(unknown if value is None else value, np.float64)
    return np.broadcast_to(array, (SAMPLES,))


def _depth(block: Block) -> int:
    """The most loops that are within each other."""
    most = 0
    for each in block.statements:
        match each:
            case For():
                most = max(most, 1 + _depth(each.body))
            case If():
                most = max(most, _depth(each.then), _depth(each.otherwise) if each.otherwise else 0)
            case Produce() | Consume() | Acquire() | Atomic():
                most = max(most, _depth(each.body))
            case Block():
                most = max(most, _depth(each))
            case _:
                pass
    return most
