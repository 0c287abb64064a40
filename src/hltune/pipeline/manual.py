"""The schedule that a pipeline's author wrote, apart from the algorithm. Runs in a worker."""

from dataclasses import dataclass, replace
from itertools import zip_longest

import halide as hl

from hltune.pipeline.algorithm import Algorithm
from hltune.pipeline.build import constrain_outputs, lost_images
from hltune.pipeline.serialized import plain_name, read_pipeline
from hltune.pipeline.serialized_schedule import ALLOWS_RACES, MEMOIZES, funcs_that, read_plans
from hltune.pipeline.strip import strip_schedule
from hltune.values.errors import HltuneError
from hltune.values.pipeline import LIMITS, Constraint, Constraints, OutputImage

_NOT_MEASURED = {
    ALLOWS_RACES: "it allows race conditions ({funcs}), and what comes out right by chance cannot be verified; "
    "atomic() or rfactor() do without",
    MEMOIZES: "it memoizes ({funcs}), so that a call finds what one before has computed, and its time says nothing of "
    "one that computes all; without memoize() in the file, the rest of your schedule is measured",
}
"""What an own schedule must not say, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Separated:
    """An algorithm and its author's schedule.

    Attributes:
        hlpipe: without a schedule.
        manual: with the author's schedule; None if there is none.
        notes: why there is none although the author has written one.
        output_images, manual_images: what is promised of outputs, and is not in the one or the other.
        racy: the author's schedule allows race conditions, so that what it computes may be wrong now and then.
        scheduled: the user's process has a schedule, be it all of `manual` or a part.
    """

    hlpipe: bytes
    manual: bytes | None = None
    output_images: tuple[OutputImage, ...] = ()
    manual_images: tuple[OutputImage, ...] = ()
    notes: tuple[str, ...] = ()
    racy: bool = False
    scheduled: bool = False


def separate(loaded: Algorithm, *, where: str) -> Separated:
    """Takes the schedule off a pipeline; the author's is that of the second build, if that says one.

    Raises:
        InputError: there is no algorithm without the schedule.
    """
    found = _separate(loaded, where=where)
    if found.manual is None:
        return found
    saying = {each: ", ".join(map(plain_name, funcs_that(each, found.manual, where=where))) for each in _NOT_MEASURED}
    notes = [
        f"your own schedule is left out: {_NOT_MEASURED[each].format(funcs=funcs)}"
        for each, funcs in saying.items()
        if funcs
    ]
    manual = None if notes else found.manual
    return replace(found, manual=manual, notes=(*found.notes, *notes), racy=bool(saying[ALLOWS_RACES]))


def _separate(loaded: Algorithm, *, where: str) -> Separated:
    algorithm = strip_schedule(loaded.hlpipe, where=where)
    scheduled = _says_something(loaded.hlpipe, algorithm, where)
    if algorithm != loaded.hlpipe:
        # Halide writes it anew without what is no longer referred to, so that the schedule leaves no trace in the hash.
        parameters = hl.deserialize_parameters(algorithm)
        constrain_outputs(parameters, lost_images(loaded.output_images, algorithm))
        algorithm = hl.serialize_pipeline(hl.deserialize_pipeline(algorithm, parameters))
    images = lost_images(loaded.output_images, algorithm)
    second = _second(loaded, where)
    if second is not None and not isinstance(second, str):  # before the first build's, which may be a part of it
        return Separated(
            hlpipe=algorithm,
            manual=second.hlpipe,
            output_images=images,
            manual_images=lost_images(second.output_images, second.hlpipe),
            notes=_only_by_hand(loaded, second),
            scheduled=scheduled,
        )
    manual, notes = (loaded.hlpipe if scheduled else None), ()
    theirs = () if manual is None else lost_images(loaded.output_images, manual)
    if second is not None:
        rest = "; your own schedule is what it says with one" if scheduled else ""
        notes = (f"the hand-written schedule is left out: {second}{rest}",)
    return Separated(
        hlpipe=algorithm, manual=manual, output_images=images, manual_images=theirs, notes=notes, scheduled=scheduled
    )


def _second(loaded: Algorithm, where: str) -> Algorithm | str | None:
    """The second build, or why it is of no use; None if there is none, or it says nothing."""
    second = loaded.manual
    if isinstance(second, HltuneError):
        return f"without an autoscheduler the generator fails: {second}"
    if second is None or not _says_something(second.hlpipe, strip_schedule(second.hlpipe, where=where), where):
        return None
    return _conflict(loaded, second, where) or second


def _says_something(manual: bytes, algorithm: bytes, where: str) -> bool:
    """True unless the only calls are such as ``unscheduled()``."""
    return read_plans(manual, where=where) != read_plans(algorithm, where=where)


def _conflict(algorithm: Algorithm, manual: Algorithm, where: str) -> str | None:
    """Why the same images do not fit both builds of a generator; None if they do."""
    wanted, found = _images(algorithm, where), _images(manual, where)
    scalars, others = ({s.name for s in each.scalars} for each in (algorithm, manual))
    if list(wanted) != list(found) or scalars != others:
        return "it takes other inputs, or computes other outputs, than with an autoscheduler"
    return next(
        (f"it stores {name} otherwise: {text}" for name in wanted if (text := _differ(wanted[name], found[name]))), None
    )


def _only_by_hand(loaded: Algorithm, second: Algorithm) -> tuple[str, ...]:
    """What only the second build promises of its inputs: all schedules are compiled for what the other one does."""
    wanted, found = _promises(loaded), _promises(second)
    more = ", ".join(name for name, promises in found.items() if promises - wanted.get(name, set()))
    if not more:
        return ()
    return (
        f"your own schedule is measured without what it alone promises of {more} (strides, bounds or alignment), which "
        "may make it slower than it is: promise that outside of `if not using_autoscheduler()`, for all schedules",
    )


def _promises(algorithm: Algorithm) -> dict[str, set[tuple[object, ...]]]:
    """By input, what is fixed: constants with their dimensions, and which others are expressions."""
    found: dict[str, set[tuple[object, ...]]] = {}
    for each in algorithm.images:
        fixed = found[each.name] = {(promise.dimension, promise.what) for promise in each.promises}
        fixed |= {("alignment", each.alignment)} if each.alignment else set()
        for dimension, constraint in enumerate(each.constraints):
            values = ((what, getattr(constraint, what)) for what in LIMITS)
            fixed |= {(dimension, what, value) for what, value in values if value is not None}
    return found


def _images(algorithm: Algorithm, where: str) -> dict[str, Constraints]:
    inputs = {image.name: image.constraints for image in algorithm.images}
    outputs = read_pipeline(algorithm.hlpipe, where=where, images=algorithm.output_images).outputs
    return inputs | {output.name: output.constraints for output in outputs}


def _differ(wanted: Constraints, found: Constraints) -> str | None:
    """How the strides of one differ from what the other allows."""
    default = (Constraint(stride=1),)
    for number, (one, other) in enumerate(zip_longest(wanted or default, found or default, fillvalue=Constraint())):
        if other.stride not in (None, one.stride):
            usual = "any" if one.stride is None else one.stride
            return f"a stride of {other.stride} in dimension {number}, where the algorithm has {usual}"
    return None
