"""`hltune schedule`: find a schedule, run it, verify it, keep it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hltune.commands.attempt import Attempt, Tried
from hltune.commands.export import check_texts, export_texts
from hltune.commands.on_record import drop_refuted
from hltune.commands.once_wrong import known_wrong, refutation
from hltune.commands.place import begin_session, open_place
from hltune.commands.verification import verified_against
from hltune.machine.given import on_given
from hltune.machine.inputs import Inputs
from hltune.machine.open import identify
from hltune.machine.options import MeasureOptions
from hltune.machine.quiet import say_if_busy
from hltune.machine.verify import Verification
from hltune.runtime.files import check_writable
from hltune.runtime.progress import Progress
from hltune.runtime.worker import usable_cores
from hltune.search.autoschedulers import Adams2019Options, Mullapudi2016Options, SearchOptions
from hltune.search.ladder import ladder, robust
from hltune.values import schedule_codec
from hltune.values.about import About
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, Measurement, Prediction
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError, InputError
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.values.reasons import limits_to_raise
from hltune.values.unit import Unit
from hltune.workspace.default_weights import default_ranker, with_default_weights
from hltune.workspace.record import TUNED, Record
from hltune.workspace.records import Workspace
from hltune.workspace.searches import Searches
from hltune.workspace.subject import Subject, SubjectOptions, load_subject

if TYPE_CHECKING:
    from hltune.commands.ranked import Ranked
    from hltune.cost_model.pretrained import Pretrained


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """The schedule that won.

    Attributes:
        name: the autoscheduler that found it.
        rung: what it was asked for, such as ``beam 8, 2 passes``.
        candidate: the schedule and where it came from.
        cost: None if it was not measured; else the output was verified.
        unit: what people see its costs in, measured or predicted.
        runnable: whether the target's code runs on this machine.
        tried: all rungs of the search, in the order in which they ended.
        predicted: what a pre-trained ranker says that it costs; None without one.
        manual: what the author's own schedule costs, side by side, or why it failed; None if there is none.
        files: the schedule in the forms of text.
        verification: what the output was verified against; None if it was not.
    """

    subject: Subject
    name: str
    rung: str
    candidate: Candidate
    cost: Cost | None
    unit: Unit
    runnable: bool
    tried: tuple[Tried, ...]
    predicted: Prediction | None = None
    manual: Measurement | None = None
    files: tuple[Path, ...] = ()
    verification: Verification | None = None

    @property
    def schedule(self) -> Schedule:
        """The directives."""
        return self.candidate.schedule

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Why other rungs did not count."""
        return tuple(each.failure for each in self.tried if each.failure is not None)


def schedule(
    pipeline: SubjectOptions,
    search: SearchOptions,
    *,
    search_timeout_s: float,
    workspace: Workspace,
    measure: MeasureOptions,
    measuring: bool = True,
    inputs: Inputs,
    directory: Path | None,
    progress: Progress,
    mullapudi2016: Mullapudi2016Options | None = None,
    cluster: str | None = None,
) -> Scheduled:
    """Searches rung by rung, measures what each found, keeps the fastest schedule that works, and writes it.

    Args:
        search: the last rung, see `hltune.search.ladder`.
        search_timeout_s: limit on the time in which anything is searched.
        measuring: without it, what the ranker thinks most of, or else what the largest search found, is written as it
            is.
        directory: where to write it; None for the workspace.
        mullapudi2016: the quick search beside the one that was asked for; None for its defaults.
        cluster: the computers that search and measure; None for this one.

    Raises:
        InputError: what was given cannot be used, or a directory cannot be written to.
        HltuneError: no search found a schedule that works.
        KeyboardInterrupt: somebody interrupted; what was measured until then, or until an error, is kept and written,
            unless a better one is on record.
    """
    for folder in {workspace.root, directory or workspace.root}:
        check_writable(folder)
    progress.phase(f"loading {pipeline.pipeline}")
    subject = load_subject(pipeline, workspace)
    if directory is not None:
        check_texts(subject, directory)
    for note in subject.notes:
        progress.note(f"{subject.spec.name}: {note}")
    identity = identify(subject.target, measure)
    quick = mullapudi2016 or Mullapudi2016Options(parallelism=search.parallelism)
    ranker = None
    if isinstance(search, Adams2019Options):
        asked = search.weights
        search = with_default_weights(search, workspace, subject.target, identity, progress)
        if search.random_dropout == 100 and search.memory_limit_bytes is None:  # mutants know no limit
            ranker = default_ranker(asked, workspace, subject.target, identity, progress)

    identity = on_given(identity, subject.spec, inputs, measure)

    def keep(found: Tried, tried: Sequence[Tried]) -> Scheduled:
        assert isinstance(found.step.outcome, Candidate)
        name, candidate, cost = found.step.rung.finder, found.step.outcome, found.cost
        if cost is not None:
            candidate = candidate.as_measured(cost)
            provenance = candidate.provenance
            record = Record(name=name, schedule=candidate.schedule, cost=cost.value, provenance=provenance)
            workspace.keep(record, subject.spec, identity)
        return Scheduled(
            subject=subject,
            name=name,
            rung=found.step.rung.label,
            candidate=candidate,
            cost=cost,
            unit=identity.unit,
            runnable=subject.target.machine is not None,
            tried=tuple(tried),
            predicted=found.predicted,
            manual=attempt.manual,
            files=export_texts(
                About.today(subject.spec, identity, cost and cost.value),
                subject,
                candidate.schedule,
                directory or workspace.texts(subject.spec, subject.target, measure.elsewhere and identity),
            ),
        )

    with contextlib.ExitStack() as stack:
        place = stack.enter_context(
            open_place(
                subject.target,
                measure,
                cluster=cluster,
                workers=usable_cores(),
                search_timeout_s=search_timeout_s,
                progress=progress,
            )
        )
        pool, session = stack.enter_context(place.pool()), None
        if measuring and subject.target.machine is not None:
            machine = stack.enter_context(place.machine())
            session = stack.enter_context(begin_session(machine, subject, inputs, workspace.cache))
            stack.enter_context(session.beside(pool.workers))
        memory = Searches(workspace.searches(subject.spec))
        wrong = known_wrong(subject.spec, identity, workspace, progress)
        attempt = Attempt(subject, pool, session, memory, search_timeout_s, progress, wrong=wrong)
        if ranker is not None and isinstance(search, Adams2019Options):
            attempt.ranked = _ranked(attempt, ranker, search, identity)
        try:
            found = _winner(attempt, search, quick)
        except (KeyboardInterrupt, HltuneError):
            best, better = attempt.best(), _better_known(workspace, subject.spec, identity, attempt)
            if better is not None:
                progress.note(f"ended early: {better}, so nothing is replaced")
            elif best is not None and (best.cost is not None or session is None):
                with contextlib.suppress(HltuneError):  # a full disk, which may be what has ended it
                    files = ", ".join(map(str, keep(best, attempt.tried).files))
                    progress.note(f"ended early: the best schedule so far, {best.step.rung.title}, is kept in {files}")
            raise
        finally:
            drop_refuted(attempt.measured(), subject.spec, identity, workspace, progress)
        verification = None
        if session is not None:
            verification = verified_against(session, subject.spec, progress)
            say_if_busy(session, subject.spec.name, progress)
        try:
            kept = keep(found, attempt.tried)
        except HltuneError:  # a full disk, say
            text = json.dumps(found.schedule and schedule_codec.to_json(found.schedule))
            progress.note(f"the schedule of {found.step.rung.label} was found, but could not be kept: {text}")
            raise
    if (better := _better_known(workspace, subject.spec, identity, attempt)) is not None:
        progress.note(f"{better}; `hltune export` of the same pipeline with -o DIRECTORY writes that one")
    return replace(kept, verification=verification)


def _better_known(workspace: Workspace, spec: PipelineSpec, machine: MachineId, attempt: Attempt) -> str | None:
    """Says what is best on record, if tuning left it after a comparison, or it costs less than all that was found."""
    found = attempt.best()
    if found is None or not isinstance(found.step.outcome, Candidate):
        return None
    cost, schedule = found.cost, found.step.outcome.schedule
    if cost is not None:
        schedule = found.step.outcome.as_measured(cost).schedule
    with contextlib.suppress(InputError):
        best = workspace.best(spec, machine)
        if best.schedule == schedule or refutation(attempt.wrong, best.candidate) is not None:
            return None
        if best.name == TUNED and best.has_won:
            return f"{best.label} is on record and has won a comparison"
        if best.cost is not None and (cost is None or best.cost < cost.value):
            return f"{best.label} is on record and {'was measured' if cost is None else 'costs less'}"
    return None


def _ranked(attempt: Attempt, ranker: Pretrained, search: Adams2019Options, machine: MachineId) -> Ranked:
    from hltune.commands.ranked import Ranked  # LightGBM, which is not needed without a ranker

    return Ranked(
        attempt.subject,
        ranker,
        attempt.pool.workers,
        cores=machine.threads,
        seed=search.seed,
        budget_s=attempt.budget_s,
        counted=machine.unit.counted,
    )


def _winner(attempt: Attempt, search: SearchOptions, quick: Mullapudi2016Options) -> Tried:
    """The best that a search and its ladder found; where they found nothing, that of the most robust searches."""
    progress = attempt.progress
    attempt.climb(ladder(search, quick))
    attempt.rank()
    if (found := attempt.decide()) is None:
        known = {each.step.rung.label for each in attempt.tried}
        rest = [rung for rung in robust(quick) if rung.label not in known]
        progress.note(f"falling back to {' and '.join(rung.label for rung in rest)}")
        if isinstance(search, Adams2019Options) and search.memory_limit_bytes is not None:
            progress.note("from here on nothing keeps to --memory-limit: only Adams2019 knows it")
        attempt.climb(rest)
        found = attempt.decide()
    if found is None:
        reasons = {f"{each.step.rung.label}: {each.failure}": None for each in attempt.tried}
        failures = [each.failure for each in attempt.tried if each.failure is not None]
        left = "all that is left is the default one, inlined, scalar and serial"
        if any(each.lacks_function for each in failures):
            left = "nor does the default one, which calls the same functions"
        raise HltuneError(
            f"no search found a schedule that works; {left}",
            where=attempt.subject.spec.name,
            found="; ".join(reasons),
            todo=_todo(attempt.subject.spec, failures),
        )
    return found


def _todo(spec: PipelineSpec, failures: Sequence[Failure]) -> str:
    """What may make a search find something."""
    loops = [var for func in spec.funcs for own in (func.args, *func.updates) for var in own]
    if dotted := [*dict.fromkeys(var for var in loops if "." in var)]:
        return f"give variables names without dots, for Halide's searches take no others: {', '.join(dotted)}"
    if any(each.lacks_function for each in failures):
        return "compute without these functions, by arithmetic or a table; or schedule for a target that has them"
    if (raised := limits_to_raise(failures)) is not None:
        return f"{raised}; or schedule for a smaller size (--estimate, or --size for a built-in benchmark)"
    return "mend what is named there, no limit was reached; or write a schedule yourself, which `hltune tune` takes"
