"""A workspace of hltune 0.1.0, as if this machine had written it."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from hltune.values.machine_id import MachineId

VERSION_1 = Path(__file__).with_name("version1")
HOST, DSP = "579e9f3dd54e", "6a0a3f064042"
CONV, MEDIAN = "conv3x3a16-72410952357f", "median3x3-d8514f147abb"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy."""
    return Path(shutil.copytree(VERSION_1, tmp_path / "ws"))


def adopt(workspace: Path, key: str, machine: MachineId) -> None:
    """Makes what one machine left look as if another one had left it."""
    with contextlib.closing(sqlite3.connect(workspace / "samples.sqlite")) as connection:
        columns = {"key": machine.key, **machine.document()}
        assigned = ", ".join(f"{column} = :{column}" for column in columns)
        connection.execute(f"UPDATE machines SET {assigned} WHERE key = :old", {**columns, "old": key})
        connection.commit()
    for sidecar in workspace.rglob("*.weights.json"):
        document = json.loads(sidecar.read_text())
        if document["origin"]["machine"] == key:
            document["origin"]["machine"] = machine.key
            sidecar.write_text(json.dumps(document))
    for folder in list(workspace.rglob(key)):
        folder.rename(folder.with_name(machine.key))
