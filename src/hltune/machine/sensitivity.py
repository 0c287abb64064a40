"""Other ways to compute the reference, all of them right: what they differ by is what rounding can do."""

import contextlib
import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hltune.pipeline.images import Array, pieces
from hltune.pipeline.operations import forecast
from hltune.pipeline.target import HOST
from hltune.values.directives import ComputeRoot, Directive, Parallel, Reorder, Schedule, Split, Stage, Vectorize
from hltune.values.pipeline import PipelineSpec, ScalarArgument

STRICT = "strict_float"
"""Halide's name of the feature with which floats are computed as they are written."""
REFERENCE_TARGET = f"{HOST}-{STRICT}"
"""What expected outputs are computed by, on this computer, for code that does not run on it."""
_VECTOR = 8
_LONG = 1000
"""Steps of a reduction with which it matters to floats in which order they are taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to compute the reference again.

    Attributes:
        name: what it changes, for people.
        target: a full Halide target string.
        schedule: the reference's, unless the variant is another one.
        moved: 1 or -1 where float inputs move by one unit in the last place, half of them up; else 0.
    """

    name: str
    target: str
    schedule: Schedule
    moved: int = 0


def fast_variant(spec: PipelineSpec, target: str) -> Variant:
    """A vectorised and parallel schedule: it shows what other vectors do, and the others are quicker with it."""
    return Variant(name="a vectorised schedule", target=target, schedule=vectorised(spec))


def other_floats(spec: PipelineSpec, schedule: Schedule, target: str) -> Iterator[Variant]:
    """The same schedule on inputs that are moved, and with floats that are rounded elsewhere, the quickest first."""
    if any(argument.dtype.startswith("float") for argument in spec.inputs):
        for moved, name in ((1, "inputs moved by one unit in the last place"), (-1, "inputs moved the other way")):
            yield Variant(name=name, target=target, schedule=schedule, moved=moved)
    is_strict = STRICT in target.split("-")
    other = _without(target, STRICT) if is_strict else f"{target}-{STRICT}"
    yield Variant(name="without strict_float" if is_strict else STRICT, target=other, schedule=schedule)
    loose = _without(target, STRICT)
    if (plain := _without(loose, "fma", "avx512")) != loose:
        yield Variant(name="without FMA", target=plain, schedule=schedule)


def in_another_order(spec: PipelineSpec, target: str) -> Variant | None:
    """Long reductions in another order, where Halide takes that for the same; None if there are none."""
    reorders: list[Directive] = []
    for func in spec.funcs:
        for number, loops in enumerate(func.updates):
            extents = func.extents[number] if func.extents else (None,) * len(loops)
            if loops and math.prod(extent or _LONG for extent in extents) >= _LONG:
                reorders += _turned_round(Stage(func.name, number), loops, taken=(*func.args, *loops))
    if not reorders:
        return None
    schedule = Schedule((*vectorised(spec).directives, *reorders))
    return Variant(name="reductions in another order", target=target, schedule=schedule)


def _turned_round(stage: Stage, loops: Sequence[str], taken: Sequence[str]) -> Iterator[Directive]:
    """The outer loops inside of the inner ones, of which the innermost comes in steps of a vector."""
    first, *others = loops
    inner = _new_name(first, taken)
    yield Split(stage, first, first, inner, _VECTOR, "GuardWithIf")
    yield Reorder(stage, (*reversed(others), first, inner))


def every_func_at_root(spec: PipelineSpec) -> Schedule:
    """Computes every Func once, in full, before its consumers."""
    return Schedule(tuple(ComputeRoot(Stage(func.name)) for func in spec.funcs))


def simplest_schedules(spec: PipelineSpec) -> tuple[Schedule, ...]:
    """Everything inlined, and every Func at root; the one first that computes less."""
    both = (Schedule(), every_func_at_root(spec))
    return both if forecast(spec).inlined_first else both[::-1]


def vectorised(spec: PipelineSpec) -> Schedule:
    """Every Func at root, all its definitions in vectors along their first pure variable, parallel along their last."""
    directives: list[Directive] = []
    for func in spec.funcs:
        directives.append(ComputeRoot(Stage(func.name)))
        stages = [(Stage(func.name), func.args)]
        stages += [(Stage(func.name, number), args) for number, args in enumerate(func.update_args)]
        for stage, args in stages:
            directives += _in_vectors(stage, args, taken=func.args)
    return Schedule(tuple(directives))


def _in_vectors(stage: Stage, args: Sequence[str], taken: Sequence[str]) -> Iterator[Directive]:
    if not args:
        return
    inner = _new_name(args[0], taken)
    yield Split(stage, args[0], args[0], inner, _VECTOR, "GuardWithIf")
    yield Vectorize(stage, inner)
    if len(args) > 1:  # else there are as many tasks as vectors
        yield Parallel(stage, args[-1])


def _new_name(loop: str, taken: Sequence[str]) -> str:
    """A name for the inner one of two loops that a loop is split into."""
    name = f"{loop}_v"
    while name in taken:
        name += "v"
    return name


@contextlib.contextmanager
def moved_inputs(
    values: tuple[Array | float, ...], spec: PipelineSpec, moved: int
) -> Generator[tuple[Array | float, ...]]:
    """The inputs, moved while the context lasts; whole numbers stay, for they are seldom rounded ones, and so does a
    scalar that would leave its range.

    Arrays change in place, for their layout in memory may matter.
    """
    rng = np.random.default_rng(0)
    saved: list[tuple[Array, Array]] = []
    found: list[Array | float] = []
    try:
        for argument, value in zip(spec.inputs, values, strict=True):
            if moved and argument.dtype.startswith("float"):
                if isinstance(value, np.ndarray):
                    saved.append((value, value.copy()))
                    _move(value, moved, rng)
                elif isinstance(argument, ScalarArgument):
                    value = _moved_scalar(argument, value, moved, rng)
            found.append(value)
        yield tuple(found)
    finally:
        for array, before in saved:
            array[...] = before


def _move(array: Array, moved: int, rng: np.random.Generator) -> None:
    for piece in pieces(array):
        piece[...] = _moved(piece, moved, rng)


def _moved_scalar(argument: ScalarArgument, value: float, moved: int, rng: np.random.Generator) -> float:
    after = float(_moved(np.array(value, argument.dtype), moved, rng))
    is_below = argument.minimum is not None and after < argument.minimum
    is_above = argument.maximum is not None and after > argument.maximum
    return value if is_below or is_above else after


def _moved(array: Array, moved: int, rng: np.random.Generator) -> Array:
    signs = np.where(rng.integers(0, 2, array.shape) > 0, moved, -moved)
    with np.errstate(all="ignore"):
        after = np.nextafter(array, (signs * np.inf).astype(array.dtype))
        stays = (array == np.rint(array)) | ~np.isfinite(array)
        stays |= (np.abs(array) < 1) & (np.abs(after) >= 1)  # where random data never is
    return np.where(stays, array, after)


def _without(target: str, *features: str) -> str:
    first, *others = target.split("-")
    return "-".join([first, *(each for each in others if not each.startswith(features))])
