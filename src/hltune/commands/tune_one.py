"""One pipeline of `hltune tune`: its expected outputs, its known schedules, its final comparison."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hltune import __version__
from hltune.commands.export import export_texts
from hltune.commands.on_record import drop_once_wrong, drop_refuted, leave_best
from hltune.commands.once_wrong import once_wrong
from hltune.commands.place import begin_session
from hltune.commands.verification import verified_against
from hltune.cost_model.adams2019.lineage import Lineage
from hltune.cost_model.pretrained import Pretrained
from hltune.machine.given import on_given
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Machine, Session
from hltune.machine.quiet import say_if_busy
from hltune.machine.verify import Verification
from hltune.samples.writer import Store
from hltune.search.pool import SearchPool
from hltune.tuning.contest import Contest
from hltune.tuning.drafts import Drafts
from hltune.tuning.finals import Finals, decide
from hltune.tuning.history import History
from hltune.tuning.keep import kept
from hltune.tuning.model import Model
from hltune.tuning.operators import Successes
from hltune.tuning.options import Budget, TuneOptions
from hltune.tuning.outlook import Expectation, Outlook
from hltune.tuning.round import Round
from hltune.tuning.rounds import Run, TuneProgress
from hltune.tuning.searcher import Searcher, climb_baselines
from hltune.tuning.tuner import Tuner
from hltune.values.about import About
from hltune.values.candidate import Candidate
from hltune.values.cost import count_repaired
from hltune.values.errors import Failure
from hltune.values.machine_id import MachineId
from hltune.values.provenance import Named
from hltune.values.reasons import Reason, reasons
from hltune.values.sample import PipelineRecord
from hltune.workspace.default_weights import initial_weights
from hltune.workspace.lines import add_line
from hltune.workspace.records import Workspace
from hltune.workspace.refuted import read_refuted
from hltune.workspace.rows import Row
from hltune.workspace.searches import Searches
from hltune.workspace.subject import Subject
from hltune.workspace.tunings import TuningCommand

_KNOWN_SHARE = 0.2
"""Share of the time that expected outputs and known schedules may take."""
_LEAST_KNOWN_SHARE = 0.1
"""Share of what is left that known schedules may take in any case: what they cost tells what is worth searching for."""
_TWINS_S = 5.0
"""How long finalists are lowered that were not lowered before."""


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


class Settled(NamedTuple):
    """A pipeline with its expected outputs, what its machine is known as with what is given, and how long that took."""

    subject: Subject
    session: Session
    machine: MachineId
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What the pipelines of one call share.

    Attributes:
        options: those of the tuning, with the weights that it begins with.
        asked: the weights that the user gave; None for the default ones.
        ranker: what was learned of random programs; None if nothing was.
        begun_s: when it began, of the monotonic clock.
        command: what the user typed, for reports; empty if nobody did.
    """

    options: TuneOptions
    measure: MeasureOptions
    inputs: Inputs
    workspace: Workspace
    progress: TuneProgress
    asked: Path | None
    ranker: Pretrained | None
    begun_s: float
    command: str

    @property
    def total_s(self) -> float:
        """How long it should take; infinite if time is no limit."""
        minutes = self.options.budget.minutes
        return math.inf if minutes is None else 60 * minutes

    @property
    def end_s(self) -> float:
        """When it should end, of the monotonic clock."""
        return self.begun_s + self.total_s

    def settle(self, subject: Subject, machine: Machine, pool: SearchPool, stack: contextlib.ExitStack) -> Settled:
        """Computes expected outputs, in a session that the stack will close, and searches meanwhile."""
        began_s = time.monotonic()
        self.progress.phase(f"{subject.spec.name}: expected outputs")
        given = on_given(machine.identity, subject.spec, self.inputs, self.measure)
        self.workspace.records(subject.spec, given)  # bad input is found before anything is changed or measured
        session = stack.enter_context(begin_session(machine, subject, self.inputs, self.workspace.cache))
        _search_meanwhile(session, subject, self.options, pool, self.workspace, end_s=self.end_s)
        verified_against(session, subject.spec, self.progress)
        return Settled(subject, session, given, time.monotonic() - began_s)

    def begin(self, run: Run, *, waiting: int) -> None:
        """Measures what is known of a pipeline.

        Args:
            waiting: how many pipelines are yet to begin, this one included: they share the time for it.
        """
        now_s = time.monotonic()
        left_s = max(self.begun_s + _KNOWN_SHARE * self.total_s - now_s, _LEAST_KNOWN_SHARE * (self.end_s - now_s))
        known = run.tuner.begin(self.progress, end_s=now_s + left_s / waiting)
        tuner = run.tuner
        drop_once_wrong(tuner.history.refuted, tuner.subject.spec, run.machine, self.workspace, self.progress)
        run.measured = len(known)
        run.failures += [each for each in known if isinstance(each, Failure)]
        run.repaired = count_repaired(known)
        run.seconds += time.monotonic() - now_s

    def _note(self, settled: Settled) -> None:
        """Notes the command, where somebody typed one, before anything is measured by it."""
        if not self.command:
            return
        seed, began_s = self.options.search.seed, time.time() - (time.monotonic() - self.begun_s)
        about = TuningCommand(command=self.command, seed=seed, began_s=began_s, hltune=__version__)
        add_line(self.workspace.tunings(settled.subject.spec, settled.machine), about)

    def open(self, settled: Settled, store: Store, pool: SearchPool) -> Run:
        """A pipeline before anything of it is measured, with what earlier runs have left."""
        subject, session, machine, seconds = settled
        spec, options = subject.spec, self.options
        lineage = Lineage(self.workspace.weights(spec, machine))
        parent = None if options.fresh else lineage.parent()
        folders = self.workspace.all_default_folders(machine)
        initial = initial_weights(self.asked, options.search.weights, subject.target, parent=parent, folders=folders)
        if options.fresh:  # only now: the weights that were asked for may be among these
            lineage.clear()
        if options.discard and spec.content_hash in store.pipelines():
            store.delete(spec.content_hash, machine.key)
        store.add_pipeline(PipelineRecord.of(spec))
        self._note(settled)
        limits = {"--compile-timeout": self.measure.compile_timeout_s, "--run-timeout": self.measure.run_timeout_s}
        keeps = kept(subject, options.keep, options.only)
        history = History(
            spec,
            machine,
            store,
            limits=limits,
            allowed=None if keeps is None else keeps.allows,
            wrong=once_wrong(spec, machine, self.workspace, store),
        )
        for schedule, failure in read_refuted(self.workspace.refuted(spec, machine), machine.cpu):
            history.refute(Candidate(schedule=schedule, provenance=Named(name="refuted")), failure)
        # Another run does not repeat what this one leaves to chance.
        rng = np.random.default_rng([options.search.seed, len(history)])
        tuner = Tuner(
            subject=subject,
            options=options,
            measure=self.measure,
            history=history,
            model=Model(spec, machine.key, initial, lineage, freeze=options.freeze),
            session=session,
            searcher=Searcher(subject, options, pool, rng, Searches(self.workspace.searches(spec))),
            drafts=Drafts(spec, subject.target, machine.threads, pool.workers, history, self.ranker),
            rng=rng,
            kept=keeps,
        )
        earlier = store.round_costs(spec.content_hash, machine.key) if keeps is None else ()
        return Run(tuner=tuner, session=session, machine=machine, lineage=lineage, earlier=earlier, seconds=seconds)

    def finish(self, run: Run, store: Store, *, end_s: float) -> Tuned:
        """The final comparison of a pipeline, which should end at this time, and what is kept and written of it."""
        began_s = time.monotonic()
        tuner, subject = run.tuner, run.tuner.subject
        spec = subject.spec
        self.progress.phase(f"{spec.name}: final comparison")
        finals = self._decide(run, end_s - began_s)
        say_if_busy(run.session, spec.name, self.progress)
        taken = leave_best(run, finals, self.workspace, self.progress, again=self.options.again)
        folder = self.workspace.texts(spec, subject.target, self.measure.elsewhere and run.machine)
        return Tuned(
            subject=subject,
            machine=run.machine,
            rounds=tuple(run.rounds),
            finals=replace(finals, same_program=_twins(finals, tuner)),
            measured=run.measured,
            failed=len(run.failures),
            reasons=reasons(run.failures),
            repaired=run.repaired,
            known=sum(each.known for each in run.rounds),
            distinct=len(tuner.history),
            seconds=run.seconds + time.monotonic() - began_s,
            weights=run.lineage.path("best"),
            history=store.history(spec.content_hash, run.machine.key),
            successes=tuner.successes,
            expected=run.expected,
            outlook=run.outlook,
            files=export_texts(About.today(spec, run.machine, taken.cost), subject, taken.schedule, folder),
            verification=run.session.verification,
            again=self.options.again,
            budget=self.options.budget,
        )

    def _decide(self, run: Run, time_s: float) -> Finals:
        """Compares as many as there is time for."""
        tuner, spec = run.tuner, run.tuner.subject.spec
        # A comparison is of what --keep and --only allow.
        records = tuner.allowed(self.workspace.records(spec, run.machine))
        most = tuner.pace.finalists(time_s, side_by_side=run.session.side_by_side)
        if not most and not run.machine.unit.counted:  # what is counted needs no other one beside it
            again = f"{self.options.again}, with --rounds 0, makes one"
            self.progress.note(f"{spec.name}: no time for a final comparison; {again}")
        contest = Contest(
            pipeline=spec.name,
            references=tuner.references,
            failed_now=tuner.failed,
            best=tuner.history.ranked(self.options.finalists, distinct=True),
            records=records,
            cost=tuner.history.cost_of,
            refuted=tuner.history.refuted,
            unit=run.machine.unit,
        )
        return decide(run.session, contest, most=most, told=partial(self._take_note, run))

    def _take_note(self, run: Run, rows: Sequence[Row]) -> None:
        """What has turned out wrong is neither handed out nor gone on from, nor are times too good to be true.

        What works after all is kept.
        """
        tuner = run.tuner
        verdicts = [(row.schedule, row.measurement) for row in rows if row.schedule is not None]
        drop_refuted(verdicts, tuner.subject.spec, run.machine, self.workspace, self.progress)
        for row in rows:
            if row.candidate and row.failure and row.failure.is_wrong and row.name not in tuner.failed:
                tuner.history.refute(row.candidate, row.failure)
            elif row.candidate and row.cost:
                tuner.history.keep_finalist(row.candidate, row.cost)
        tuner.history.correct([(row.candidate, row.cost) for row in rows if row.candidate and row.cost])


def _search_meanwhile(
    session: Session, subject: Subject, options: TuneOptions, pool: SearchPool, workspace: Workspace, *, end_s: float
) -> None:
    """Halide's autoschedulers search while expected outputs are computed; what they find is remembered for later."""
    if kept(subject, options.keep, options.only) is not None:  # else searches have no say
        return
    memory = Searches(workspace.searches(subject.spec))
    steps = climb_baselines(subject, options, pool, memory, end_s=end_s, until=session.settled)
    deque(steps, maxlen=0)


def _twins(finals: Finals, tuner: Tuner) -> tuple[str, ...]:
    """Who comes to the winner's program, such as the expert, whom it was found without."""
    own, *others = (row for row in finals.rows if row.cost and row.schedule is not None)
    schedules = {row.name: row.schedule for row in others if row.schedule is not None}
    assert own.schedule is not None
    return tuner.drafts.same_program(own.schedule, schedules, end_s=time.monotonic() + _TWINS_S)
