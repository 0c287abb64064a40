"""What people read of errors."""

from __future__ import annotations

import pytest

from hltune.values.errors import Failure


@pytest.mark.parametrize(
    ("text", "message"),
    [("Error: no room\n", "Error: no room"), ("Error: \n", "Halide gives no reason"), ("", "Halide gives no reason")],
)
def test_a_failure_always_says_something(text: str, message: str) -> None:
    assert Failure.of("compile", RuntimeError(text)) == Failure(stage="compile", kind="error", message=message)
