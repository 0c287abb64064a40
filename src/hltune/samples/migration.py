"""Brings stores that earlier versions of hltune wrote up to the present schema.

Version 1 had no units, kept what steered a search beside it, and told kinds of provenance apart by their keys.
Version 2 had neither conditions of machines nor heaps: its machines have none, and are others than those of today.
Version 3 kept no features of lowered programs.
Version 4 took the fastest repeat for the cost.
"""

import sqlite3

import numpy as np

from hltune.samples.schema import VERSION
from hltune.values.cost import lower_decile
from hltune.values.errors import InputError

_LEAST_SQLITE = (3, 35)
_KINDS = {"autoscheduler": "searched", "mutation": "mutated", "name": "named", "imported": "imported"}
"""What version 1 kept of each kind of provenance, by the key that only this kind has."""

_FROM_1 = (
    "ALTER TABLE machines ADD COLUMN unit TEXT NOT NULL DEFAULT '{}'",
    """UPDATE machines SET unit = CASE
        WHEN target NOT LIKE 'hexagon%' THEN json_object(
            'name', 'ms', 'label', 'ms', 'heading', 'time/ms', 'per_second', 1e3, 'digits', 3)
        WHEN cpu LIKE '%missed lines%' THEN json_object(
            'name', 'packets+misses', 'label', 'packets issued and weighted misses (QEMU)',
            'heading', 'packets' || char(10) || '+misses', 'per_second', 1e9, 'digits', 0)
        ELSE json_object('name', 'packets', 'label', 'packets issued (QEMU)',
            'heading', 'packets issued' || char(10) || '(QEMU)', 'per_second', 1e9, 'digits', 0) END""",
    "UPDATE samples SET search = json_set(search, '$.weights', weights_hash) WHERE weights_hash IS NOT NULL",
    *(
        f"UPDATE samples SET search = json_set(search, '$.kind', '{kind}') WHERE json_type(search, '$.{key}') NOTNULL"
        for key, kind in _KINDS.items()
    ),
    """UPDATE samples SET search = json_object('kind', 'named', 'name', search)
        WHERE json_type(search, '$.kind') IS NULL""",
    "ALTER TABLE samples DROP COLUMN weights_hash",
    "ALTER TABLE samples RENAME COLUMN search TO provenance",
    "ALTER TABLE samples RENAME COLUMN fastest_s TO cost",
    "ALTER TABLE samples RENAME COLUMN repeats_s TO repeats",
    "ALTER TABLE samples RENAME COLUMN stopped_early TO pruned",
    "ALTER TABLE samples ADD COLUMN counters TEXT",
)
_FROM_2 = (
    "ALTER TABLE machines ADD COLUMN conditions TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE samples ADD COLUMN heap TEXT",
)
_FROM_3 = (
    """CREATE TABLE programs (
    schedule_id INTEGER NOT NULL REFERENCES schedules ON DELETE CASCADE,
    machine_id INTEGER NOT NULL REFERENCES machines,
    version INTEGER NOT NULL, text_hash TEXT NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (schedule_id, machine_id, version)
)""",
)
_FROM_4 = ("UPDATE samples SET cost = lower_decile(repeats) WHERE cost NOTNULL",)
_STEPS = {1: _FROM_1, 2: _FROM_2, 3: _FROM_3, 4: _FROM_4}
"""By the version that they begin with, oldest first."""


def migrate(connection: sqlite3.Connection) -> None:
    """Changes an older store in one transaction; a kill leaves it as it was.

    Raises:
        InputError: SQLite is too old to drop a column.
        sqlite3.Error: the store has another schema than its version says, or cannot be written to.
    """
    if sqlite3.sqlite_version_info < _LEAST_SQLITE:
        raise InputError(
            "SQLite is too old to read a store of an earlier hltune",
            expected="SQLite 3.35 or newer",
            found=sqlite3.sqlite_version,
            todo="use a Python with a newer SQLite",
        )
    connection.create_function("lower_decile", 1, _lower_decile)
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        steps = [statement for version, step in _STEPS.items() if version >= found for statement in step]
        for statement in (*steps, f"PRAGMA user_version = {VERSION}"):
            connection.execute(statement)


def _lower_decile(repeats: bytes) -> float:
    return lower_decile(np.frombuffer(repeats, "<f8").tolist())
