"""The store of samples that a run writes to; its file format is in `schema`."""

import contextlib
import hashlib
import zlib
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hltune.runtime.progress import Progress
from hltune.samples import database
from hltune.samples.lock import WriterLock, lock_of
from hltune.samples.reader import Reader, unknown_pipeline
from hltune.samples.rows import (
    MACHINE_COLUMNS,
    decode_machine,
    encode_machine,
    encode_sample,
    encode_schedule,
    encode_spec,
)
from hltune.values.errors import InputError
from hltune.values.features import Featurization
from hltune.values.machine_id import MachineId
from hltune.values.program_features import ProgramFeatures
from hltune.values.sample import PipelineRecord, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What is no longer there."""

    samples: int
    schedules: int


class Store(Reader):
    """An open store that this process alone writes to; used by one thread.

    What a method wrote is on disk when it returns, and all of it or nothing is written. Every method may raise
    `InputError`: the file is damaged, or the disk is full or read-only; what was there before stays.
    """

    def __init__(self, path: Path, *, progress: Progress, wait_s: float, lock: WriterLock | None = None) -> None:
        """Opens a store, or makes a new one, when no other process writes to it.

        Args:
            path: the file, usually `Workspace.samples`.
            progress: is told whom this waits for.
            wait_s: how long to wait for another writer.
            lock: the store's own, if this process holds it already; it is closed with the store.

        Raises:
            InputError: another process still writes to it; the store is damaged, newer, or cannot be written to.
        """
        self.added = 0
        """Samples that it has added, without those that it has taken back."""
        self._machines: dict[MachineId, int] = {}
        self._lock = lock or WriterLock(lock_of(path), wait_s=wait_s, progress=progress)
        with contextlib.ExitStack() as undo:
            undo.callback(self._lock.close)
            if not path.exists():
                database.create(path.resolve())
            self._attach(path, writing=True)
            undo.pop_all()

    def close(self) -> None:
        """Closes the file and lets the next process write."""
        try:
            super().close()
        finally:
            self._lock.close()

    def add_pipeline(self, record: PipelineRecord) -> None:
        """Makes a pipeline known; one that is known already stays as it is."""
        spec = record.spec
        with self._transaction():
            if self._find("pipelines", hash=record.hash) is None:
                algorithm = {"spec": spec and encode_spec(spec), "hlpipe": spec and spec.hlpipe}
                self._insert("pipelines", hash=record.hash, name=record.name, **algorithm)

    def add(self, sample: Sample) -> int:
        """Adds one sample; returns its number, the old one if this very measurement is there already.

        Raises:
            InputError: the store does not know the pipeline.
        """
        return self.add_all((sample,))[0]

    def add_all(self, samples: Iterable[Sample]) -> tuple[int, ...]:
        """Adds samples at once, all or none; the same as `add` for each of them, but faster."""
        with self._transaction():
            return tuple([self._add(sample) for sample in samples])

    def add_programs(
        self, pipeline_hash: str, machine: MachineId, version: int, programs: Mapping[str, ProgramFeatures]
    ) -> None:
        """Keeps the features of lowered programs, by the hashes of schedules that have samples; all of them or none.

        Raises:
            InputError: the store does not know the pipeline, or a schedule.
        """
        with self._transaction():
            pipeline_id, machine_id = self._pipeline(pipeline_hash), self._machine(machine)
            for schedule, program in programs.items():
                if (schedule_id := self._find("schedules", pipeline_id=pipeline_id, hash=schedule)) is None:
                    raise InputError("the store has no samples of this schedule", where=str(self.path), found=schedule)
                self._execute(
                    """INSERT OR REPLACE INTO programs (schedule_id, machine_id, version, text_hash, data)
                       VALUES (:schedule_id, :machine_id, :version, :text_hash, :data)""",
                    schedule_id=schedule_id,
                    machine_id=machine_id,
                    version=version,
                    text_hash=program.program_hash,
                    data=program.encode(),
                )

    def retract(self, number: int) -> None:
        """Deletes one sample, which turned out not to be what the schedule costs."""
        with self._transaction():
            self.added -= self._execute("DELETE FROM samples WHERE id = :number", number=number)

    def retract_below(self, pipeline_hash: str, machine_key: str, schedule_hash: str, cost: float) -> None:
        """Deletes all samples of a schedule that cost less: of moments that were faster than all others."""
        with self._transaction():
            self.added -= self._execute(
                """DELETE FROM samples WHERE cost < :cost AND machine_id = (SELECT id FROM machines WHERE key = :key)
                   AND schedule_id = (SELECT id FROM schedules WHERE hash = :schedule
                   AND pipeline_id = (SELECT id FROM pipelines WHERE hash = :pipeline))""",
                cost=cost,
                key=machine_key,
                schedule=schedule_hash,
                pipeline=pipeline_hash,
            )

    def delete(self, pipeline_hash: str, machine_key: str | None = None) -> Deleted:
        """Deletes all samples of a pipeline, on one machine or on all; the file shrinks."""
        with self._transaction():
            pipeline_id = self._pipeline(pipeline_hash)
            samples = self._execute(
                """DELETE FROM samples WHERE pipeline_id = :pipeline AND (:key IS NULL
                   OR machine_id = (SELECT id FROM machines WHERE key = :key))""",
                pipeline=pipeline_id,
                key=machine_key,
            )
            self._execute(
                """DELETE FROM programs WHERE schedule_id IN (SELECT id FROM schedules WHERE pipeline_id = :pipeline)
                   AND (:key IS NULL OR machine_id = (SELECT id FROM machines WHERE key = :key))""",
                pipeline=pipeline_id,
                key=machine_key,
            )
            schedules = self._sweep("schedules", "schedule_id", pipeline_id)
            self._sweep("features", "features_id", pipeline_id)
            if self._find("samples", pipeline_id=pipeline_id) is None:
                self._execute("DELETE FROM pipelines WHERE id = :pipeline", pipeline=pipeline_id)
        with database.translated(self.path):
            self._connection.executescript("PRAGMA incremental_vacuum")  # `execute` would stop after one page
        return Deleted(samples=samples, schedules=schedules)

    def _sweep(self, table: str, column: str, pipeline_id: int) -> int:
        """Deletes what no sample of the pipeline refers to."""
        return self._execute(
            f"""DELETE FROM {table} WHERE pipeline_id = :pipeline
                AND NOT EXISTS (SELECT 1 FROM samples WHERE {column} = {table}.id)""",
            pipeline=pipeline_id,
        )

    def _add(self, sample: Sample) -> int:
        pipeline_id = self._pipeline(sample.pipeline_hash)
        schedule = {"pipeline_id": pipeline_id, "hash": sample.schedule_hash}
        ids = {
            "pipeline_id": pipeline_id,
            "machine_id": self._machine(sample.machine),
            "schedule_id": self._find("schedules", **schedule)
            or self._insert("schedules", **schedule, directives=encode_schedule(sample.schedule)),
        }
        columns = encode_sample(sample)
        known = self._find("samples", **ids, cost=columns.get("cost"), measured_at_s=sample.measured_at_s)
        if known is not None:
            return known
        features_id = sample.featurization and self._features(pipeline_id, sample.featurization)
        self.added += 1
        return self._insert("samples", **ids, features_id=features_id, **columns)

    def _pipeline(self, pipeline_hash: str) -> int:
        pipeline_id = self._find("pipelines", hash=pipeline_hash)
        if pipeline_id is None:
            raise unknown_pipeline(self.path, pipeline_hash)
        return pipeline_id

    def _machine(self, machine: MachineId) -> int:
        if machine not in self._machines:
            self._machines[machine] = self._machine_row(machine)
        return self._machines[machine]

    def _machine_row(self, machine: MachineId) -> int:
        row = self._row(f"SELECT id, {MACHINE_COLUMNS} FROM machines WHERE key = ?", machine.key)
        if row is None:
            return self._insert("machines", **encode_machine(machine))
        if (found := decode_machine(row[1:])) != machine:
            raise InputError(
                "two machines have the same key",
                where=str(self.path),
                expected=str(found),
                found=str(machine),
                todo="give another --workspace",
            )
        return row[0]

    def _features(self, pipeline_id: int, featurization: Featurization) -> int:
        data = featurization.pipeline_features
        key = {"pipeline_id": pipeline_id, "hash": hashlib.sha256(data).hexdigest()}
        return self._find("features", **key) or self._insert(
            "features", **key, stages=featurization.stages, data=zlib.compress(data)
        )

    def _find(self, table: str, **values: Any) -> int | None:
        """Id of a row with these values, if there is one; ids begin with 1."""
        conditions = " AND ".join(f"{name} IS :{name}" for name in values)
        row = self._connection.execute(f"SELECT id FROM {table} WHERE {conditions} LIMIT 1", values).fetchone()
        return row and row[0]

    def _insert(self, table: str, **values: Any) -> int:
        marks = ", ".join(f":{name}" for name in values)
        statement = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"
        number = self._connection.execute(statement, values).lastrowid
        assert number is not None
        return number

    def _execute(self, statement: str, **values: Any) -> int:
        return self._connection.execute(statement, values).rowcount

    @contextlib.contextmanager
    def _transaction(self) -> Generator[None]:
        added = self.added
        try:
            with database.translated(self.path), self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
        except BaseException:
            self._machines.clear()  # they may not be there, after all
            self.added = added
            raise
