"""Where a command measures."""

from __future__ import annotations

import contextlib

import pytest

from hltune.commands import place
from hltune.machine.alone import alone
from hltune.machine.options import MeasureOptions
from hltune.pipeline.target import TargetInfo
from hltune.runtime.progress import Silent

HERE = TargetInfo(name="x86-64-linux", machine="host", vector_bytes=32)


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_two_that_time_on_one_computer_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "open_machine", lambda *_, **__: contextlib.nullcontext())
    told = Notes()
    measure = MeasureOptions(threads=1)
    with place.open_place(HERE, measure, cluster=None, workers=1, search_timeout_s=1.0, progress=told) as here:
        with here.machine(), alone() as other:
            assert not other and not told.notes
        with alone() as other, here.machine():
            assert other
        assert len(told.notes) == 1 and "another hltune measures on this computer" in told.notes[0]
