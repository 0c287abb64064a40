from __future__ import annotations

from collections import Counter

import pytest

from hltune.programs.choices import Draw


def test_the_same_choices_in_every_version_of_python() -> None:
    # Written down once; `random.Random(7).random()` is promised to stay.
    draw = Draw(7)
    found = [draw.between(0, 99) for _ in range(5)]
    assert found == [32, 15, 65, 7, 53]


def test_whole_numbers_are_spread_evenly_and_keep_to_both_ends() -> None:
    draw = Draw(1)
    counts = Counter(draw.between(3, 6) for _ in range(4000))
    assert set(counts) == {3, 4, 5, 6}
    assert all(900 < count < 1100 for count in counts.values())


def test_weights_and_recency() -> None:
    draw = Draw(2)
    weighted = Counter(draw.weighted([(3.0, "a"), (1.0, "b")]) for _ in range(4000))
    assert weighted["a"] / weighted["b"] == pytest.approx(3, rel=0.15)
    recent = Counter(draw.recent([0, 1, 2]) for _ in range(4000))
    assert recent[2] / recent[1] == pytest.approx(2, rel=0.15)


def test_masks_have_no_zeros() -> None:
    assert all(factor != 0 and abs(factor) <= 4 for seed in range(50) for factor in Draw(seed).mask(9))
