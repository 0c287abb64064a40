"""A bundle of a small pipeline whose runner is not built yet, so that tests can spoil its candidates."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hltune.bundle.manifest import Manifest
from hltune.commands import bundle as command
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.runtime.progress import Silent
from hltune.search.autoschedulers import Adams2019Options
from hltune.tuning.options import Budget, TuneOptions
from hltune.workspace.records import Workspace
from hltune.workspace.subject import SubjectOptions

PIPELINES = Path(__file__).parents[1] / "pipelines"
TYPES = PIPELINES / "many_types.py"


def make(workspace: Workspace, output: Path, *, pipeline: str, count: int, target: str = "host") -> command.Made:
    # By other seeds, a candidate may be one that leaves its images: it fails on the device, and is repaired afterwards.
    search = Adams2019Options(parallelism=2, beam_size=1, seed=1)
    options = TuneOptions(search=search, search_timeout_s=20.0, budget=Budget(), batch=count)
    return command.make(
        SubjectOptions(pipeline=pipeline, target=target),
        options,
        device=None,
        output=output,
        workspace=workspace,
        measure=MeasureOptions(threads=2, turn_s=0.02, run_timeout_s=1.5),
        inputs=Inputs(),
        progress=Silent(),
    )


@dataclass(frozen=True)
class Bundle:
    """Made in a workspace, unpacked into a folder with sources and objects."""

    workspace: Workspace
    file: Path
    folder: Path
    made: command.Made

    @property
    def manifest(self) -> Manifest:
        return self.made.manifest

    @property
    def results(self) -> Path:
        return self.folder / "results.json"

    @property
    def numbers(self) -> list[int]:
        return [each.number for each in self.manifest.entries]

    def spoil(self, functions: Mapping[int, str], extra: str) -> None:
        """Puts other C functions in place of candidates, counted from 0, before the runner is built."""
        tables = (self.folder / "tables.c").read_text()
        for place, name in functions.items():
            entry = self.manifest.entries[place]
            tables = tables.replace(f".run = {entry.function}_argv", f".run = {name}")
        declared = "".join(f"int {name}(void **);\n" for name in functions.values())
        (self.folder / "tables.c").write_text(
            tables.replace('#include "runner.h"\n', f'#include "runner.h"\n{declared}')
        )
        known = f"int {self.manifest.entries[0].function}_argv(void **);\n"
        (self.folder / "extra.c").write_text(f'#include "runner.h"\n#include <stdlib.h>\n{known}{extra}')

    def start(self, *, ignored: signal.Signals | None = None) -> subprocess.Popen[str]:
        """Runs it in a group of processes of its own, with a signal ignored, as nohup would."""
        environment = {**os.environ, "CC": "cc extra.c"} if (self.folder / "extra.c").exists() else None
        return subprocess.Popen(
            ["sh", "-c", f"trap '' {ignored.name.removeprefix('SIG')}; exec sh run.sh"]
            if ignored
            else ["sh", "run.sh"],
            cwd=self.folder,
            start_new_session=True,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self) -> tuple[int, str]:
        with self.start() as running:
            out, _ = running.communicate(timeout=120)
        return running.returncode, out


def made_of(folder: Path, file: Path, function: str, count: int) -> Bundle:
    workspace = Workspace(folder / "ws")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "find_compiler", lambda _target: None)
        made = make(workspace, folder / "b.zip", pipeline=f"{file}:{function}", count=count)
    return Bundle(workspace=workspace, file=made.file, folder=folder, made=made)


def unpacked(bundle: Bundle, folder: Path) -> Bundle:
    """In a folder of the test's own."""
    with zipfile.ZipFile(bundle.file) as archive:
        archive.extractall(folder)
    return replace(bundle, folder=folder)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return made_of(tmp_path_factory.mktemp("bundle"), TYPES, "many_types", 6)


@pytest.fixture
def bundle(made: Bundle, tmp_path: Path) -> Bundle:
    """Of a pipeline in which floats take part."""
    return unpacked(made, tmp_path / "device")


@pytest.fixture(scope="session")
def ran(made: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of that bundle after a run."""
    bundle = unpacked(made, tmp_path_factory.mktemp("ran"))
    code, out = bundle.run()
    assert code == 0, out
    return bundle.folder


@pytest.fixture
def ran_before(bundle: Bundle, ran: Path) -> None:
    """The runner of the bundle is built, and has measured all."""
    for name in ("run", "results.json"):
        shutil.copy(ran / name, bundle.folder)


@pytest.fixture(scope="session")
def made_exact(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return made_of(tmp_path_factory.mktemp("bundle"), TYPES, "whole_numbers", 2)


@pytest.fixture
def exact_bundle(made_exact: Bundle, tmp_path: Path) -> Bundle:
    """Of a pipeline of integers."""
    return unpacked(made_exact, tmp_path / "device")
