"""`hltune tune`: measure candidates while the cost model learns from them."""

import contextlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hltune.commands.on_record import leaving_something
from hltune.commands.place import open_place
from hltune.commands.store import hold_store, lock_store
from hltune.commands.survivors import Survivors
from hltune.commands.tune_one import Call, Settled, Tuned
from hltune.machine.inputs import Inputs
from hltune.machine.open import identify
from hltune.machine.options import MeasureOptions
from hltune.runtime.progress import Progress
from hltune.tuning.keep import kept
from hltune.tuning.lanes import lanes_for
from hltune.tuning.options import TuneOptions
from hltune.tuning.rounds import Run, TuneProgress, part, take_rounds
from hltune.values.errors import HltuneError, InputError
from hltune.workspace.default_weights import default_ranker, with_default_weights
from hltune.workspace.records import Workspace
from hltune.workspace.subject import Subject

_NOTED_RATIO = 1.1
"""People are told if tuning took so many times as long as they had said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """The results of a run: of each pipeline that could be tuned, and what went wrong with any of them, by name."""

    results: tuple[Tuned, ...]
    failed: Mapping[str, HltuneError]


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
    _check(subjects, options, progress)
    target = subjects[0].target
    identity = identify(target, measure)
    asked = options.search.weights
    search = with_default_weights(options.search, workspace, target, identity, progress)
    ranker = default_ranker(asked, workspace, target, identity, progress)
    options = _with_workers(replace(options, search=search), subjects, measure, cluster)
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(lock_store(workspace.samples, progress))  # no search is in vain, and none disturbs
        call = Call(
            options=options,
            measure=measure,
            inputs=inputs,
            workspace=workspace,
            progress=progress,
            asked=asked,
            ranker=ranker,
            begun_s=time.monotonic(),
            command=command,
        )
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
        settled: list[Settled] = []
        for subject in subjects:
            with survivors.trying(subject.spec.name):
                settled.append(call.settle(subject, machine, pool, stack))
        todo = f"{options.again} goes on, and with --rounds 0 it compares what is known"
        store = stack.enter_context(hold_store(workspace.samples, progress, todo=todo, lock=lock))
        runs: dict[str, Run] = {}
        stack.enter_context(leaving_something(runs, workspace, progress))
        for number, each in enumerate(settled):
            with survivors.trying(name := each.subject.spec.name):
                runs[name] = call.open(each, store, pool)
                call.begin(runs[name], waiting=len(settled) - number)
                continue
            runs.pop(name, None)  # it is left out
        progress.begin(list(runs), unit=machine.identity.unit, end_s=call.end_s)
        take_rounds(runs, options, call.end_s, progress)
        results: list[Tuned] = []
        for number, (name, run) in enumerate(runs.items()):
            with survivors.trying(name):
                results.append(call.finish(run, store, end_s=part(call.end_s, len(runs) - number)))
        _say_if_late(call, progress)
        ended = {name: run.error for name, run in runs.items() if run.error is not None}
        return Tuning(results=tuple(results), failed={**ended, **survivors.failed})


def _check(subjects: Sequence[Subject], options: TuneOptions, progress: Progress) -> None:
    """Finds bad names before anything is measured."""
    name, count = Counter(subject.spec.name for subject in subjects).most_common(1)[0]
    if count > 1:
        raise InputError("two pipelines of the same name", found=name, todo="tune them one after the other")
    for subject in subjects:
        kept(subject, options.keep, options.only)
        for note in subject.notes:
            progress.note(f"{subject.spec.name}: {note}")


def _with_workers(
    options: TuneOptions, subjects: Sequence[Subject], measure: MeasureOptions, cluster: str | None
) -> TuneOptions:
    """Options for the computers that search and compile."""
    if measure.elsewhere is not None:
        return replace(options, workers=measure.elsewhere.threads)
    if cluster is not None:
        return options
    return replace(options, lanes=lanes_for([each.spec for each in subjects], options.workers))


def _say_if_late(call: Call, progress: Progress) -> None:
    taken_s = time.monotonic() - call.begun_s
    if taken_s > _NOTED_RATIO * call.total_s:
        said = f"this took {taken_s / 60:.1f} minutes, and not {call.total_s / 60:g}"
        progress.note(f"{said}: what had begun took longer than others made believe, or expected outputs did")
