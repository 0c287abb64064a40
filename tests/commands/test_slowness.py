"""What takes too long is told from a computer that is busy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hltune.commands.slowness import Slowness, Timed, stage_clock
from hltune.machine.inputs import Inputs
from hltune.machine.open import resolve
from hltune.machine.options import MeasureOptions
from hltune.machine.task import Task
from hltune.runtime.worker import Worker
from hltune.values.directives import ComputeRoot, Schedule, Vectorize
from hltune.values.errors import Failure, HltuneError
from hltune.values.limits import LATE
from hltune.values.roles import Stage
from tests.machine.opened import load

SIMPLE, AT_ROOT = Schedule(), Schedule((ComputeRoot(Stage("f")),))
SLOW = Schedule((ComputeRoot(Stage("slow")),))
LIMIT_S = 4.0


def clock(control_s: Iterator[float], slow_s: Iterator[float]) -> Callable[[Schedule, float], float | Failure]:
    """Everything at root takes 100 s; the others what comes next."""

    def time(schedule: Schedule, limit_s: float) -> float | Failure:
        taken_s = {SIMPLE: control_s, SLOW: slow_s, AT_ROOT: iter((100.0,))}[schedule]
        seconds = next(taken_s)
        late = Failure(stage="compile", kind="timeout", message=f"{LATE} of {limit_s:g} s")
        return late if seconds > limit_s else seconds

    return time


def measured(control_s: tuple[float, ...], slow_s: tuple[float, ...]) -> Failure | Timed:
    """The first time of the control is the one by which it is chosen."""
    slowness = Slowness.of("compile", LIMIT_S, clock(iter(control_s), iter(slow_s)), (SIMPLE, AT_ROOT))
    assert slowness.control == SIMPLE
    return slowness.measure(SLOW)


def test_what_takes_too_long_each_time_fails() -> None:
    found = measured((1.0, 1.0, 1.0), (5.0, 6.0))
    assert isinstance(found, Failure) and found.message == f"{LATE} of 4 s"


@pytest.mark.parametrize("slow_s", [(3.0,), (5.0, 3.0)], ids=["never", "once"])
def test_what_takes_too_long_once_does_not_fail(slow_s: tuple[float, ...]) -> None:
    found = measured((1.0, 1.0, 1.0), slow_s)
    assert isinstance(found, Timed) and "compiled in 3 s, and a simple schedule beside it in 1 s" in str(found)
    assert "busy" not in str(found) and found.slow


@pytest.mark.parametrize("control_s", [3.0, 5.0], ids=["slow", "beyond the limit"])
def test_on_a_busy_computer_nothing_fails(control_s: float) -> None:
    found = measured((1.0, control_s), (5.5,))
    assert isinstance(found, Timed) and not found.slow
    assert "less than 2 times as long, so the computer may be busy" in str(found)


def test_without_anything_quick_nothing_is_told() -> None:
    with pytest.raises(HltuneError, match="even the simplest schedules take longer than 4 s to compile"):
        measured((9.0,), ())


def test_what_halide_refuses_fails_and_others_are_timed_afterwards() -> None:
    """What is left when directives are left out may be no schedule at all."""
    target = resolve("host")
    spec = load("blur", target)
    (output,) = spec.outputs
    task = Task(spec=spec, schedule=Schedule(), target=target.name, inputs=Inputs())
    with Worker() as worker:
        clock = stage_clock(worker, task, MeasureOptions(threads=1), "run")
        refused = clock(Schedule((Vectorize(Stage(output.name), "nothing"),)), 10.0)
        assert isinstance(refused, Failure) and refused.stage == "compile" and refused.kind == "error"
        assert isinstance(clock(Schedule(), 10.0), float)
