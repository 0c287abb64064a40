"""The folder where a user's schedules and caches live.

```
.hltune/cache/                                   built C++ generators
.hltune/default/                                 the cost model that commands use, if pre-training left one here
.hltune/pretrained/MACHINE/                      weights of pre-training, and how far it has come
.hltune/samples.sqlite                           all measurements, see `samples.schema`
.hltune/PIPELINE-HASH/MACHINE/NAME-HASH.json     a record: a schedule, where it came from, what it cost
.hltune/PIPELINE-HASH/MACHINE/weights/           the cost model of this pipeline, see `cost_model.lineage`
.hltune/PIPELINE-HASH/MACHINE/tuning.{svg,png}   how tuning went
```
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from hltune.runtime.files import write_text
from hltune.values import schedule_codec
from hltune.values.directives import Schedule
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec

FORMAT = "hltune-record"
VERSION = 1
TUNED = "tuned"
"""Name of the record that tuning leaves; there is one per pipeline and machine."""
_ANY_HASH = "[0-9a-f]" * 8


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

    @property
    def label(self) -> str:
        """Its name and the beginning of the schedule's hash."""
        return f"{self.name}-{schedule_codec.schedule_hash(self.schedule)[:8]}"


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

    @property
    def default_weights(self) -> Path:
        """Folder with the weights of commands that are not told which."""
        return self.root / "default"

    def pretrained(self, machine: MachineId) -> Path:
        """Where pre-training on a machine keeps its weights."""
        return self.root / "pretrained" / machine.key

    def directory(self, spec: PipelineSpec) -> Path:
        """What belongs to one pipeline."""
        return self.root / f"{spec.name}-{spec.content_hash[:12]}"

    def weights(self, spec: PipelineSpec, machine: MachineId) -> Path:
        """Where the weights of a pipeline on a machine are."""
        return self._machine_directory(spec, machine) / "weights"

    def curve(self, spec: PipelineSpec, machine: MachineId) -> Path:
        """Where the pictures of its tuning are, without their suffix."""
        return self._machine_directory(spec, machine) / "tuning"

    def _machine_directory(self, spec: PipelineSpec, machine: MachineId) -> Path:
        return self.directory(spec) / machine.key

    def replace(self, record: Record, spec: PipelineSpec, machine: MachineId) -> None:
        """Writes a record in place of all others of its name."""
        self.keep(record, spec, machine)
        for path in self._machine_directory(spec, machine).glob(f"{record.name}-{_ANY_HASH}.json"):
            if path.stem != record.label:
                path.unlink(missing_ok=True)

    def keep(self, record: Record, spec: PipelineSpec, machine: MachineId) -> None:
        """Writes a record; only one of the same schedule by the same name is replaced."""
        document = {
            "format": FORMAT,
            "version": VERSION,
            "name": record.name,
            "pipeline": {"name": spec.name, "hash": spec.content_hash},
            "machine": asdict(machine),
            "cost_s": record.cost_s,
            "origin": record.origin,
            "schedule": schedule_codec.to_json(record.schedule),
        }
        path = self._machine_directory(spec, machine) / f"{record.label}.json"
        write_text(path, json.dumps(document, indent=1) + "\n")

    def records(self, spec: PipelineSpec, machine: MachineId) -> list[Record]:
        """All records of a pipeline on a machine, the fastest first.

        Raises:
            InputError: one of them is damaged or belongs elsewhere.
        """
        paths = sorted(self._machine_directory(spec, machine).glob("*.json"))
        records = [_read(path, spec) for path in paths]
        return sorted(records, key=lambda record: record.cost_s)

    def best(self, spec: PipelineSpec, machine: MachineId) -> Record:
        """The schedule that tuning left, or else the fastest one on record.

        Tuning measured it side by side with all that were known; times of different runs compare less well.

        Raises:
            InputError: there is none for this pipeline, with these estimates, on this machine.
        """
        records = self.records(spec, machine)
        if not records:
            raise InputError(
                "no schedule is known for this pipeline",
                where=spec.name,
                expected=f"one that was measured on {machine.cpu}, threads: {machine.threads}, under {self.root}",
                todo="run `hltune schedule` first, with the same -p, --size, --estimate, --example, --max-parallelism; "
                "for hexagon, also the same --target, --objective, --cache, --heap-limit",
            )
        return next((record for record in records if record.name == TUNED), records[0])


def _read(path: Path, spec: PipelineSpec) -> Record:
    try:
        document = cast(dict[str, Any], json.loads(path.read_text()))
        if (document["format"], document["version"]) != (FORMAT, VERSION):
            raise ValueError(f"format {document['format']!r} version {document['version']!r}")
        if document["pipeline"]["hash"] != spec.content_hash:
            raise ValueError("another pipeline's record")
        return Record(
            name=str(document["name"]),
            schedule=schedule_codec.from_json(document["schedule"]),
            cost_s=float(document["cost_s"]),
            origin=str(document["origin"]),
        )
    except (ValueError, KeyError, TypeError, OSError, InputError) as error:
        raise InputError(
            "cannot use the record of a schedule",
            where=str(path),
            expected=f"{FORMAT} version {VERSION} of pipeline {spec.content_hash[:12]}",
            found=f"{type(error).__name__}: {error}",
            todo="delete the file; schedule again",
        ) from None
