"""`hltune compare`: all known schedules of a pipeline side by side."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from hltune.commands.choice import unknown_schedules
from hltune.commands.on_record import drop_once_wrong, drop_refuted
from hltune.commands.once_wrong import judged, known_wrong, refutation, working
from hltune.commands.place import begin_session, open_place
from hltune.commands.verification import verified_against
from hltune.machine.bandwidth import bound_of
from hltune.machine.given import on_given
from hltune.machine.inputs import Inputs
from hltune.machine.open import identify
from hltune.machine.options import MeasureOptions
from hltune.machine.quiet import say_if_busy
from hltune.machine.verify import Verification
from hltune.runtime.progress import Progress
from hltune.runtime.worker import usable_cores
from hltune.search.autoschedulers import Adams2019Options
from hltune.search.climb import Step, by_finder, climb
from hltune.search.ladder import baselines, beams
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, Measurement
from hltune.values.errors import Failure, InputError
from hltune.values.provenance import Named
from hltune.values.unit import Unit
from hltune.workspace.default_weights import with_default_weights
from hltune.workspace.record import TUNED
from hltune.workspace.records import Workspace
from hltune.workspace.rows import Row, fastest_first, without_twins
from hltune.workspace.searches import Searches
from hltune.workspace.subject import DEFAULT, Subject

OTHER_WEIGHTS = "adams2019+weights"
"""Name of what beam search finds with other weights than the built-in ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The schedules of one pipeline, the fastest first, failures last.

    Attributes:
        bandwidth_bound: cost of a parallel, vectorised copy that moves as many bytes; see `bound_of`.
        rungs: which search found an autoscheduler's schedule, by the name of its row, and why no larger one did.
        verification: what outputs were verified against.
    """

    subject: Subject
    rows: tuple[Row, ...]
    unit: Unit
    bandwidth_bound: float | None
    rungs: Mapping[str, str] = field(default_factory=dict[str, str])
    verification: Verification | None = None

    @property
    def best(self) -> Cost | None:
        """Cost of the fastest verified schedule."""
        return next((row.cost for row in self.rows if row.cost), None)

    @property
    def only_default(self) -> bool:
        """No schedule works but the one without directives, which is none."""
        return {row.name for row in self.rows if row.cost} <= {DEFAULT}


def compare(
    subject: Subject,
    adams2019: Adams2019Options,
    *,
    search_timeout_s: float,
    asked: Sequence[str],
    workspace: Workspace,
    measure: MeasureOptions,
    inputs: Inputs,
    progress: Progress,
    cluster: str | None = None,
) -> Comparison:
    """Finds and measures all schedules of a pipeline, those on record included, and keeps what was verified.

    Args:
        adams2019: options of the beam search; with weights, it is done with the built-in ones as well.
        asked: names, ids and files of schedules to compare as well.
        cluster: the computers that search, on one of which all are measured; None for this one.

    Raises:
        InputError: the inputs do not fit the pipeline, code for the target does not run on this machine, or two
            schedules have the same name.
    """
    for note in subject.notes:
        progress.note(f"{subject.spec.name}: {note}")
    machine_id = identify(subject.target, measure)
    adams2019 = with_default_weights(adams2019, workspace, subject.target, machine_id, progress)
    spec = subject.spec
    key = on_given(machine_id, spec, inputs, measure)
    records = workspace.records(subject.spec, key)
    recorded = {TUNED if record.name == TUNED else record.label: record for record in records}
    candidates = subject.known_by_name()
    others = () if adams2019.weights is None else beams(adams2019, OTHER_WEIGHTS)
    rungs = baselines(adams2019, others)
    finders = {rung.finder for rung in rungs}
    others_asked_for = unknown_schedules(subject, asked, workspace, key)
    _check_names([*{*candidates, *finders, OTHER_WEIGHTS, TUNED, *recorded}, *others_asked_for])
    with (
        open_place(
            subject.target,
            measure,
            cluster=cluster,
            workers=usable_cores(),
            search_timeout_s=search_timeout_s,
            progress=progress,
        ) as place,
        place.machine() as machine,
        begin_session(machine, subject, inputs, workspace.cache) as session,
    ):
        progress.phase(f"searching schedules for {subject.spec.name}, at most {search_timeout_s:g} s")
        memory = Searches(workspace.searches(subject.spec))
        with place.pool() as pool:
            target = subject.target.name
            steps = list(climb(pool, spec, target, rungs, budget_s=search_timeout_s, memory=memory))
        verification = verified_against(session, subject.spec, progress)
        found = by_finder(steps)
        candidates |= _candidates(found)
        schedules = [each.schedule for each in candidates.values()]
        for label, record in recorded.items():
            if label == TUNED or record.schedule not in schedules:
                candidates[label] = Candidate(schedule=record.schedule, provenance=record.provenance)
        for name, schedule in others_asked_for.items():
            candidates[name] = Candidate(schedule=schedule, provenance=Named(name=name))
        wrong = known_wrong(spec, key, workspace, progress)
        able, failed = working(candidates, wrong)
        progress.phase(f"measuring {len(able)} schedules for {spec.name}")
        measured, bound = session.measure_with_bound({name: each.schedule for name, each in able.items()})
        verdicts = [(able[name].schedule, each) for name, each in measured.items()]
        measured = {name: judged(able[name].schedule, each, wrong) for name, each in measured.items()} | failed
        later: set[str] = set()
        while smaller := _smaller(found, measured):  # what the largest search found does not work
            candidates |= smaller
            later |= smaller.keys()
            able, failed = working(smaller, wrong)
            apart = session.measure({name: each.schedule for name, each in able.items()}) if able else {}
            verdicts += [(able[name].schedule, each) for name, each in apart.items()]
            of_these = {name: judged(able[name].schedule, each, wrong) for name, each in apart.items()}
            measured |= failed | {name: _of_another_moment(each) for name, each in of_these.items()}
        say_if_busy(session, subject.spec.name, progress)
    measured |= {name: each[0].outcome for name, each in found.items() if isinstance(each[0].outcome, Failure)}
    recorders = {label: record.name for label, record in recorded.items()}
    rows = [Row.of(name, recorders.get(name, name), candidates.get(name), each) for name, each in measured.items()]
    rows = fastest_first(without_twins(rows, {*recorded} - {TUNED}))
    refuted = drop_refuted(verdicts, spec, key, workspace, progress)
    drop_once_wrong(partial(refutation, wrong), spec, key, workspace, progress)
    known = {(record.name, record.schedule) for record in records if not record.elsewhere}
    unproven = {record.name for record in records if record.name == TUNED and not record.has_won}
    for row in rows:
        proven = row is rows[0] or row.finder not in unproven
        if (record := row.record(row.finder, compared=proven)) is not None and record.schedule not in refuted:
            try:
                workspace.keep(record, subject.spec, key, again=(record.name, record.schedule) in known)
            except InputError as error:  # a full disk takes no comparison away
                progress.note(f"{record.name} is not kept: {error}")
    return Comparison(
        subject=subject,
        unit=key.unit,
        rows=tuple(rows),
        bandwidth_bound=bound_of(bound, subject.spec),
        rungs=_remarks(steps, found, later),
        verification=verification,
    )


def _candidates(found: Mapping[str, list[Step]]) -> dict[str, Candidate]:
    """What the largest search of each finder found."""
    largest = {name: steps[0].outcome for name, steps in found.items()}
    return {name: outcome for name, outcome in largest.items() if isinstance(outcome, Candidate)}


def _smaller(found: Mapping[str, list[Step]], measured: Mapping[str, Measurement]) -> dict[str, Candidate]:
    """What the next smaller search found, of those finders whose schedule failed; forgets the larger one."""
    failed = {name for name in found if isinstance(measured.get(name), Failure)}
    again = {name: found[name] for name in failed if len(found[name]) > 1}
    for steps in again.values():
        del steps[0]
    return _candidates(again)


def _of_another_moment(found: Measurement) -> Measurement:
    """Its turns belong to those of no other schedule, so that there is nothing to compare turn by turn."""
    if isinstance(found, Failure):
        return found
    return replace(found, turns=(tuple(itertools.chain.from_iterable(found.turns)),))


def _remarks(steps: Sequence[Step], found: Mapping[str, list[Step]], later: Collection[str]) -> dict[str, str]:
    """Which search each schedule comes from, why a larger one does not count, and whose times are of a later moment."""
    remarks: dict[str, str] = {}
    for name, (kept, *_) in found.items():
        larger = [each for each in steps if each.rung.finder == name and each.rung.effort > kept.rung.effort]
        why = [
            f"{each.rung.label}: {each.outcome if isinstance(each.outcome, Failure) else 'fails'}" for each in larger
        ]
        apart = ["measured later and not beside the others"] if name in later else []
        remarks[name] = "; ".join([kept.rung.label, *why[-1:], *apart])
    return remarks


def _check_names(names: Sequence[str]) -> None:
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputError(
            "two schedules of the same name", where="--schedule", found=", ".join(sorted(twice)), todo="rename the file"
        )
