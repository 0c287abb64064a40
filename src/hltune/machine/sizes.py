"""The sizes of a pipeline's outputs for images of other sizes than it was scheduled for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hltune.errors import InputError
from hltune.pipeline.spec import BufferArgument, Interval, OutputArgument, PipelineSpec

Extents = tuple[int, ...]
"""Innermost first."""

_MOST_BORDER = 64
"""Output and input of a filter differ by a border of at most so many pixels; by more, it is a ratio."""


def resized(spec: PipelineSpec, sizes: Mapping[str, Extents]) -> PipelineSpec:
    """The same pipeline with other estimates.

    An output follows the input whose estimate is most like its own. Per dimension it stays as large as the input, or
    smaller by the same border, or smaller or larger in the same ratio.

    Args:
        sizes: extents of every image, by the input's name.

    Raises:
        InputError: it is not clear how large an output is.
    """
    images = list(spec.buffers())
    return replace(
        spec,
        inputs=tuple(
            replace(a, estimate=_with_extents(a.estimate, sizes[a.name])) if isinstance(a, BufferArgument) else a
            for a in spec.inputs
        ),
        outputs=tuple(_resized_output(output, images, sizes) for output in spec.outputs),
    )


def _resized_output(
    output: OutputArgument, images: list[BufferArgument], sizes: Mapping[str, Extents]
) -> OutputArgument:
    alike = [image for image in images if len(image.estimate) == len(output.estimate)]
    if all(_extents(image.estimate) == sizes[image.name] for image in images) or not alike:
        return output
    leader = min(alike, key=lambda image: _distance(_extents(image.estimate), _extents(output.estimate)))
    extents = tuple(
        _follow(output.name, own, before, now)
        for own, before, now in zip(
            _extents(output.estimate), _extents(leader.estimate), sizes[leader.name], strict=True
        )
    )
    return replace(output, estimate=_with_extents(output.estimate, extents))


def _follow(name: str, own: int, before: int, now: int) -> int:
    """The extent of an output that was `own` when that of its input was `before`, and is `now`."""
    if now == before:
        return own
    if abs(own - before) <= _MOST_BORDER and now + own - before >= 1:
        return now + own - before
    if own % before == 0:
        return now * (own // before)
    if before % own == 0:
        return max(1, now // (before // own))
    raise InputError(
        "it is not clear how large the output is for an image of this size",
        where=f"output {name}",
        expected=f"an image of extent {before}, for which the output's is {own}",
        found=f"one of extent {now}",
        todo="schedule with --estimate for inputs and outputs of the sizes wanted, then run with the same",
    )


def _extents(estimate: tuple[Interval, ...]) -> Extents:
    return tuple(extent for _, extent in estimate)


def _with_extents(estimate: tuple[Interval, ...], extents: Extents) -> tuple[Interval, ...]:
    return tuple((minimum, extent) for (minimum, _), extent in zip(estimate, extents, strict=True))


def _distance(one: Extents, other: Extents) -> int:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))
