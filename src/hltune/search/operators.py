"""The operators: each changes one detail of a schedule that Adams2019 leaves to rules of its own.

Such are tile sizes that its search never tries, tails, lengths of vectors, what is unrolled, which loop is parallel,
and where memory is taken.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from types import UnionType
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hltune.schedule.loops import Loop
from hltune.search.shapes import like
from hltune.search.view import Directives, View, after
from hltune.values.directives import (
    AlignStorage,
    ComputeAt,
    ComputeRoot,
    Directive,
    FoldStorage,
    HoistStorage,
    InsideLoop,
    Memory,
    Parallel,
    Partition,
    Reorder,
    Split,
    StoreAt,
    StoreIn,
    Unroll,
    Vectorize,
)
from hltune.values.roles import Stage

T = TypeVar("T")

LARGEST_FACTOR = 4096
_EXACT_TAILS = ("GuardWithIf", "Predicate")
"""Of loops whose iterations are all that are run, as those of a reduction are."""
_UPDATE_TAILS = (*_EXACT_TAILS, "Auto", "RoundUp")
"""Of an update, which may not compute twice what depends on what was there before."""
_TAILS = (*_UPDATE_TAILS, "ShiftInwards")
_MEMORY: tuple[Memory, ...] = ("Auto", "Heap", "Stack")
_ALIGNMENTS = (32, 64, 128)
_LONGEST_UNROLL = 8
_LESS, _MORE = 0.2, 0.3
"""Chances that a loop is taken off the threads, and that one more stage gets one."""
_UNFOLDED = 0.3
"""Chance that a buffer is folded no longer as the schedule says."""
_LIKE_ANOTHER = 0.5
"""Chance that a new buffer gets the vectors of another one."""
_ANYWHERE = 0.2
"""How likely it is that something is changed wherever it is, by how likely it is where the time goes."""


@dataclass(frozen=True, slots=True)
class Context(View):
    """What an operator changes, and the source of what is left to chance.

    Attributes:
        free: the Funcs whose directives may change; None if all are.
        shares: see `chances`; None where nobody knows, so that all Funcs are alike.
    """

    rng: np.random.Generator
    free: Set[str] | None = None
    shares: Mapping[str, float] | None = None

    def may_change(self, stage: Stage) -> bool:
        """True for a stage of a Func that may change."""
        return self.free is None or stage.func in self.free

    def changeable_loops(self) -> list[tuple[Stage, Loop]]:
        """The serial loops of these."""
        return [(stage, loop) for stage, loop in self.serial_loops() if self.may_change(stage)]

    def any(self, items: Sequence[T]) -> T:
        """One of the items at random."""
        return items[int(self.rng.integers(len(items)))]

    def any_by_time(self, items: Sequence[T], func: Callable[[T], str]) -> T:
        """One of the items at random, the more often the more of the time its Func takes."""
        if self.shares is None:
            return self.any(items)
        found = chances([func(each) for each in items], self.shares)
        return items[int(self.rng.choice(len(items), p=found))]

    def any_loop(self, loops: Sequence[tuple[Stage, Loop]]) -> tuple[Stage, Loop]:
        """The same of loops and their stages."""
        return self.any_by_time(loops, lambda each: each[0].func)

    def any_of(self, kind: type[Directive] | UnionType) -> int | None:
        """Position of a random directive of a kind, or of one of several, that may change; None if there is none."""
        directives = enumerate(self.directives)
        found = [number for number, each in directives if isinstance(each, kind) and self.may_change(each.stage)]
        return self.any_by_time(found, lambda at: self.directives[at].stage.func) if found else None


def chances(funcs: Sequence[str], shares: Mapping[str, float]) -> NDArray[np.float64]:
    """How likely something is to be changed, by the Func of each [N]: the more, the more of the time that one takes.

    In a pyramid of ten levels, the first takes three quarters of the time, and most directives are about the others.

    Args:
        funcs: one at least.
        shares: of the time, by Func; one that is inlined has none.
    """
    anywhere = _ANYWHERE / len({*funcs})
    found = np.array([shares.get(each, 0.0) + anywhere for each in funcs])
    return found / found.sum()


class Operator(NamedTuple):
    """A way to change a schedule.

    Attributes:
        name: what provenance calls it.
        change: makes new directives, or returns None where it does not apply. Where `kind` is set, it is also given
            a random directive of that kind and its position.
        kind: kind of directive that it starts from, or several; None if it starts from loops.
        weight: how many times as often as others it is tried.
    """

    name: str
    change: Callable[..., Directives | None]
    kind: type[Directive] | UnionType | None = None
    weight: int = 1


def _scale(context: Context, at: int, split: Split) -> Directives | None:
    """Doubles or halves the factor of a split: a tile, a vector, an unrolled block."""
    factor = split.factor * 2 if context.rng.random() < 0.5 else split.factor // 2
    return context.replaced(at, factor=factor) if 1 < factor <= LARGEST_FACTOR else None


def _tail(context: Context, at: int, split: Split) -> Directives:
    """Changes what happens where the factor of a split does not divide the extent."""
    tails = _TAILS if split.stage.update is None else _UPDATE_TAILS
    if context.nests.is_rvar(split.stage, split.old):
        tails = _EXACT_TAILS
    return context.replaced(at, tail=context.any(tails))


def _unroll(context: Context) -> Directives | None:
    """Unrolls a short loop, or rolls one up again."""
    directives = context.directives
    rolled = [
        each for each in context.changeable_loops() if 0 < (context.most_iterations(*each) or 0) <= _LONGEST_UNROLL
    ]
    at = context.any_of(Unroll)
    if at is not None and (not rolled or context.rng.random() < 0.5):
        return directives[:at] + directives[at + 1 :]
    if not rolled:
        return None
    stage, loop = context.any_loop(rolled)
    return after(directives, stage, Unroll(stage, loop.name))


def _block(context: Context) -> Directives | None:
    """Splits a loop and unrolls its inner part just outside of the vector: several rows share what they load."""
    loops = context.changeable_loops()
    if not loops:
        return None
    stage, loop = context.any_loop(loops)
    inner = context.new_loop()
    factor = int(context.rng.choice([2, 4, 8]))
    order = context.nests.loops[stage]
    vectors = [each.name for each in order if each.kind == "vectorized"]
    rest = [each.name for each in order if each.name not in vectors]
    reorder = Reorder(stage, (*vectors, inner, *rest))
    return after(
        context.directives, stage, Split(stage, loop.name, loop.name, inner, factor), reorder, Unroll(stage, inner)
    )


def _reorder(context: Context) -> Directives | None:
    """Swaps two neighbours in an order of loops that was given, or in that of a stage of which none was."""
    pairs = _unordered(context)
    at = context.any_of(Reorder)
    if at is not None and (not pairs or context.rng.random() < 0.5):
        return _reordered(context, at)
    if not pairs:
        return None
    stage, inner, outer = context.any_by_time(pairs, lambda each: each[0].func)
    return after(context.directives, stage, Reorder(stage, (outer, inner)))


def _reordered(context: Context, at: int) -> Directives | None:
    reorder = context.directives[at]
    assert isinstance(reorder, Reorder)
    names = list(reorder.vars)
    if len(names) < 2:
        return None
    first = int(context.rng.integers(len(names) - 1))
    names[first], names[first + 1] = names[first + 1], names[first]
    return context.replaced(at, vars=tuple(names))


def _unordered(context: Context) -> list[tuple[Stage, str, str]]:
    """Neighbours in stages without a given order, the inner one first; those of a reduction have to stay in theirs."""
    ordered, placed = {each.stage for each in context.directives if isinstance(each, Reorder)}, context.placed
    found: list[tuple[Stage, str, str]] = []
    for stage, loops in context.nests.loops.items():
        if stage.func in placed and stage not in ordered and context.may_change(stage):
            pairs = pairwise(loop for loop in loops if loop.kind != "vectorized")
            found += [(stage, a.name, b.name) for a, b in pairs if not (a.rvar and b.rvar)]
    return found


def _compute(context: Context, at: int, level: ComputeAt) -> Directives | None:
    """Computes a Func in another loop of its consumer."""
    loops = context.levels(level.consumer)
    return context.replaced(at, var=context.any(loops)) if loops else None


def _store(context: Context, _at: int, level: ComputeAt) -> Directives:
    """Stores a Func in a loop outside of the one that computes it, so that a window of it slides; or no longer."""
    others = context.without(level.stage, StoreAt)
    outside = context.serially_outside(level)
    if not outside or (len(others) < len(context.directives) and context.rng.random() < 0.3):
        return others
    return after(others, level.stage, StoreAt(level.stage, level.consumer, context.any(outside)))


def _hoist(context: Context, _at: int, level: ComputeAt) -> Directives | None:
    """Takes the memory of a Func in a loop outside of the one that stores it, so seldom; or no longer."""
    others = context.without(level.stage, HoistStorage)
    if len(others) < len(context.directives):
        return others
    stored = [each for each in others if isinstance(each, StoreAt) and each.stage == level.stage]
    outside = context.serially_outside(stored[0] if stored else level)
    return (
        after(others, level.stage, HoistStorage(level.stage, level.consumer, context.any(outside))) if outside else None
    )


def _memory(context: Context, _at: int, level: ComputeAt) -> Directives:
    """Stores a Func in another kind of memory: on the stack nothing is allocated."""
    others = context.without(level.stage, StoreIn)
    return after(others, level.stage, StoreIn(level.stage, context.any(_MEMORY)))


def _materialise(context: Context) -> Directives | None:
    """Computes a Func that was inlined in a loop of another, by vectors: what several points need is computed once."""
    nests = context.nests
    placed = context.placed
    inlined = [stage for stage in nests.loops if stage.func not in placed and stage.update is None]
    inlined = [stage for stage in inlined if context.may_change(stage)]
    if not inlined:
        return None
    stage = context.any(inlined)
    order = [each.func for each in nests.loops]  # producers first
    consumers = sorted(placed & set(order[order.index(stage.func) :]))
    if not consumers or not nests.loops[stage]:
        return None
    consumer = context.any(consumers)
    levels = context.levels(consumer)
    if not levels:
        return None
    new: Directives = [ComputeAt(Stage(stage.func), consumer, context.any(levels))]
    loops = (loop for loops in nests.loops.values() for loop in loops)
    lanes = sorted({loop.extent for loop in loops if loop.kind == "vectorized" and loop.extent})
    if context.rng.random() < _LIKE_ANOTHER and (donors := [*filter(None, _shapes(context, stage.func))]):
        new += context.any(donors)
    elif lanes:
        first, inner = nests.loops[stage][0].name, context.new_loop()
        new += [Split(stage, first, first, inner, int(context.rng.choice(lanes))), Vectorize(stage, inner)]
    return [*context.directives, *new]


def _shapes(context: Context, func: str) -> Iterator[Directives]:
    """What others are vectorised as, of those that have as many of its variables as any."""
    args = {*context.nests.args[func]}
    common = {each: len(args.intersection(context.nests.args.get(each, ()))) for each in sorted(context.placed)}
    most = max(common.values(), default=0)
    return (like(context, each, func) for each, count in common.items() if count == most)


def _inline(context: Context, _at: int, level: ComputeAt | ComputeRoot) -> Directives | None:
    """Computes a Func wherever it is needed, without a buffer; not one in whose loops others are computed."""
    func = level.stage.func
    inside = [each for each in context.directives if isinstance(each, InsideLoop) and each.consumer == func]
    if inside or func in context.outputs:
        return None
    return [each for each in context.directives if each.stage.func != func]


def _fold(context: Context, at: int, fold: FoldStorage) -> Directives | None:
    """Keeps twice or half as many lines of a buffer, or lets Halide find out how many are needed."""
    chance = context.rng.random()
    if chance < _UNFOLDED:
        return context.dropped(at)
    factor = fold.extent * 2 if chance < (1 + _UNFOLDED) / 2 else fold.extent // 2
    return context.replaced(at, extent=factor) if 0 < factor <= LARGEST_FACTOR else None


def _align(context: Context, _at: int, level: ComputeAt | ComputeRoot) -> Directives | None:
    """Begins the rows of a buffer at multiples of a vector, or no longer; an output's are where they are wanted."""
    stage, dense = level.stage, context.innermost_stored(level.stage.func)
    if stage.func in context.outputs:
        return None
    others = context.without(stage, AlignStorage)
    if len(others) < len(context.directives) or dense is None:
        return others
    alignment = int(context.rng.choice(_ALIGNMENTS))
    return after(context.directives, stage, AlignStorage(stage, dense, alignment))


def _parallel(context: Context, at: int, parallel: Parallel) -> Directives | None:
    """Runs another loop on the thread pool, of the same stage or of one that has none there; or one less."""
    chance = context.rng.random()
    if chance < _LESS:
        return context.dropped(at)
    serial = context.changeable_loops()
    shared = {each.stage for each in context.directives if isinstance(each, Parallel)}
    outermost = {stage: loop.name for stage, loop in serial if stage not in shared and not loop.rvar}
    if outermost and chance < _LESS + _MORE:
        stage = context.any_by_time([*outermost], lambda each: each.func)
        return after(context.directives, stage, Parallel(stage, outermost[stage]))
    loops = [loop.name for stage, loop in serial if stage == parallel.stage]
    return context.replaced(at, var=context.any(loops)) if loops else None


def _partition(context: Context) -> Directives | None:
    """Leaves a loop whole, whose ends would get code of their own; or no longer."""
    at = context.any_of(Partition)
    if at is not None and context.rng.random() < 0.5:
        return context.dropped(at)
    loops = context.changeable_loops()
    if not loops:
        return None
    stage, loop = context.any_loop(loops)
    return after(context.directives, stage, Partition(stage, loop.name, "Never"))


OPERATORS = (
    Operator("scale", _scale, Split, weight=3),  # most details are numbers
    Operator("tail", _tail, Split),
    Operator("unroll", _unroll),
    Operator("block", _block),
    Operator("reorder", _reorder),
    Operator("compute", _compute, ComputeAt),
    Operator("store", _store, ComputeAt),
    Operator("hoist", _hoist, ComputeAt),
    Operator("memory", _memory, ComputeAt),
    Operator("parallel", _parallel, Parallel),
    Operator("partition", _partition),
    Operator("materialise", _materialise),
    Operator("inline", _inline, ComputeAt | ComputeRoot),
    Operator("align", _align, ComputeAt | ComputeRoot),
    Operator("fold", _fold, FoldStorage),
)
