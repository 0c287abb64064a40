from __future__ import annotations

import pytest

from hltune.machine.sizes import resized
from hltune.values.errors import InputError
from hltune.values.pipeline import BufferArgument, OutputArgument, PipelineSpec


def size(
    inputs: dict[str, tuple[int, ...]],
    output: tuple[int, ...],
    now: dict[str, tuple[int, ...]],
    given: dict[str, tuple[int, ...]] | None = None,
) -> tuple[int, ...]:
    spec = PipelineSpec(
        name="p",
        hlpipe=b"",
        inputs=tuple(
            BufferArgument(name=n, dtype="uint8", estimate=tuple((0, e) for e in extents))
            for n, extents in inputs.items()
        ),
        outputs=(OutputArgument(name="output", dtypes=("uint8",), estimate=tuple((0, e) for e in output)),),
        funcs=(),
    )
    changed = resized(spec, now, given or {})
    assert {a.name: tuple(e for _, e in a.estimate) for a in changed.buffers()} == now
    return tuple(extent for _, extent in changed.outputs[0].estimate)


@pytest.mark.parametrize(
    ("before", "output", "now", "expected"),
    [
        ((320, 240), (320, 240), (800, 600), (800, 600)),
        ((320, 240), (320, 240), (100, 90), (100, 90)),
        ((320, 240), (318, 238), (800, 600), (798, 598)),  # valid mode
        ((320, 240), (160, 120), (800, 600), (400, 300)),  # down by two
        ((320, 240), (160, 120), (801, 601), (400, 300)),
        ((320, 240), (640, 480), (800, 600), (1600, 1200)),
        ((64, 64), (128, 128), (640, 480), (1280, 960)),  # small, so that the difference might be a border
        ((64, 48), (32, 24), (640, 480), (320, 240)),
        ((64, 48, 3), (128, 96, 3), (640, 480, 3), (1280, 960, 3)),
        ((64, 48), (128, 48), (640, 480), (1280, 480)),
        ((128, 128), (64, 126), (1024, 1024), (512, 1022)),  # half as wide, with a border above and below
        ((64, 48), (60, 44), (640, 480), (636, 476)),
        ((320, 240, 3), (320, 240, 3), (800, 600, 3), (800, 600, 3)),
        ((320, 240), (256,), (320, 240), (256,)),  # a histogram
        ((320, 240), (), (800, 600), ()),
        ((320, 240, 3), (320, 240), (800, 600, 3), (800, 600)),  # colour to grey
        ((320, 240, 3), (318, 238), (800, 600, 3), (798, 598)),
        ((320, 240), (100, 100), (320, 240), (100, 100)),
    ],
)
def test_outputs_follow_their_input(
    before: tuple[int, ...], output: tuple[int, ...], now: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert size({"image": before}, output, {"image": now}) == expected


def test_the_most_similar_input_leads() -> None:
    inputs = {"filter": (3, 3), "image": (320, 240)}
    assert size(inputs, (320, 240), {"filter": (3, 3), "image": (800, 600)}) == (800, 600)


@pytest.mark.parametrize(
    ("before", "output", "now"),
    [
        ((640, 480), (480,), (640, 960)),  # a sum per row
        ((320, 240), (256,), (800, 600)),  # a histogram
        ((640, 640), (64, 64), (960, 960)),  # a thumbnail
        ((640, 480), (480, 640), (800, 600)),  # transposed
        ((64, 48), (128, 72), (640, 480)),  # no common ratio
        ((256, 192), (192, 144), (1024, 768)),  # three quarters, which is no border of 64
    ],
)
def test_an_unclear_size_is_an_error(before: tuple[int, ...], output: tuple[int, ...], now: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="not clear how large"):
        size({"image": before}, output, {"image": now})
    assert size({"image": before}, output, {"image": now}, {"output": output}) == output


def test_inputs_that_disagree_are_an_error() -> None:
    with pytest.raises(InputError, match="not clear how large"):
        size({"a": (200, 200), "b": (200, 200)}, (200, 200), {"a": (200, 300), "b": (600, 200)})


def test_given_sizes_are_checked() -> None:
    with pytest.raises(InputError, match="no such output"):
        size({"image": (320, 240)}, (320, 240), {"image": (800, 600)}, {"result": (1, 1)})
    with pytest.raises(InputError, match="does not fit"):
        size({"image": (320, 240)}, (320, 240), {"image": (800, 600)}, {"output": (1,)})
