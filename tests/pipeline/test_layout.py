"""Where images lie in memory, against addresses counted by hand."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hltune.pipeline.build import buffer_of
from hltune.pipeline.layout import Layout, layout_of, stored
from hltune.runtime.worker import parent
from hltune.values.errors import InputError
from hltune.values.pipeline import BufferArgument, Constraint, Constraints


def image(extents: tuple[int, ...], *strides: int | None) -> BufferArgument:
    constraints: Constraints = tuple(Constraint(stride=stride) for stride in strides)
    return BufferArgument(
        name="im", dtype="uint16", estimate=tuple((0, extent) for extent in extents), constraints=constraints
    )


@pytest.mark.parametrize(
    ("extents", "fixed", "strides", "size"),
    [
        ((), (), (), 1),
        ((7, 5, 3), (), (1, 7, 35), 105),
        ((7, 5, 3), (1, None, None), (1, 7, 35), 105),
        ((7, 5, 3), (None, None, None), (1, 7, 35), 105),
        ((7, 5, 3), (3, None, 1), (3, 21, 1), 105),
        ((7, 5, 3), (4, None, 1), (4, 28, 1), 140),
        ((7, 5, 3), (None, None, 1), (3, 21, 1), 105),
        ((7, 5), (1, 16), (1, 16), 80),
        ((7, 5, 3), (1, None, 50), (1, 7, 50), 150),
        ((7, 5, 3), (1, None, 20), (1, 60, 20), 300),
        ((7, 5), (5, 1), (5, 1), 35),
        ((1, 5), (1, None), (1, 1), 5),
    ],
)
def test_dense_where_nothing_is_fixed(
    extents: tuple[int, ...], fixed: tuple[int | None, ...], strides: tuple[int, ...], size: int
) -> None:
    layout = layout_of(image(extents, *fixed), "uint16")
    assert (layout.strides, layout.size) == (strides, size)


def test_rows_at_multiples() -> None:
    assert layout_of(image((7, 5, 3)), "uint16", row=64).strides == (1, 64, 320)
    assert layout_of(image((7, 5, 3), 3, None, 1), "uint16", row=64).strides == (3, 64, 1)
    assert layout_of(image((7, 5), 1, 9), "uint16", row=64).strides == (1, 9)


@pytest.mark.parametrize("fixed", [(1, 6), (0, 7), (-1, 7), (2, 2)])
def test_too_large_for_its_strides(fixed: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="does not fit into the strides") as caught:
        layout_of(image((7, 5), *fixed), "uint16")
    assert caught.value.where == "im" and "--estimate im=" in str(caught.value.todo)


def test_too_large_for_the_memory() -> None:
    layout = layout_of(image((2**20, 2**20)), "uint16")
    with pytest.raises(
        InputError, match=r"^im: (.|\n)*memory of this machine(.|\n)*found: 2048.0 GiB(.|\n)*--estimate"
    ):
        stored(layout, name="im")


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.lists(st.one_of(st.none(), st.integers(1, 60)), min_size=4, max_size=4),
    st.sampled_from([1, 8]),
)
def test_no_two_elements_share_an_address(extents: list[int], strides: list[int | None], row: int) -> None:
    argument = image(tuple(extents), *strides[: len(extents)])
    try:
        layout = layout_of(argument, "uint16", row=row)
    except InputError:
        return
    memory = np.zeros(layout.size, np.uint16)
    view = layout.view(memory)
    view[...] = np.arange(1, view.size + 1).reshape(view.shape)
    assert sorted(memory[memory > 0]) == list(range(1, view.size + 1))
    for index in np.ndindex(*view.shape):
        address = sum(i * stride for i, stride in zip(reversed(index), layout.strides, strict=True))
        assert memory[address] == view[index]


@given(
    st.lists(st.integers(1, 3), max_size=4),
    st.lists(st.one_of(st.none(), st.integers(1, 40)), min_size=4, max_size=4),
    st.sampled_from(["uint16", "uint64"]),
)
def test_halide_gets_every_stride(extents: list[int], strides: list[int | None], dtype: str) -> None:
    """Those of a dimension of one element, too, which compiled code may insist on."""
    try:
        layout = layout_of(image(tuple(extents), *strides[: len(extents)]), dtype)
    except InputError:
        return
    buffer = buffer_of(stored(layout, name="im").array, range(7, 7 + len(extents)))
    dimensions = [buffer.dim(number) for number in range(buffer.dimensions())]
    assert [(each.min(), each.extent(), each.stride()) for each in dimensions] == [
        (7 + number, extent, stride)
        for number, (extent, stride) in enumerate(zip(layout.extents, layout.strides, strict=True))
    ]


def test_what_is_written_between_rows_shows() -> None:
    place = stored(layout_of(image((7, 5), 1, 16), "uint16"), name="im")
    place.poison()
    place.array[...] = 3
    assert place.gaps_intact()
    place.memory[4 * 16 + 7] ^= 1
    assert not place.gaps_intact()


@pytest.mark.parametrize("place", [-1, 7 * 5])
def test_what_is_written_beyond_an_image_shows(place: int) -> None:
    image_ = stored(layout_of(image((7, 5), 1, 7), "uint16"), name="im")
    image_.poison()
    image_.array[...] = 3
    assert image_.gaps_intact()
    ctypes.c_uint16.from_address(image_.memory.ctypes.data + 2 * place).value = 3
    assert not image_.gaps_intact()


def test_alignment() -> None:
    layout = Layout(np.dtype("Q"), (15,), (1,), 15)
    assert stored(layout, name="im").memory.ctypes.data % 128 == 0
    assert stored(layout, name="im", alignment=4096).memory.ctypes.data % 4096 == 0


def test_an_image_has_the_memory_of_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "memory_limit_bytes", lambda: 1000.0)
    with pytest.raises(InputError, match="the image does not fit into the memory"):
        stored(layout_of(image((100, 100)), "uint16"), name="im")
