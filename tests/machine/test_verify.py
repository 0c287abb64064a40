from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hltune.machine.distances import distances
from hltune.machine.options import MeasureOptions
from hltune.machine.tolerance import Tolerance, limited, measured
from hltune.machine.verify import (
    difference,
    differences,
    output_path,
    read_tolerances,
    unwritten,
    usual,
    verify,
    write_tolerances,
)
from hltune.pipeline.layout import Layout, stored


def _integers(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 96), dtype=np.uint8)


def _nudged(image: np.ndarray, count: int, by: int = 1) -> np.ndarray:
    """A few elements, spread over all rows, differ."""
    found = image.copy()
    places = np.random.default_rng(5).choice(image.size, count, replace=False)
    found.reshape(-1)[places] ^= by
    return found


def test_integers_are_exact() -> None:
    expected = np.arange(12, dtype=np.uint8).reshape(3, 4)
    found = expected.copy()
    assert difference(found, expected, usual("output", expected)) is None
    found[2, 1] += 1
    text = difference(found, expected, usual("output", expected))
    assert text is not None
    assert "1 of 12" in text and "(1, 2)" in text and "expected 9, found 10" in text


@pytest.mark.parametrize(("dtype", "near", "far"), [("float32", 5e-5, 5e-4), ("float64", 5e-10, 5e-9)])
def test_floats_have_a_relative_tolerance(dtype: str, near: float, far: float) -> None:
    expected = np.full(4, 1000, dtype=dtype)
    usually = usual("f", expected)
    assert difference((expected * (1 + near)).astype(dtype), expected, usually) is None
    assert difference((expected * (1 + far)).astype(dtype), expected, usually) is not None


def test_near_zero_the_largest_value_counts() -> None:
    expected = np.array([0, 100], dtype=np.float32)
    assert difference(np.array([1e-5, 100], dtype=np.float32), expected, usual("f", expected)) is None
    assert difference(np.array([1e-2, 100], dtype=np.float32), expected, usual("f", expected)) is not None


def test_what_is_not_a_number_has_to_be_at_the_same_place() -> None:
    expected = np.array([np.nan, np.inf, 1], dtype=np.float32)
    usually = usual("f", expected)
    assert difference(expected.copy(), expected, usually) is None
    for wrong in ([1, np.inf, 1], [np.nan, -np.inf, 1], [np.nan, np.inf, np.nan]):
        assert difference(np.array(wrong, dtype=np.float32), expected, usually) is not None


def test_a_limit_that_the_user_gave() -> None:
    expected = np.array([1.0, 100.0], dtype=np.float32)
    limit = limited("f", expected, 1e-2, text="1%", reason="--tolerance")
    assert difference(expected * np.float32(1.005), expected, limit) is None
    assert difference(expected * np.float32(1.02), expected, limit) is not None
    bytes_ = np.array([255, 0], dtype=np.uint8)
    limit = limited("i", bytes_, 1, text="1", reason="--integer-tolerance")
    assert difference(np.array([254, 1], dtype=np.uint8), bytes_, limit) is None
    assert difference(np.array([255, 255], dtype=np.uint8), bytes_, limit) is not None


def test_as_many_elements_may_differ_as_were_seen_and_a_few_more() -> None:
    expected = _integers()
    tolerance = measured("o", expected, [("again", _nudged(expected, 30))])
    assert difference(_nudged(expected, 60), expected, tolerance) is None
    assert difference(_nudged(expected, 300), expected, tolerance) is not None
    assert difference(_nudged(expected, 40, by=16), expected, tolerance) is not None


def test_single_elements_may_differ_by_anything_where_that_was_seen() -> None:
    expected = _integers()
    tolerance = measured("o", expected, [("again", _nudged(expected, 10, by=128))])
    assert not tolerance.chaotic
    assert difference(_nudged(expected, 20, by=128), expected, tolerance) is None
    row = expected.copy()
    row[-1] = row[-2]
    text = difference(row, expected, tolerance)
    assert text is not None and "allowed is" in text and "--integer-tolerance" in text


def test_nothing_is_off_by_more_than_its_type_holds() -> None:
    """What may be off by all that bytes can be may be any value; who is wrong in more places is found."""
    expected = np.where(_integers() > 127, np.uint8(255), np.uint8(0))
    tolerance = measured("o", expected, [("again", _nudged(expected, 10, by=255))])
    assert max(tolerance.levels) < 255
    assert tolerance.text == "equal, but 0.55% of the elements may be any value"
    assert difference(_nudged(expected, 20, by=255), expected, tolerance) is None
    assert difference(_nudged(expected, 60, by=255), expected, tolerance) is not None
    for wrong in (np.roll(expected, 1, 0), np.zeros_like(expected), 255 - expected):
        assert difference(wrong, expected, tolerance) is not None
    row = expected.copy()
    row[3] = row[4]
    assert difference(row, expected, tolerance) is not None


def test_each_share_of_elements_has_its_amount() -> None:
    expected = np.full((64, 96), 1000, np.int32)
    noisy = expected + np.tile(np.array([0, 1, 2], np.int32), (64, 32))
    noisy[::16, 5] += 8
    tolerance = measured("o", expected, [("again", noisy)])
    assert tolerance.text == ("off by 3 at most, but 2% of the elements may be off by up to 7, and 0.26% by up to 31")
    assert measured("o", expected, [("again", _nudged(expected, 30))]).text == (
        "equal, but 1.5% of the elements may be off by up to 3"
    )
    floats = expected.astype(np.float32)
    again = measured("f", floats, [("again", floats * np.float32(1.0002))])
    assert again.text == "a relative 0.002"
    truths = _integers() > 128
    assert measured("t", truths, [("again", _nudged(truths, 30, by=True))]).text == (
        "equal, but 1.5% of the elements may be any value"
    )


def test_what_differs_wildly_everywhere_is_chaotic() -> None:
    expected = _integers()
    tolerance = measured("o", expected, [("again", _integers(1))])
    assert tolerance.chaotic
    assert difference(_integers(2), expected, tolerance) is not None


@pytest.mark.parametrize(
    ("dtype", "largest"), [("uint8", 255), ("int32", 2**30), ("uint32", 2**32 - 1), ("int64", 2**62), ("uint64", 2**63)]
)
def test_what_is_wild_is_relative_to_the_range_of_integers(dtype: str, largest: int) -> None:
    expected, other, third = (
        np.random.default_rng(seed).integers(0, largest, (64, 96), np.uint64).astype(dtype) for seed in range(3)
    )
    tolerance = measured("o", expected, [("again", other)])
    assert tolerance.chaotic
    assert difference(third, expected, tolerance) is not None
    assert difference(np.zeros_like(expected), expected, tolerance) is not None
    noisy = np.maximum(expected, largest // 100) - np.asarray(largest // 128).astype(dtype)
    assert not measured("o", expected, [("again", noisy)]).chaotic


def test_truths_that_differ_everywhere_are_chaotic() -> None:
    expected, other, third = (_integers(seed) > 128 for seed in range(3))
    tolerance = measured("o", expected, [("again", other)])
    assert tolerance.chaotic
    assert difference(third, expected, tolerance) is not None
    few = measured("o", expected, [("again", _nudged(expected, 30, by=True))])
    assert not few.chaotic and difference(_nudged(expected, 60, by=True), expected, few) is None


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_masks_of_integers_are_truths(dtype: str) -> None:
    expected, other = ((_integers(seed) > 128).astype(dtype) for seed in range(2))
    assert measured("o", expected, [("again", other)]).chaotic
    few = measured("o", expected, [("again", _nudged(expected, 30))])
    assert not few.chaotic and difference(_nudged(expected, 60), expected, few) is None
    assert difference(1 - expected, expected, few) is not None


def test_labels_may_be_the_next_ones_and_no_others() -> None:
    expected = _integers() % 4
    tolerance = measured("o", expected, [("again", np.minimum(expected + 1, 3).astype(np.uint8))])
    assert not tolerance.chaotic
    assert difference(np.maximum(expected, 1).astype(np.uint8), expected, tolerance) is None
    assert difference(3 - expected, expected, tolerance) is not None
    assert measured("o", expected, [("again", 3 - expected)]).chaotic


def test_places_are_those_of_the_pipeline() -> None:
    expected = np.zeros((3, 4), np.uint8)
    found = expected.copy()
    found[1, 2] = 1
    text = difference(found, expected, replace(usual("o", expected), origin=(-16, 5)))
    assert text is not None and "the first at (-14, 6)" in text


def test_floats_may_differ_by_a_small_multiple_of_what_was_seen() -> None:
    expected = np.random.default_rng(0).random((64, 96), dtype=np.float32) + 1
    tolerance = measured("o", expected, [("again", expected * np.float32(1.001))])
    assert difference(expected * np.float32(0.999), expected, tolerance) is None
    assert difference(expected * np.float32(1.02), expected, tolerance) is not None
    assert "does not differ" in measured("o", expected, [("again", expected)]).reason


@pytest.mark.parametrize("offset", [1e4, 1e5])
def test_what_varies_shows_beside_a_large_offset(offset: float) -> None:
    """Where sums are rounded as the offset is, right ones pass; so does what differs as it was seen to."""
    varying = np.random.default_rng(0).random((64, 96), dtype=np.float32)
    expected = varying + np.float32(offset)
    exact = measured("o", expected, [("again", expected)])
    noisy = measured("o", expected, [("again", expected * np.float32(1 + 1e-5))])
    assert difference(np.nextafter(expected, np.float32(0)), expected, exact) is None
    for wrong in (np.full_like(expected, offset), np.roll(expected, 1, 0), expected + np.float32(0.3)):
        assert difference(wrong, expected, exact) is not None
    assert difference(expected * np.float32(1 - 2e-5), expected, noisy) is None
    assert difference(expected * np.float32(1 - 4e-4), expected, noisy) is not None


def test_steps_of_the_type_may_always_differ_and_so_may_what_nobody_has_varied() -> None:
    half = (64 + np.random.default_rng(0).random((64, 96)) / 16).astype(np.float16)
    stepped = half.copy()
    stepped[::3] = np.nextafter(half[::3], np.float16(0))
    assert difference(stepped, half, measured("o", half, [("again", half)])) is None
    offset = (1e5 + np.random.default_rng(0).random((64, 96))).astype(np.float32)
    assert measured("o", offset, []).levels[1] == measured("o", offset / np.float32(1e5), []).levels[1]


def _in_float32(values: np.ndarray, seed: int) -> np.ndarray:
    """The same values as another order of summation rounds them."""
    noise = np.random.default_rng(seed).uniform(-1e-7, 1e-7, values.shape)
    return (values * (1 + noise)).astype(np.float32)


@pytest.mark.parametrize("large", [1, 300])
def test_large_values_hide_no_small_ones(large: int) -> None:
    exact = np.random.default_rng(1).random(1000)
    exact[-large:] = 1e6
    expected = _in_float32(exact, 0)
    tolerance = measured("o", expected, [("again", _in_float32(exact, 1))])
    assert difference(_in_float32(exact, 2), expected, tolerance) is None
    found = np.where(expected < 1e6, np.float32(0), expected)
    assert difference(found, expected, tolerance) is not None


@pytest.mark.parametrize("large", [1, 300])
def test_large_values_hide_no_small_ones_from_the_users_limit(large: int) -> None:
    exact = np.random.default_rng(1).random(1000)
    exact[-large:] = 1e6
    expected = _in_float32(exact, 0)
    limit = limited("o", expected, 1e-4, text="1e-4", reason="--tolerance", variants=[_in_float32(exact, 1)])
    assert difference(_in_float32(exact, 2), expected, limit) is None
    found = np.where(expected < 1e6, np.float32(0), expected)
    assert difference(found, expected, limit) is not None


def test_what_cancels_out_differs_as_it_was_seen_to() -> None:
    """Sums of a region, as differences of sums of all that lies before it; some are zero, and should be."""
    image = np.zeros((64, 96))
    image[8:, 8:] = np.random.default_rng(1).random((56, 88))
    totals = image.cumsum(0).cumsum(1)

    def region(seed: int) -> np.ndarray:
        sums = _in_float32(totals, seed)
        return sums[4:, 4:] - sums[:-4, 4:] - sums[4:, :-4] + sums[:-4, :-4]

    tolerance = measured("o", region(0), [("again", region(1)), ("once more", region(2))])
    assert not tolerance.chaotic
    for seed in range(3, 30):
        assert difference(region(seed), region(0), tolerance) is None
    assert difference(np.roll(region(0), 1, 0), region(0), tolerance) is not None


def test_a_spectrum_differs_as_it_was_seen_to() -> None:
    """One value is as large as all the image, and the noise of all others is relative to it."""
    image = np.random.default_rng(1).random((64, 64))

    def spectrum(seed: int) -> np.ndarray:
        noise = np.random.default_rng(seed).normal(0, 1e-6 * image.sum(), image.shape)
        return (np.fft.fft2(image).real + noise).astype(np.float32)

    tolerance = measured("o", spectrum(0), [("again", spectrum(1)), ("once more", spectrum(2))])
    for seed in range(3, 30):
        assert difference(spectrum(seed), spectrum(0), tolerance) is None
    found = spectrum(0)
    found[1:] = 0
    assert difference(found, spectrum(0), tolerance) is not None


def test_rounded_integers_may_be_off_by_one_at_a_few_places() -> None:
    expected = _integers()
    tolerance = measured("o", expected, [("again", expected)])
    assert difference(_nudged(expected, 2), expected, tolerance) is None
    assert difference(_nudged(expected, 2, by=2), expected, tolerance) is not None
    assert difference(_nudged(expected, 30), expected, tolerance) is not None


@pytest.mark.parametrize("shape", [(), (1, 3), (15, 17)])
def test_few_integers_are_as_the_reference_never_differs(shape: tuple[int, ...]) -> None:
    expected = np.full(shape, 100, dtype=np.int32)
    found = expected.copy()
    found[(0,) * len(shape)] += 1
    assert difference(found, expected, measured("o", expected, [("again", expected)])) is not None
    assert difference(found, expected, measured("o", expected, [("again", found)])) is None


@pytest.mark.parametrize(("shape", "chaotic"), [((), True), ((300, 200), False)])
def test_truths_are_as_the_reference_never_differs(shape: tuple[int, ...], chaotic: bool) -> None:
    expected = np.zeros(shape, dtype=np.bool)
    found = expected.copy()
    found[(0,) * len(shape)] = True
    assert difference(found, expected, measured("o", expected, [("again", expected)])) is not None
    tolerance = measured("o", expected, [("again", found)])
    assert tolerance.chaotic == chaotic and (difference(found, expected, tolerance) is None) != chaotic


@pytest.mark.parametrize(
    ("shape", "dtype"), [((), "float32"), ((30,), "float32"), ((7, 7), "float64"), ((), "int32"), ((49,), "uint8")]
)
def test_no_element_of_a_small_output_may_be_off_wildly(shape: tuple[int, ...], dtype: str) -> None:
    expected = np.full(shape, 44, dtype)
    off, wrong = expected.copy(), expected.copy()
    off[(0,) * len(shape)], wrong[(-1,) * len(shape)] = 77, 0
    tolerance = measured("o", expected, [("again", off)])
    assert tolerance.chaotic
    assert difference(off, expected, tolerance) is not None and difference(wrong, expected, tolerance) is not None


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 0, 10])
def test_a_single_number_is_no_other(wrong: float) -> None:
    expected, found = np.array(5, np.float32), np.array(wrong, np.float32)
    assert difference(found, expected, measured("o", expected, [("again", found)])) is not None


def test_one_of_fifty_elements_may_be_off_wildly() -> None:
    expected = np.arange(1, 51, dtype=np.float32)
    off, wrong = expected.copy(), expected.copy()
    off[3], wrong[40:42] = 1e6, 1e6
    tolerance = measured("o", expected, [("again", off)])
    assert not tolerance.chaotic and difference(off, expected, tolerance) is None
    assert difference(wrong, expected, tolerance) is not None


@pytest.mark.parametrize("shape", [(), (16,)])
def test_small_outputs_differ_by_rounding_as_it_was_seen_to(shape: tuple[int, ...]) -> None:
    """Sums of a large image, as floats, and rounded to integers of nearly the same size."""
    exact = np.full(shape, 4_200_000.0) + np.arange(np.prod(shape)).reshape(shape)
    floats, integers = ([(exact * (1 + s * 2e-6)).astype(dtype) for s in (0, 1, -1)] for dtype in ("float32", "int32"))
    for expected, again, found in (floats, integers):
        tolerance = measured("o", expected, [("again", again)])
        assert not tolerance.chaotic and difference(found, expected, tolerance) is None
        assert difference(expected * 2, expected, tolerance) is not None


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bool"])
def test_what_nobody_wrote_shows(dtype: str) -> None:
    """Near zero as well, and where it is true."""
    expected = (np.random.default_rng(0).random((4, 7)) * 1000 * (dtype != "bool")).astype(dtype)
    expected[1, 2] = dtype == "bool"
    place = stored(Layout(expected.dtype, (7, 4), (1, 7), 28), name="o")
    place.poison()
    found = place.array
    unwritten = np.zeros((4, 7), dtype=np.bool)
    unwritten[1, 2] = True
    np.copyto(found, expected, where=~unwritten)
    assert difference(found, expected, measured("o", expected, [("again", expected)])) is not None


def test_what_nobody_wrote_shows_where_no_number_is_expected() -> None:
    """Unless that is what is expected, as where it was an input."""
    expected = np.full((3, 4), np.nan, np.float32)
    words = expected.view(np.uint32)
    words[0, 1] = 2**32 - 1
    tolerances = [usual("o", expected), usual("p", np.zeros(3, np.uint8))]
    wanted = [expected, np.full(3, 255, np.uint8)]
    found = [expected.copy(), wanted[1].copy()]
    assert differences(found, wanted, tolerances) is None and unwritten(found, wanted, tolerances) is None
    found[0].view(np.uint32)[1:, 2] = 2**32 - 1
    assert differences(found, wanted, tolerances) is None
    assert unwritten(found, wanted, tolerances) == "wrong output o: 2 of 12 values are not written, the first at (2, 1)"


class _Process:
    def enter(self, *_: object, **__: object) -> None: ...


def test_that_nobody_wrote_it_is_said_first(tmp_path: Path) -> None:
    """For that is wrong by any tolerance."""
    expected = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.save(output_path(tmp_path, 0), expected)
    write_tolerances(tmp_path, [limited("o", expected, 0.5, text="", reason="--tolerance")])
    found = expected.copy()
    found.view(np.uint32)[2] = 2**32 - 1
    process: Any = _Process()
    failure = verify(process, [found], tmp_path, MeasureOptions(threads=1))
    assert failure is not None and failure.is_wrong_by_any and "4 of 12 values are not written" in failure.message
    assert verify(process, [expected], tmp_path, MeasureOptions(threads=1)) is None


def test_floats_that_are_no_whole_numbers_may_be_rounded_otherwise_though_nothing_was_seen() -> None:
    """Sums of fewer steps than are tried in another order."""
    expected = np.sqrt(np.arange(1, 1000, dtype=np.float32))
    tolerance = measured("o", expected, [("again", expected)])
    assert difference(expected * np.float32(1 + 4e-6), expected, tolerance) is None


@pytest.mark.parametrize("kind", ["counts", "labels"])
def test_what_is_the_same_however_it_is_computed_hardly_differs(kind: str) -> None:
    rng = np.random.default_rng(0)
    expected = (rng.integers(12_000, 18_000, 256) if kind == "counts" else np.arange(30_000)).astype(np.float32)
    tolerance = measured("o", expected, [("again", expected), ("in another order", expected)])
    assert difference(np.nextafter(expected, np.float32(0)), expected, tolerance) is None
    assert difference(expected + np.float32(1), expected, tolerance) is not None


def test_tolerances_are_kept_in_a_file(tmp_path: Path) -> None:
    expected = _integers()
    tolerances: tuple[Tolerance, ...] = (measured("o", expected, [("a", _nudged(expected, 9))]), usual("p", expected))
    write_tolerances(tmp_path, tolerances)
    assert read_tolerances(tmp_path) == tolerances


def test_outputs_without_dimensions() -> None:
    expected = np.array(7.0, dtype=np.float32)
    assert difference(expected.copy(), expected, measured("o", expected, [("again", expected)])) is None
    assert difference(np.array(8.0, dtype=np.float32), expected, usual("o", expected)) is not None


def _count_above(far: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """Elements above each level, in all and in the fullest slice of each axis."""
    found = np.zeros((len(levels), 1 + far.ndim), np.int64)
    for number, level in enumerate(levels):
        above = far > level
        others = [tuple(each for each in range(far.ndim) if each != axis) for axis in range(far.ndim)]
        found[number] = [above.sum(), *(above.sum(axis=each).max(initial=0) for each in others)]
    return found


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32", "float64"])
@pytest.mark.parametrize(
    "shape", [(), (0, 3), (1,), (70_000,), (3, 150, 200), (2, 3, 4, 5, 6), (1, 40_000), (40_000, 1)]
)
def test_parts_of_an_output_say_what_the_whole_does(shape: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(7)
    expected = rng.integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)
    found = np.array(expected)
    wrong = rng.random(shape) < 0.01
    found[wrong] = (found[wrong] == 0) if dtype == "bool" else found[wrong] * 1.5
    if dtype.startswith("float") and found.size > 1:
        found.reshape(-1)[[0, -1]] = np.nan, np.inf
        expected.reshape(-1)[0] = np.nan
    levels = (0.001, 0.1, 1.0, 10.0)
    counts = _count_above(distances(found, expected, 0.5), levels)
    for allowed in (counts, np.maximum(counts - 1, 0), np.zeros_like(counts)):
        tolerance = Tolerance(
            output="o",
            levels=levels,
            allowed=tuple(tuple(map(int, row)) for row in allowed),
            text="",
            reason="",
            near_zero=0.5,
        )
        broken = (counts > allowed).any(axis=1)
        assert tolerance.broken(found, expected) == (levels[int(broken.argmax())] if broken.any() else None)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("shape", [(1000, 1500), (3, 500, 1000), (1_500_000,)])
def test_large_outputs_need_little_more_memory_than_they_have(dtype: str, shape: tuple[int, ...]) -> None:
    """However many variants there are, and however many elements differ."""
    rng = np.random.default_rng(0)
    expected = (rng.random(shape) * 200).astype(dtype)
    variants = [(str(number), expected + rng.integers(0, 2, shape, np.uint8).astype(dtype)) for number in range(6)]
    tracemalloc.start()
    tolerance = measured("o", expected, variants)
    text = difference(np.zeros_like(expected), expected, tolerance)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert text is not None and peak < 3 * expected.nbytes + 2**22


def test_where_rows_are_apart_in_memory_the_same_is_said() -> None:
    whole = np.random.default_rng(3).random((5, 300, 400, 4)).astype(np.float32)
    expected, found = np.array(whole), np.array(whole)
    found[2, 7:9, 11, 1] += 1
    views = [(each.transpose(3, 1, 0, 2)[:, ::2], each[..., :3]) for each in (found, expected)]
    for ours, wanted in zip(*views, strict=True):
        counts = _count_above(distances(ours, wanted, 0.0), (0.1,))
        assert counts[0, 0]
        for allowed, said in ((counts, None), (np.maximum(counts - 1, 0), 0.1)):
            exactly = Tolerance(output="o", levels=(0.1,), allowed=(tuple(map(int, allowed[0])),), text="", reason="")
            assert exactly.broken(ours, wanted) == said
