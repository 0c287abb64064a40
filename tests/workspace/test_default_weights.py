from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hltune.commands.pretrain import _use
from hltune.cost_model.adams2019.lineage import Lineage, read_stored, sidecar_path, write_stored
from hltune.cost_model.adams2019.weights import builtin_weights, read_weights, weights_hash
from hltune.cost_model.ranker_file import Rankers, read_ranker, write_ranker
from hltune.machine.open import resolve, shipped_weights
from hltune.pipeline.target import TargetInfo
from hltune.search.autoschedulers import BUILTIN, Adams2019Options
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId
from hltune.workspace.default_weights import default_ranker, initial_weights, with_default_weights
from hltune.workspace.records import Workspace
from tests.workspace.conftest import CONV, HOST

MACHINE = MachineId(
    cpu="AMD EPYC", target="x86-64-linux-tune_znver3-avx-avx2-f16c-fma-sse41", threads=2, halide="21.0.0"
)
OTHER = replace(MACHINE, threads=4)
SEARCH = Adams2019Options(parallelism=2)
EVER_SHIPPED = {
    "e64e944f5d754ad209ae5f8f50b5bd17d8f7aa270cfe7eeabe4e1572d6b773a1",
    "264d7ff557d59477e090a33a211619f7b7d243f2d5e2439a36229b386b3f3fab",
    "c01a02fa99092f2b3882c171daec467e73fc72c9592c3056a9069a44ab9a379f",
    "4799081e3ade477fb3cf1f7b41195d705d5cabb285f568ce42cdbb8de69c7a5a",
}
"""Hashes of all default weights that any version has brought: who has begun with them goes on from them."""


class Notes:
    """Remembers what people should read."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def phase(self, text: str) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def target() -> TargetInfo:
    return resolve("host")


def used(
    search: Adams2019Options, workspace: Path, target: TargetInfo, machine: MachineId
) -> tuple[Path | None, list[str]]:
    notes = Notes()
    return with_default_weights(search, Workspace(workspace), target, machine, notes).weights, notes.notes


def test_what_pretraining_left_on_this_machine_is_used(old: Path, target: TargetInfo) -> None:
    assert MACHINE.key == HOST
    assert used(SEARCH, old, target, MACHINE) == ((old / "default" / "best-00001.weights").absolute(), [])


def test_those_of_another_machine_are_not(old: Path, target: TargetInfo) -> None:
    weights, notes = used(SEARCH, old, target, OTHER)
    assert weights == Lineage(shipped_weights(target) or old).path("best")
    assert "is not used" in notes[0] and HOST in notes[0] and "--weights" in notes[0]


def test_those_that_are_asked_for_are_used_with_a_warning(old: Path, target: TargetInfo) -> None:
    (asked,) = old.glob(f"{CONV}/{HOST}/weights/best-*.weights")
    search = replace(SEARCH, weights=asked)
    assert used(search, old, target, MACHINE) == (asked, [])
    weights, notes = used(search, old, target, OTHER)
    assert weights == asked and len(notes) == 1 and "trained on another machine" in notes[0]


def test_without_any_those_of_the_package_are_used(tmp_path: Path, target: TargetInfo) -> None:
    weights, notes = used(SEARCH, tmp_path / "none", target, OTHER)
    assert weights is not None and weights.parent == shipped_weights(target)
    assert len(notes) == 1 and "random programs on another machine" in notes[0] and "pretrain --use" in notes[0]


def test_all_that_ever_came_with_the_package_still_do(target: TargetInfo) -> None:
    """Else tuning that began with an earlier version's could only begin anew."""
    folder = shipped_weights(target)
    assert folder is not None
    hashes = {weights_hash(read_weights(path)): path for path in folder.glob("*.weights")}
    assert hashes.keys() == EVER_SHIPPED
    assert Lineage(folder).path("best") == max(hashes.values())
    for each in hashes:
        assert weights_hash(initial_weights(None, None, target, parent=each)) == each


def test_the_plugins_own_ones_can_be_asked_for(old: Path, target: TargetInfo) -> None:
    search = replace(SEARCH, weights=BUILTIN)
    assert used(search, old, target, MACHINE) == (None, [])
    notes = Notes()
    assert default_ranker(BUILTIN, Workspace(old), target, MACHINE, notes) is None and not notes.notes


def test_a_target_that_runs_nowhere_here_has_none(tmp_path: Path) -> None:
    assert used(SEARCH, tmp_path / "none", resolve("arm-64-android"), OTHER) == (None, [])


def test_damaged_ones_are_an_error_only_for_who_asks_for_them(old: Path, target: TargetInfo) -> None:
    former, own = old / "default" / "best-00001.weights", Workspace(old).default_folder(MACHINE)
    own.mkdir()
    cut = own / "best-00002.weights"
    cut.write_bytes(former.read_bytes()[:99])
    weights, notes = used(SEARCH, old, target, MACHINE)
    assert weights == former.absolute() and len(notes) == 1 and f"{cut} is not used" in notes[0]
    former.write_bytes(b"junk")
    weights, notes = used(SEARCH, old, target, MACHINE)
    assert weights is not None and weights.parent == shipped_weights(target)
    assert [str(each) in note for each, note in zip((cut, former), notes, strict=False)] == [True, True]
    with pytest.raises(InputError, match="not usable as weights"):
        used(replace(SEARCH, weights=former), old, target, MACHINE)


def test_one_machines_default_does_not_replace_anothers(old: Path, target: TargetInfo) -> None:
    """Pre-training for a second target, or for fewer threads, takes nothing away from the first."""
    workspace, former = Workspace(old), old / "default" / "best-00001.weights"
    stored = read_stored(former)
    (ranker,) = (shipped_weights(target) or old).glob("*.ranker.json")
    trees = read_ranker(ranker)
    small = replace(trees.ranker, ensembles=trees.ranker.ensembles[:1], failing=None)
    for machine in (MACHINE, OTHER):
        checkpoint: Any = SimpleNamespace(weights=old / machine.key / "best-00001.weights")
        rankers: Any = SimpleNamespace(path=old / machine.key / "best-00300.ranker.json", batches=300)
        write_stored(checkpoint.weights, stored.weights, replace(stored.origin, machine=machine.key), None)
        write_ranker(rankers.path, small, replace(trees.origin, machine=machine.key))
        _use(workspace.default_folder(machine), checkpoint, rankers)
    for machine in (MACHINE, OTHER):
        weights, notes = used(SEARCH, old, target, machine)
        assert weights is not None and read_stored(weights).origin.machine == machine.key and notes == []
        assert Rankers(workspace.default_folder(machine)).version() == 300
        noted = Notes()
        assert default_ranker(None, workspace, target, machine, noted) is not None and noted.notes == []
    for path in workspace.default_folder(OTHER).glob("*.weights"):
        path.write_bytes(b"")  # nobody else looks at it
    weights, notes = used(SEARCH, old, target, replace(MACHINE, threads=8))
    assert weights is not None and weights.parent == shipped_weights(target)
    assert [MACHINE.key in each for each in notes] == [True, False] and OTHER.key not in notes[0]


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("{")])
def test_weights_of_which_nobody_knows_the_machine(
    old: Path, target: TargetInfo, damage: Callable[[Path], object]
) -> None:
    """They are no default, and what the note advises works."""
    weights = old / "default" / "best-00001.weights"
    damage(sidecar_path(weights))
    found, notes = used(SEARCH, old, target, MACHINE)
    assert found is not None and found.parent == shipped_weights(target)
    assert "nobody knows on which machine" in notes[0] and "alone with --weights" in notes[0]
    search = replace(SEARCH, weights=weights)
    found, notes = used(search, old, target, MACHINE)
    assert found == weights and all("nobody knows" in each for each in notes)


def test_the_packages_ranker_is_used_on_any_machine(tmp_path: Path, target: TargetInfo) -> None:
    notes = Notes()
    assert default_ranker(None, Workspace(tmp_path / "none"), target, OTHER, notes) is not None
    assert not notes.notes


def test_a_damaged_ranker_of_the_workspace_gives_way_to_the_packages(tmp_path: Path, target: TargetInfo) -> None:
    workspace = Workspace(tmp_path)
    folder = workspace.default_folder(MACHINE)
    folder.mkdir(parents=True)
    (folder / "best-00003.ranker.json").write_text("junk")
    notes = Notes()
    assert default_ranker(None, workspace, target, MACHINE, notes) is not None
    assert len(notes.notes) == 1 and "best-00003.ranker.json" in notes.notes[0]


def test_training_goes_on_from_what_it_began_with(old: Path, target: TargetInfo) -> None:
    (asked,) = old.glob(f"{CONV}/{HOST}/weights/best-*.weights")
    builtin, own = weights_hash(builtin_weights()), weights_hash(read_weights(asked))
    shipped = weights_hash(initial_weights(None, None, target, parent=None))
    assert len({builtin, own, shipped}) == 3
    cases = [
        (None, None, builtin, builtin),
        (None, asked, None, own),
        (None, asked, builtin, builtin),
        (None, asked, shipped, shipped),
        (None, None, "unknown", shipped),
        (BUILTIN, asked, shipped, builtin),  # what was asked for is what it is, and the lineage may refuse it
        (asked, None, builtin, own),
    ]
    for given, default, parent, expected in cases:
        assert weights_hash(initial_weights(given, default, target, parent=parent)) == expected


def test_what_an_earlier_default_began_can_go_on(old: Path, target: TargetInfo, tmp_path: Path) -> None:
    (path,) = old.glob(f"{CONV}/{HOST}/weights/best-*.weights")
    stored, folder = read_stored(path), Lineage(tmp_path)
    other = replace(stored.origin, parent_hash=None)
    first = folder.write("best", 1, stored.weights, stored.origin, None, keep=True)
    second = folder.write("best", 1, builtin_weights(), other, None, keep=True)
    assert first.exists() and folder.path("best") == second != first
    for parent, expected in ((first, first), (second, second), (None, second)):
        begun = None if parent is None else weights_hash(read_weights(parent))
        goes_on = initial_weights(None, second, target, parent=begun, folders=(tmp_path,))
        assert weights_hash(goes_on) == weights_hash(read_weights(expected))
