from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hltune.search.autoschedulers import Adams2019Options
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId
from hltune.workspace.default_weights import with_default_weights
from hltune.workspace.records import Workspace
from tests.workspace.conftest import CONV, HOST

MACHINE = MachineId(
    cpu="AMD EPYC", target="x86-64-linux-tune_znver3-avx-avx2-f16c-fma-sse41", threads=2, halide="21.0.0"
)
SEARCH = Adams2019Options(parallelism=2)


class Notes:
    """Remembers what people should read."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def phase(self, text: str) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


def used(search: Adams2019Options, workspace: Path, machine: MachineId) -> tuple[Path | None, list[str]]:
    notes = Notes()
    return with_default_weights(search, Workspace(workspace), machine, notes).weights, notes.notes


def test_what_pretraining_left_on_this_machine_is_used(old: Path) -> None:
    assert MACHINE.key == HOST
    assert used(SEARCH, old, MACHINE) == ((old / "default" / "best-00001.weights").absolute(), [])


def test_those_of_another_machine_are_not(old: Path) -> None:
    weights, notes = used(SEARCH, old, replace(MACHINE, threads=4))
    assert weights is None and len(notes) == 1
    assert "is not used" in notes[0] and HOST in notes[0] and "--weights" in notes[0]


def test_those_that_are_asked_for_are_used_with_a_warning(old: Path) -> None:
    (asked,) = old.glob(f"{CONV}/{HOST}/weights/best-*.weights")
    search = replace(SEARCH, weights=asked)
    assert used(search, old, MACHINE) == (asked, [])
    weights, notes = used(search, old, replace(MACHINE, threads=4))
    assert weights == asked and len(notes) == 1 and "trained on another machine" in notes[0]


def test_a_workspace_without_any(tmp_path: Path) -> None:
    assert used(SEARCH, tmp_path / "none", MACHINE) == (None, [])


def test_damaged_ones_are_an_error(old: Path) -> None:
    (old / "default" / "best-00001.weights").write_bytes(b"junk")
    with pytest.raises(InputError, match="not usable as weights"):
        used(SEARCH, old, MACHINE)
