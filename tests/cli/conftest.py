from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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


def running_in(folder: Path) -> Run:
    """Runs commands in a folder."""

    def run(*arguments: object, environment: Mapping[str, str] | None = None) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "hltune", *map(str, arguments)],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def hltune(tmp_path: Path) -> Run:
    """Runs a command in an empty folder."""
    return running_in(tmp_path)
