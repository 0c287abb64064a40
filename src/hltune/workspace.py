"""The folder where a user's schedules and caches live.

```
.hltune/cache/                                   built C++ generators
.hltune/samples.sqlite                           all measurements, see `samples.schema`
.hltune/NAME-PIPELINEHASH/MACHINEKEY/ADAMS2019.json   a record: a schedule, where it came from, what it cost
```
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from hltune.errors import InputError
from hltune.machine.fingerprint import Fingerprint
from hltune.pipeline.spec import PipelineSpec
from hltune.samples.record import MachineInfo
from hltune.schedule import codec
from hltune.schedule.directives import Schedule

FORMAT = "hltune-record"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A verified schedule that is worth keeping.

    Attributes:
        name: who found it: expert, adams2019, ...
        cost_s: its fastest measured run.
        origin: the search options, for people.
    """

    name: str
    schedule: Schedule
    cost_s: float
    origin: str


@dataclass(frozen=True, slots=True)
class Workspace:
    """Paths below one folder; nothing is created before something is written."""

    root: Path

    @property
    def cache(self) -> Path:
        """For what can be made again."""
        return self.root / "cache"

    @property
    def samples(self) -> Path:
        """The sample store."""
        return self.root / "samples.sqlite"

    def directory(self, spec: PipelineSpec) -> Path:
        """What belongs to one pipeline."""
        return self.root / f"{spec.name}-{spec.content_hash[:12]}"

    def keep(self, record: Record, spec: PipelineSpec, machine: Fingerprint) -> Path:
        """Writes a record; an older one of the same name on the same machine is replaced."""
        document = {
            "format": FORMAT,
            "version": VERSION,
            "name": record.name,
            "pipeline": {"name": spec.name, "hash": spec.content_hash},
            "machine": asdict(machine),
            "cost_s": record.cost_s,
            "origin": record.origin,
            "schedule": codec.to_json(record.schedule),
        }
        path = self.directory(spec) / machine.key / f"{record.name}.json"
        write_text(path, json.dumps(document, indent=1) + "\n")
        return path

    def records(self, spec: PipelineSpec, machine: Fingerprint) -> list[Record]:
        """All records of a pipeline on a machine, the fastest first.

        Raises:
            InputError: one of them is damaged or belongs elsewhere.
        """
        folder = self.directory(spec) / machine.key
        records = [_read(path, spec) for path in sorted(folder.glob("*.json"))]
        return sorted(records, key=lambda record: record.cost_s)


def machine_info(machine: Fingerprint) -> MachineInfo:
    """A machine as the sample store knows it."""
    return MachineInfo(key=machine.key, **asdict(machine))


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all, and the folders above it.

    Raises:
        InputError: the place cannot be written to.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise cannot_write(path, error) from None


def check_writable(directory: Path) -> None:
    """Fails early, before hours of work end in an error.

    Raises:
        InputError: no file can be made in this directory.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise cannot_write(directory, error) from None


def cannot_write(path: Path, error: OSError) -> InputError:
    """The error of a place that cannot be written to."""
    return InputError(
        "cannot write here", where=str(path), found=error.strerror, todo="choose another place or make room"
    )


def _read(path: Path, spec: PipelineSpec) -> Record:
    try:
        document = cast(dict[str, Any], json.loads(path.read_text()))
        if (document["format"], document["version"]) != (FORMAT, VERSION):
            raise ValueError(f"format {document['format']!r} version {document['version']!r}")
        if document["pipeline"]["hash"] != spec.content_hash:
            raise ValueError("another pipeline's record")
        return Record(
            name=str(document["name"]),
            schedule=codec.from_json(document["schedule"]),
            cost_s=float(document["cost_s"]),
            origin=str(document["origin"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "damaged record of a schedule",
            where=str(path),
            expected=f"{FORMAT} version {VERSION} of pipeline {spec.content_hash[:12]}",
            found=f"{type(error).__name__}: {error}",
            todo="delete the file; it is written again",
        ) from None
