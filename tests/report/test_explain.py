"""What `hltune explain` prints, from documents."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from hltune.report.explain import print_explained

PROFILE = {
    "cost": 2000.0,
    "counted": True,
    "overhead": 0.1,
    "runs": 1,
    "samples": 2000,
    "threads": 1.0,
    "heap_peak_bytes": 0,
    "allocations": 0,
}


def schedule(name: str, *, profiled: bool) -> dict[str, Any]:
    measured = {"share": 1.0, "cost": 2000.0} if profiled else None
    func = {"name": "out", "measured": measured, "predicted": {"share": 1.0, "ms": 0.25}, "disagree": False}
    document = {"name": name, "cost": 2000.0, "unit": "packets", "spread": 0.0, "predicted_ms": 0.25}
    parts = {"profile": PROFILE if profiled else None, "failures": [], "advice": [], "funcs": [func], "loops": []}
    return {**document, **parts}


@pytest.mark.parametrize(("profiled", "what"), [(True, "measured packets"), (False, "predicted ms")])
def test_two_schedules_are_compared_in_one_unit(
    capsys: pytest.CaptureFixture[str], *, profiled: bool, what: str
) -> None:
    """Where only one of them could be profiled, by what is predicted of both."""
    both = [schedule("mine", profiled=True), schedule("theirs", profiled=profiled)]
    print_explained(Console(width=200), {"pipeline": "blur", "schedules": both})
    table = capsys.readouterr().out.partition(f"mine against theirs, {what}")[2]
    (row,) = [line.split() for line in table.splitlines() if line.startswith("out ")]
    assert row == ["out", *(["2,000"] * 2 if profiled else ["0.25"] * 2), "+0"]
