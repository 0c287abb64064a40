"""Reading the store. All queries about samples are about one pipeline on one machine."""

import json
import zlib
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np

from hltune.samples import database
from hltune.samples.results import Found, Ranked, TrainingData
from hltune.samples.rows import MACHINE_COLUMNS, OF, decode_machine, decode_schedule, decode_spec
from hltune.samples.statistics import Statistics, collect
from hltune.values import provenance
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, InputError
from hltune.values.features import FLOAT, PIPELINE_COLUMNS, Floats
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.values.provenance import REPAIR, Mutated
from hltune.values.reasons import Reason, counted

_REFUTED = f"(SELECT schedule_id {OF} AND failure_stage IS NOT NULL AND failure_kind = 'wrong output')"
"""Schedules whose outputs were ever wrong, as a race makes them now and then: their costs do not count."""
_TRAINABLE = f"{OF} AND features_id = ? AND cost IS NOT NULL AND schedule_id NOT IN {_REFUTED}"
_PROGRAMS = """FROM programs JOIN schedules ON schedules.id = schedule_id
    WHERE pipeline_id = (SELECT id FROM pipelines WHERE hash = ?)
    AND machine_id = (SELECT id FROM machines WHERE key = ?) AND version = ?"""


class Reader:
    """An open store, to be used by one thread; may be open while another process writes.

    Every method may raise `InputError`: the file is damaged or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        """Opens an existing store for reading.

        Raises:
            InputError: there is none, or it is damaged, newer, or of another program.
        """
        database.check_exists(path)
        self._attach(path, writing=False)

    def _attach(self, path: Path, *, writing: bool) -> None:
        self.path = path
        self._connection = database.connect(path.resolve(), writing=writing)  # SQLite's log is beside the file itself

    def close(self) -> None:
        """Closes the file."""
        with database.translated(self.path):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def pipelines(self) -> dict[str, str]:
        """Name by hash, in the order in which they came."""
        return dict(self._rows("SELECT hash, name FROM pipelines ORDER BY id"))

    def measured_on(self, machine_key: str) -> set[str]:
        """Hashes of the pipelines of which something was measured on a machine."""
        query = """SELECT hash FROM pipelines WHERE EXISTS (SELECT 1 FROM samples WHERE pipeline_id = pipelines.id
            AND machine_id = (SELECT id FROM machines WHERE key = ?))"""
        return {key for (key,) in self._rows(query, machine_key)}

    def tuned(self) -> set[str]:
        """Hashes of the pipelines that had a round of tuning, on any machine."""
        query = """SELECT hash FROM pipelines WHERE EXISTS
            (SELECT 1 FROM samples WHERE pipeline_id = pipelines.id AND round > 0)"""
        return {key for (key,) in self._rows(query)}

    def spec(self, pipeline_hash: str) -> PipelineSpec | None:
        """A pipeline as it was when it was added; None if it was imported, without the algorithm."""
        row = self._row("SELECT name, spec, hlpipe FROM pipelines WHERE hash = ?", pipeline_hash)
        if row is None or row[1] is None:
            return None
        with database.decoding(self.path):
            spec = decode_spec(*row)
        if pipeline_hash not in (spec.content_hash, spec.former_hash):
            raise database.damaged(self.path, f"another algorithm under pipeline {pipeline_hash}")
        return spec

    def count(self) -> int:
        """All samples of all pipelines and machines."""
        ((count,),) = self._rows("SELECT count(*) FROM samples")
        return count

    def costs(self, pipeline_hash: str, machine_key: str) -> dict[str, float | None]:
        """Least cost by schedule hash; None for those that only failed, or have turned out wrong."""
        query = f"""SELECT hash, CASE WHEN schedule_id NOT IN {_REFUTED} THEN least END
            FROM (SELECT schedule_id, min(cost) AS least {OF} GROUP BY schedule_id)
            CROSS JOIN schedules ON schedules.id = schedule_id"""
        return dict(self._rows(query, *2 * (pipeline_hash, machine_key)))

    def repairs(self, pipeline_hash: str, machine_key: str) -> dict[str, str]:
        """Schedules that leave their images, and what was measured in place of them, by their hashes."""
        query = f"""SELECT json_extract(provenance, '$.parent'), hash FROM (
            SELECT schedule_id, provenance {OF}
            AND json_extract(provenance, '$.mutation') = '["{REPAIR}"]')
            CROSS JOIN schedules ON schedules.id = schedule_id"""
        return dict(self._rows(query, pipeline_hash, machine_key))

    def last_round(self, pipeline_hash: str, machine_key: str) -> int:
        """Round of the newest sample of tuning; 0 without any."""
        query = f"SELECT round {OF} AND round > 0 ORDER BY id DESC LIMIT 1"
        row = self._row(query, pipeline_hash, machine_key)
        return row[0] if row else 0

    def round_costs(self, pipeline_hash: str, machine_key: str) -> tuple[float | None, ...]:
        """Least cost after each round of tuning, of all runs; None as long as nothing works.

        What has turned out wrong since does not count; a round in which nothing new was measured changes nothing.
        """
        query = f"""SELECT round, CASE WHEN schedule_id NOT IN {_REFUTED} THEN cost END {OF} ORDER BY id"""
        least: float | None = None
        costs: dict[int, float | None] = {}
        for number, cost in self._rows(query, *2 * (pipeline_hash, machine_key)):
            costs |= dict.fromkeys(range(len(costs) + 1, number), least)
            least = min((each for each in (least, cost) if each is not None), default=None)
            if number > 0:
                costs[number] = least
        return tuple(costs.values())

    def history(self, pipeline_hash: str, machine_key: str) -> tuple[tuple[float, float], ...]:
        """When each measurement was taken, in seconds since 1970, and its cost, in the order of time; no failures.

        Nor what has turned out wrong since.
        """
        query = f"SELECT measured_at_s, cost {OF} AND cost IS NOT NULL AND schedule_id NOT IN {_REFUTED} ORDER BY 1"
        return tuple(self._rows(query, *(pipeline_hash, machine_key) * 2))

    def round_times(self, pipeline_hash: str, machine_key: str) -> tuple[tuple[int, float], ...]:
        """The number of its round, and when it was taken, in seconds since 1970, of each measurement of a round.

        In their order, failures as well.
        """
        query = f"SELECT round, measured_at_s {OF} AND round > 0 ORDER BY id"
        return tuple(self._rows(query, pipeline_hash, machine_key))

    def first_beam_cost(self, pipeline_hash: str, machine_key: str) -> float | None:
        """Cost of what the first beam search with the built-in weights found that is right; None if there was none."""
        query = f"""SELECT cost {OF} AND cost IS NOT NULL AND schedule_id NOT IN {_REFUTED}
            AND json_extract(provenance, '$.weights') IS NULL
            AND json_extract(provenance, '$.autoscheduler') = 'Adams2019'
            AND CAST(json_extract(provenance, '$.beam_size') AS INTEGER) > 1 ORDER BY id LIMIT 1"""
        row = self._row(query, *2 * (pipeline_hash, machine_key))
        return row[0] if row else None

    def statistics(self) -> tuple[Statistics, ...]:
        """Per pipeline and machine."""
        with database.decoding(self.path):
            return collect(self._connection)

    def failures(self, pipeline_hash: str, machine_key: str) -> tuple[Reason, ...]:
        """Why measurements failed, the commonest reason first.

        With a schedule that can be seen to fail: not one that only the author's file says, or that was imported, and
        rather one that fails to this day.
        """
        key = (pipeline_hash, machine_key)
        own = [each for each, schedule in self.named(*key).items() if schedule.base is not None]
        failed = f"""SELECT samples.id, failure_stage AS stage, failure_message AS message,
            CASE WHEN directives IS NOT NULL AND hash NOT IN (SELECT value FROM json_each(?)) THEN samples.id END
            AS known FROM samples JOIN schedules ON schedules.id = schedule_id
            WHERE samples.id IN (SELECT id {OF} AND cost IS NULL)"""
        query = f"""SELECT stage, message, failed, hash, hash IS NOT NULL AND to_this_day IS NULL FROM (
            SELECT stage, message, count(*) AS failed, max(id) AS newest, max(known) AS ever,
            max(CASE WHEN known IN (SELECT max(id) {OF} GROUP BY schedule_id) THEN known END) AS to_this_day
            FROM ({failed}) GROUP BY 1, 2) LEFT JOIN samples ON samples.id = coalesce(to_this_day, ever)
            LEFT JOIN schedules ON schedules.id = schedule_id ORDER BY newest DESC"""
        rows = self._rows(query, *key, json.dumps(own), *key)
        return counted((*row[:4], bool(row[4])) for row in rows)

    def last_failures(self, pipeline_hash: str, machine_key: str) -> dict[str, Failure]:
        """Why schedules failed that have never worked, the last time, by their hashes."""
        query = f"""SELECT hash, failure_stage, failure_kind, failure_message, max(samples.id)
            FROM samples JOIN schedules ON schedules.id = schedule_id
            WHERE samples.id IN (SELECT id {OF} AND cost IS NULL)
            AND schedule_id NOT IN (SELECT schedule_id {OF} AND cost IS NOT NULL) GROUP BY schedule_id"""
        return self._failures(query, *2 * (pipeline_hash, machine_key))

    def refuted(self, pipeline_hash: str, machine_key: str) -> dict[str, Failure]:
        """How the outputs of schedules were wrong, the last time, by their hashes; whatever else came of them."""
        query = f"""SELECT hash, failure_stage, failure_kind, failure_message, max(samples.id)
            FROM samples JOIN schedules ON schedules.id = schedule_id
            WHERE samples.id IN (SELECT id {OF} AND failure_kind = 'wrong output') GROUP BY schedule_id"""
        return self._failures(query, pipeline_hash, machine_key)

    def _failures(self, query: str, *arguments: Any) -> dict[str, Failure]:
        """By the hash of the schedule."""
        rows = self._rows(query, *arguments)
        return {key: Failure(stage=stage, kind=kind, message=message) for key, stage, kind, message, _ in rows}

    def wrong(self, pipeline_hash: str) -> tuple[tuple[str, MachineId, Failure], ...]:
        """Hashes of schedules whose outputs were ever wrong, on which machine, and how, the last time last."""
        query = f"""SELECT schedules.hash, {MACHINE_COLUMNS}, failure_stage, failure_message FROM samples
            JOIN schedules ON schedules.id = schedule_id JOIN pipelines ON pipelines.id = schedules.pipeline_id
            JOIN machines ON machines.id = machine_id
            WHERE pipelines.hash = ? AND failure_kind = 'wrong output' ORDER BY samples.id"""
        with database.decoding(self.path):
            return tuple(
                (key, decode_machine(machine), Failure(stage=stage, kind="wrong output", message=message))
                for key, *machine, stage, message in self._rows(query, pipeline_hash)
            )

    def find(self, start: str, *, failed: bool = False) -> tuple[Found, ...]:
        """Schedules whose hash begins so, as each was measured last, on every machine; the newest first.

        With ``failed``, as each failed last, whatever came of it since.
        """
        query = f"""SELECT pipelines.hash, schedules.hash, directives, cost, failure_stage, failure_kind,
            failure_message, {MACHINE_COLUMNS}, measured_at_s, max(samples.id)
            FROM schedules JOIN samples ON samples.schedule_id = schedules.id
            JOIN pipelines ON pipelines.id = schedules.pipeline_id JOIN machines ON machines.id = machine_id
            WHERE substr(schedules.hash, 1, ?) = ? AND (cost IS NULL OR NOT ?)
            GROUP BY schedules.id, machine_id ORDER BY max(samples.id) DESC"""
        with database.decoding(self.path):
            return tuple(map(Found.of, self._rows(query, len(start), start, failed)))

    def best(
        self, pipeline_hash: str, machine_key: str, count: int, *, distinct: bool = False, without: Collection[str] = ()
    ) -> tuple[Ranked, ...]:
        """The fastest schedules, ``count`` at most, best first; none that has turned out wrong.

        Args:
            distinct: of those that cost exactly the same only the one that was measured first: where costs are counted,
                the others differ in nothing that matters.
            without: hashes of schedules that are left out, before anything else.
        """
        columns = "measurements, round, provenance, measured_at_s"
        ranked = f"""SELECT schedule_id, min(cost) AS least, count(*) AS measurements, round, provenance, measured_at_s
            {OF} AND cost IS NOT NULL AND schedule_id NOT IN {_REFUTED}
            AND schedule_id NOT IN
            (SELECT id FROM schedules WHERE hash IN (SELECT value FROM json_each(?))) GROUP BY schedule_id"""
        if distinct:
            ranked = f"SELECT min(schedule_id) AS schedule_id, least, {columns} FROM ({ranked}) GROUP BY least"
        query = f"""SELECT schedules.hash, directives, least, {columns} FROM ({ranked} ORDER BY least LIMIT ?)
            JOIN schedules ON schedules.id = schedule_id ORDER BY least, schedules.hash"""
        with database.decoding(self.path):
            rows = self._rows(query, *2 * (pipeline_hash, machine_key), json.dumps([*without]), count)
            return tuple(map(Ranked.of, rows))

    def named(self, pipeline_hash: str, machine_key: str) -> dict[str, Schedule]:
        """Schedules that people wrote, by their hashes."""
        named = f"SELECT DISTINCT schedule_id {OF} AND json_extract(provenance, '$.kind') = 'named'"
        return self._decoded(named, pipeline_hash, machine_key)

    def mutants(self, pipeline_hash: str, machine_key: str) -> list[tuple[Mutated, float | None]]:
        """Where each mutant comes from, and its cost; None if it failed, or has turned out wrong.

        Repaired schedules are none.
        """
        query = f"""SELECT provenance, CASE WHEN schedule_id NOT IN {_REFUTED} THEN cost END {OF}
            AND json_extract(provenance, '$.mutation') IS NOT NULL
            AND json_extract(provenance, '$.mutation') != '["{REPAIR}"]' ORDER BY id"""
        with database.decoding(self.path):
            rows = self._rows(query, *2 * (pipeline_hash, machine_key))
            found = [(provenance.from_json(json.loads(text)), cost) for text, cost in rows]
        return [(each, cost) for each, cost in found if isinstance(each, Mutated)]

    def program_hashes(self, pipeline_hash: str, machine_key: str, version: int) -> dict[str, str]:
        """Hashes of the texts of lowered programs whose features are there, by schedule hash."""
        return dict(self._rows(f"SELECT hash, text_hash {_PROGRAMS}", pipeline_hash, machine_key, version))

    def programs(
        self, pipeline_hash: str, machine_key: str, version: int, keys: Collection[str] | None = None
    ) -> dict[str, tuple[str, bytes]]:
        """Features of lowered programs, encoded, by schedule hash, with the hash of their text.

        Those of schedules with these hashes; of all without them.
        """
        some = "" if keys is None else " AND hash IN (SELECT value FROM json_each(?))"
        arguments = () if keys is None else (json.dumps([*keys]),)
        query = f"SELECT hash, text_hash, data {_PROGRAMS}{some}"
        rows = self._rows(query, pipeline_hash, machine_key, version, *arguments)
        return {key: (text_hash, data) for key, text_hash, data in rows}

    def lowered(self, machine_key: str, version: int) -> set[str]:
        """Hashes of pipelines with schedules whose features are there in this version."""
        query = """SELECT DISTINCT pipelines.hash FROM programs JOIN schedules ON schedules.id = schedule_id
            JOIN pipelines ON pipelines.id = pipeline_id
            WHERE machine_id = (SELECT id FROM machines WHERE key = ?) AND version = ?"""
        return {key for (key,) in self._rows(query, machine_key, version)}

    def outdated_programs(self, machine_key: str, version: int) -> set[str]:
        """Hashes of pipelines with schedules whose features are there in other versions, and not in this one."""
        query = """SELECT DISTINCT pipelines.hash FROM programs JOIN schedules ON schedules.id = schedule_id
            JOIN pipelines ON pipelines.id = pipeline_id
            WHERE machine_id = (SELECT id FROM machines WHERE key = ?)
            AND NOT EXISTS (SELECT 1 FROM programs AS new WHERE new.schedule_id = programs.schedule_id
                AND new.machine_id = programs.machine_id AND new.version = ?)"""
        return {key for (key,) in self._rows(query, machine_key, version)}

    def schedules(
        self, pipeline_hash: str, machine_key: str, keys: Collection[str] | None = None
    ) -> dict[str, Schedule]:
        """Those whose directives are known, and that Halide does not refuse, by their hashes; of these hashes, if told.

        A schedule takes a millisecond and more to decode.
        """
        return self._decoded(_not_refused("true"), pipeline_hash, machine_key, keys)

    def failed_hashes(self, pipeline_hash: str, machine_key: str) -> tuple[str, ...]:
        """Hashes of these that only failed."""
        query = f"""SELECT hash FROM ({_not_refused("max(cost) IS NULL")})
            JOIN schedules ON schedules.id = schedule_id WHERE directives IS NOT NULL ORDER BY schedule_id"""
        return tuple(key for (key,) in self._rows(query, pipeline_hash, machine_key))

    def _decoded(
        self, ids: str, pipeline_hash: str, machine_key: str, keys: Collection[str] | None = None
    ) -> dict[str, Schedule]:
        """Schedules with known directives, by their hashes, of a query for their ids."""
        some = "" if keys is None else " AND hash IN (SELECT value FROM json_each(?))"
        arguments = () if keys is None else (json.dumps([*keys]),)
        query = f"""SELECT hash, directives FROM ({ids})
            JOIN schedules ON schedules.id = schedule_id WHERE directives IS NOT NULL{some}"""
        with database.decoding(self.path):
            rows = self._rows(query, pipeline_hash, machine_key, *arguments)
            return {key: schedule for key, data in rows if (schedule := decode_schedule(data)) is not None}

    def training_data(
        self, pipeline_hash: str, machine_key: str, *, chunk: int | None = None, newest: int | None = None
    ) -> Iterator[TrainingData]:
        """All that a model can learn from, as arrays; read them all before adding samples. None that turned out wrong.

        Args:
            pipeline_hash: see `pipelines`.
            machine_key: see `MachineId.key`.
            chunk: schedules per item, to limit memory; without it one item holds all.
            newest: how many schedules, the newest ones; without it all.

        Yields:
            One item or more for each set of pipeline features that the schedules have; there is one such set, unless
            the stages of the pipeline were not always the same.
        """
        sets = """SELECT id, stages, data FROM features
            WHERE pipeline_id = (SELECT id FROM pipelines WHERE hash = ?) ORDER BY id"""
        with database.decoding(self.path):
            for features_id, stages, data in self._rows(sets, pipeline_hash):
                shape = (stages, PIPELINE_COLUMNS)
                pipeline_features = np.frombuffer(zlib.decompress(data), dtype=FLOAT).reshape(shape)
                yield from self._chunks((pipeline_hash, machine_key, features_id), pipeline_features, chunk, newest)

    def _chunks(
        self, key: tuple[str, str, int], pipeline_features: Floats, chunk: int | None, newest: int | None
    ) -> Iterator[TrainingData]:
        trainable = (*key, *key[:2])
        ((count,),) = self._rows(f"SELECT count(DISTINCT schedule_id) {_TRAINABLE}", *trainable)
        left = count if newest is None else min(count, newest)
        chosen, arguments = "", trainable
        if left < count:
            chosen = f" AND schedule_id IN (SELECT schedule_id {_TRAINABLE} GROUP BY 1 ORDER BY max(id) DESC LIMIT ?)"
            arguments = (*trainable, *trainable, left)
        rows = self._connection.execute(
            f"""SELECT hash, least, schedule_features
                FROM (SELECT schedule_id, min(cost) AS least, schedule_features
                      {_TRAINABLE}{chosen} GROUP BY schedule_id)
                CROSS JOIN schedules ON schedules.id = schedule_id""",
            arguments,
        )
        while left:
            size = min(left, chunk or left)
            yield TrainingData.of(islice(rows, size), size, pipeline_features)
            left -= size

    def _rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        with database.decoding(self.path):
            return self._connection.execute(query, arguments).fetchall()

    def _row(self, query: str, *arguments: Any) -> tuple[Any, ...] | None:
        return next(iter(self._rows(query, *arguments)), None)


def unknown_pipeline(path: Path, pipeline_hash: str) -> InputError:
    """The error of a pipeline that was never added."""
    return InputError(
        "the store does not know this pipeline",
        where=str(path),
        found=pipeline_hash,
        todo="add the pipeline before its samples",
    )


def _not_refused(having: str) -> str:
    """A query for the ids of schedules that Halide does not refuse, as far as they have something else in common."""
    return f"""SELECT schedule_id {OF} GROUP BY schedule_id HAVING {having}
        AND max(cost IS NOT NULL OR failure_stage != 'compile' OR failure_kind != 'error')"""
