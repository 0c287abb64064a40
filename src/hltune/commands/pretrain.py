"""`hltune pretrain`: learn from random programs what this machine is like."""

import contextlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from hltune.commands.place import Place, open_place
from hltune.commands.samples import ID_DIGITS, Chosen, lower_missing
from hltune.commands.store import hold_store, lock_store
from hltune.cost_model.adams2019.lineage import Lineage, read_stored
from hltune.cost_model.adams2019.weights import Weights, builtin_weights, random_weights, weights_hash
from hltune.cost_model.ranker_file import Rankers, read_ranker
from hltune.machine.open import caches_of, identify, resolve
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Machine
from hltune.pipeline.target import TargetInfo
from hltune.pretraining.batch import Batch, Batcher
from hltune.pretraining.journal import Journal, read_journal
from hltune.pretraining.learning import Checkpoint, Learning
from hltune.pretraining.options import PretrainOptions
from hltune.pretraining.others import Others
from hltune.pretraining.plan import Plan, plan
from hltune.pretraining.ranking import RankerCheckpoint, Ranking
from hltune.pretraining.replay import Replay
from hltune.pretraining.trials import SEARCH_TIMEOUT_S, RejectedError, Trials
from hltune.runtime.files import check_writable
from hltune.runtime.progress import Progress
from hltune.runtime.worker import Worker, usable_cores
from hltune.samples.reader import Reader
from hltune.samples.writer import Store
from hltune.search.pool import SearchPool
from hltune.suite.catalog import FILTERS
from hltune.values.errors import InputError
from hltune.workspace.default_weights import initial_weights
from hltune.workspace.records import Workspace
from hltune.workspace.subject import SubjectOptions, load_subject

_JOURNAL = "pretraining.json"
_BENCHMARK_SAMPLES = 32
_BENCHMARK_NUMBER = 10**6
"""Keeps their seeds apart from those of batches."""
_GUESSED_S = 15.0
"""Seconds of a batch, where none was ever measured."""


class PretrainProgress(Progress, Protocol):
    """Somebody who is told about batches as well."""

    def begin(self, *, done: int, batches: int, end_s: float) -> None:
        """Batches begin: so many are done, of so many, and none begins after this time of the monotonic clock."""
        ...

    def batch_done(self, batch: Batch, journal: Journal) -> None:
        """A batch is complete and on disk."""
        ...

    def checkpoint_done(self, checkpoint: Checkpoint) -> None:
        """New weights are on disk."""
        ...

    def ranker_done(self, checkpoint: RankerCheckpoint) -> None:
        """A new ranker is on disk."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretrained:
    """What all runs did, and this one: its batches, wall time and last checkpoint.

    Attributes:
        ranker: the last one; None as long as there are too few programs to learn from.
        default: where the weights are the workspace's default; None if they are not.
        store: file of the samples.
    """

    journal: Journal
    batches: tuple[Batch, ...]
    checkpoint: Checkpoint
    ranker: RankerCheckpoint | None
    seconds: float
    default: Path | None
    store: Path


def pretrain(
    options: PretrainOptions,
    *,
    target: str,
    workspace: Workspace,
    measure: MeasureOptions,
    use: bool,
    progress: PretrainProgress,
    cluster: str | None = None,
) -> Pretrained:
    """Measures batches and learns from them until there are enough, or time is up.

    Every batch is on disk before the next one begins, and every checkpoint has all that a later run needs.

    Args:
        cluster: the computers that search and measure; None for this one. Other kinds than that of the run measure the
            same programs for themselves.

    Raises:
        InputError: the target does not run here, or what earlier runs left is damaged or has other settings.
    """
    info = resolve(target, measure.elsewhere)
    check_writable(workspace.root)
    began_s = time.monotonic()
    end_s = math.inf if options.minutes is None else began_s + 60 * options.minutes
    with contextlib.ExitStack() as stack:
        # Nothing is read, changed or begun that another run may be busy with, the journal included.
        lock = stack.enter_context(lock_store(workspace.samples, progress))
        place = stack.enter_context(
            open_place(
                info,
                measure,
                cluster=cluster,
                workers=usable_cores(),
                search_timeout_s=SEARCH_TIMEOUT_S,
                progress=progress,
                others=target,
            )
        )
        machine, pool = stack.enter_context(place.machine()), stack.enter_context(place.pool())
        todo = "the same command goes on"
        store = stack.enter_context(hold_store(workspace.samples, progress, todo=todo, lock=lock))
        run = _open(stack, options, info, place, machine, pool, workspace, store, caches_of(info, measure))
        _lower_again(run, store, progress, end_s=(time.monotonic() + end_s) / 2)
        hashes = _measure_benchmarks(run, workspace, progress) if options.benchmarks else []
        progress.begin(done=run.journal.batches, batches=options.batches, end_s=end_s)
        batches: list[Batch] = []
        checkpoint: Checkpoint | None = None
        ranker: RankerCheckpoint | None = None
        while run.journal.batches < options.batches and time.monotonic() < end_s:
            batch = run.batcher.run(run.journal.batches, run.learning.weights, progress)
            run.journal = run.journal.after(batch)
            run.journal.write(run.journal_path)
            batches.append(batch)
            progress.batch_done(batch, run.journal)
            if run.journal.batches % options.checkpoint_batches == 0:
                checkpoint = _checkpoint(run, hashes, progress)
                if run.ranking.due(run.journal.batches):
                    ranker = _rank(run, hashes, progress)
        if checkpoint is None or checkpoint.batches < run.journal.batches:
            checkpoint = _checkpoint(run, hashes, progress)
        if ranker is None or ranker.batches < run.journal.batches:
            ranker = _rank(run, hashes, progress)
        for other, count in run.batcher.others.measured.items():
            progress.note(f"{count} schedules were measured for {other.cpu} ({other.key}) as well")
        default = None
        if use and run.journal.batches:
            default = _use(workspace.default_folder(machine.identity), checkpoint, ranker)
        elif use:
            progress.note("the default stays as it was, for there was no time for a batch; give more --minutes")
    return Pretrained(
        journal=run.journal,
        batches=tuple(batches),
        checkpoint=checkpoint,
        ranker=ranker,
        seconds=time.monotonic() - began_s,
        default=default,
        store=workspace.samples,
    )


def plan_pretraining(
    options: PretrainOptions,
    pipelines: int,
    hours: float,
    *,
    target: str,
    workspace: Workspace,
    measure: MeasureOptions,
    progress: Progress,
) -> Plan:
    """Says whether to pre-train or to tune; measures nothing and writes nothing."""
    info = resolve(target, measure.elsewhere)
    machine = identify(info, measure)
    journal, path = None, workspace.pretrained(machine) / _JOURNAL
    try:
        journal = read_journal(path)
    except InputError as error:
        progress.note(f"how long a batch took is not known, {_GUESSED_S:g} s are guessed. {path}: {error.what}")
    seconds = journal.seconds / journal.batches if journal and journal.batches else _GUESSED_S
    with Reader(workspace.samples) as reader:
        return plan(
            reader,
            machine,
            _initial_weights(options, info, journal),
            pipelines=pipelines,
            hours=hours,
            seconds_per_program=seconds,
        )


@dataclass(slots=True, kw_only=True)
class _Run:
    """What a run works with, and how far it has come."""

    options: PretrainOptions
    target: TargetInfo
    batcher: Batcher
    replay: Replay
    learning: Learning
    ranking: Ranking
    initial: Weights
    journal: Journal
    journal_path: Path


def _open(
    stack: contextlib.ExitStack,
    options: PretrainOptions,
    target: TargetInfo,
    place: Place,
    machine: Machine,
    pool: SearchPool,
    workspace: Workspace,
    store: Store,
    caches: tuple[int, ...],
) -> _Run:
    directory = workspace.pretrained(machine.identity)
    lineage, rankers, journal_path = Lineage(directory), Rankers(directory), directory / _JOURNAL
    found = None if options.fresh else read_journal(journal_path)
    initial = _initial_weights(options, target, found)
    if options.fresh:  # only now: the weights that were asked for may be among these
        lineage.clear()
        rankers.clear()
        journal_path.unlink(missing_ok=True)
    journal = _journal(journal_path, found, options, initial)
    maker = stack.enter_context(Worker(preload=("halide",), recycle_after=1))
    replay = Replay(store, machine.identity)
    learning = Learning(options, initial, replay=replay, lineage=lineage)
    trials = Trials(
        options=options,
        initial=builtin_weights() if options.from_scratch else initial,
        target=target,
        machine=machine,
        pool=pool,
        store=store,
        caches=caches,
    )
    batcher = Batcher(trials=trials, others=Others(place.others, partial(_on, trials)), maker=maker)
    return _Run(
        options=options,
        target=target,
        batcher=batcher,
        replay=replay,
        learning=learning,
        ranking=Ranking(replay=replay, rankers=rankers, seed=options.search.seed),
        initial=initial,
        journal=journal,
        journal_path=journal_path,
    )


def _on(trials: Trials, machine: Machine) -> Trials:
    """The same for another machine."""
    identity, options = machine.identity, trials.options
    search = replace(options.search, parallelism=identity.threads)
    target = resolve(identity.target)
    return replace(trials, options=replace(options, search=search), target=target, machine=machine, caches=())


def _initial_weights(options: PretrainOptions, target: TargetInfo, journal: Journal | None) -> Weights:
    if options.from_scratch:
        return random_weights(np.random.default_rng(options.search.seed))
    parent = None if journal is None else journal.initial_hash
    return initial_weights(options.search.weights, None, target, parent=parent)


def _journal(path: Path, found: Journal | None, options: PretrainOptions, initial: Weights) -> Journal:
    wanted = Journal(seed=options.search.seed, schedules=options.schedules, initial_hash=weights_hash(initial))
    if found is None:
        return wanted
    flags = ("seed", "--seed"), ("schedules", "--schedules"), ("initial_hash", "--weights with a file of SHA-256")
    for name, flag in flags:
        if getattr(found, name) != getattr(wanted, name):
            raise InputError(
                "pre-training began with other settings",
                where=str(path),
                expected=f"{flag}: {getattr(found, name)}",
                found=str(getattr(wanted, name)),
                todo="start over with --fresh, which keeps all samples, or give the same as before",
            )
    return found


def _measure_benchmarks(run: _Run, workspace: Workspace, progress: Progress) -> list[str]:
    """Sees to it that there are samples of each built-in benchmark to evaluate on; returns their hashes."""
    hashes: list[str] = []
    for index, benchmark in enumerate(FILTERS):
        progress.phase(f"samples of {benchmark.name}, to evaluate the weights on")
        spec = load_subject(SubjectOptions(pipeline=benchmark.name, target=run.target.name), workspace).spec
        known = sum(map(len, run.replay.read([spec.content_hash])))
        if known < _BENCHMARK_SAMPLES // 2 or not run.replay.groups([spec.content_hash]):
            try:
                number = _BENCHMARK_NUMBER + index
                run.batcher.trials.measure(spec, number, run.initial, progress, wanted=_BENCHMARK_SAMPLES)
            except RejectedError as rejection:
                progress.note(f"no samples of {benchmark.name}: {rejection}")
        hashes.append(spec.content_hash)
    return hashes


def _lower_again(run: _Run, store: Store, progress: Progress, *, end_s: float) -> None:
    """Programs without features, or with those of an earlier version, teach the ranker, once they are lowered."""
    names, machine = store.pipelines(), run.replay.machine
    for key in run.replay.unread():
        chosen = Chosen(name=names[key], hash=key, machine=machine)
        done = lower_missing(store, chosen, run.batcher.trials.pool.workers, progress, end_s=end_s)
        if done.failed and not done.programs:
            progress.note(f"{chosen.name} ({key[:ID_DIGITS]}) teaches nothing. {'; '.join(done.failed)}")


def _use(folder: Path, checkpoint: Checkpoint, ranker: RankerCheckpoint | None) -> Path:
    """Makes weights and ranker the machine's default; returns the file of the weights."""
    stored = read_stored(checkpoint.weights)
    # What was tuned from an earlier one can go on from it.
    default = Lineage(folder).write("best", 1, stored.weights, stored.origin, None, keep=True)
    if ranker is not None:
        trees = read_ranker(ranker.path)
        Rankers(folder).write(ranker.batches, trees.ranker, trees.origin)
    return default


def _checkpoint(run: _Run, benchmarks: Sequence[str], progress: PretrainProgress) -> Checkpoint:
    progress.phase(f"batch {run.journal.batches} of {run.options.batches}: learning")
    checkpoint = run.learning.checkpoint(run.journal.batches, benchmarks)
    progress.checkpoint_done(checkpoint)
    return checkpoint


def _rank(run: _Run, benchmarks: Sequence[str], progress: PretrainProgress) -> RankerCheckpoint | None:
    progress.phase(f"batch {run.journal.batches} of {run.options.batches}: the ranker learns")
    checkpoint = run.ranking.checkpoint(run.journal.batches, benchmarks)
    if checkpoint is not None:
        progress.ranker_done(checkpoint)
    return checkpoint
