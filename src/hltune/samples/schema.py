"""The store's file: one SQLite database per workspace, ``samples.sqlite``.

| table     | one row per                  | columns                                                                |
|-----------|------------------------------|------------------------------------------------------------------------|
| pipelines | pipeline                     | hash, name, spec (JSON, see `rows`), hlpipe (bytes); the last two      |
|           |                              | are NULL if imported                                                   |
| machines  | machine                      | key, cpu, target, threads, halide (version), unit (JSON of `Unit`),    |
|           |                              | conditions                                                             |
| schedules | pipeline, schedule           | hash, directives (zlib of the schedule's JSON; NULL if imported)       |
| features  | pipeline, its pipeline       | hash, stages, data (zlib of float32 [stages, 287])                     |
|           | features                     |                                                                        |
| samples   | measurement                  | cost (NULL if failed), repeats (float64 [n]), pruned,                  |
|           |                              | counters (JSON of `Counters`; NULL where nothing is counted),          |
|           |                              | heap (JSON of `Heap`; NULL if unknown),                                |
|           |                              | failure_{stage,kind,message,log} (NULL if measured),                   |
|           |                              | schedule_features (zlib of float32 [stages, 39]; NULL without          |
|           |                              | featurization), round, provenance (JSON, see `values.provenance`),     |
|           |                              | measured_at_s                                                          |
| programs  | schedule, machine, version   | text_hash, data: a `ProgramFeatures` of the features' version          |

Costs are in seconds, whatever their unit, see `values.unit`. ``application_id`` is the magic number, ``user_version``
the version of this table; `migration` brings older files up to it. Arrays are little-endian. Measuring a schedule again
adds a row to samples, so that the history is kept; the cost of a schedule is the least of its rows, unless its outputs
were ever wrong. A sample with the same schedule, machine, time of measurement and cost as one that is there is that
sample.

Beside the file: ``-wal`` and ``-shm`` are SQLite's and belong to it; ``.lock`` is held by the process that writes.
"""

APPLICATION_ID = 0x686C7473
VERSION = 5

SCHEMA = """
CREATE TABLE pipelines (
    id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL, spec TEXT, hlpipe BLOB
);
CREATE TABLE machines (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, cpu TEXT NOT NULL, target TEXT NOT NULL,
    threads INTEGER NOT NULL, halide TEXT NOT NULL, unit TEXT NOT NULL DEFAULT '{}',
    conditions TEXT NOT NULL DEFAULT ''
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
    cost REAL, repeats BLOB, pruned INTEGER NOT NULL,
    failure_stage TEXT, failure_kind TEXT, failure_message TEXT, failure_log TEXT,
    round INTEGER NOT NULL, provenance TEXT NOT NULL, measured_at_s REAL NOT NULL, counters TEXT, heap TEXT,
    CHECK ((cost IS NULL) = (repeats IS NULL)),
    CHECK ((cost IS NULL) = (failure_stage IS NOT NULL)),
    CHECK ((features_id IS NULL) = (schedule_features IS NULL))
);
CREATE TABLE programs (
    schedule_id INTEGER NOT NULL REFERENCES schedules ON DELETE CASCADE,
    machine_id INTEGER NOT NULL REFERENCES machines,
    version INTEGER NOT NULL, text_hash TEXT NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (schedule_id, machine_id, version)
);
CREATE INDEX samples_by_schedule
    ON samples (pipeline_id, machine_id, schedule_id, cost, measured_at_s, failure_stage);
CREATE INDEX samples_by_features ON samples (features_id);
CREATE INDEX samples_of_schedule ON samples (schedule_id);
"""
"""`samples_by_schedule` answers all but reading features; the other two make deleting fast."""
