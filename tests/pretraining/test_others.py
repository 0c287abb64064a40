"""Other kinds of machines measure beside that of the run, and never keep it from measuring."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from hltune.pretraining.others import Others
from hltune.pretraining.trials import RejectedError
from hltune.runtime.progress import Silent
from hltune.values.cost import Cost
from hltune.values.errors import HltuneError
from hltune.values.machine_id import MachineId
from hltune.values.unit import MILLISECONDS

COST = Cost(unit=MILLISECONDS, turns=((1.0,),))
OTHER = MachineId(cpu="other", target="host", threads=2, halide="21.0.0")


@dataclass
class Clock:
    now_s: float = 0.0


@dataclass
class FakeTrial:
    """So many measurements; each takes so long whenever somebody waits for it.

    Attributes:
        news: how many can be had without waiting, after each measurement of the run.
        log: who measured, in turn.
    """

    name: str
    count: int
    clock: Clock
    log: list[str]
    seconds: float = 1.0
    news: int = 0
    error: BaseException | None = None
    session: Any = None
    kept: bool = False
    closed: bool = False

    def __post_init__(self) -> None:
        self.session = self

    def has_news(self) -> bool:
        self.news -= 1
        return self.news >= 0

    def measure(self) -> Generator[Cost]:
        try:
            for _ in range(self.count):
                self.clock.now_s += self.seconds
                self.log.append(self.name)
                yield COST
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


@dataclass
class FakeMachine:
    identity: MachineId = OTHER


@dataclass
class Notes(Silent):
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now_s)
    return clock


@contextlib.contextmanager
def begun(trial: FakeTrial) -> Iterator[FakeTrial]:
    yield trial
    trial.kept = True


def beside(own: FakeTrial, *others: FakeTrial, notes: Notes | None = None) -> tuple[int, Others]:
    """How much the machine of the run has measured, beside these."""
    machines: list[Any] = [FakeMachine(replace(OTHER, cpu=each.name)) for each in others]
    by_name = {each.name: each for each in others}

    def trials_on(machine: Any) -> Any:
        return by_name[machine.identity.cpu]

    made, begin = Others(lambda: machines, trials_on), cast("Any", begun)
    return len(made.beside(own.measure(), begin, notes or Notes())), made


def test_nobody_else() -> None:
    log: list[str] = []
    assert beside(FakeTrial("own", 3, Clock(), log))[0] == 3 and log == ["own"] * 3


def test_who_has_nothing_new_is_not_waited_for(clock: Clock) -> None:
    log: list[str] = []
    own, other = FakeTrial("own", 4, clock, log), FakeTrial("other", 3, clock, log)
    measured, others = beside(own, other)
    # The first one begins, and the others come in the end.
    assert measured == 4 and log == ["own", "other", "own", "own", "own", "other", "other"]
    assert dict(others.measured) == {replace(OTHER, cpu="other"): 3} and other.kept and other.closed


def test_what_is_there_is_taken_at_once(clock: Clock) -> None:
    log: list[str] = []
    beside(FakeTrial("own", 2, clock, log), FakeTrial("other", 5, clock, log, news=3))
    assert log == ["own", *["other"] * 4, "own", "other"]


def test_who_is_slow_leaves_the_rest(clock: Clock) -> None:
    log: list[str] = []
    slow = FakeTrial("slow", 100, clock, log, seconds=10.0)
    beside(FakeTrial("own", 25, clock, log), slow)
    # 35 s go by until the machine of the run is done, one measurement of the slow one included; then 35 s more.
    assert log.count("slow") == 1 + 4 and slow.kept and slow.closed


@pytest.mark.parametrize(
    ("error", "noted"), [(RejectedError("few schedules"), []), (HltuneError("no node measures"), ["other"])]
)
def test_who_fails_is_left_out(clock: Clock, error: Exception, noted: list[str]) -> None:
    log: list[str] = []
    notes = Notes()
    own, broken = FakeTrial("own", 3, clock, log), FakeTrial("other", 1, clock, log, error=error)
    measured, _ = beside(own, broken, FakeTrial("third", 3, clock, log), notes=notes)
    assert measured == 3 and log.count("third") == 3 and not broken.kept
    assert [each.partition(" ")[0] for each in notes.notes] == noted


def test_what_ends_the_run_ends_the_others(clock: Clock) -> None:
    log: list[str] = []
    own = FakeTrial("own", 2, clock, log, error=KeyboardInterrupt())
    other = FakeTrial("other", 9, clock, log)
    with pytest.raises(KeyboardInterrupt):
        beside(own, other)
    assert own.closed and other.closed and not other.kept
