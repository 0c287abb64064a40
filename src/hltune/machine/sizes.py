"""The sizes of a pipeline's outputs for images of other sizes than it was scheduled for."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from hltune.values.errors import InputError
from hltune.values.pipeline import BufferArgument, OutputArgument, PipelineSpec

A = TypeVar("A", BufferArgument, OutputArgument)

Extents = tuple[int, ...]
"""Innermost first."""

_MOST_BORDER = 64
"""Output and input of a filter differ by a border of at most so many pixels; by more, it is a ratio."""
_BORDER_SHARE = 8
"""Nor is a border more than one pixel of so many of the input."""

_LARGEST_RATIO = 4
"""The largest ratio of scaling up or down; what is smaller by more may as well have a size of its own."""


def resized(spec: PipelineSpec, sizes: Mapping[str, Extents], given: Mapping[str, Extents]) -> PipelineSpec:
    """The same pipeline with other estimates.

    An output follows the input whose estimate is most like its own. Where all dimensions that differ have the same
    whole ratio, it is scaled up or down. Else, per dimension, it stays as large as the input, or smaller by the same
    border, or smaller or larger in the same ratio. What an output has of fewer dimensions than its
    input are the first ones.

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
        inputs=tuple(_sized(a, sizes[a.name]) if isinstance(a, BufferArgument) else a for a in spec.inputs),
        outputs=tuple(
            _sized(output, _given(output, given) or _followed(output, images, sizes)) for output in spec.outputs
        ),
    )


def _sized(argument: A, extents: Extents) -> A:
    pairs = zip(argument.estimate, extents, strict=True)
    return replace(argument, estimate=tuple((minimum, extent) for (minimum, _), extent in pairs))


def _given(output: OutputArgument, given: Mapping[str, Extents]) -> Extents | None:
    extents = given.get(output.name)
    if extents is not None and len(extents) != len(output.estimate):
        raise InputError(
            "the size does not fit",
            where=f"--output-size {output.name}",
            expected=f"{len(output.estimate)} extents",
            found=str(len(extents)),
        )
    return extents


def _followed(output: OutputArgument, images: list[BufferArgument], sizes: Mapping[str, Extents]) -> Extents:
    own = _extents(output)
    if not own or all(_extents(image) == sizes[image.name] for image in images):
        return own
    alike = _alike(len(own), images)
    distances = {name: sum(abs(a - b) for a, b in zip(before, own, strict=True)) for name, before in alike.items()}
    leaders = [name for name, distance in distances.items() if distance == min(distances.values())]
    found = {_following(own, alike[name], sizes[name][: len(own)]) for name in leaders}
    extents = tuple(extent for extent in found.pop() if extent is not None) if len(found) == 1 else ()
    if len(extents) < len(own):
        raise InputError(
            "it is not clear how large the output is for images of these sizes",
            where=f"output {output.name}",
            expected="images of the sizes that the pipeline was scheduled for, or the size of the output",
            found=", ".join(f"{name} is {'x'.join(map(str, extents))}" for name, extents in sizes.items()),
            todo=f"give --output-size {output.name}=" + "x".join(map(str, own)) + " with the right numbers",
        )
    return extents


def _alike(dimensions: int, images: list[BufferArgument]) -> dict[str, Extents]:
    """The images that an output may follow: of as many dimensions, or else of more, as grey follows colour."""
    same = {image.name: _extents(image) for image in images if len(image.estimate) == dimensions}
    if same or dimensions == 1:  # one dimension may be a row, a column or neither
        return same
    return {image.name: _extents(image)[:dimensions] for image in images if len(image.estimate) > dimensions}


def _following(own: Extents, before: Extents, now: Extents) -> tuple[int | None, ...]:
    """The extents of an output; None for those that are unclear."""
    ratios = {_ratio(*pair) for pair in zip(own, before, strict=True) if pair[0] != pair[1]}
    scaled = len(ratios) == 1 and None not in ratios
    triples = zip(own, before, now, strict=True)
    return tuple(_scaled(*extents) if scaled else _follow(*extents) for extents in triples)


def _ratio(own: int, before: int) -> tuple[int, int] | None:
    """By how much an output is larger, and by how much smaller, if one of them is a whole number and the other is 1."""
    if own % before == 0 and own // before <= _LARGEST_RATIO:
        return own // before, 1
    if before % own == 0 and before // own <= _LARGEST_RATIO:
        return 1, before // own
    return None


def _scaled(own: int, before: int, now: int) -> int | None:
    """The extent of an output in the same ratio; None if there is none."""
    if now == before:
        return own
    ratio = _ratio(own, before)
    return None if ratio is None else max(1, now * ratio[0] // ratio[1])


def _follow(own: int, before: int, now: int) -> int | None:
    """The extent of an output that was `own` when that of its input was `before`, and is `now`; None if unclear."""
    if now == before:
        return own
    if abs(own - before) <= min(_MOST_BORDER, before // _BORDER_SHARE) and now + own - before >= 1:
        return now + own - before
    return _scaled(own, before, now)


def _extents(argument: BufferArgument | OutputArgument) -> Extents:
    return tuple(extent for _, extent in argument.estimate)
