"""`hltune samples`: what was measured, by the names that people give it.

An `InputError` says that it is not clear which pipeline or machine is meant.
"""

import contextlib
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from hltune.commands.store import WAIT_S
from hltune.lowered.features import VERSION, decoded
from hltune.lowered.job import Lowering
from hltune.lowered.many import features_of_each
from hltune.machine.open import identify, resolve, target_job
from hltune.machine.options import MeasureOptions
from hltune.runtime.files import check_writable
from hltune.runtime.progress import Progress
from hltune.runtime.worker import AnyWorker, Worker, usable_cores
from hltune.samples.database import check_store
from hltune.samples.exchange import Imported, export_samples, import_samples, sample_files
from hltune.samples.reader import Reader
from hltune.samples.results import Ranked
from hltune.samples.statistics import Statistics
from hltune.samples.writer import Deleted, Store
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError, InputError
from hltune.values.machine_id import MachineId
from hltune.values.reasons import Reason

ID_DIGITS = 12
"""Digits of a hash that people see."""
START = re.compile("[0-9a-f]{6,64}")
"""Of an id: with fewer digits, words might be taken for one."""
_SHOWN = 10
"""Names in an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the user named.

    Attributes:
        name: name of the pipeline.
        machine: None for all of them.
    """

    name: str
    hash: str
    machine: MachineId | None


def statistics(store: Path) -> tuple[Statistics, ...]:
    """Counts samples per pipeline and machine."""
    with Reader(store) as reader:
        return reader.statistics()


def best(store: Path, pipeline: str, machine: str | None, count: int) -> tuple[Chosen, tuple[Ranked, ...]]:
    """The fastest schedules of a pipeline on a machine."""
    with Reader(store) as reader:
        chosen, where = _choose(reader, pipeline, machine)
        return chosen, reader.best(chosen.hash, where.key, count)


def failures(store: Path, pipeline: str, machine: str | None) -> tuple[Chosen, tuple[Reason, ...]]:
    """Why schedules of a pipeline failed on a machine."""
    with Reader(store) as reader:
        chosen, where = _choose(reader, pipeline, machine)
        return chosen, reader.failures(chosen.hash, where.key)


def delete(store: Path, pipeline: str, machine: str | None, progress: Progress) -> tuple[Chosen, Deleted]:
    """Deletes the samples of a pipeline, on one machine or on all."""
    check_store(store)  # nothing is made where there is nothing to delete
    with Store(store, progress=progress, wait_s=WAIT_S) as writer:
        if machine is not None:
            chosen, where = _choose(writer, pipeline, machine)
            return chosen, writer.delete(chosen.hash, where.key)
        key = _pipeline(writer, pipeline)
        return Chosen(name=writer.pipelines()[key], hash=key, machine=None), writer.delete(key, None)


def export(store: Path, pipeline: str, machine: str | None, directory: Path) -> tuple[Chosen, int]:
    """Writes .sample files and returns how many."""
    with Reader(store) as reader:
        chosen, where = _choose(reader, pipeline, machine)
        check_writable(directory)
        return chosen, export_samples(reader, chosen.hash, where.key, directory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Featurized:
    """What came of one pipeline on one machine: programs with features by now, and those without, by the reason."""

    chosen: Chosen
    programs: int
    failed: dict[str, int]


def featurize(store: Path, pipeline: str | None, machine: str | None, progress: Progress) -> tuple[Featurized, ...]:
    """Lowers what was measured and keeps the features of each program, of one pipeline or of all.

    What is kept stays, however this ends, and is not lowered again.

    Raises:
        HltuneError: none could be lowered.
    """
    check_store(store)  # nothing is made where there is nothing to lower
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(Store(store, progress=progress, wait_s=WAIT_S))
        workers = [stack.enter_context(Worker(preload=("halide",))) for _ in range(usable_cores())]
        done = tuple(lower_missing(writer, each, workers, progress) for each in _chosen_all(writer, pipeline, machine))
    failed = [f"{row.chosen.name}: {reason}" for row in done for reason in row.failed]
    if failed and not any(row.programs for row in done):
        raise HltuneError("no schedule could be lowered and read", where=str(store), found="; ".join(failed[:_SHOWN]))
    return done


def _chosen_all(reader: Reader, pipeline: str | None, machine: str | None) -> list[Chosen]:
    if pipeline is not None and machine is not None:
        return [_choose(reader, pipeline, machine)[0]]
    only = None if pipeline is None else _pipeline(reader, pipeline)
    rows = reader.statistics()
    chosen = [
        Chosen(name=row.pipeline_name, hash=row.pipeline_hash, machine=row.machine)
        for row in rows
        if only in (None, row.pipeline_hash) and row.machine.key.startswith(machine or "")
    ]
    if not chosen and machine is not None:
        known = {row.machine.key: row.machine for row in rows}
        chosen_machine([*known.values()], machine, what="samples", where=str(reader.path))  # says which there are
    return chosen


def lower_missing(
    writer: Store, chosen: Chosen, workers: Sequence[AnyWorker], progress: Progress, *, end_s: float = math.inf
) -> Featurized:
    """Lowers what was measured of one pipeline on one machine and has no features of this version, and keeps these.

    Begins nothing after `end_s` of the monotonic clock. What cannot be read, or has a target that Halide does not know,
    has failed, and keeps nobody from lowering the others.
    """
    machine = chosen.machine
    assert machine is not None
    failed: Counter[str] = Counter()
    known = set(decoded(writer.programs(chosen.hash, machine.key, VERSION)))
    try:
        lowering, missing = _missing(writer, chosen.hash, machine, workers[0], known)
    except InputError as error:
        left = writer.costs(chosen.hash, machine.key).keys() - known
        return Featurized(chosen=chosen, programs=len(known), failed={f"{error.what}: {error.found}": len(left)})
    if lowering is not None:
        for number, (key, outcome) in enumerate(features_of_each(lowering, missing, workers, end_s=end_s)):
            progress.phase(f"{chosen.name}: lowering {number + 1} of {len(missing)}")
            if isinstance(outcome, Failure):
                failed[outcome.message.partition("\n")[0]] += 1
            else:
                writer.add_programs(chosen.hash, machine, VERSION, {key: outcome})
                known.add(key)
    return Featurized(chosen=chosen, programs=len(known), failed=dict(failed))


def _missing(
    reader: Reader, pipeline_hash: str, machine: MachineId, worker: AnyWorker, known: Set[str]
) -> tuple[Lowering | None, dict[str, Schedule]]:
    """What is to be lowered, by hash, and how; None for what was imported, without its algorithm."""
    if (spec := reader.spec(pipeline_hash)) is None:
        return None, {}
    measured = reader.schedules(pipeline_hash, machine.key)
    target = worker.run(target_job(machine.target))
    missing = {key: each for key, each in measured.items() if key not in known}
    return Lowering(spec=spec, target=target, cores=machine.threads), missing


def import_files(
    store: Path, paths: Sequence[Path], measure: MeasureOptions, target: str, progress: Progress
) -> tuple[MachineId, dict[str, str], Imported]:
    """Reads .sample files as measured here; returns the machine, the names of pipelines by hash, and what was done."""
    files = sample_files(paths)
    progress.phase(f"importing {len(files)} files")
    machine = identify(resolve(target), measure)
    with Store(store, progress=progress, wait_s=WAIT_S) as writer:
        result = import_samples(writer, files, machine)
        names = writer.pipelines()
    if not result.pipelines:
        raise InputError(
            "no file could be used",
            expected="samples that Halide's tuning loop wrote",
            found="; ".join(f"{path}: {reason}" for path, reason in result.skipped[:_SHOWN]),
        )
    return machine, names, result


def _choose(reader: Reader, pipeline: str, machine: str | None) -> tuple[Chosen, MachineId]:
    key = _pipeline(reader, pipeline)
    where = _machine(reader, key, machine)
    return Chosen(name=reader.pipelines()[key], hash=key, machine=where), where


def _pipeline(reader: Reader, text: str) -> str:
    """Hash of the pipeline that the user means."""
    return chosen_pipeline(reader.pipelines(), text, what="samples of this pipeline", where=str(reader.path))


def chosen_pipeline(known: Mapping[str, str], text: str, *, what: str, where: str) -> str:
    """Hash of the pipeline that the user means by its name or the start of its id.

    Args:
        known: names of those that there are, by their hashes.
        what: what is there of each, for people.
        where: where the user looked for it.

    Raises:
        InputError: there are several, or none.
    """
    named = [key for key, name in known.items() if name == text]
    found = named or [key for key in known if START.fullmatch(text) and key.startswith(text)]
    if len(found) == 1:
        return found[0]
    raise InputError(
        "several pipelines have this name" if found else f"there are no {what}",
        where=where,
        expected=pipeline_list({key: known[key] for key in found} or known),
        found=repr(text),
        todo="give six digits or more of the start of an id; `hltune samples stats` shows all of them",
    )


def pipeline_list(known: Mapping[str, str]) -> str | None:
    """For people: pipelines to choose one of, by name and id; None if there is none."""
    lines = [f"{name} {key[:ID_DIGITS]}" for key, name in list(known.items())[:_SHOWN]]
    return "one of " + ", ".join(lines) if lines else None


def _machine(reader: Reader, pipeline_hash: str, text: str | None) -> MachineId:
    """The machine that the user means, among those with samples of a pipeline."""
    machines = [row.machine for row in reader.statistics() if row.pipeline_hash == pipeline_hash]
    return chosen_machine(machines, text, what="samples of this pipeline", where=str(reader.path))


def chosen_machine(machines: Sequence[MachineId], text: str | None, *, what: str, where: str) -> MachineId:
    """The machine that the user means by the start of its key, or the only one.

    Args:
        machines: those that there are.
        what: what is there of each, for people.
        where: where the user looked for it.

    Raises:
        InputError: there are several, or none.
    """
    found = [machine for machine in machines if text is None or machine.key.startswith(text)]
    if len(found) == 1:
        return found[0]
    lines = [f"{machine.key} ({machine.cpu}, {machine.threads} threads{_given(machine)})" for machine in machines]
    raise InputError(
        "which machine is not clear" if found else f"there are no {what} on this machine",
        where=where,
        expected="--machine with one of " + ", ".join(lines) if lines else None,
        found="nothing" if text is None else repr(text),
        todo="give the start of one of these keys" if machines else "tune it here first",
    )


def _given(machine: MachineId) -> str:
    return f", given {machine.given}" if machine.given else ""
