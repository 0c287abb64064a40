from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from rich.console import Console

WIDTH = 100
NOW_S = 1000.0


@pytest.fixture(autouse=True)
def fixed_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: NOW_S)
    monkeypatch.setenv("COLUMNS", str(WIDTH))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets standard error pass for a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")


def shown(show: Callable[[Console], None]) -> str:
    """What people see of a result."""
    console = Console(file=io.StringIO(), width=WIDTH)
    show(console)
    assert isinstance(console.file, io.StringIO)
    return without_controls(console.file.getvalue())


def dumped(document: Mapping[str, Any]) -> str:
    """What scripts see of a result, the innermost objects and lists on one line each; the order of keys counts."""
    text = json.dumps(document, indent=1)
    return re.sub(r"[{\[]\n[^{}\[\]]*\n *[}\]]", lambda innermost: " ".join(innermost[0].split()), text)


def without_controls(text: str) -> str:
    """What is left without colours and movements of the cursor, and without blanks at the ends of lines."""
    return re.sub(r"[ \t\r]+$", "", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text), flags=re.MULTILINE)
