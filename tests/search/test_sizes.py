"""One number wherever it stands."""

from __future__ import annotations

from hltune.schedule.parse import parse_schedule
from hltune.search.sizes import scaled_everywhere
from hltune.values.directives import Split
from hltune.values.pipeline import FuncInfo

FUNCS = tuple(FuncInfo(name=name, args=("x", "y")) for name in ("a", "b", "c"))
TEXT = """
    a.compute_root().split(x, x, xi, 8).vectorize(xi).split(y, y, yi, 64).parallel(y);
    b.compute_root().split(x, x, xi, 16).vectorize(xi).split(y, y, yi, 32).parallel(y);
    c.split(x, x, xi, 8).vectorize(xi).split(y, y, yi, 4).unroll(yi);
"""


def factors(free: frozenset[str] | None = None) -> list[list[int]]:
    directives = parse_schedule(TEXT, FUNCS).directives
    return [[each.factor for each in one if isinstance(each, Split)] for one in scaled_everywhere(directives, free)]


def test_all_of_a_kind_and_those_of_a_kind_that_are_equal_are_scaled() -> None:
    """Vectors of 8, 16, 8 lanes, and strips of 64 and 32; what is unrolled stands alone."""
    vectors = [[16, 64, 32, 32, 16, 4], [4, 64, 8, 32, 4, 4]]
    equal = [[16, 64, 16, 32, 16, 4], [4, 64, 16, 32, 4, 4]]
    strips = [[8, 128, 16, 64, 8, 4], [8, 32, 16, 16, 8, 4]]
    assert sorted(factors()) == sorted([*vectors, *equal, *strips])


def test_only_what_is_free_is_scaled() -> None:
    assert factors(frozenset("bc")) == [[8, 64, 32, 32, 16, 4], [8, 64, 8, 32, 4, 4]]
    assert factors(frozenset("b")) == []
