"""Schedules that differ in a detail from good ones.

Adams2019 decides tile sizes and loop levels, and leaves much else to rules of its own: all vectors are as long as the
output's, what is unrolled follows from the tiles, tails are what is safe. A mutation changes one such detail of a
schedule that was measured. Most mutations are worse and some are wrong, which Halide or the verification finds out; a
few are better than all that the search can express.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hltune.schedule.canonical import canonical_names
from hltune.schedule.loops import Loop, LoopNests, loop_nests
from hltune.values.directives import (
    AlignStorage,
    ComputeAt,
    Directive,
    Parallel,
    Reorder,
    Schedule,
    Split,
    StoreAt,
    StoreIn,
    Unroll,
    Vectorize,
)
from hltune.values.errors import InputError
from hltune.values.pipeline import FuncInfo
from hltune.values.roles import Stage
from hltune.values.schedule_codec import schedule_hash

_TAILS = ("Auto", "GuardWithIf", "RoundUp", "ShiftInwards")
_MEMORY = ("Auto", "Heap", "Stack")
_ALIGNMENTS = (32, 64, 128)
_LONGEST_UNROLL = 8
_LARGEST_FACTOR = 4096
_AGAIN = 0.4
"""Chance of one more change, after each."""
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """Where a mutant came from.

    Attributes:
        parent: hash of the schedule that was changed.
        changes: names of what was done to it.
    """

    parent: str
    changes: tuple[str, ...]

    def text(self) -> str:
        """A JSON object, as the sample store keeps it."""
        return json.dumps({"mutation": list(self.changes), "parent": self.parent})


def mutate(parent: Schedule, funcs: Sequence[FuncInfo], rng: np.random.Generator) -> tuple[Schedule, Mutation] | None:
    """Changes a schedule at random; None if nothing was found that can be changed."""
    schedule, changes = parent, list[str]()
    while schedule == parent or rng.random() < _AGAIN:
        changed = _change(schedule, funcs, rng)
        if changed is None:
            break
        schedule, name = changed
        changes.append(name)
    if schedule == parent:  # nothing can be changed
        return None
    return schedule, Mutation(parent=schedule_hash(parent), changes=tuple(changes))


def _change(schedule: Schedule, funcs: Sequence[FuncInfo], rng: np.random.Generator) -> tuple[Schedule, str] | None:
    nests = loop_nests(schedule, funcs)
    for _ in range(_ATTEMPTS):
        operator = _OPERATORS[int(rng.integers(len(_OPERATORS)))]
        directives = operator(list(schedule.directives), nests, rng)
        if directives is None:
            continue
        try:
            changed = canonical_names(Schedule(tuple(directives)), funcs)
            loop_nests(changed, funcs)
        except InputError:  # a loop that something else needs is gone
            continue
        if changed != schedule:
            return changed, operator.__name__.strip("_")
    return None


_Directives = list[Directive]
_Operator = Callable[[_Directives, LoopNests, np.random.Generator], _Directives | None]


def _scale(directives: _Directives, _nests: LoopNests, rng: np.random.Generator) -> _Directives | None:
    """Doubles or halves the factor of a split: a tile, a vector, an unrolled block."""
    at = _any(directives, Split, rng)
    if at is None:
        return None
    split = directives[at]
    assert isinstance(split, Split)
    factor = split.factor * 2 if rng.random() < 0.5 else split.factor // 2
    if not 1 < factor <= _LARGEST_FACTOR:
        return None
    return _with(directives, at, replace(split, factor=factor))


def _tail(directives: _Directives, _nests: LoopNests, rng: np.random.Generator) -> _Directives | None:
    """What happens where the factor of a split does not divide the extent."""
    at = _any(directives, Split, rng)
    if at is None:
        return None
    split = directives[at]
    assert isinstance(split, Split)
    return _with(directives, at, replace(split, tail=str(rng.choice(_TAILS))))


def _unroll(directives: _Directives, nests: LoopNests, rng: np.random.Generator) -> _Directives | None:
    """Unrolls a short loop, or rolls one up again."""
    rolled = [(stage, loop) for stage, loop in _serial(nests) if loop.extent and loop.extent <= _LONGEST_UNROLL]
    at = _any(directives, Unroll, rng)
    if at is not None and (not rolled or rng.random() < 0.5):
        return directives[:at] + directives[at + 1 :]
    if not rolled:
        return None
    stage, loop = rolled[int(rng.integers(len(rolled)))]
    return _after(directives, stage, Unroll(stage, loop.name))


def _block(directives: _Directives, nests: LoopNests, rng: np.random.Generator) -> _Directives | None:
    """Splits a loop and unrolls its inner part just outside of the vector: several rows share what they load."""
    loops = _serial(nests)
    if not loops:
        return None
    stage, loop = loops[int(rng.integers(len(loops)))]
    inner = _fresh(nests)
    factor = int(rng.choice([2, 4, 8]))
    order = [each.name for each in nests.loops[stage]]
    vectors = [each.name for each in nests.loops[stage] if each.kind == "vectorized"]
    rest = [name for name in order if name not in vectors]
    new = [
        Split(stage, loop.name, loop.name, inner, factor),
        Reorder(stage, (*vectors, inner, *rest)),
        Unroll(stage, inner),
    ]
    return _after(directives, stage, *new)


def _reorder(directives: _Directives, _nests: LoopNests, rng: np.random.Generator) -> _Directives | None:
    """Swaps two neighbours in the order of loops."""
    at = _any(directives, Reorder, rng)
    if at is None:
        return None
    reorder = directives[at]
    assert isinstance(reorder, Reorder)
    names = list(reorder.vars)
    if len(names) < 2:
        return None
    first = int(rng.integers(len(names) - 1))
    names[first], names[first + 1] = names[first + 1], names[first]
    return _with(directives, at, replace(reorder, vars=tuple(names)))


def _compute(directives: _Directives, nests: LoopNests, rng: np.random.Generator) -> _Directives | None:
    """Computes a Func in another loop of its consumer."""
    at = _any(directives, ComputeAt, rng)
    if at is None:
        return None
    level = directives[at]
    assert isinstance(level, ComputeAt)
    loops = _levels(nests, level.consumer)
    return _with(directives, at, replace(level, var=loops[int(rng.integers(len(loops)))])) if loops else None


def _store(directives: _Directives, nests: LoopNests, rng: np.random.Generator) -> _Directives | None:
    """Stores a Func in a loop outside of the one that computes it, so that a window of it slides; or no longer."""
    at = _any(directives, ComputeAt, rng)
    if at is None:
        return None
    level = directives[at]
    assert isinstance(level, ComputeAt)
    others = [each for each in directives if not (isinstance(each, StoreAt) and each.stage == level.stage)]
    loops = _levels(nests, level.consumer)
    outside = loops[loops.index(level.var) + 1 :] if level.var in loops else []
    if not outside or (len(others) < len(directives) and rng.random() < 0.3):
        return others
    var = outside[int(rng.integers(len(outside)))]
    return _after(others, level.stage, StoreAt(level.stage, level.consumer, var))


def _memory(directives: _Directives, _nests: LoopNests, rng: np.random.Generator) -> _Directives | None:
    """Another kind of memory."""
    at = _any(directives, StoreIn, rng)
    if at is None:
        return None
    memory = directives[at]
    assert isinstance(memory, StoreIn)
    return _with(directives, at, replace(memory, memory=str(rng.choice(_MEMORY))))


def _materialise(directives: _Directives, nests: LoopNests, rng: np.random.Generator) -> _Directives | None:
    """Computes a Func that was inlined in a loop of another, by vectors: what several points need is computed once."""
    scheduled = {each.stage.func for each in directives}
    inlined = [stage for stage in nests.loops if stage.func not in scheduled and stage.update is None]
    if not inlined or not scheduled:
        return None
    stage = inlined[int(rng.integers(len(inlined)))]
    order = [each.func for each in nests.loops]  # producers first
    consumers = sorted(scheduled & set(order[order.index(stage.func) :]))
    if not consumers or not nests.loops[stage]:
        return None
    consumer = consumers[int(rng.integers(len(consumers)))]
    levels = _levels(nests, consumer)
    if not levels:
        return None
    new: _Directives = [ComputeAt(Stage(stage.func), consumer, levels[int(rng.integers(len(levels)))])]
    lanes = sorted(
        {loop.extent for loops in nests.loops.values() for loop in loops if loop.kind == "vectorized" and loop.extent}
    )
    if lanes:
        first, inner = nests.loops[stage][0].name, _fresh(nests)
        new += [Split(stage, first, first, inner, int(rng.choice(lanes))), Vectorize(stage, inner)]
    return [*directives, *new]


def _inline(directives: _Directives, _nests: LoopNests, rng: np.random.Generator) -> _Directives | None:
    """Computes a Func wherever it is needed, without a buffer."""
    at = _any(directives, ComputeAt, rng)
    if at is None:
        return None
    func = directives[at].stage.func
    return [each for each in directives if each.stage.func != func]


def _align(directives: _Directives, nests: LoopNests, rng: np.random.Generator) -> _Directives | None:
    """Begins the rows of a buffer at multiples of a vector, or no longer."""
    at = _any(directives, ComputeAt, rng)
    if at is None:
        return None
    stage = directives[at].stage
    others = [each for each in directives if not (isinstance(each, AlignStorage) and each.stage == stage)]
    if len(others) < len(directives) or not nests.args[stage.func]:
        return others
    alignment = int(rng.choice(_ALIGNMENTS))
    return _after(directives, stage, AlignStorage(stage, nests.args[stage.func][0], alignment))


def _parallel(directives: _Directives, nests: LoopNests, rng: np.random.Generator) -> _Directives | None:
    """Runs another loop on the thread pool."""
    at = _any(directives, Parallel, rng)
    if at is None:
        return None
    parallel = directives[at]
    loops = [loop.name for stage, loop in _serial(nests) if stage == parallel.stage]
    if not loops:
        return None
    return _with(directives, at, Parallel(parallel.stage, loops[int(rng.integers(len(loops)))]))


_OPERATORS: tuple[_Operator, ...] = (
    _scale,
    _scale,
    _scale,
    _tail,
    _unroll,
    _block,
    _reorder,
    _compute,
    _store,
    _memory,
    _parallel,
    _materialise,
    _inline,
    _align,
)
"""Scaling counts three times: most details are numbers."""


def _fresh(nests: LoopNests) -> str:
    """A name that no loop has."""
    taken = {each.name for loops in nests.loops.values() for each in loops}
    return next(name for number in range(1000) if (name := f"v{number}") not in taken)


def _any(directives: _Directives, kind: type[Directive], rng: np.random.Generator) -> int | None:
    """Position of a random directive of a kind."""
    found = [number for number, each in enumerate(directives) if isinstance(each, kind)]
    return found[int(rng.integers(len(found)))] if found else None


def _with(directives: _Directives, at: int, new: Directive) -> _Directives:
    return [*directives[:at], new, *directives[at + 1 :]]


def _after(directives: _Directives, stage: Stage, *new: Directive) -> _Directives:
    """After the last directive of a stage."""
    at = max((number for number, each in enumerate(directives) if each.stage == stage), default=-1)
    return [*directives[: at + 1], *new, *directives[at + 1 :]]


def _serial(nests: LoopNests) -> list[tuple[Stage, Loop]]:
    return [(stage, loop) for stage, loops in nests.loops.items() for loop in loops if loop.kind == "for"]


def _levels(nests: LoopNests, consumer: str) -> list[str]:
    """Loops that something can be computed in, innermost first."""
    stage = nests.stages(consumer)[-1]
    return [loop.name for loop in nests.loops[stage] if loop.kind != "vectorized"]
