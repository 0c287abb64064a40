"""`hltune bundle read` and `hltune bundle best`: what came back from devices."""

from __future__ import annotations

import shlex
import zlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

from hltune import __version__
from hltune.bundle.manifest import Manifest
from hltune.bundle.packing import read_manifest
from hltune.bundle.results import CONDITIONS, Measured, Problem, Results, bundle_of, read_results
from hltune.commands.export import export_texts
from hltune.commands.once_wrong import once_wrong
from hltune.commands.samples import chosen_pipeline
from hltune.commands.store import hold_store
from hltune.machine.open import resolve
from hltune.runtime.progress import Progress
from hltune.samples.reader import Reader
from hltune.samples.results import Ranked
from hltune.values.about import About
from hltune.values.errors import Failure, InputError
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.values.reasons import Reason, reasons
from hltune.values.sample import PipelineRecord, Sample
from hltune.workspace.lines import add_line
from hltune.workspace.record import TUNED, Record
from hltune.workspace.records import Workspace
from hltune.workspace.subject import Subject
from hltune.workspace.tunings import TuningCommand

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best schedules of a pipeline on a device.

    Attributes:
        measured: how many schedules were measured there, failed ones included.
        ranked: the best of them, best first; empty if all have failed.
        files: the very best in the forms of text.
    """

    pipeline: str
    machine: MachineId
    measured: int
    ranked: tuple[Ranked, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a file of results brought.

    Attributes:
        bundle: the id.
        good: measurements that count.
        added: those that the store did not have yet.
        refuted: costs that did not repeat, and do not count.
        missing: candidates without a result.
        candidates: all of the bundle.
        reasons: why candidates failed on the device.
        problems: lines that do not count.
        unfinished: the last line was not written to its end.
    """

    bundle: str
    kernel: str
    good: int
    added: int
    refuted: int
    missing: int
    candidates: int
    reasons: tuple[Reason, ...]
    problems: tuple[Problem, ...]
    unfinished: bool
    best: Best


def read(path: Path, bundle: Path | None, *, workspace: Workspace, progress: Progress) -> Read:
    """Puts what a bundle's runner wrote into the store, as a machine of its own, and keeps the best schedule.

    Whatever is good is kept, and nothing is stored twice.

    Args:
        path: the file.
        bundle: the bundle that ran, or its manifest; None if it was made in this workspace.

    Raises:
        InputError: one of the files cannot be read, or they do not belong together.
    """
    progress.phase(f"reading {path}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError("cannot read the results", where=str(path), found=error.strerror) from None
    manifest = _manifest(bundle_of(data, where=str(path)), bundle, workspace, path)
    results = read_results(data, manifest, where=str(path))
    for problem in results.problems:
        progress.note(f"{path}: {problem}")
    machine = results.device.machine(manifest)
    refuted = results.refuted
    with hold_store(workspace.samples, progress, todo="read the same file again") as store:
        store.add_pipeline(PipelineRecord.of(manifest.spec))
        before = store.count()
        store.add_all(as_sample(each, manifest, machine) for each in results.measured if each not in refuted)
        added = store.count() - before
        for each in refuted:  # which the store has if the file was read before it was measured once more
            store.retract(store.add(as_sample(each, manifest, machine)))
        if added and manifest.seed is not None:
            _note_seed(path, manifest.seed, results, workspace.tunings(manifest.spec, machine))
        best = _best(store, manifest.spec, machine, workspace, progress)
    return _read(manifest, results, added, len(refuted), best)


def _note_seed(path: Path, seed: int, results: Results, tunings: Path) -> None:
    """Notes the seed of what the bundle measured on, by the clock of its device, for who wants to see it again."""
    began_s = min(each.at_s for each in results.measured)
    command = shlex.join(["hltune", "bundle", "read", str(path)])
    add_line(tunings, TuningCommand(command=command, seed=seed, began_s=began_s, hltune=__version__))


def best(pipeline: str | None = None, *, workspace: Workspace, progress: Progress) -> tuple[Best, ...]:
    """The best schedules of each pipeline on each device that a bundle came back from.

    Args:
        pipeline: name or start of the id of the only one to show; None for all.

    Raises:
        InputError: no bundle of this pipeline came back, or several have this name.
    """
    with Reader(workspace.samples) as store:
        rows = [row for row in store.statistics() if row.machine.conditions.startswith(CONDITIONS)]
        if pipeline is not None:
            known = {row.pipeline_hash: row.pipeline_name for row in rows}
            only = chosen_pipeline(known, pipeline, what="results of bundles of it", where=str(workspace.samples))
            rows = [row for row in rows if row.pipeline_hash == only]
        specs = ((store.spec(row.pipeline_hash), row.machine) for row in rows)
        return tuple(_best(store, spec, machine, workspace, progress) for spec, machine in specs if spec is not None)


def _manifest(bundle_id: str, bundle: Path | None, workspace: Workspace, results: Path) -> Manifest:
    place = bundle or workspace.find_bundle(bundle_id)
    if place is None:
        raise InputError(
            "these are results of a bundle that was not made in this workspace",
            where=str(results),
            expected=f"a bundle whose manifest is under {workspace.root}",
            found=f"bundle {bundle_id}",
            todo="give the file of the bundle by --bundle FILE, or the workspace in which it was made by --workspace",
        )
    try:
        data = read_manifest(place)
    except (OSError, EOFError, KeyError, BadZipFile, NotImplementedError, RuntimeError, zlib.error) as error:
        found = getattr(error, "strerror", None) or str(error)
        raise InputError("cannot read the bundle", where=str(place), found=found) from None
    return Manifest.decode(data, where=str(place))


def as_sample(measured: Measured, manifest: Manifest, machine: MachineId) -> Sample:
    """A measurement as the store keeps it."""
    candidate = measured.entry.candidate
    return Sample(
        pipeline_hash=manifest.spec.content_hash,
        machine=machine,
        schedule=candidate.schedule,
        featurization=candidate.features,
        measurement=measured.measurement,
        provenance=candidate.provenance,
        round=manifest.number,
        measured_at_s=measured.at_s,
    )


def _read(manifest: Manifest, results: Results, added: int, refuted: int, best: Best) -> Read:
    seen = {each.entry.number for each in results.measured}
    failures = [each.measurement for each in results.measured if isinstance(each.measurement, Failure)]
    return Read(
        bundle=manifest.id,
        kernel=results.device.kernel,
        good=len(results.measured) - refuted,
        added=added,
        refuted=refuted,
        missing=sum(each.number not in seen for each in manifest.entries),
        candidates=len(manifest.entries),
        reasons=reasons(failures),
        problems=tuple(results.problems),
        unfinished=results.unfinished,
        best=best,
    )


def _best(store: Reader, spec: PipelineSpec, machine: MachineId, workspace: Workspace, progress: Progress) -> Best:
    """Keeps the best schedule as a record of the device, and writes it."""
    key = (spec.content_hash, machine.key)
    wrong = once_wrong(spec, machine, workspace, store)
    fastest = store.best(*key, _SHOWN + len(wrong))
    ranked = tuple(each for each in fastest if each.schedule is not None and each.schedule_hash not in wrong)[:_SHOWN]
    files: tuple[Path, ...] = ()
    if ranked:
        progress.phase(f"writing the best schedule of {spec.name}")
        try:
            files = _keep(ranked[0], spec, machine, workspace)
        except InputError as error:  # who only looks may do so where nothing can be written
            progress.note(f"{spec.name}: the best schedule could not be written: {error}")
    measured = len(store.costs(*key))
    return Best(pipeline=spec.name, machine=machine, measured=measured, ranked=ranked, files=files)


def _keep(best: Ranked, spec: PipelineSpec, machine: MachineId, workspace: Workspace) -> tuple[Path, ...]:
    """Puts it on record, and writes it in all forms of text."""
    assert best.schedule is not None
    record = Record(name=TUNED, schedule=best.schedule, cost=best.cost, provenance=best.provenance)
    workspace.replace(record, spec, machine)
    subject = Subject(spec=spec, target=resolve(machine.target), benchmark=None, hand_written={})
    about = About.today(spec, machine, best.cost)
    return export_texts(about, subject, best.schedule, workspace.device_texts(spec, machine))
