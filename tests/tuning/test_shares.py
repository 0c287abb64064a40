from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hltune.tuning.shares import Shares


def test_all_begin_alike_and_the_one_that_improves_gets_more() -> None:
    shares = Shares(["a", "b", "c"])
    turns: list[str] = []
    for _ in range(90):
        name = shares.next()
        assert name is not None
        turns.append(name)
        shares.gained(name, 1.0, 0.9 if name == "b" else 1.0)
    assert Counter(turns[:9]) == {"a": 3, "b": 3, "c": 3}
    later = Counter(turns[9:])
    assert later["b"] > 5 * later["a"] and later["a"] >= 1 and later["c"] >= 1


def test_who_leaves_gets_nothing() -> None:
    shares = Shares(["a", "b"])
    shares.leave("a")
    assert {shares.next() for _ in range(5)} == {"b"}
    shares.leave("b")
    assert shares.next() is None


@given(st.lists(st.floats(0, 0.9), min_size=2, max_size=6))
def test_nobody_starves(gains: list[float]) -> None:
    names = [str(number) for number in range(len(gains))]
    shares = Shares(names)
    turns: list[str] = []
    for _ in range(4000):
        name = shares.next()
        assert name is not None
        turns.append(name)
        shares.gained(name, 1.0, 1 - gains[int(name)])
    assert set(turns[2000:]) == set(names)
