"""`hltune reduce`: the few directives of a schedule without which it would not fail as it does."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hltune.commands.place import open_session
from hltune.commands.reproduce import Example, find, write_example
from hltune.machine.inputs import Inputs
from hltune.machine.open import resolve
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Session
from hltune.runtime.progress import Progress
from hltune.search.reduction import reduced
from hltune.values.cost import Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError, InputError
from hltune.values.reasons import reasons
from hltune.workspace.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """What is left of a failure.

    Attributes:
        example: the failing schedule, as it was stored.
        schedule: what is left of it.
        failure: of what is left.
        tried: how many smaller schedules were tried.
        complete: nothing single can be left out any more; else time was short.
        files: where it was written.
    """

    example: Example
    schedule: Schedule
    failure: Failure
    tried: int
    complete: bool
    files: tuple[Path, ...] = ()


def reduce(
    store: Path,
    identifier: str,
    *,
    minutes: float,
    directory: Path | None,
    measure: Callable[[int], MeasureOptions],
    inputs: Inputs,
    progress: Progress,
) -> Reduced:
    """Leaves directives out of a schedule in the store, as long as it fails in the same way.

    Args:
        identifier: the start of the schedule's id.
        minutes: how long to go on; what is reached by then is the result.
        directory: where to write files that reproduce it, if anywhere.
        measure: makes options for so many threads.
        inputs: what to run on.

    Raises:
        InputError: there is no such schedule, it did not fail, or the inputs do not fit.
        HltuneError: it does not fail here.
    """
    example = find(store, identifier)
    if not isinstance(example.outcome, Failure):
        raise InputError(
            "this schedule works", where=identifier, todo="`hltune samples failures` has the ids of some that fail"
        )
    subject = Subject(spec=example.spec, target=resolve(example.machine.target), benchmark=None, hand_written={})
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(open_session(subject, measure(example.machine.threads), inputs, None, progress))
        progress.phase(f"measuring what {example.spec.name} has to compute")
        session.ready()
        progress.phase("making sure that it fails")
        first = _measure(session, example.schedule)
        if not isinstance(first, Failure):
            raise HltuneError(
                "this schedule does not fail here",
                where=identifier,
                expected=str(example.outcome),
                found=f"{first.unit.text(first.value)} {first.unit.label}",
                todo="give the limits that it was measured with, or the images with -i, or look for another machine",
            )
        search = _Search(session, first, progress)
        end_s = time.monotonic() + 60 * minutes
        left = reduced(example.schedule, example.spec.funcs, search.holds, end_s=end_s)
        tolerances = session.verification.outputs
    files: tuple[Path, ...] = ()
    if directory is not None:
        files = write_example(example, left, search.failure, directory, inputs, tolerances)
    return Reduced(
        example=example,
        schedule=left,
        failure=search.failure,
        tried=search.tried,
        complete=time.monotonic() < end_s,
        files=files,
    )


class _Search:
    """Counts what is tried, and remembers the failure of what is left."""

    def __init__(self, session: Session, failure: Failure, progress: Progress) -> None:
        self._session = session
        self._progress = progress
        self._reason = _reason(failure)
        self.failure = failure
        self.tried = 0

    def holds(self, schedule: Schedule) -> bool:
        """It fails in the same way."""
        self.tried += 1
        self._progress.phase(f"trying {len(schedule.directives)} directives, the {self.tried}. schedule")
        outcome = _measure(self._session, schedule)
        if not isinstance(outcome, Failure) or _reason(outcome) != self._reason:
            return False
        self.failure = outcome
        return True


def _measure(session: Session, schedule: Schedule) -> Measurement:
    ((_, outcome),) = session.measure_each([("", schedule)], best=None)
    return outcome


def _reason(failure: Failure) -> tuple[str, str, str]:
    """What alike failures share."""
    (reason,) = reasons([failure])
    return reason.stage, failure.kind, reason.message
