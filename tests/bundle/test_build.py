"""Which candidates are compiled."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hltune.bundle import build
from hltune.bundle.manifest import Entry
from hltune.runtime.progress import Silent
from hltune.values.errors import Failure
from tests.bundle.test_results import MANIFEST


def test_no_candidate_is_left_out_because_it_takes_longer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first ones are worth most; a worker that starts slowly may be the last to be done."""
    entries = [replace(MANIFEST.entries[0], number=number) for number in range(6)]

    def first_ones_last(jobs: Iterable[tuple[Entry, Any]], _workers: object) -> Iterator[tuple[Entry, Failure | None]]:
        for entry, _ in reversed([*jobs]):
            fails = entry.number == 1
            yield entry, Failure(stage="compile", kind="error", message="no") if fails else None

    monkeypatch.setattr(build, "run_each", first_ones_last)
    monkeypatch.setattr(build, "Worker", lambda **_: contextlib.nullcontext())
    good, failures = build.compile_candidates(
        MANIFEST.spec, "host", entries, wanted=4, timeout_s=1, folder=tmp_path, progress=Silent()
    )
    assert ([each.number for each in good], len(failures)) == ([0, 2, 3, 4], 1)
