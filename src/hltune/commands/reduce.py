"""`hltune reduce`: the few directives of a schedule without which it would not fail as it does."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hltune.commands.example import Example, Repetition, find, repetition
from hltune.commands.place import open_session
from hltune.commands.reproduce import measured, write_example
from hltune.machine.inputs import Inputs
from hltune.machine.open import resolve
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Session
from hltune.runtime.files import check_writable
from hltune.runtime.progress import Progress
from hltune.schedule.script import Allowed
from hltune.search.reduction import reduced
from hltune.values import schedule_codec
from hltune.values.cost import Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError
from hltune.values.reasons import reasons
from hltune.workspace.records import Workspace
from hltune.workspace.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """What is left of a failure.

    Attributes:
        example: the failing schedule, as it was stored.
        schedule: what is left of it.
        failure: of what is left.
        tried: how many smaller schedules were tried.
        complete: nothing single can be left out any more; else time was short, or somebody interrupted.
        files: where it was written.
    """

    example: Example
    schedule: Schedule
    failure: Failure
    tried: int
    complete: bool
    files: tuple[Path, ...] = ()


def reduce(
    workspace: Workspace,
    identifier: str,
    machine: str | None,
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
        identifier: the start of the schedule's id.
        machine: start of the key of the machine that it failed on; None for the only one.
        minutes: how long to go on; what is reached by then is the result.
        directory: where to write files that reproduce it, if anywhere.
        measure: makes options for so many threads.
        inputs: what to run on, of the seed that counts unless the user gives one.

    Raises:
        InputError: there is no such schedule, it never failed, the inputs do not fit, or the directory cannot be
            written to.
        HltuneError: it does not fail here.
    """
    example = find(workspace.samples, identifier, machine, failed=True)
    again = repetition(example, workspace, inputs, measure(example.machine.threads))
    if directory is not None:
        check_writable(directory)
    for note in again.notes:
        progress.note(note)
    left, tolerances = _left(example, again, minutes, progress)
    if directory is None:
        return left
    try:
        files = write_example(example, left.schedule, left.failure, directory, again.inputs, tolerances)
    except (HltuneError, KeyboardInterrupt):  # a full disk, say
        text = json.dumps(schedule_codec.to_json(left.schedule))
        progress.note(f"what is left was found, but could not be kept: {text}")
        raise
    return replace(left, files=files)


def _left(example: Example, again: Repetition, minutes: float, progress: Progress) -> tuple[Reduced, list[Allowed]]:
    """What is left after so many minutes, and what outputs may differ by."""
    subject = Subject(spec=example.spec, target=resolve(example.machine.target), benchmark=None, hand_written={})
    with open_session(subject, again.options, again.inputs, None, progress) as session:
        progress.phase(f"measuring what {example.spec.name} has to compute")
        session.ready()
        progress.phase("making sure that it fails")
        search = _Search(session, example.schedule, _failure(session, example), progress)
        end_s = time.monotonic() + 60 * minutes
        complete = False
        with contextlib.suppress(KeyboardInterrupt):
            reduced(example.schedule, example.spec.funcs, search.holds, end_s=end_s)
            complete = time.monotonic() < end_s
        tolerances = measured(session.verification.outputs)
    left = Reduced(
        example=example, schedule=search.schedule, failure=search.failure, tried=search.tried, complete=complete
    )
    return left, tolerances


def _failure(session: Session, example: Example) -> Failure:
    """How the example fails here.

    Raises:
        HltuneError: it does not.
    """
    found = _measure(session, example.schedule)
    if isinstance(found, Failure):
        return found
    raise HltuneError(
        "this schedule does not fail here",
        where=example.schedule_hash,
        expected=str(example.outcome),
        found=f"{found.unit.text(found.value)} {found.unit.label}",
        todo="give the limits that it was measured with, or the images with -i, or --machine KEY of another one that "
        "it failed on",
    )


class _Search:
    """Counts what is tried, and remembers what is left and how it fails."""

    def __init__(self, session: Session, schedule: Schedule, failure: Failure, progress: Progress) -> None:
        self._session = session
        self._progress = progress
        self._reason = _reason(failure)
        self.schedule = schedule
        self.failure = failure
        self.tried = 0

    def holds(self, schedule: Schedule) -> bool:
        """It fails in the same way."""
        self.tried += 1
        self._progress.phase(f"trying {len(schedule.directives)} directives, the {self.tried}. schedule")
        outcome = _measure(self._session, schedule)
        if not isinstance(outcome, Failure) or _reason(outcome) != self._reason:
            return False
        self.schedule, self.failure = schedule, outcome
        return True


def _measure(session: Session, schedule: Schedule) -> Measurement:
    ((_, outcome),) = session.measure_each([("", schedule)], best=None)
    return outcome


def _reason(failure: Failure) -> tuple[str, str, str]:
    """What alike failures share."""
    (reason,) = reasons([failure])
    return reason.stage, failure.kind, reason.message
