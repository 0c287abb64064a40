"""Makes the files of a bundle: compiled candidates, Halide's runtime, data, and the runner or its sources."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from hltune.bundle.compilers import Compiler, runtime_target
from hltune.bundle.expected import Setting
from hltune.bundle.manifest import Entry, Manifest
from hltune.bundle.objects import ImagesJob, ObjectJob, RuntimeJob
from hltune.bundle.packing import SOURCES, write_expected, write_texts
from hltune.bundle.tables import Filed, Tables
from hltune.machine.options import MeasureOptions
from hltune.runtime.halide_wheel import COMPILE_ENVIRONMENT
from hltune.runtime.progress import Progress
from hltune.runtime.worker import Worker, run_each, usable_workers
from hltune.values.errors import Failure, HltuneError
from hltune.values.pipeline import PipelineSpec
from hltune.values.reasons import reasons


def compile_candidates(
    spec: PipelineSpec,
    target: str,
    entries: Sequence[Entry],
    *,
    wanted: int,
    timeout_s: float,
    folder: Path,
    progress: Progress,
) -> tuple[tuple[Entry, ...], list[Failure]]:
    """Compiles candidates, side by side, until there are enough; returns these, and why others cannot be compiled.

    Args:
        target: a full Halide target string.
        timeout_s: limit on each.
        folder: where their objects are written, by the names of their functions.

    Raises:
        HltuneError: none compiles.
    """
    good: list[Entry] = []
    failures: list[Failure] = []

    def job(entry: Entry) -> ObjectJob:
        return ObjectJob(
            spec=spec,
            schedule=entry.candidate.schedule,
            target=target,
            function=entry.function,
            path=folder / f"{entry.function}.o",
            timeout_s=timeout_s,
        )

    left = iter(entries)
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(Worker(environment=COMPILE_ENVIRONMENT, preload=("halide",)))
            for _ in range(usable_workers())
        ]
        # As many as are wanted, and others for those that fail: none is left out because it takes longer.
        while chosen := [*islice(left, wanted - len(good))]:
            jobs = ((entry, job(entry)) for entry in chosen)
            with contextlib.closing(run_each(jobs, workers)) as outcomes:
                for entry, failure in outcomes:
                    if failure is not None:
                        failures.append(failure)
                        continue
                    good.append(entry)
                    progress.phase(f"{spec.name}: compiled {len(good)} of {wanted}")
    if not good:
        found = "; ".join(map(str, reasons(failures)[:3])) or "no candidates"
        raise HltuneError("no candidate compiles for this target", where=target, found=found)
    return tuple(sorted(good, key=lambda entry: entry.number)), failures


def build_files(
    manifest: Manifest,
    spec: PipelineSpec,
    settings: Sequence[Setting],
    measure: MeasureOptions,
    compiler: Compiler | None,
    folder: Path,
) -> list[Path]:
    """Makes all files of the bundle in a folder and returns them; candidates are timed on the first setting."""
    data, sources = folder / "bundle", folder / "sources"
    data.mkdir()
    shutil.copytree(SOURCES, sources)
    runtime = folder / "runtime.o"
    with Worker(environment=measure.environment, preload=("halide",)) as worker:
        worker.run(RuntimeJob(runtime_target(manifest.target, compiler), runtime))
        filed = [_filed(each, spec, worker, data, f"-{number}" * bool(number)) for number, each in enumerate(settings)]
    tables = Tables(bundle_id=manifest.id, spec=spec, settings=tuple(filed), entries=manifest.entries, measure=measure)
    (sources / "tables.c").write_text(tables.source())
    objects = [*(folder / f"{entry.function}.o" for entry in manifest.entries), runtime]
    write_texts(data, manifest, compiler, objects=[path.name for path in objects])
    if compiler is None:
        return [*sorted(data.iterdir()), *sorted(sources.iterdir()), *objects]
    compiler.link(sorted(sources.glob("*.c")), objects, data / "run")
    (data / "run.sh").chmod(0o755)
    return sorted(data.iterdir())


def _filed(setting: Setting, spec: PipelineSpec, worker: Worker, data: Path, suffix: str) -> Filed:
    """Writes the files of a setting."""
    images = worker.run(ImagesJob(spec=spec, inputs=setting.inputs, directory=data, suffix=suffix))
    samples = (write_expected(data, number, each, suffix=suffix) for number, each in enumerate(setting.expected))
    return Filed(setting=setting, images=images, samples=tuple(samples))
