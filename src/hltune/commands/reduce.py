"""`hltune reduce`: the few directives of a schedule without which it would not fail as it does."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

from hltune.commands.example import Example, Repetition, Wanted, find, repetition
from hltune.commands.place import open_session
from hltune.commands.races import again_and_again
from hltune.commands.reproduce import (
    allowed_on,
    check_place,
    given_up,
    measured,
    runs_here,
    showing,
    with_inputs_covered,
    write_example,
)
from hltune.commands.slowness import TRIES, Slowness, Timed, stage_clock
from hltune.machine.inputs import Inputs
from hltune.machine.open import resolve
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Session
from hltune.machine.sensitivity import every_func_at_root
from hltune.machine.task import COMPILE, Task
from hltune.runtime.progress import Progress
from hltune.runtime.worker import Worker
from hltune.schedule.script import GivenUp, Tolerances
from hltune.search.reduction import reduced
from hltune.values import schedule_codec
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError
from hltune.values.limits import timeout_flag
from hltune.values.reasons import reasons
from hltune.workspace.records import Workspace
from hltune.workspace.subject import Subject

_Measure = Callable[[Schedule], Measurement | Timed]
"""What comes of a schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """What is left of a failure.

    Attributes:
        example: the failing schedule, as it was stored.
        schedule: what is left of it.
        failure: of what is left.
        tried: how many smaller schedules were tried.
        complete: nothing single can be left out any more; else time was short, or somebody interrupted.
        interrupted: somebody did, and time was not short.
        files: where it was written.
    """

    example: Example
    schedule: Schedule
    failure: Failure
    tried: int
    complete: bool
    interrupted: bool = False
    files: tuple[Path, ...] = ()


def reduce(
    workspace: Workspace,
    wanted: Wanted,
    *,
    minutes: float,
    directory: Path | None,
    measure: Callable[[int], MeasureOptions],
    inputs: Callable[[int], Inputs],
    progress: Progress,
) -> Reduced:
    """Leaves directives out of a schedule in the store, as long as it fails in the same way.

    Whoever interrupts has what is reached by then.

    Args:
        minutes: how long to go on; what is reached by then is the result.
        directory: where to write files that reproduce it, if anywhere.
        measure: makes options for so many threads.
        inputs: what to run on, of the seed that counts unless the user gives one.

    Raises:
        InputError: there is no such schedule, it never failed, the inputs do not fit, or the directory cannot be
            written to.
        HltuneError: it does not fail here.
    """
    example = find(workspace.samples, wanted, failed=True)
    again = repetition(example, workspace, inputs, measure(example.machine.threads))
    if directory is not None:
        failure = example.outcome if isinstance(example.outcome, Failure) else None
        check_place(directory, example.spec, showing(failure, example.spec, again).inputs)
    for note in again.notes:
        progress.note(note)
    progress.phase("looking how large the inputs have to be")
    covered = with_inputs_covered(example, again.inputs)
    left, tolerances = _left(covered, again, workspace.cache, minutes, progress)
    if directory is None:
        return left
    if (shown := showing(left.failure, example.spec, again)) is not again:
        again, tolerances = allowed_on(workspace, covered, example, shown)
    try:
        files = write_example(covered, left.schedule, left.failure, directory, again.inputs, tolerances)
    except (HltuneError, KeyboardInterrupt):  # a full disk, say
        text = json.dumps(schedule_codec.to_json(left.schedule))
        progress.note(f"what is left was found, but could not be kept: {text}")
        raise
    return replace(left, files=files)


def _left(
    example: Example, again: Repetition, memory: Path, minutes: float, progress: Progress
) -> tuple[Reduced, Tolerances]:
    """What is left after so many minutes, and what outputs may differ by."""
    subject = Subject(spec=example.spec, target=resolve(example.machine.target), benchmark=None, hand_written={})
    with open_session(subject, _patient(again.options, example), again.inputs, memory, progress) as session:
        progress.phase(f"measuring what {example.spec.name} has to compute")
        session.ready()
        progress.phase("making sure that it fails")
        with _measuring(session, example, again) as measure:
            found, measure, races = again_and_again(measure, example.schedule, example.outcome)
            if races is not None:
                progress.note(races)
            failure = _failure(found, example)
            if (note := _otherwise(failure, example)) is not None:
                progress.note(note)
            search = _Search(measure, example.schedule, failure, progress)
            end_s = time.monotonic() + 60 * minutes
            complete, interrupted = False, True
            with contextlib.suppress(KeyboardInterrupt):
                reduced(example.schedule, example.spec.funcs, search.holds, end_s=end_s)
                complete, interrupted = time.monotonic() < end_s, False
        tolerances = measured(session.verification.outputs)
    left = Reduced(
        example=example,
        schedule=search.schedule,
        failure=search.failure,
        tried=search.tried,
        complete=complete,
        interrupted=interrupted,
    )
    return left, tolerances


def _patient(options: MeasureOptions, example: Example) -> MeasureOptions:
    """What is expected is computed in any case: the limit that a schedule exceeds may be too short for that."""
    if given_up(example.outcome) is None or not runs_here(example):  # then the limit is what tells whether it fails
        return options
    usual = MeasureOptions(threads=options.threads)
    return replace(
        options,
        compile_timeout_s=max(options.compile_timeout_s, usual.compile_timeout_s),
        run_timeout_s=max(options.run_timeout_s, usual.run_timeout_s),
    )


@contextlib.contextmanager
def _measuring(session: Session, example: Example, again: Repetition) -> Generator[_Measure]:
    """How to find out whether a schedule fails: what takes too long here is timed beside one that does not."""
    late = given_up(example.outcome)
    if late is None or not runs_here(example):
        yield lambda schedule: _measured(session, schedule)
        return
    options, spec = again.options, example.spec
    limit_s = _limit_s(options, late)
    task = Task(spec=spec, schedule=Schedule(), target=example.machine.target, inputs=again.inputs)
    with Worker(environment=options.environment) as worker:
        clock = stage_clock(worker, task, options, late.stage)
        yield Slowness.of(late.stage, limit_s, clock, (Schedule(), every_func_at_root(spec))).measure


def _limit_s(options: MeasureOptions, late: GivenUp) -> float:
    """What was given up fails by the limit that it was measured with, unless the user asks for another one."""
    usual = MeasureOptions(threads=options.threads)
    if late.stage == COMPILE:
        asked_s, usual_s = options.compile_timeout_s, usual.compile_timeout_s
    else:
        asked_s, usual_s = options.run_timeout_s, usual.run_timeout_s
    return late.after_s if asked_s == usual_s else asked_s


def _measured(session: Session, schedule: Schedule) -> Measurement:
    """What comes of it; what takes too long has to do so each time."""
    ((_, outcome),) = session.measure_each([("", schedule)], best=None)
    for _ in range(1, TRIES):
        if not isinstance(outcome, Failure) or outcome.kind != "timeout":
            break
        ((_, outcome),) = session.measure_each([("", schedule)], best=None)
    return outcome


def _failure(found: Measurement | Timed, example: Example) -> Failure:
    """How the example fails here.

    Raises:
        HltuneError: it does not.
    """
    expected = example.outcome
    same = isinstance(expected, Failure) and isinstance(found, Failure) and _kind(found) == _kind(expected)
    if isinstance(found, Failure) and not same:
        raise HltuneError(
            "this schedule fails otherwise here",
            where=example.schedule_hash,
            expected=str(expected),
            found=str(found),
            todo=_todo(example, found),
        )
    if isinstance(found, Failure):
        return found
    raise HltuneError(
        "this schedule does not fail here",
        where=example.schedule_hash,
        expected=str(example.outcome),
        found=f"{found.unit.text(found.value)} {found.unit.label}" if isinstance(found, Cost) else str(found),
        todo=_todo(example, found),
    )


def _kind(failure: Failure) -> tuple[str, str]:
    return failure.stage, failure.kind


def _otherwise(found: Failure, example: Example) -> str | None:
    """What is said of a failure in the same step that has another reason; what takes too long has no other one."""
    expected = example.outcome
    if not isinstance(expected, Failure) or expected.kind == "timeout" or _reason(found) == _reason(expected):
        return None
    return f"it fails for another reason here: {found}. It failed, when it was measured, so: {expected}"


def _todo(example: Example, found: Measurement | Timed) -> str:
    """What may make it fail; of what takes too long, only what can."""
    failure, late = example.outcome, given_up(example.outcome)
    if late is None or not isinstance(failure, Failure):
        limits = "give the limits that it was measured with, or the images with -i, or "
        return f"{limits}--machine KEY of another one that it failed on"
    flag = timeout_flag(failure.stage)
    asked = f"give the limit that it was measured with, {flag} {late.after_s:g}"
    if not isinstance(found, Timed):
        return asked
    if found.taken_s > late.after_s:
        return asked if found.slow else "try again when nothing else runs on this computer"
    busy = (
        f"nothing: where it took longer than {late.after_s:g} s, that computer was busy, or is another one than this; "
        "no directive is the reason"
    )
    return f"{busy}; or see what makes it slow with a {flag} below what it takes here" if found.slow else busy


class _Search:
    """Counts what is tried, and remembers what is left and how it fails."""

    def __init__(self, measure: _Measure, schedule: Schedule, failure: Failure, progress: Progress) -> None:
        self._measure = measure
        self._progress = progress
        self._reason = _reason(failure)
        self._before = ""
        self.schedule = schedule
        self.failure = failure
        self.tried = 0

    def holds(self, schedule: Schedule) -> bool:
        """It fails in the same way."""
        self.tried += 1
        left = f"directives that are left: {len(self.schedule.directives)}{self._before}"
        self._progress.phase(f"{left}; try {self.tried} has {len(schedule.directives)}")
        outcome = self._measure(schedule)
        same = isinstance(outcome, Failure) and _reason(outcome) == self._reason
        how = "failed in the same way" if same else "failed otherwise" if isinstance(outcome, Failure) else "worked"
        self._before = f"; try {self.tried} {how}"
        if isinstance(outcome, Failure) and same:
            self.schedule, self.failure = schedule, outcome
        return same


def _reason(failure: Failure) -> tuple[str, str, str]:
    """What alike failures share."""
    (reason,) = reasons([failure])
    return reason.stage, failure.kind, reason.message
