"""`hltune tune`: measure candidates while the cost model learns from them."""

import contextlib
import math
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hltune import __version__
from hltune.commands.export import export_texts
from hltune.commands.on_record import drop_once_wrong, drop_refuted, leaving_something, put_on_record
from hltune.commands.place import begin_session, open_place
from hltune.commands.store import hold_store, lock_store
from hltune.commands.survivors import Survivors
from hltune.commands.verification import verified_against
from hltune.cost_model.adams2019.lineage import Lineage
from hltune.cost_model.pretrained import Pretrained
from hltune.machine.given import on_given
from hltune.machine.inputs import Inputs
from hltune.machine.open import identify
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Session
from hltune.machine.quiet import say_if_busy
from hltune.machine.verify import Verification
from hltune.runtime.progress import Progress
from hltune.samples.writer import Store
from hltune.search.pool import SearchPool
from hltune.tuning.drafts import Drafts
from hltune.tuning.finals import Finals, decide
from hltune.tuning.history import History
from hltune.tuning.keep import kept
from hltune.tuning.lanes import lanes_for
from hltune.tuning.model import Model
from hltune.tuning.operators import Successes
from hltune.tuning.options import Budget, TuneOptions
from hltune.tuning.outlook import Expectation, Outlook
from hltune.tuning.round import Round
from hltune.tuning.rounds import Run, TuneProgress, part, take_rounds
from hltune.tuning.searcher import Searcher, climb_baselines
from hltune.tuning.tuner import Tuner
from hltune.values.about import About
from hltune.values.cost import count_repaired
from hltune.values.errors import Failure, HltuneError, InputError
from hltune.values.machine_id import MachineId
from hltune.values.reasons import Reason, reasons
from hltune.values.sample import PipelineRecord
from hltune.workspace.default_weights import default_ranker, initial_weights, with_default_weights
from hltune.workspace.records import TUNED, Workspace
from hltune.workspace.rows import Row
from hltune.workspace.searches import Searches
from hltune.workspace.subject import Subject
from hltune.workspace.tunings import TuningCommand, note_tuning

_KNOWN_SHARE = 0.2
"""Share of the time that expected outputs and known schedules may take."""
_LEAST_KNOWN_SHARE = 0.1
"""Share of what is left that known schedules may take in any case: what they cost tells what is worth searching for."""

_TWINS_S = 5.0
"""How long finalists are lowered that were not lowered before."""
_NOTED_RATIO = 1.1
"""People are told if tuning took so many times as long as they had said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """The results of a run: of each pipeline that could be tuned, and what went wrong with any of them, by name."""

    results: tuple["Tuned", ...]
    failed: Mapping[str, HltuneError]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """The result for one pipeline; its rounds are those of this run.

    Attributes:
        measured: how many were measured in this run, failed ones included.
        reasons: why they failed, the commonest first.
        repaired: how many of them were changed first, so that they stay inside of their images.
        known: schedules that searches found and that had been measured before.
        distinct: schedules in the store that were measured on this machine, in all runs.
        seconds: wall time that went into this pipeline.
        weights: the file with which beam search finds the fastest schedule; None if there are only the initial ones.
        history: times of measurement, in seconds since 1970, and running times, in seconds, of all runs.
        files: the fastest schedule in the forms of text.
        successes: how often each way to change a schedule made it faster, in all runs.
        expected: what was expected of the rounds; None without rounds.
        outlook: what the rounds of all runs say about further ones.
        verification: what outputs were verified against.
        again: what goes on where this run ended, see `TuneOptions`.
        budget: when the run was to stop.
    """

    subject: Subject
    machine: MachineId
    rounds: tuple[Round, ...]
    finals: Finals
    measured: int
    failed: int
    reasons: tuple[Reason, ...]
    repaired: int
    known: int
    distinct: int
    seconds: float
    weights: Path | None
    history: tuple[tuple[float, float], ...]
    files: tuple[Path, ...]
    successes: Successes
    expected: Expectation | None
    outlook: Outlook
    verification: Verification | None = None
    again: str = "the same command"
    budget: Budget = field(default_factory=Budget)

    @property
    def samples_per_minute(self) -> float:
        """Measurements of this run, all its wall time counted."""
        return self.measured / self.seconds * 60


def tune(
    subjects: Sequence[Subject],
    options: TuneOptions,
    *,
    workspace: Workspace,
    measure: MeasureOptions,
    inputs: Inputs,
    progress: TuneProgress,
    cluster: str | None = None,
    command: str = "",
) -> Tuning:
    """Tunes pipelines until the budget is spent; keeps the fastest schedule of each as `TUNED`, and writes it.

    What was measured stays in the store, however this ends; the next run goes on from there. Of several pipelines, one
    that does not run is left out.

    Args:
        cluster: the computers that search and measure; None for this one.
        command: what the user typed, for reports; empty if nobody did.

    Raises:
        InputError: the inputs do not fit, code for the target does not run here, another run writes to the workspace,
            or what earlier runs left is damaged.
        HltuneError: no pipeline runs at all.
    """
    name, count = Counter(subject.spec.name for subject in subjects).most_common(1)[0]
    if count > 1:
        raise InputError("two pipelines of the same name", found=name, todo="tune them one after the other")
    for subject in subjects:
        kept(subject, options.keep, options.only)  # bad names are found before anything is measured
        for note in subject.notes:
            progress.note(f"{subject.spec.name}: {note}")
    target = subjects[0].target
    identity = identify(target, measure)
    asked = options.search.weights
    search = with_default_weights(options.search, workspace, target, identity, progress)
    ranker = default_ranker(asked, workspace, target, identity, progress)
    options = replace(options, search=search)
    if measure.elsewhere is not None:
        options = replace(options, workers=measure.elsewhere.threads)
    elif cluster is None:
        options = replace(options, lanes=lanes_for([each.spec for each in subjects], options.workers))
    minutes = options.budget.minutes
    total_s = math.inf if minutes is None else 60 * minutes
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(lock_store(workspace.samples, progress))  # no search is in vain, and none disturbs
        begun_s = time.monotonic()
        end_s = begun_s + total_s
        place = stack.enter_context(
            open_place(
                target,
                measure,
                cluster=cluster,
                workers=options.workers,
                lanes=options.lanes,
                search_timeout_s=options.search_timeout_s,
                progress=progress,
            )
        )
        machine, pool = stack.enter_context(place.machine()), stack.enter_context(place.pool())
        survivors = Survivors(len(subjects), lambda name, error: progress.note(f"{name} is left out. {error}"))
        sessions: list[tuple[Subject, Session, MachineId]] = []
        for subject in subjects:  # bad input is found before anything is changed or measured
            progress.phase(f"{subject.spec.name}: expected outputs")
            with survivors.trying(subject.spec.name):
                given = on_given(machine.identity, subject.spec, inputs, measure)
                workspace.records(subject.spec, given)
                session = stack.enter_context(begin_session(machine, subject, inputs, workspace.cache))
                _search_meanwhile(session, subject, options, pool, workspace, end_s=end_s)
                verified_against(session, subject.spec, progress)
                sessions.append((subject, session, given))
        todo = f"{options.again} goes on, and with --rounds 0 it compares what is known"
        store = stack.enter_context(hold_store(workspace.samples, progress, todo=todo, lock=lock))
        runs: dict[str, Run] = {}
        stack.enter_context(leaving_something(runs, workspace, progress))
        for number, (subject, session, given) in enumerate(sessions):
            now_s = time.monotonic()
            with survivors.trying(subject.spec.name):
                run = _open(subject, session, given, options, measure, workspace, store, pool, ranker, asked)
                left_s = max(begun_s + _KNOWN_SHARE * total_s - now_s, _LEAST_KNOWN_SHARE * (end_s - now_s))
                known = run.tuner.begin(progress, end_s=now_s + left_s / (len(sessions) - number))
                drop_once_wrong(run, workspace, progress)
                run.measured = len(known)
                run.failures += [each for each in known if isinstance(each, Failure)]
                run.repaired = count_repaired(known)
                run.seconds = time.monotonic() - now_s
                runs[subject.spec.name] = run
                if command:
                    about = TuningCommand(
                        command=command, seed=search.seed, began_s=time.time() - (now_s - begun_s), hltune=__version__
                    )
                    note_tuning(workspace.tunings(subject.spec, given), about)
        progress.begin(list(runs), unit=machine.identity.unit, end_s=end_s)
        take_rounds(runs, options, end_s, progress)
        results: list[Tuned] = []
        for number, (name, run) in enumerate(runs.items()):
            with survivors.trying(name):
                part_s = part(end_s, len(runs) - number)
                results.append(_finish(run, options, measure, workspace, store, progress, end_s=part_s))
        taken_s = time.monotonic() - begun_s
        if minutes is not None and taken_s > _NOTED_RATIO * total_s:
            said = f"this took {taken_s / 60:.1f} minutes, and not {minutes:g}"
            progress.note(f"{said}: what had begun took longer than others made believe, or expected outputs did")
        ended = {name: run.error for name, run in runs.items() if run.error is not None}
        return Tuning(results=tuple(results), failed={**ended, **survivors.failed})


def _search_meanwhile(
    session: Session, subject: Subject, options: TuneOptions, pool: SearchPool, workspace: Workspace, *, end_s: float
) -> None:
    """Halide's autoschedulers search while expected outputs are computed; what they find is remembered for later."""
    if kept(subject, options.keep, options.only) is not None:  # else searches have no say
        return
    memory = Searches(workspace.searches(subject.spec))
    steps = climb_baselines(subject, options, pool, memory, end_s=end_s, until=session.settled)
    deque(steps, maxlen=0)


def _open(
    subject: Subject,
    session: Session,
    machine: MachineId,
    options: TuneOptions,
    measure: MeasureOptions,
    workspace: Workspace,
    store: Store,
    pool: SearchPool,
    ranker: Pretrained | None,
    asked: Path | None,
) -> Run:
    lineage = Lineage(workspace.weights(subject.spec, machine))
    if options.fresh:
        lineage.clear()
    if options.discard and subject.spec.content_hash in store.pipelines():
        store.delete(subject.spec.content_hash, machine.key)
    store.add_pipeline(PipelineRecord.of(subject.spec))
    initial = initial_weights(
        asked,
        options.search.weights,
        subject.target,
        parent=lineage.parent(),
        folders=workspace.all_default_folders(machine),
    )
    limits = {"--compile-timeout": measure.compile_timeout_s, "--run-timeout": measure.run_timeout_s}
    keeps = kept(subject, options.keep, options.only)
    history = History(subject.spec, machine, store, limits=limits, allowed=None if keeps is None else keeps.allows)
    # Another run does not repeat what this one leaves to chance.
    rng = np.random.default_rng([options.search.seed, len(history)])
    tuner = Tuner(
        subject=subject,
        options=options,
        measure=measure,
        history=history,
        model=Model(subject.spec, machine.key, initial, lineage, freeze=options.freeze),
        session=session,
        searcher=Searcher(subject, options, pool, rng, Searches(workspace.searches(subject.spec))),
        drafts=Drafts(subject.spec, subject.target, machine.threads, pool.workers, history, ranker),
        rng=rng,
        kept=keeps,
    )
    earlier = store.round_costs(subject.spec.content_hash, machine.key) if keeps is None else ()
    return Run(tuner=tuner, session=session, machine=machine, lineage=lineage, earlier=earlier)


def _finish(
    run: Run,
    options: TuneOptions,
    measure: MeasureOptions,
    workspace: Workspace,
    store: Store,
    progress: Progress,
    *,
    end_s: float,
) -> Tuned:
    began_s = time.monotonic()
    tuner, subject = run.tuner, run.tuner.subject
    spec = subject.spec
    progress.phase(f"{spec.name}: final comparison")
    key = (spec.content_hash, run.machine.key)
    best = tuner.history.ranked(options.finalists, distinct=True)
    records = tuner.allowed(workspace.records(spec, run.machine))  # a comparison is of what --keep and --only allow
    most = tuner.pace.finalists(end_s - began_s, side_by_side=run.session.side_by_side)
    if not most and not run.machine.unit.counted:  # what is counted needs no other one beside it
        progress.note(f"{spec.name}: no time for a final comparison; {options.again}, with --rounds 0, makes one")
    finals = decide(
        run.session,
        tuner.references,
        tuner.failed,
        best,
        records,
        spec.name,
        cost=tuner.history.cost_of,
        refuted=tuner.history.refuted,
        unit=run.machine.unit,
        most=most,
        told=lambda rows: _take_note(rows, run, measure, workspace, progress),
    )
    say_if_busy(run.session, spec.name, progress)
    record = put_on_record(finals, spec, run.machine, workspace)
    if (taken := workspace.best(spec, run.machine)).schedule != record.schedule:
        why = "which won a comparison before" if taken.name == TUNED else "which has cost less"
        again = f"{options.again}, with --rounds 0, compares them"
        progress.note(f"{spec.name}: `run` and `export` take {taken.name}, {why}; {again}")
    finals = finals.knowing_twins(_twins(finals, tuner))
    folder = workspace.texts(spec, subject.target, measure.elsewhere and run.machine)
    return Tuned(
        subject=subject,
        machine=run.machine,
        rounds=tuple(run.rounds),
        finals=finals,
        measured=run.measured,
        failed=len(run.failures),
        reasons=reasons(run.failures),
        repaired=run.repaired,
        known=sum(each.known for each in run.rounds),
        distinct=len(tuner.history),
        seconds=run.seconds + time.monotonic() - began_s,
        weights=run.lineage.path("best"),
        history=store.history(*key),
        successes=tuner.successes,
        expected=run.expected,
        outlook=run.outlook,
        files=export_texts(About.today(spec, run.machine, record.cost), subject, record.schedule, folder),
        verification=run.session.verification,
        again=options.again,
        budget=options.budget,
    )


def _twins(finals: Finals, tuner: Tuner) -> tuple[str, ...]:
    """Who comes to the winner's program, such as the expert, whom it was found without."""
    own, *others = (row for row in finals.rows if row.cost and row.schedule is not None)
    schedules = {row.name: row.schedule for row in others if row.schedule is not None}
    assert own.schedule is not None
    return tuner.drafts.same_program(own.schedule, schedules, end_s=time.monotonic() + _TWINS_S)


def _take_note(
    rows: Sequence[Row], run: Run, measure: MeasureOptions, workspace: Workspace, progress: Progress
) -> None:
    """What has turned out wrong is neither handed out nor gone on from; what works after all is kept."""
    tuner = run.tuner
    verdicts = [(row.schedule, row.measurement) for row in rows if row.schedule is not None]
    drop_refuted(verdicts, tuner.subject.spec, run.machine, measure, workspace, progress)
    for row in rows:
        if row.candidate and row.failure and row.failure.is_wrong and row.name not in tuner.failed:
            tuner.history.refute(row.candidate, row.failure)
        elif row.candidate and row.cost:
            tuner.history.keep_finalist(row.candidate, row.cost)
