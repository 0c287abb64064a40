"""The schedule that a pipeline's author wrote, apart from the algorithm. Runs in a worker."""

from dataclasses import dataclass

import halide as hl

from hltune.pipeline.serialized import SerializedOutput, read_pipeline
from hltune.pipeline.serialized_schedule import read_plans
from hltune.pipeline.strip import strip_schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Separated:
    """An algorithm and its author's schedule.

    Attributes:
        hlpipe: without a schedule.
        manual: with the author's schedule; None if there is none.
        note: why there is none although the author has written one.
    """

    hlpipe: bytes
    manual: bytes | None = None
    note: str | None = None


def separate(hlpipe: bytes, manual: bytes | None, *, where: str) -> Separated:
    """Takes a pipeline apart.

    Args:
        hlpipe: the pipeline as its author builds it when an autoscheduler is named.
        manual: as it is built when none is; None if that makes no difference.

    Raises:
        InputError: there is no algorithm without the schedule.
    """
    algorithm = strip_schedule(hlpipe, where=where)
    if algorithm != hlpipe:
        # Halide writes it anew without what is no longer referred to, so that the schedule leaves no trace in the hash.
        anew = hl.serialize_pipeline(hl.deserialize_pipeline(algorithm, hl.deserialize_parameters(algorithm)))
        return Separated(hlpipe=anew, manual=hlpipe if _says_something(hlpipe, algorithm, where) else None)
    if manual is None or not _says_something(manual, strip_schedule(manual, where=where), where):
        return Separated(hlpipe=hlpipe)
    if (conflict := _conflict(hlpipe, manual, where)) is not None:
        return Separated(hlpipe=hlpipe, note=f"the hand-written schedule is left out: {conflict}")
    return Separated(hlpipe=hlpipe, manual=manual)


def _says_something(manual: bytes, algorithm: bytes, where: str) -> bool:
    """True unless the only calls are such as ``unscheduled()``."""
    return read_plans(manual, where=where) != read_plans(algorithm, where=where)


def _conflict(hlpipe: bytes, manual: bytes, where: str) -> str | None:
    """Why the same images do not fit both."""
    outputs, others = (read_pipeline(data, where=where).outputs for data in (hlpipe, manual))
    names, found = ([output.name for output in each] for each in (outputs, others))
    if names != found:
        return f"it has other outputs: {', '.join(found)} for {', '.join(names)}"
    return next((text for pair in zip(outputs, others, strict=True) if (text := _stored_otherwise(*pair))), None)


def _stored_otherwise(output: SerializedOutput, other: SerializedOutput) -> str | None:
    if other.stride in (None, output.stride):
        return None
    return f"it stores {output.name} otherwise (a stride of {other.stride} in dimension 0, not {output.stride})"
