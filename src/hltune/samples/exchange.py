"""Import from and export to the `.sample` files of Halide's own tuning loop."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hltune.runtime.files import write_bytes
from hltune.samples.reader import Reader
from hltune.samples.sample_file import SampleFile
from hltune.samples.writer import Store
from hltune.values import provenance
from hltune.values.cost import Cost
from hltune.values.errors import InputError
from hltune.values.features import Featurization
from hltune.values.machine_id import MachineId
from hltune.values.sample import PipelineRecord, Sample

SUFFIX = ".sample"
_BATCH = 1000
_INT32_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did.

    Attributes:
        pipelines: hash of each pipeline that was found, and how many files are about it.
        added: samples that were not in the store before.
        known: samples that were.
        skipped: files that could not be used, and why.
    """

    pipelines: dict[str, int]
    added: int
    known: int
    skipped: tuple[tuple[Path, str], ...]


def sample_files(paths: Iterable[Path]) -> list[Path]:
    """The files among these paths, and those anywhere below the directories among them.

    Raises:
        InputError: a path does not exist or a directory holds no such file.
    """
    return [file for path in paths for file in _files(path)]


def import_samples(store: Store, files: Sequence[Path], machine: MachineId) -> Imported:
    """Imports files; those that cannot be used are skipped.

    A file says neither which algorithm nor which schedule it is about, and its pipeline id is not to be trusted. So
    pipelines are told apart by their features, and schedules by theirs; what is imported is never mixed with samples
    of pipelines that were tuned here. The time of measurement is the file's.
    Where they were measured the files do not say either.

    Raises:
        InputError: the store cannot be written to.
    """
    pipelines = Counter[str]()
    skipped: list[tuple[Path, str]] = []
    before = store.count()
    for start in range(0, len(files), _BATCH):
        samples: list[Sample] = []
        for file in files[start : start + _BATCH]:
            try:
                samples.append(_read(file, machine))
            except InputError as error:
                skipped.append((file, _reason(error)))
        for sample in samples:
            if sample.pipeline_hash not in pipelines and sample.featurization is not None:
                store.add_pipeline(PipelineRecord.imported(sample.featurization))
            pipelines[sample.pipeline_hash] += 1
        store.add_all(samples)
    added = store.count() - before
    known = pipelines.total() - added
    return Imported(pipelines=dict(pipelines), added=added, known=known, skipped=tuple(skipped))


def export_samples(reader: Reader, pipeline_hash: str, machine_key: str, directory: Path) -> int:
    """Writes a file per schedule into a directory, for Halide's `adams2019_retrain_cost_model`; returns how many.

    Schedules without featurization are left out; the running time is the fastest of all measurements. The pipeline id
    is made of the pipeline's hash and its features: the tool takes the features of the first file for all of an id.

    Raises:
        InputError: there is nothing to export, or the directory cannot be written to.
    """
    written = 0
    for data in reader.training_data(pipeline_hash, machine_key, chunk=_BATCH):
        pipeline_features = data.pipeline_features.tobytes()
        pipeline_id = _number(bytes.fromhex(pipeline_hash) + pipeline_features)
        rows = zip(data.schedule_hashes, data.costs.tolist(), data.schedule_features, strict=True)
        for schedule_hash, runtime_s, schedule_features in rows:
            features = Featurization(pipeline_features=pipeline_features, schedule_features=schedule_features.tobytes())
            sample = SampleFile(
                featurization=features,
                runtime_s=runtime_s,
                pipeline_id=pipeline_id,
                schedule_id=_number(bytes.fromhex(schedule_hash)),
            )
            write_bytes(directory / f"{pipeline_hash[:12]}-{schedule_hash[:24]}{SUFFIX}", sample.encode())
            written += 1
    if not written:
        raise InputError(
            "nothing to export",
            where=str(reader.path),
            expected="measured schedules with a featurization",
            found=f"none of pipeline {pipeline_hash[:12]} on machine {machine_key}",
        )
    return written


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = sorted(path.rglob(f"*{SUFFIX}"))
    if not files:
        raise InputError(
            "no samples here",
            where=str(path),
            expected=f"a {SUFFIX} file or a directory of such files",
            found="no such path" if not path.exists() else "none",
        )
    return files


def _read(path: Path, machine: MachineId) -> Sample:
    try:
        data = path.read_bytes()
        measured_at_s = path.stat().st_mtime
    except OSError as error:
        raise InputError("cannot read", found=error.strerror) from None
    stock = SampleFile.decode(data)
    return Sample(
        pipeline_hash=stock.featurization.pipeline_hash,
        machine=machine,
        schedule=None,
        featurization=stock.featurization,
        measurement=Cost(unit=machine.unit, turns=((stock.runtime_s,),)),
        provenance=provenance.Imported(file=path.name, pipeline_id=stock.pipeline_id, schedule_id=stock.schedule_id),
        measured_at_s=measured_at_s,
    )


def _reason(error: InputError) -> str:
    details = (("expected", error.expected), ("found", error.found))
    return "; ".join([error.what, *(f"{label} {text}" for label, text in details if text)])


def _number(identity: bytes) -> int:
    """A positive int32 that is the same in every export."""
    return int.from_bytes(hashlib.sha256(identity).digest()[:4]) & _INT32_MAX
