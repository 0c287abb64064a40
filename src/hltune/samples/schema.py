"""The store's file: one SQLite database per workspace, ``samples.sqlite``.

| table     | one row per                        | columns                                                            |
|-----------|------------------------------------|--------------------------------------------------------------------|
| pipelines | pipeline                           | hash, name, spec (JSON of `spec_codec`), hlpipe (bytes); the last  |
|           |                                    | two are NULL if imported                                           |
| machines  | fingerprint                        | key, cpu, target, threads, halide (version)                        |
| schedules | pipeline, schedule                 | hash, directives (zlib of the schedule's JSON; NULL if imported)   |
| features  | pipeline, its pipeline features    | hash, stages, data (zlib of float32 [stages, 287])                 |
| samples   | measurement                        | fastest_s (NULL if failed), repeats_s (float64 [n]), stopped_early,|
|           |                                    | failure_{stage,kind,message,log} (NULL if measured),               |
|           |                                    | schedule_features (zlib of float32 [stages, 39]; NULL without      |
|           |                                    | featurization), round, search (JSON), weights_hash, measured_at_s  |

``application_id`` is the magic number, ``user_version`` the version of this table. Arrays are little-endian. Measuring
a schedule again adds a row to samples, so that the history is kept; the time of a schedule is the fastest of its rows.
A sample with the same schedule, machine, time of measurement and fastest repeat as one that is there is that sample.

Beside the file: ``-wal`` and ``-shm`` are SQLite's and belong to it; ``.lock`` is held by the process that writes.
"""

from __future__ import annotations

APPLICATION_ID = 0x686C7473
VERSION = 1

SCHEMA = """
CREATE TABLE pipelines (
    id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL, spec TEXT, hlpipe BLOB
);
CREATE TABLE machines (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, cpu TEXT NOT NULL, target TEXT NOT NULL,
    threads INTEGER NOT NULL, halide TEXT NOT NULL
);
CREATE TABLE schedules (
    id INTEGER PRIMARY KEY, pipeline_id INTEGER NOT NULL REFERENCES pipelines, hash TEXT NOT NULL, directives BLOB,
    UNIQUE (pipeline_id, hash)
);
CREATE TABLE features (
    id INTEGER PRIMARY KEY, pipeline_id INTEGER NOT NULL REFERENCES pipelines, hash TEXT NOT NULL,
    stages INTEGER NOT NULL, data BLOB NOT NULL,
    UNIQUE (pipeline_id, hash)
);
CREATE TABLE samples (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline_id INTEGER NOT NULL REFERENCES pipelines,
    machine_id INTEGER NOT NULL REFERENCES machines,
    schedule_id INTEGER NOT NULL REFERENCES schedules,
    features_id INTEGER REFERENCES features,
    schedule_features BLOB,
    fastest_s REAL, repeats_s BLOB, stopped_early INTEGER NOT NULL,
    failure_stage TEXT, failure_kind TEXT, failure_message TEXT, failure_log TEXT,
    round INTEGER NOT NULL, search TEXT NOT NULL, weights_hash TEXT, measured_at_s REAL NOT NULL,
    CHECK ((fastest_s IS NULL) = (repeats_s IS NULL)),
    CHECK ((fastest_s IS NULL) = (failure_stage IS NOT NULL)),
    CHECK ((features_id IS NULL) = (schedule_features IS NULL))
);
CREATE INDEX samples_by_schedule
    ON samples (pipeline_id, machine_id, schedule_id, fastest_s, measured_at_s, failure_stage);
CREATE INDEX samples_by_features ON samples (features_id);
CREATE INDEX samples_of_schedule ON samples (schedule_id);
"""
"""`samples_by_schedule` answers all but reading features; the other two make deleting fast."""
