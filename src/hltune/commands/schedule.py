"""`hltune schedule`: find a schedule by the cost model alone, run it, verify it, keep it."""

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hltune.commands.export import export_texts
from hltune.machine.inputs import Inputs
from hltune.machine.open import identify, open_machine
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Session
from hltune.runtime.files import check_writable
from hltune.runtime.progress import Progress
from hltune.runtime.worker import usable_cores
from hltune.search.autoschedulers import Adams2019Options, Mullapudi2016Options, SearchOptions
from hltune.search.pool import SearchPool
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError
from hltune.workspace.default_weights import with_default_weights
from hltune.workspace.records import Record, Workspace
from hltune.workspace.subject import DEFAULT, Subject, SubjectOptions, load_subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """The schedule that worked.

    Attributes:
        name: the autoscheduler that found it, or `DEFAULT`.
        candidate: the schedule and where it came from.
        cost: None if the target's code does not run on this machine; else the output was verified.
        failures: why what was tried before did not work.
        files: the schedule in the forms of text.
    """

    subject: Subject
    name: str
    candidate: Candidate
    cost: Cost | None
    failures: tuple[Failure, ...]
    files: tuple[Path, ...] = ()

    @property
    def schedule(self) -> Schedule:
        """The directives."""
        return self.candidate.schedule


def schedule(
    pipeline: SubjectOptions,
    search: SearchOptions,
    *,
    search_timeout_s: float,
    workspace: Workspace,
    measure: MeasureOptions,
    inputs: Inputs,
    directory: Path | None,
    progress: Progress,
) -> Scheduled:
    """Searches, measures, keeps and writes a schedule; what fails is replaced by the next simpler autoscheduler.

    Args:
        search: the autoscheduler to try first.
        directory: where to write it; None for the workspace.

    Raises:
        InputError: what was given cannot be used, or a directory cannot be written to.
        HltuneError: not even the default schedule works.
    """
    for place in {workspace.root, directory or workspace.root}:
        check_writable(place)
    progress.phase(f"loading {pipeline.pipeline}")
    subject = load_subject(pipeline, workspace)
    machine = identify(subject.target, measure)
    if isinstance(search, Adams2019Options):
        search = with_default_weights(search, workspace, machine, progress)
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(SearchPool(1, timeout_s=search_timeout_s))
        session = None
        if subject.target.machine is not None:
            session = stack.enter_context(open_session(subject, measure, inputs))
        found = _first_that_works(subject, search, pool, session, progress)
    if found.cost is not None:
        provenance = found.candidate.provenance
        record = Record(name=found.name, schedule=found.schedule, cost=found.cost.value, provenance=provenance)
        workspace.keep(record, subject.spec, machine)
    files = export_texts(subject, found.schedule, directory or workspace.directory(subject.spec))
    return replace(found, files=files)


@contextlib.contextmanager
def open_session(subject: Subject, measure: MeasureOptions, inputs: Inputs) -> Generator[Session]:
    """A session for a subject, on a machine of its own."""
    with (
        open_machine(subject.target, measure, workers=usable_cores()) as machine,
        machine.session(subject.spec, inputs, numpy_reference=subject.numpy_reference) as session,
    ):
        yield session


def _first_that_works(
    subject: Subject, first: SearchOptions, pool: SearchPool, session: Session | None, progress: Progress
) -> Scheduled:
    failures: list[Failure] = []
    for search in _attempts(first):
        progress.phase(f"searching a schedule for {subject.spec.name} with {search.label}")
        found = pool.start(subject.spec, subject.target.name, search)
        if session is not None:
            session.ready()  # bad inputs are reported now, not after a long search
        candidate = found()
        if isinstance(candidate, Failure):
            failures.append(candidate)
            progress.note(f"{search.label} failed. {candidate}")
            if isinstance(search, Adams2019Options) and search.memory_limit_bytes is not None and search.beam_size == 1:
                progress.note("from here on nothing keeps to --memory-limit: only Adams2019 knows it")
            continue
        outcome = _measure(candidate.schedule, session, progress)
        if not isinstance(outcome, Failure):
            name = search.autoscheduler.lower()
            return Scheduled(subject=subject, name=name, candidate=candidate, cost=outcome, failures=tuple(failures))
        failures.append(outcome)
        progress.note(f"the schedule by {search.label} failed. {outcome}")
    progress.note("falling back to the default schedule: everything inlined, scalar, one thread")
    outcome = _measure(Schedule(), session, progress)
    if isinstance(outcome, Failure):
        raise HltuneError(
            f"no schedule works, not even the default one. {outcome}",
            where=subject.spec.name,
            found=outcome.log.strip()[-1000:] or None,
        )
    candidate = subject.known_by_name()[DEFAULT]
    return Scheduled(subject=subject, name=DEFAULT, candidate=candidate, cost=outcome, failures=tuple(failures))


def _attempts(first: SearchOptions) -> Iterator[SearchOptions]:
    """From the best schedules to the most robust search."""
    yield first
    if isinstance(first, Adams2019Options):
        if first.beam_size > 1:
            yield replace(first, beam_size=1, num_passes=None)
        yield Mullapudi2016Options(parallelism=first.parallelism)


def _measure(schedule: Schedule, session: Session | None, progress: Progress) -> Cost | Failure | None:
    if session is None:
        return None
    progress.phase("compiling, verifying and measuring the schedule")
    return session.measure({"schedule": schedule})["schedule"]
