"""Whether somebody else had the processors while schedules were timed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from hltune.machine.host.machine import HostMachine
from hltune.machine.host.waiting import Waiting
from hltune.machine.inputs import Inputs
from hltune.machine.quiet import say_if_busy
from hltune.pipeline.target import TargetInfo
from hltune.runtime.worker import usable_cores, waited_s
from hltune.values.pipeline import PipelineSpec
from tests.machine.opened import OPTIONS, fast, opened
from tests.tuning.recorded import RecordedSession


class Notes(list[str]):
    """Somebody who listens."""

    def phase(self, text: str) -> None: ...

    def note(self, text: str) -> None:
        self.append(text)


@pytest.fixture
def busy() -> Iterator[None]:
    """Other processes, twice as many as there are cores."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * usable_cores())]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@pytest.mark.alone
@pytest.mark.usefixtures("busy")
def test_threads_wait_where_others_have_the_processors() -> None:
    before_s, began_s = waited_s(), time.monotonic()
    while time.monotonic() < began_s + 1:
        pass
    assert waited_s() - before_s > 0.2


@pytest.mark.alone
@pytest.mark.usefixtures("busy")
def test_a_busy_machine_is_named(blur: PipelineSpec, host: TargetInfo) -> None:
    notes = Notes()
    options = replace(OPTIONS, turn_s=0.05)
    with HostMachine(host, options, workers=1) as machine, machine.session(blur, Inputs()) as session:
        for _ in range(3):
            session.measure({"fast": fast(blur)})
        say_if_busy(session, "blur", notes)
    assert len(notes) == 1 and notes[0].startswith("blur: machine busy: in each second of timing, a thread waited ")


@pytest.mark.alone
def test_threads_of_ours_that_wait_for_each_other_are_no_others(blur: PipelineSpec, host: TargetInfo) -> None:
    many = replace(OPTIONS, threads=8 * usable_cores())
    with opened(blur, host, options=many) as session:
        session.measure({"fast": fast(blur)})
        assert session.waited() is None


def test_what_waited_is_asked_for_once() -> None:
    waiting = Waiting(threads=2)
    waiting.add(0.05, 0.1)
    assert waiting.take() is None
    waiting.add(-1.0, 0.1)  # a thread has ended
    assert waiting.take() == pytest.approx(0.125)
    assert waiting.take() is None


@pytest.mark.parametrize(("waited", "said"), [(None, 0), (0.0, 0), (0.09, 0), (0.2, 1), (3.0, 1)])
def test_little_waiting_is_no_matter(waited: float | None, said: int, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = Notes()
    monkeypatch.setattr(RecordedSession, "waited", lambda _: waited)
    say_if_busy(RecordedSession(), "blur", notes)
    assert len(notes) == said
