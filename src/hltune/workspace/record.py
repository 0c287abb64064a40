"""A record: a verified schedule, where it came from and what it cost; its file is JSON."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hltune.runtime.files import write_bytes
from hltune.values import provenance, schedule_codec
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule
from hltune.values.documents import Format
from hltune.values.errors import InputError
from hltune.values.pipeline import PipelineSpec
from hltune.values.provenance import Named, Provenance

_FORMAT = Format(
    name="hltune-record", version=2, what="cannot use the record of a schedule", todo="delete the file; schedule again"
)
"""Version 1 had the cost under another key, and told in free text where the schedule came from."""
TUNED = "tuned"
"""Name of the record that tuning leaves; there is one per pipeline and machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A verified schedule that is worth keeping.

    Attributes:
        name: who found it: expert, adams2019, ...
        cost: its least measured cost, in seconds whatever the unit; None if it was measured under other conditions.
        elsewhere: which ones these are, for people.
        doubt: with which tolerances of the user's its outputs were wrong, if any; with the usual ones they were right.
        compared: tuning measured it side by side with others; else it is the fastest by times of different moments.
    """

    name: str
    schedule: Schedule
    cost: float | None
    provenance: Provenance
    elsewhere: str = ""
    doubt: str = ""
    compared: bool = True

    @property
    def has_won(self) -> bool:
        """It came first in a comparison, on this machine and under these conditions."""
        return self.compared and self.cost is not None

    @property
    def candidate(self) -> Candidate:
        """The schedule and where it came from."""
        return Candidate(schedule=self.schedule, provenance=self.provenance)

    @property
    def notes(self) -> Iterator[str]:
        """What people should know who use it."""
        if self.elsewhere:
            yield (
                f"the schedule {self.name} was measured under other conditions ({self.elsewhere}), and its outputs "
                "were verified under these alone; under the usual ones, `hltune compare` verifies and measures it"
            )
        if self.doubt:
            yield f"the outputs of the schedule {self.name} are right by the usual tolerances, but not by {self.doubt}"

    @property
    def label(self) -> str:
        """Its name and the beginning of the schedule's hash."""
        return f"{self.name}-{schedule_codec.schedule_hash(self.schedule)[:8]}"


class Kept(NamedTuple):
    """A record's file, what identifies the machine that it was measured on, and when it was written."""

    path: Path
    record: Record
    machine: dict[str, Any]
    written_ns: int


def write_record(path: Path, record: Record, spec: PipelineSpec, machine: dict[str, Any]) -> None:
    """Writes a record, with what identifies the machine that it was measured on."""
    document = {
        "name": record.name,
        "pipeline": {"name": spec.name, "hash": spec.content_hash},
        "machine": machine,
        "cost": record.cost,
        "provenance": provenance.to_json(record.provenance),
        "schedule": schedule_codec.to_json(record.schedule),
        **({"doubt": record.doubt} if record.doubt else {}),
        **({} if record.compared else {"compared": False}),
    }
    write_bytes(path, _FORMAT.encode(document), durable=True)  # others are removed for it


def read_record(path: Path, spec: PipelineSpec) -> Kept | None:
    """A record; None if another process has removed it since it was listed.

    Raises:
        InputError: it is damaged, or another pipeline's.
    """
    try:
        with path.open("rb") as file:
            data, written_ns = file.read(), os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _FORMAT.damaged(str(path), error.strerror) from None
    version, fields = _FORMAT.decode(data, where=str(path))
    old = version == 1
    try:
        if (found := fields["pipeline"]["hash"]) != spec.content_hash:
            raise InputError("another pipeline's record", found=f"a record of pipeline {found[:12]}")
        origin = Named(name=str(fields["origin"])) if old else provenance.from_json(fields["provenance"])
        record = Record(
            name=str(fields["name"]),
            schedule=schedule_codec.from_json(fields["schedule"]),
            cost=float(fields["cost_s" if old else "cost"]),
            provenance=origin,
            doubt=str(fields.get("doubt", "")),
            compared=bool(fields.get("compared", True)),
        )
        if not old and path.stem != record.label:
            expected = f"the schedule of {path.stem}, which has this cost"
            raise InputError("somebody has changed this schedule", expected=expected, found=record.label)
        return Kept(path=path, record=record, machine=dict(fields["machine"]), written_ns=written_ns)
    except InputError as error:
        raise _FORMAT.damaged(str(path), str(error)) from None
    except (ValueError, KeyError, TypeError) as error:
        raise _FORMAT.damaged(str(path), f"{type(error).__name__}: {error}") from None
