from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hltune.cli import tuning
from hltune.cli.flags import CAREFUL
from hltune.cli.main import run_command_line
from hltune.commands import explain
from tests.cache import CACHE

PIPELINES = Path(__file__).parents[1] / "pipelines"


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


def running_in(folder: Path, *, apart: bool = False) -> Run:
    """Runs commands in a folder; apart, or with an environment of their own, in a process of their own."""
    usual = apart

    def run(*arguments: object, environment: Mapping[str, str] | None = None, apart: bool = usual) -> Result:
        words = list(map(str, arguments))
        return _apart(folder, words, environment or {}) if apart or environment else _here(folder, words)

    return run


def _apart(folder: Path, words: Sequence[str], environment: Mapping[str, str]) -> Result:
    done = subprocess.run(
        [sys.executable, "-m", "hltune", *words],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def _here(folder: Path, words: Sequence[str]) -> Result:
    """Without the seconds that it takes to start Python and to import what commands need."""
    out, err = io.StringIO(), io.StringIO()
    with (
        _interrupts_as_they_are(),
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["hltune", *words])
        code = run_command_line(words)
    return Result(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _interrupts_as_they_are() -> Iterator[None]:
    """Commands answer Ctrl-C in their own way, and their process ends with them."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    handlers, hook = {number: signal.getsignal(number) for number in numbers}, sys.unraisablehook
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in handlers.items():
            signal.signal(number, handler)


@pytest.fixture
def hltune(tmp_path: Path, request: pytest.FixtureRequest) -> Run:
    """Runs a command in an empty folder; apart where a test is long anyway."""
    return running_in(tmp_path, apart=request.node.get_closest_marker("long") is not None)


PAGE = Path("a_long_name" * 10) / "out.html"
"""The page names the command that made it, and in a path is nothing to break a line at."""


def explain_shortly(patch: pytest.MonkeyPatch) -> None:
    """For a page that is complete, not good."""
    patch.setattr(explain, "_PROFILING_S", 0.3)
    patch.setattr(explain, "_TRIED", 2)


@pytest.fixture(scope="session")
def tuned_folder() -> Path:
    """A folder where two pipelines were tuned, which left a page: by the first process that asks for it."""
    folder, making = CACHE / "tuned", CACHE / "tuning"
    with (CACHE / "tuned.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(making, ignore_errors=True)  # of a process that failed
            (making / PAGE).parent.mkdir(parents=True)
            pipelines = (PIPELINES / "blur_function.py", PIPELINES / "sums_function.py")
            flags = ("--samples", 10, "--beam-size", 1, "--max-parallelism", 2, "--report", PAGE, "--watch")
            with pytest.MonkeyPatch.context() as patch:
                explain_shortly(patch)
                patch.setattr(tuning, "CAREFUL", {**CAREFUL, "turns": 3})
                result = running_in(making)("tune", *pipelines, *flags)
            assert result.code == 0, result.err
            making.rename(folder)
    return folder
