"""Lowering and reading in a worker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hltune.lowered.job import LowerJob, read
from hltune.values.directives import Schedule
from tests.samples.values import SPEC


class Entered(Exception):
    """A stage has begun."""


def enter(stage: str, *, timeout_s: float, one_thread: bool = False) -> None:
    raise Entered(stage, timeout_s, one_thread)


PROCESS: Any = SimpleNamespace(enter=enter)


def test_waiting_for_a_processor_does_not_count_while_lowering() -> None:
    lower = LowerJob(spec=SPEC, schedule=Schedule(), target="x86-64-linux", timeout_s=3.0)
    with pytest.raises(Entered) as entered:
        lower.run(PROCESS)
    assert entered.value.args == ("lower", 3.0, True)


def test_nor_while_reading() -> None:
    lower: Any = SimpleNamespace(run=lambda _: "", timeout_s=3.0)
    with pytest.raises(Entered) as entered:
        read(lower, PROCESS, 16, lambda *_: None)
    assert entered.value.args == ("read", 3.0, True)
