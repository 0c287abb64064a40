"""The sizes of a pipeline's outputs for images of other sizes than it was scheduled for."""

from collections.abc import Mapping
from dataclasses import replace

from hltune.values.errors import InputError
from hltune.values.pipeline import BufferArgument, Interval, OutputArgument, PipelineSpec

Extents = tuple[int, ...]
"""Innermost first."""

_MOST_BORDER = 64
"""Output and input of a filter differ by a border of at most so many pixels; by more, it is a ratio."""

_LARGEST_RATIO = 4
"""The largest ratio of scaling up or down; what is smaller by more may as well have a size of its own."""


def resized(spec: PipelineSpec, sizes: Mapping[str, Extents], given: Mapping[str, Extents]) -> PipelineSpec:
    """The same pipeline with other estimates.

    An output follows the input whose estimate is most like its own. Per dimension it stays as large as the input, or
    smaller by the same border, or smaller or larger in the same ratio.

    Args:
        sizes: extents of every image, by the input's name.
        given: extents of outputs that the user knows better.

    Raises:
        InputError: it is not clear how large an output is, or a given size does not fit.
    """
    unknown = given.keys() - {output.name for output in spec.outputs}
    if unknown:
        raise InputError(
            "no such output",
            where="--output-size",
            expected=", ".join(o.name for o in spec.outputs),
            found=", ".join(sorted(unknown)),
        )
    images = list(spec.buffers())
    return replace(
        spec,
        inputs=tuple(
            replace(a, estimate=_with_extents(a.estimate, sizes[a.name])) if isinstance(a, BufferArgument) else a
            for a in spec.inputs
        ),
        outputs=tuple(
            _given(output, given[output.name]) if output.name in given else _resized_output(output, images, sizes)
            for output in spec.outputs
        ),
    )


def _given(output: OutputArgument, extents: Extents) -> OutputArgument:
    if len(extents) != len(output.estimate):
        raise InputError(
            "the size does not fit",
            where=f"--output-size {output.name}",
            expected=f"{len(output.estimate)} extents",
            found=str(len(extents)),
        )
    return replace(output, estimate=_with_extents(output.estimate, extents))


def _resized_output(
    output: OutputArgument, images: list[BufferArgument], sizes: Mapping[str, Extents]
) -> OutputArgument:
    own = _extents(output.estimate)
    if not own or all(_extents(image.estimate) == sizes[image.name] for image in images):
        return output
    alike = {image.name: _extents(image.estimate) for image in images if len(image.estimate) == len(own)}
    nearest = min((_distance(before, own) for before in alike.values()), default=0)
    leaders = [name for name, before in alike.items() if _distance(before, own) == nearest]
    found = {_follow_all(own, alike[name], sizes[name]) for name in leaders}
    extents = found.pop() if len(found) == 1 else None
    if extents is None:
        raise InputError(
            "it is not clear how large the output is for images of these sizes",
            where=f"output {output.name}",
            expected="images of the sizes that the pipeline was scheduled for, or the size of the output",
            found=", ".join(f"{name} is {'x'.join(map(str, extents))}" for name, extents in sizes.items()),
            todo=f"give --output-size {output.name}=" + "x".join(map(str, own)) + " with the right numbers",
        )
    return replace(output, estimate=_with_extents(output.estimate, extents))


def _follow_all(own: Extents, before: Extents, now: Extents) -> Extents | None:
    extents = tuple(_follow(*extent) for extent in zip(own, before, now, strict=True))
    return None if None in extents else tuple(extent for extent in extents if extent is not None)


def _follow(own: int, before: int, now: int) -> int | None:
    """The extent of an output that was `own` when that of its input was `before`, and is `now`; None if unclear."""
    if now == before:
        return own
    if abs(own - before) <= _MOST_BORDER and now + own - before >= 1:
        return now + own - before
    if own % before == 0 and own // before <= _LARGEST_RATIO:
        return now * (own // before)
    if before % own == 0 and before // own <= _LARGEST_RATIO:
        return max(1, now // (before // own))
    return None


def _extents(estimate: tuple[Interval, ...]) -> Extents:
    return tuple(extent for _, extent in estimate)


def _with_extents(estimate: tuple[Interval, ...], extents: Extents) -> tuple[Interval, ...]:
    return tuple((minimum, extent) for (minimum, _), extent in zip(estimate, extents, strict=True))


def _distance(one: Extents, other: Extents) -> int:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))
