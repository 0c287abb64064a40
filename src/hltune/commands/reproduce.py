"""`hltune reproduce`: a schedule of the store as files that need Halide and NumPy alone."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hltune.commands.samples import ID_DIGITS
from hltune.machine.bounds import CoverJob
from hltune.machine.inputs import Inputs, image_array
from hltune.machine.open import resolve
from hltune.machine.options import MeasureOptions
from hltune.machine.portable import integer_range
from hltune.machine.sensitivity import every_func_at_root
from hltune.machine.task import Task
from hltune.machine.tolerance import FLOAT_TOLERANCE, Tolerance
from hltune.pipeline.images import Array
from hltune.pipeline.operations import rounded_outputs
from hltune.pipeline.target import HOST
from hltune.runtime.files import check_writable, write_bytes
from hltune.runtime.worker import Worker
from hltune.samples.reader import Reader
from hltune.schedule.script import Allowed, Setting, to_script
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, InputError, JobFailed
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec, ScalarArgument

_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A schedule in the store, and what came of it.

    Attributes:
        outcome: seconds, or why it failed the last time.
    """

    spec: PipelineSpec
    schedule_hash: str
    schedule: Schedule
    machine: MachineId
    outcome: float | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduced:
    """Which files were written; whether they run on this computer."""

    example: Example
    files: tuple[Path, ...]
    runs_here: bool


def reproduce(store: Path, identifier: str, directory: Path, inputs: Inputs) -> Reproduced:
    """Writes the pipeline and a Python file that schedules, compiles, runs, checks and times it.

    Args:
        inputs: what to run on.

    Raises:
        InputError: there is no such schedule, the inputs do not fit, or the directory cannot be written to.
    """
    example = find(store, identifier)
    failure = example.outcome if isinstance(example.outcome, Failure) else None
    files = write_example(example, example.schedule, failure, directory, inputs)
    return Reproduced(example=example, files=files, runs_here=_runs_here(example))


def find(store: Path, identifier: str) -> Example:
    """The schedule that the user means, by the start of its id, as it was measured last.

    Raises:
        InputError: there is none, there are several, or its algorithm or directives are not known.
    """
    with Reader(store) as reader:
        found = reader.find(identifier)
        if len({(each.pipeline_hash, each.schedule_hash) for each in found}) != 1:
            shown = ", ".join(each.schedule_hash[:ID_DIGITS] for each in found[:_SHOWN])
            raise InputError(
                "several schedules have ids that begin so" if found else "no schedule in the store has this id",
                where=identifier,
                found=shown or None,
                todo="`hltune samples best` and `samples failures` show ids",
            )
        last = found[0]
        spec = reader.spec(last.pipeline_hash)
    if spec is None or last.schedule is None:
        raise InputError("an imported sample has neither algorithm nor directives", where=identifier)
    if last.schedule.base is not None:
        raise InputError("this is the schedule of the pipeline's author, in the author's own file", where=identifier)
    return Example(
        spec=spec, schedule_hash=last.schedule_hash, schedule=last.schedule, machine=last.machine, outcome=last.outcome
    )


def write_example(
    example: Example,
    schedule: Schedule,
    failure: Failure | None,
    directory: Path,
    inputs: Inputs,
    tolerances: Sequence[Tolerance] | None = None,
) -> tuple[Path, ...]:
    """Writes a schedule of the example's pipeline, and what came of it, and returns the files.

    Args:
        inputs: what it runs on.
        tolerances: of its outputs; None for what they may differ by that nothing was measured of.
    """
    check_writable(directory)
    spec = _covered(example, inputs) if _runs_here(example) else example.spec
    files = inputs.assign(spec)
    images = {each.name: image_array(each, files[each.name]) for each in spec.buffers() if each.name in files}
    setting = _setting(spec, example.machine, inputs, _usual(spec) if tolerances is None else _measured(tolerances))
    about = f"{spec.name}, schedule {example.schedule_hash[:ID_DIGITS]}"
    about += f": {failure}" if failure is not None else ""
    written = {f"{name}.npy": _npy(image) for name, image in images.items()}
    written["pipeline.hlpipe"] = spec.hlpipe
    written["reproduce.py"] = to_script(spec, schedule, replace(setting, files=images.keys()), about=about).encode()
    for name, data in written.items():
        write_bytes(directory / name, data)
    return tuple(directory / name for name in written)


def _setting(spec: PipelineSpec, machine: MachineId, inputs: Inputs, tolerances: Sequence[Allowed]) -> Setting:
    integers = {each.dtype for each in spec.buffers() if "int" in each.dtype}
    return Setting(
        target=machine.target,
        halide=machine.halide,
        environment=MeasureOptions(threads=machine.threads).environment,
        seed=inputs.seed,
        ranges={dtype: integer_range(np.dtype(dtype)) for dtype in integers},
        scalars={each.name: inputs.scalar(each) for each in spec.inputs if isinstance(each, ScalarArgument)},
        tolerances=tolerances,
    )


def _npy(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _runs_here(example: Example) -> bool:
    """Code for the target of the measurement runs on this computer, and not in an emulator."""
    return resolve(example.machine.target).machine == HOST


def _covered(example: Example, inputs: Inputs) -> PipelineSpec:
    """The pipeline with inputs that are large enough, as it was measured; as it is if nobody can tell."""
    spec, machine = example.spec, example.machine
    options = MeasureOptions(threads=machine.threads)
    with Worker(environment=options.environment) as worker:
        for schedule in (Schedule(), every_func_at_root(spec)):
            task = Task(spec=spec, schedule=schedule, target=machine.target, inputs=inputs)
            with contextlib.suppress(JobFailed):
                return worker.run(CoverJob(task=task, options=options))
    return spec


def _measured(tolerances: Iterable[Tolerance]) -> list[Allowed]:
    return [(tuple(zip(each.levels, each.allowed, strict=True)), each.near_zero) for each in tolerances]


def _usual(spec: PipelineSpec) -> list[Allowed]:
    """Integers are exact, or may be rounded up or down where floats take part; floats have the least tolerance."""
    allowed: list[Allowed] = []
    elements = [(output, dtype) for output in spec.outputs for dtype in output.dtypes]
    for (output, dtype), rounded in zip(elements, rounded_outputs(spec), strict=True):
        none = (0,) * (1 + len(output.estimate))
        most = FLOAT_TOLERANCE[np.dtype(dtype).itemsize] if dtype.startswith("float") else int(rounded)
        allowed.append((((most, none),), None))
    return allowed
