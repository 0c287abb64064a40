"""`hltune report`: all that is known of tuned pipelines, for one page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from hltune.commands.explain import Explanation, explain
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.machine.pictures import Picture, PicturesJob
from hltune.runtime.progress import Progress, Remembered
from hltune.runtime.worker import Worker
from hltune.samples.reader import Reader
from hltune.tuning.outlook import Outlook
from hltune.values.errors import HltuneError, InputError
from hltune.values.machine_id import MachineId
from hltune.values.provenance import Mutated, Provenance, Searched
from hltune.values.reasons import Reason
from hltune.workspace.lines import read_lines
from hltune.workspace.records import Workspace
from hltune.workspace.subject import SubjectOptions
from hltune.workspace.tunings import TuningCommand

_BEST = 10
"""Schedules whose origin is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """One pipeline.

    Attributes:
        history: when each measurement was taken, in seconds since 1970, and its cost in seconds, in the order of time.
        failures: why schedules failed, the commonest reason first.
        origins: how many of the ten fastest schedules came from where.
        tunings: the commands that tuned it, the oldest first.
        pictures: of the inputs, of what the schedule computes, and of how the other one's outputs differ.
        machine: where tuning measured; None if it never did.
        notes: what people should know of it, such as that the machine was busy.
        images: those of the user that it measured on, as `Inputs.images`.
        outlook: what the rounds of tuning say about further ones; None if there was none.
    """

    explanation: Explanation
    history: tuple[tuple[float, float], ...] = ()
    failures: tuple[Reason, ...] = ()
    origins: tuple[tuple[str, int], ...] = ()
    tunings: tuple[TuningCommand, ...] = ()
    pictures: tuple[Picture, ...] = ()
    machine: MachineId | None = None
    images: tuple[tuple[str | None, Path], ...] = ()
    notes: tuple[str, ...] = ()
    outlook: Outlook | None = None


def report(
    pipeline: SubjectOptions,
    *,
    against: str | None,
    workspace: Workspace,
    measure: MeasureOptions,
    inputs: Inputs,
    progress: Progress,
    cluster: str | None = None,
) -> Reported:
    """Explains the best known schedule of a pipeline, measures all others beside it, and reads what tuning left.

    Args:
        against: the schedule to compare it with; None for the author's own, the expert's, or the best of the others.
        cluster: the computers that measure; None for this one.

    Raises:
        InputError: no schedule is known, or the inputs do not fit.
        HltuneError: the best schedule does not work.
    """
    progress = heard = Remembered(progress)
    explanation = explain(
        pipeline,
        schedule=None,
        against=against,
        trying=True,
        beside=True,
        workspace=workspace,
        measure=measure,
        inputs=inputs,
        progress=progress,
        cluster=cluster,
    )
    found = Reported(explanation=explanation, pictures=_pictures(explanation, measure, inputs, progress))
    if workspace.samples.exists():
        try:
            found = _with_tuning(found, workspace, inputs, progress)
        except InputError as error:  # what was measured a moment ago is worth a page of its own
            progress.note(f"{explanation.subject.spec.name}: no curve, no failures. {error}")
    return replace(found, notes=tuple(heard.notes))


def _with_tuning(found: Reported, workspace: Workspace, inputs: Inputs, progress: Progress) -> Reported:
    """With all that the store knows of how it was tuned; an `InputError` if that cannot be read."""
    spec = found.explanation.subject.spec
    with Reader(workspace.samples) as reader:
        machine = _tuned_on(reader, found.explanation, progress)
        key = spec.content_hash, machine.key
        rounds = reader.round_costs(*key)
        return replace(
            found,
            outlook=Outlook.of(rounds) if rounds else None,
            history=reader.history(*key),
            failures=reader.failures(*key),
            origins=tuple(Counter(_origin(each.provenance) for each in reader.best(*key, _BEST)).most_common()),
            tunings=tuple(read_lines(workspace.tunings(spec, machine), TuningCommand)),
            machine=machine,
            images=inputs.images if machine.given else (),
        )


def _tuned_on(reader: Reader, explanation: Explanation, progress: Progress) -> MachineId:
    """The machine that tuning measured on: without what was given now, where nothing was measured with it."""
    machine, spec = explanation.machine, explanation.subject.spec
    usual = machine.former if machine.given else None
    if usual is None or reader.history(spec.content_hash, machine.key):
        return machine
    if reader.history(spec.content_hash, usual.key):
        progress.note(f"{spec.name}: the curve, the failures and who found the best are those of the usual data")
        return usual
    return machine


def _pictures(
    explanation: Explanation, measure: MeasureOptions, inputs: Inputs, progress: Progress
) -> tuple[Picture, ...]:
    """None where code for the target does not run on this computer; the page is complete without them."""
    subject = explanation.subject
    if subject.target.machine != "host" or measure.elsewhere is not None:
        return ()
    progress.phase(f"pictures of {subject.spec.name}")
    job = PicturesJob(
        spec=subject.spec,
        schedules=tuple(each.schedule for each in explanation.schedules),
        target=subject.target.name,
        inputs=inputs,
        options=measure,
    )
    try:
        with Worker(environment=measure.environment) as worker:
            return worker.run(job)
    except HltuneError as error:
        progress.note(f"{subject.spec.name}: no pictures. {error}")
        return ()


def _origin(provenance: Provenance) -> str:
    match provenance:
        case Searched():
            return f"search by {provenance.autoscheduler}"
        case Mutated():
            return "a change of another schedule: " + ", ".join(provenance.changes)
        case _:
            return str(getattr(provenance, "name", "imported"))
