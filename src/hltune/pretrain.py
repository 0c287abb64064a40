"""`hltune pretrain`: learn from random programs what this machine is like."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import numpy as np

from hltune.cost_model.judgement import Judgement, judge
from hltune.cost_model.lineage import Lineage
from hltune.cost_model.optimizer import OptimizerState
from hltune.cost_model.pretrainer import TrainingState, pretrain_weights
from hltune.cost_model.sidecar import Origin, PipelineUse, read_stored, write_stored
from hltune.cost_model.train import rescaled
from hltune.cost_model.weights import Weights, builtin_weights, random_weights, read_weights, weights_hash
from hltune.errors import InputError
from hltune.machine.fingerprint import Fingerprint, fingerprint
from hltune.machine.lane import Lane
from hltune.machine.options import MeasureOptions
from hltune.pipeline.target import TargetInfo
from hltune.pretraining.batch import Batch, Batcher, RejectedError
from hltune.pretraining.journal import Journal, read_journal
from hltune.pretraining.options import PretrainOptions
from hltune.pretraining.plan import Plan, plan
from hltune.pretraining.replay import Replay
from hltune.progress import Progress
from hltune.samples.queries import Reader
from hltune.samples.store import Store
from hltune.search.job import ENVIRONMENT
from hltune.subject import SubjectOptions, load_subject
from hltune.suite.catalog import BENCHMARKS
from hltune.worker import Worker, memory_share_bytes, usable_cores
from hltune.workspace import Workspace, machine_info

WAIT_S = 5.0
"""For a run that may be about to end."""
_JOURNAL = "pretraining.json"
_BENCHMARK_SAMPLES = 32
_BENCHMARK_NUMBER = 10**6
"""Keeps their seeds apart from those of batches."""
_RECYCLED_AFTER = 300
_GUESSED_S = 15.0
"""Of a batch, where none was ever measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """New weights and the initial ones on the same samples."""

    new: Judgement
    initial: Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Weights after some batches, on disk.

    Attributes:
        batches: in all.
        programs: in the store that may be trained on.
        programs_judged: by held-out programs, which no weights were ever trained on.
        benchmarks: by the built-in benchmarks, which are not trained on either.
        weights: the file.
        seconds: training and judging.
    """

    batches: int
    programs: int
    programs_judged: Judged
    benchmarks: Judged
    weights: Path
    seconds: float


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretrained:
    """The result.

    Attributes:
        journal: of all runs.
        batches: of this run.
        checkpoint: the last one.
        seconds: wall time of this run.
        default: where the weights are the workspace's default; None if they are not.
        store: of the samples.
    """

    journal: Journal
    batches: tuple[Batch, ...]
    checkpoint: Checkpoint
    seconds: float
    default: Path | None
    store: Path


def pretrain(
    options: PretrainOptions,
    *,
    target: TargetInfo,
    workspace: Workspace,
    measure: MeasureOptions,
    use: bool,
    progress: PretrainProgress,
) -> Pretrained:
    """Measures batches and learns from them until there are enough, or time is up.

    Every batch is on disk before the next one begins, and every checkpoint has all that a later run needs.

    Args:
        options: what to do.
        target: this machine.
        workspace: holds samples and weights.
        measure: how to measure.
        use: make the weights the workspace's default.
        progress: is told what goes on.

    Raises:
        InputError: the target does not run here, or what earlier runs left is damaged or has other settings.
    """
    if not target.is_host:
        raise InputError("code for this target does not run on this machine", where=target.name,
                         todo="pre-train with --target host")  # fmt: skip
    began_s = time.monotonic()
    end_s = math.inf if options.minutes is None else began_s + 60 * options.minutes
    machine = fingerprint(target, threads=measure.threads)
    with contextlib.ExitStack() as stack:
        # Locks the store, and thereby the journal, before anything is read or changed.
        store = stack.enter_context(Store(workspace.samples, progress=progress, wait_s=WAIT_S))
        stack.enter_context(_told_what_is_kept(store, progress))
        run = _open(stack, options, target, machine, workspace, measure, store)
        hashes = _measure_benchmarks(run, workspace, progress) if options.benchmarks else []
        progress.begin(done=run.journal.batches, batches=options.batches, end_s=end_s)
        batches: list[Batch] = []
        checkpoint: Checkpoint | None = None
        while run.journal.batches < options.batches and time.monotonic() < end_s:
            batch = run.batcher.run(run.journal.batches, run.state.average, progress)
            run.note(batch)
            batches.append(batch)
            progress.batch_done(batch, run.journal)
            if run.journal.batches % options.checkpoint_batches == 0:
                checkpoint = _checkpoint(run, hashes, progress)
        if checkpoint is None or checkpoint.batches < run.journal.batches:
            checkpoint = _checkpoint(run, hashes, progress)
        default = _use(checkpoint.weights, workspace) if use else None
    return Pretrained(
        journal=run.journal,
        batches=tuple(batches),
        checkpoint=checkpoint,
        seconds=time.monotonic() - began_s,
        default=default,
        store=workspace.samples,
    )


def plan_pretraining(
    options: PretrainOptions, pipelines: int, hours: float, *, target: TargetInfo, workspace: Workspace, threads: int
) -> Plan:
    """Says whether to pre-train or to tune; measures nothing and writes nothing.

    Raises:
        InputError: there is no store, or it is damaged.
    """
    machine = fingerprint(target, threads=threads)
    journal = read_journal(workspace.pretrained(machine) / _JOURNAL)
    seconds = journal.seconds / journal.batches if journal and journal.batches else _GUESSED_S
    with Reader(workspace.samples) as reader:
        return plan(reader, machine_info(machine), options, _initial_weights(options), pipelines=pipelines, hours=hours,
                    seconds_per_program=seconds)  # fmt: skip


@contextlib.contextmanager
def _told_what_is_kept(store: Store, progress: Progress) -> Generator[None]:
    try:
        yield
    except KeyboardInterrupt:
        progress.note(f"all {store.count()} samples are kept in {store.path}; the same command goes on")
        raise


@dataclass(slots=True, kw_only=True)
class _Run:
    """What a run works with, and how far it has come."""

    options: PretrainOptions
    batcher: Batcher
    replay: Replay
    machine: Fingerprint
    initial: Weights
    lineage: Lineage
    state: TrainingState
    journal: Journal
    journal_path: Path

    def note(self, batch: Batch) -> None:
        """Takes down that a batch is complete."""
        self.journal = self.journal.after(
            measured=batch.measured, failed=len(batch.failures), rejected=batch.rejected, seconds=batch.seconds
        )
        self.journal.write(self.journal_path)


def _open(
    stack: contextlib.ExitStack,
    options: PretrainOptions,
    target: TargetInfo,
    machine: Fingerprint,
    workspace: Workspace,
    measure: MeasureOptions,
    store: Store,
) -> _Run:
    directory = workspace.pretrained(machine)
    lineage, journal_path = Lineage(directory), directory / _JOURNAL
    if options.fresh:
        lineage.clear()
        journal_path.unlink(missing_ok=True)
    initial = _initial_weights(options)
    journal = _journal(journal_path, options, initial)
    workers = usable_cores()
    lanes = [Lane(measure) for _ in range(workers)]
    searchers = [
        Worker(environment=ENVIRONMENT, preload=("halide",), recycle_after=_RECYCLED_AFTER,
               memory_bytes=memory_share_bytes(workers))
        for _ in range(workers)
    ]  # fmt: skip
    maker = Worker(preload=("halide",), recycle_after=1)
    for worker in (maker, *searchers, *(lane.worker for lane in lanes)):
        stack.callback(worker.close)
    info = machine_info(machine)
    batcher = Batcher(
        options,
        builtin_weights() if options.from_scratch else initial,
        target=target,
        machine=info,
        measure=measure,
        lanes=lanes,
        searchers=searchers,
        maker=maker,
        store=store,
    )
    return _Run(
        options=options,
        batcher=batcher,
        replay=Replay(store, info),
        machine=machine,
        initial=initial,
        lineage=lineage,
        state=_state(lineage, initial),
        journal=journal,
        journal_path=journal_path,
    )


def _initial_weights(options: PretrainOptions) -> Weights:
    if options.from_scratch:
        return random_weights(np.random.default_rng(options.search.seed))
    return read_weights(options.search.weights) if options.search.weights else builtin_weights()


def _journal(path: Path, options: PretrainOptions, initial: Weights) -> Journal:
    wanted = Journal(seed=options.search.seed, schedules=options.schedules, initial_hash=weights_hash(initial))
    found = read_journal(path)
    if found is None:
        return wanted
    for name, flag in (("seed", "--seed"), ("schedules", "--schedules"), ("initial_hash", "--weights")):
        if getattr(found, name) != getattr(wanted, name):
            raise InputError(
                "pre-training began with other settings",
                where=str(path),
                expected=f"{flag}: {getattr(found, name)}",
                found=str(getattr(wanted, name)),
                todo="give the same as before, or start over with --fresh; all samples are kept",
            )
    return found


def _state(lineage: Lineage, initial: Weights) -> TrainingState:
    latest, best = (lineage.read(kind, initial) for kind in ("latest", "best"))
    if latest is None:
        return TrainingState.start(initial)
    return TrainingState(
        weights=latest.weights,
        average=best.weights if best else latest.weights,
        optimizer=latest.optimizer_state or OptimizerState.start(),
    )


def _measure_benchmarks(run: _Run, workspace: Workspace, progress: Progress) -> list[str]:
    """Sees to it that there are samples of each built-in benchmark to judge by; returns their hashes."""
    hashes: list[str] = []
    for index, benchmark in enumerate(BENCHMARKS):
        progress.phase(f"samples of {benchmark.name}, to judge the weights by")
        spec = load_subject(SubjectOptions(pipeline=benchmark.name, target="host"), workspace).spec
        known = sum(map(len, run.replay.read([spec.content_hash])))
        if known < _BENCHMARK_SAMPLES // 2:
            try:
                number = _BENCHMARK_NUMBER + index
                run.batcher.measure(spec, run.batcher.search(spec, number, run.initial, wanted=_BENCHMARK_SAMPLES))
            except RejectedError as rejection:
                progress.note(f"no samples of {benchmark.name}: {rejection}")
        hashes.append(spec.content_hash)
    return hashes


def _checkpoint(run: _Run, benchmarks: Sequence[str], progress: PretrainProgress) -> Checkpoint:
    began_s = time.monotonic()
    options = run.options
    progress.phase(f"batch {run.journal.batches} of {options.batches}: learning")
    programs = run.replay.programs()
    before = run.lineage.version("best")
    new_batches = run.journal.batches - before
    if new_batches > 0 and programs.learned:
        chosen = run.replay.chosen(programs.learned, options.programs_learned, seed=run.journal.batches)
        datasets = run.replay.read(chosen)
        if run.state.optimizer.count == 0:
            run.state = TrainingState.start(rescaled(run.initial, datasets))
        run.state = pretrain_weights(run.state, datasets, options.recipe, steps=options.steps_per_batch * new_batches,
                                     initial=run.initial, seed=options.search.seed)  # fmt: skip
    judged = _judge(run, run.replay.chosen(programs.held_out, options.programs_judged, seed=0))
    on_benchmarks = _judge(run, benchmarks)
    if new_batches > 0 or run.lineage.path("best") is None:
        origin = _origin(run, programs.learned, judged)
        run.lineage.write("latest", run.journal.batches, run.state.weights, origin, run.state.optimizer)
        run.lineage.write("best", run.journal.batches, run.state.average, origin, None)
    path = run.lineage.path("best")
    assert path is not None
    checkpoint = Checkpoint(
        batches=run.journal.batches,
        programs=len(programs.learned),
        programs_judged=judged,
        benchmarks=on_benchmarks,
        weights=path,
        seconds=time.monotonic() - began_s,
    )
    progress.checkpoint_done(checkpoint)
    return checkpoint


def _judge(run: _Run, hashes: Sequence[str]) -> Judged:
    datasets = run.replay.read(hashes)
    return Judged(new=judge(run.state.average, datasets), initial=judge(run.initial, datasets))


def _origin(run: _Run, learned: Sequence[str], judged: Judged) -> Origin:
    # Thousands of programs are named together: by the hash of their hashes.
    use = PipelineUse(
        name=f"{len(learned)} random programs",
        pipeline_hash=sha256("".join(sorted(learned)).encode()).hexdigest(),
        samples=run.journal.measured - run.journal.failed,
    )
    recipe = {name: float(value) for name, value in asdict(run.options.recipe).items() if name != "loss"}
    metrics = {name: value for name, value in asdict(judged.new).items() if name not in ("pipelines", "samples")}
    return Origin(
        parent_hash=weights_hash(run.initial),
        pipelines=(use,),
        machine=run.machine.key,
        options={**recipe, "seed": float(run.options.search.seed), "batches": float(run.journal.batches)},
        metrics=metrics,
    )


def _use(path: Path, workspace: Workspace) -> Path:
    stored = read_stored(path)
    return Lineage(workspace.default_weights).write("best", 1, stored.weights, stored.sidecar.origin, None)
