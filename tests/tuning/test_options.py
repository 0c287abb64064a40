from __future__ import annotations

import pytest

from hltune.tuning.options import Budget
from hltune.values.errors import InputError
from tests.tuning.conftest import make_options


@pytest.mark.parametrize(
    ("limits", "option"),
    [
        ({"minutes": 0}, "--minutes"),
        ({"minutes": float("nan")}, "--minutes"),
        ({"minutes": float("inf")}, "--minutes"),
        ({"samples": 0}, "--samples"),
        ({"rounds": -1}, "--rounds"),
    ],
)
def test_budgets_that_make_no_sense(limits: dict[str, float], option: str) -> None:
    with pytest.raises(InputError, match=option):
        Budget(**limits)  # type: ignore[arg-type]


def test_what_goes_on_where_a_run_ended_throws_nothing_away() -> None:
    assert make_options().again == "the same command"
    assert make_options(fresh=True).again == "the same command without --fresh"
    assert make_options(fresh=True, discard=True).again == "the same command without --fresh and --discard"


def test_discarding_needs_a_fresh_start() -> None:
    make_options(fresh=True, discard=True)
    with pytest.raises(InputError, match="--fresh"):
        make_options(discard=True)
