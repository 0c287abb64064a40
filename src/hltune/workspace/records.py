"""The folder where a user's schedules and caches live.

```
.hltune/cache/                                   built C++ generators, what is known of expected outputs
.hltune/default/MACHINE/                         the cost model that commands use, if pre-training left one here
.hltune/pretrained/MACHINE/                      weights of pre-training, and how far it has come
.hltune/samples.sqlite                           all measurements, see `samples.schema`
.hltune/PIPELINE-HASH/NAME.schedule.json         this machine's schedule in the forms of text, source beside it
.hltune/PIPELINE-HASH/hexagon/                   the same for another machine, by its name
.hltune/PIPELINE-HASH/bundles/ID.json            what a bundle has, see `bundle.manifest`
.hltune/PIPELINE-HASH/devices/MACHINE/           the same for other computers, and devices that bundles ran on
.hltune/PIPELINE-HASH/searches/                  what long searches found, see `workspace.searches`
.hltune/PIPELINE-HASH/MACHINE/NAME-HASH.json     a record: a schedule, where it came from, what it cost
.hltune/PIPELINE-HASH/MACHINE/weights/           the cost model of this pipeline, see `cost_model.adams2019.lineage`
.hltune/PIPELINE-HASH/MACHINE/tuning.{svg,png}   how tuning went
.hltune/PIPELINE-HASH/MACHINE/tunings.jsonl      the commands that tuned it, see `workspace.tunings`
.hltune/PIPELINE-HASH/MACHINE/refuted.jsonl      what was wrong, see `workspace.refuted`
```
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hltune.pipeline.target import HOST, TargetInfo
from hltune.values.directives import Schedule
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.workspace.record import TUNED, Kept, Record, read_record, write_record

_ANY_HASH = "[0-9a-f]" * 8
_LISTINGS = 3
"""How often a folder is listed in which others replace files."""
_ANY_KEY = "[0-9a-f]" * 12
"""Names of machines' directories."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """Paths below one folder; nothing is created before something is written."""

    root: Path

    @property
    def cache(self) -> Path:
        """The folder of what can be made again."""
        return self.root / "cache"

    @property
    def samples(self) -> Path:
        """The sample store."""
        return self.root / "samples.sqlite"

    @property
    def defaults(self) -> Path:
        """The folder of what commands use if they are not told which, of all machines."""
        return self.root / "default"

    def default_folder(self, machine: MachineId) -> Path:
        """Where the weights and the ranker are that commands use on a machine if they are not told which."""
        return self.defaults / machine.key

    def default_folders(self, machine: MachineId) -> tuple[Path, Path]:
        """That folder, and the one of earlier versions, which had one for all machines."""
        return self.default_folder(machine), self.defaults

    def all_default_folders(self, machine: MachineId) -> tuple[Path, ...]:
        """The same, and those of other machines, with which a tuning may have begun."""
        own, former = self.default_folders(machine)
        return (own, former, *(each for each in sorted(former.glob("*/")) if each != own))

    def pretrained(self, machine: MachineId) -> Path:
        """Where pre-training on a machine keeps its weights."""
        return self.root / "pretrained" / machine.key

    def directory(self, spec: PipelineSpec) -> Path:
        """What belongs to one pipeline, by whatever name it was called first."""
        return self._known(spec.content_hash) or self.root / f"{spec.name}-{spec.content_hash[:12]}"

    def texts(self, spec: PipelineSpec, target: TargetInfo, elsewhere: MachineId | None = None) -> Path:
        """Where a schedule is written in the forms of text; for another machine than this one, apart."""
        if elsewhere is not None:
            return self.device_texts(spec, elsewhere)
        directory = self.directory(spec)
        return directory if target.machine == HOST else directory / (target.machine or target.name)

    def device_texts(self, spec: PipelineSpec, machine: MachineId) -> Path:
        """The same for a device that bundles ran on, or computers of another kind."""
        return self.directory(spec) / "devices" / machine.key

    def bundle(self, spec: PipelineSpec, bundle_id: str) -> Path:
        """The manifest of a bundle."""
        return self.directory(spec) / "bundles" / f"{bundle_id}.json"

    def find_bundle(self, bundle_id: str) -> Path | None:
        """The manifest of a bundle of any pipeline; None if it was not made in this workspace."""
        return next(self.root.glob(f"*/bundles/{bundle_id}.json"), None)

    def _known(self, content_hash: str) -> Path | None:
        return min(self.root.glob(f"*-{content_hash[:12]}/"), default=None)

    def left_behind(self, spec: PipelineSpec) -> Path | None:
        """What earlier versions kept of a pipeline under another identity, until something is kept under this one."""
        return None if self._known(spec.content_hash) else self._known(spec.former_hash)

    def searches(self, spec: PipelineSpec) -> Path:
        """Where what long searches of a pipeline found is."""
        return self.directory(spec) / "searches"

    def weights(self, spec: PipelineSpec, machine: MachineId) -> Path:
        """Where the weights of a pipeline on a machine are."""
        return self._machine_directory(spec, machine) / "weights"

    def curve(self, spec: PipelineSpec, machine: MachineId) -> Path:
        """Where the pictures of its tuning are, without their suffix."""
        return self._machine_directory(spec, machine) / "tuning"

    def tunings(self, spec: PipelineSpec, machine: MachineId) -> Path:
        """Where the commands that tuned a pipeline on a machine are."""
        return self._machine_directory(spec, machine) / "tunings.jsonl"

    def refuted_anywhere(self, spec: PipelineSpec) -> tuple[Path, ...]:
        """The files of `refuted` of all machines."""
        return tuple(sorted(self.directory(spec).glob("*/refuted.jsonl")))

    def refuted(self, spec: PipelineSpec, machine: MachineId) -> Path:
        """Where schedules are whose outputs were wrong on a machine, as commands noticed that store no samples."""
        return self._machine_directory(spec, machine) / "refuted.jsonl"

    def _machine_directory(self, spec: PipelineSpec, machine: MachineId) -> Path:
        return self.directory(spec) / machine.key

    def replace(self, record: Record, spec: PipelineSpec, machine: MachineId) -> None:
        """Writes a record in place of all others of its name."""
        self.keep(record, spec, machine)
        for path in self._machine_directory(spec, machine).glob(f"{record.name}-{_ANY_HASH}.json"):
            if path.stem != record.label:
                path.unlink(missing_ok=True)

    def keep(self, record: Record, spec: PipelineSpec, machine: MachineId, *, again: bool = False) -> None:
        """Writes a record; only one of the same schedule by the same name is replaced, whose doubt stays.

        Args:
            again: it was on record; if another run has removed it since, it is better or wrong, and nothing is written.
        """
        path = self._machine_directory(spec, machine) / f"{record.label}.json"
        if again and not path.exists():
            return
        if not record.doubt:
            with contextlib.suppress(InputError):
                former = read_record(path, spec)
                record = replace(record, doubt=former.record.doubt if former else "")
        write_record(path, record, spec, machine.document())

    def drop(
        self, schedule: Schedule, spec: PipelineSpec, machine: MachineId, *, other_conditions: bool = True
    ) -> set[str]:
        """Deletes all records of a schedule on a machine, of other conditions as well or not; returns their names."""
        dropped: set[str] = set()
        for each in self._on(spec, machine):
            here = other_conditions or each.path.parent.name == machine.key
            if here and each.record.schedule == schedule:
                each.path.unlink(missing_ok=True)
                dropped.add(each.record.name)
        return dropped

    def doubt(self, schedule: Schedule, spec: PipelineSpec, machine: MachineId) -> set[str]:
        """The same where outputs were wrong by tolerances that the user gave: other records stay, and say so."""
        doubted: set[str] = set()
        for path, record, document, _ in self._on(spec, machine):
            if record.schedule != schedule:
                continue
            doubted.add(record.name)
            if path.parent.name == machine.key:
                path.unlink(missing_ok=True)
            else:
                write_record(path, replace(record, doubt=machine.given), spec, document)
        return doubted

    def _on(self, spec: PipelineSpec, machine: MachineId) -> Iterator[Kept]:
        """All records on a machine, whatever the conditions; not the damaged ones, which nobody uses either."""
        here = {**machine.document(), "conditions": ""}
        for path in sorted(self.directory(spec).glob(f"{_ANY_KEY}/*.json")):
            with contextlib.suppress(InputError):
                kept = read_record(path, spec)
                if kept is None:
                    continue
                if path.parent.name == machine.key or {**kept.machine, "conditions": ""} == here:
                    yield kept

    def records(self, spec: PipelineSpec, machine: MachineId) -> list[Record]:
        """The fastest record of each name for a pipeline on a machine, the fastest first.

        What the author has written otherwise since then is left out.
        Where there is none, those count, without their costs, that were measured last with what people gave, or else
        that earlier versions measured on this machine. What was tuned on images counts beside what was not tuned.

        Raises:
            InputError: a record is damaged or belongs elsewhere.
        """
        own = _fastest(self._all(spec, machine), spec)
        given = self._with_given(spec, machine)
        if not own:
            return next(iter(given.values()), None) or self._of_before(spec, machine)
        tuned = [each for what, records in given.items() if _only_images(what, spec) for each in records]
        return own + [each for each in tuned if each.name == TUNED and TUNED not in {known.name for known in own}][:1]

    def _with_given(self, spec: PipelineSpec, machine: MachineId) -> dict[str, list[Record]]:
        """What was measured with what people gave, by that: on images alone first, then the newest first."""
        found: dict[str, list[Kept]] = {}
        for kept in self._on(spec, machine):
            if given := machine.given_under(str(kept.machine.get("conditions", ""))):
                found.setdefault(given, []).append(kept)

        def order(given: str) -> tuple[bool, int]:
            return _only_images(given, spec), max(each.written_ns for each in found[given])

        return {
            given: _elsewhere(_fastest((each.record for each in found[given]), spec), given)
            for given in sorted(found, key=order, reverse=True)
        }

    def _of_before(self, spec: PipelineSpec, machine: MachineId) -> list[Record]:
        if machine.former is None:
            return []
        what = "the usual data and tolerances" if machine.given else "an earlier version of hltune"
        return _elsewhere(self.records(spec, machine.former), what)

    def _all(self, spec: PipelineSpec, machine: MachineId) -> list[Record]:
        found: list[Kept] = []
        for _ in range(_LISTINGS):
            paths = sorted(self._machine_directory(spec, machine).glob("*.json"))
            found = _read_all(paths, spec)
            if len(found) == len(paths):  # else another process has replaced one meanwhile, and the new one counts
                break
        return [each.record for each in found]

    def best(self, spec: PipelineSpec, machine: MachineId) -> Record:
        """The schedule that tuning left after a comparison, or else the fastest one on record.

        Tuning measured it side by side with all that were known; times of different runs compare less well. What it
        left without one, for it was interrupted or short of time, counts by its cost as all others do.

        Raises:
            InputError: there is none for this pipeline, with these estimates, on this machine.
        """
        records = self.records(spec, machine)
        if not records:
            raise InputError(
                "no schedule is known for this pipeline",
                where=spec.name,
                expected=f"one that was measured on {machine.cpu}, threads: {machine.threads}, under {self.root}",
                todo=f"run {self._what_keeps_one(spec, machine)} first, with the same -p, --size, --estimate, "
                "--example, --max-parallelism; for hexagon, also the same --target, --objective, --cache, "
                "--heap-limit; a file that was changed since is another pipeline",
            )
        return next((record for record in records if record.name == TUNED and record.compared), records[0])

    def _what_keeps_one(self, spec: PipelineSpec, machine: MachineId) -> str:
        """The command that leaves a record; where tuning was killed, the one that compares what it has measured."""
        from hltune.samples.reader import Reader  # only loaded for this message

        with contextlib.suppress(InputError), Reader(self.samples) as reader:
            if reader.best(spec.content_hash, machine.key, 1):
                return "`hltune tune` with `--rounds 0`, which compares what was measured,"
        return "`hltune schedule`"


def _read_all(paths: Iterable[Path], spec: PipelineSpec) -> list[Kept]:
    """All records that are still there; the error names all that are damaged, so that one call tells what to delete."""
    found, damaged = list[Kept](), list[InputError]()
    for path in paths:
        try:
            kept = read_record(path, spec)
        except InputError as error:
            damaged.append(error)
        else:
            found += [] if kept is None else [kept]
    if len(damaged) > 1:
        raise InputError(
            f"cannot use the records of {len(damaged)} schedules",
            where=", ".join(each.where or "" for each in damaged),
            expected=damaged[0].expected,
            found="; ".join(each.found or "" for each in damaged),
            todo="delete these files; schedule again",
        )
    if damaged:
        raise damaged[0]
    return found


def _only_images(given: str, spec: PipelineSpec) -> bool:
    return {each.partition("=")[0] for each in given.split(", ")} <= {each.name for each in spec.buffers()}


def _fastest(records: Iterable[Record], spec: PipelineSpec) -> list[Record]:
    """Of each name one that is still there, the fastest first."""
    best: dict[str, Record] = {}
    there = (record for record in records if spec.has_base(record.schedule.base))
    for record in sorted(there, key=lambda record: math.inf if record.cost is None else record.cost):
        best.setdefault(record.name, record)
    return list(best.values())


def _elsewhere(records: Iterable[Record], what: str) -> list[Record]:
    """The same, as they count under other conditions."""
    return [replace(each, cost=None, elsewhere=each.elsewhere or what) for each in records]
