"""`hltune reproduce`: a schedule of the store as files that need Halide and NumPy alone."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hltune.commands.example import Example, Repetition, Wanted, find, repetition
from hltune.commands.ours import check_example
from hltune.commands.recall import remembered
from hltune.commands.samples import ID_DIGITS
from hltune.machine.bounds import CoverJob
from hltune.machine.inputs import Inputs, input_array, smooth
from hltune.machine.open import resolve
from hltune.machine.options import MeasureOptions
from hltune.machine.portable import integer_range
from hltune.machine.sensitivity import REFERENCE_TARGET, simplest_schedules
from hltune.machine.task import COMPILE, RUN, RUN_SMOOTH, SMOOTH, Task
from hltune.machine.tolerance import FLOAT_TOLERANCE, Tolerance
from hltune.pipeline.images import Array
from hltune.pipeline.operations import rounded_outputs, takes_signs
from hltune.pipeline.target import HOST, running_target
from hltune.runtime.files import check_writable, write_bytes
from hltune.runtime.worker import Worker
from hltune.schedule.script import BY_RULE, Allowed, GivenUp, Setting, Tolerances, pipeline_files, to_script
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, JobFailed
from hltune.values.limits import given_up_s
from hltune.values.pipeline import PipelineSpec, ScalarArgument
from hltune.workspace.records import Workspace

_SCRIPT = "reproduce.py"
_TIMED = (COMPILE, RUN)
"""Stages of a measurement that the script times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduced:
    """Which files were written; whether they run on this computer.

    Attributes:
        notes: what differs from how it was measured, for people.
    """

    example: Example
    files: tuple[Path, ...]
    runs_here: bool
    notes: tuple[str, ...] = ()


def reproduce(workspace: Workspace, wanted: Wanted, directory: Path, inputs: Callable[[int], Inputs]) -> Reproduced:
    """Writes the pipeline and a Python file that schedules, compiles, runs, checks and times it.

    Args:
        inputs: what to run on, of the seed that counts unless the user gives one.

    Raises:
        InputError: there is no such schedule, the inputs do not fit, or the directory cannot be written to.
    """
    example = find(workspace.samples, wanted)
    again = repetition(example, workspace, inputs, MeasureOptions(threads=example.machine.threads))
    failure = example.outcome if isinstance(example.outcome, Failure) else None
    again = showing(failure, example.spec, again)
    check_place(directory, example.spec, again.inputs)
    covered = with_inputs_covered(example, again.inputs)
    again, allowed = allowed_on(workspace, covered, example, again)
    files = write_example(covered, example.schedule, failure, directory, again.inputs, allowed)
    notes = (*again.notes, *([BY_RULE] if allowed.by_rule else []))
    return Reproduced(example=example, files=files, runs_here=runs_here(example), notes=notes)


def showing(failure: Failure | None, spec: PipelineSpec, again: Repetition) -> Repetition:
    """On those of the inputs that a failure shows on."""
    if failure is None or failure.stage not in (SMOOTH, RUN_SMOOTH):
        return again
    return replace(again, inputs=smooth(again.inputs, signed=takes_signs(spec)))


def allowed_on(
    workspace: Workspace, covered: Example, example: Example, again: Repetition
) -> tuple[Repetition, Tolerances]:
    """What outputs may differ by: as an earlier command has measured it, or else as little as is sensible.

    Where that was on smooth inputs without signs, since with signs it was uncertain, it is measured on these again.
    """
    target = example.machine.target if runs_here(example) else REFERENCE_TARGET
    for signed in (True, False) if again.inputs.signed else (False,):
        way = replace(again, inputs=replace(again.inputs, signed=signed))
        known = remembered(workspace, example.machine, target, (covered.spec, example.spec), way)
        if known is not None and not (signed and any(each.chaotic for each in known)):
            return way, measured(known)
    return again, usual(example.spec, again.options)


def write_example(
    example: Example,
    schedule: Schedule,
    failure: Failure | None,
    directory: Path,
    inputs: Inputs,
    tolerances: Tolerances,
) -> tuple[Path, ...]:
    """Writes a schedule of the example's pipeline, and what came of it, and returns the files, the script last.

    Args:
        example: with inputs that are large enough, see `with_inputs_covered`.
        inputs: what it runs on.
        tolerances: of its outputs.
    """
    spec = example.spec
    images = _images(spec, inputs)
    setting = replace(_setting(example, spec, inputs, tolerances), files=images.keys())
    if failure is not None:
        of_script = replace(failure, stage=RUN) if failure.stage == RUN_SMOOTH else failure
        setting = replace(setting, failure=str(of_script), given_up=given_up(of_script))
    about = f"{spec.name}, schedule {example.schedule_hash[:ID_DIGITS]}"
    about += f": {failure}" if failure is not None else ""
    written = {_file_name(name): _npy(image) for name, image in images.items()} | pipeline_files(spec)
    written[_SCRIPT] = to_script(spec, schedule, setting, about=about).encode()
    for name in reversed(written):  # first what names the others: who is interrupted here can write them once more
        write_bytes(directory / name, written[name])
    return tuple(directory / name for name in written)


def check_place(directory: Path, spec: PipelineSpec, inputs: Inputs) -> None:
    """Raises an `InputError` if `write_example` could not write here, or would replace files that are not ours."""
    check_writable(directory)
    names = [*map(_file_name, _written(spec, inputs)), *pipeline_files(spec)]
    sources = [path for _, path in inputs.images]
    check_example(directory / _SCRIPT, [directory / name for name in names], sources=sources)


def given_up(outcome: float | Failure) -> GivenUp | None:
    """What took too long; None if that is not how it failed, or if the script has no such stage."""
    if not isinstance(outcome, Failure) or outcome.kind != "timeout":
        return None
    after_s = given_up_s(outcome.message)
    if outcome.stage not in _TIMED or after_s is None:
        return None
    return GivenUp(stage=outcome.stage, after_s=after_s)


def _images(spec: PipelineSpec, inputs: Inputs) -> dict[str, Array]:
    """Those that the script does not draw itself."""
    files, written = inputs.assign(spec), _written(spec, inputs)
    return {
        each.name: input_array(each, files.get(each.name), inputs) for each in spec.buffers() if each.name in written
    }


def _written(spec: PipelineSpec, inputs: Inputs) -> tuple[str, ...]:
    files = inputs.assign(spec)
    return tuple(each.name for each in spec.buffers() if inputs.portable or inputs.smooth or each.name in files)


def _file_name(image: str) -> str:
    return f"{image}.npy"


def _setting(example: Example, spec: PipelineSpec, inputs: Inputs, tolerances: Tolerances) -> Setting:
    machine = example.machine
    integers = {each.dtype for each in spec.buffers() if "int" in each.dtype}
    return Setting(
        target=running_target(machine.target) if runs_here(example) else machine.target,
        halide=machine.halide,
        environment=MeasureOptions(threads=machine.threads).environment,
        seed=inputs.seed,
        ranges={dtype: integer_range(np.dtype(dtype)) for dtype in sorted(integers)},
        scalars={each.name: inputs.scalar(each) for each in spec.inputs if isinstance(each, ScalarArgument)},
        tolerances=tolerances,
    )


def _npy(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def runs_here(example: Example) -> bool:
    """Code for the target of the measurement runs on this computer, and not in an emulator."""
    return resolve(example.machine.target).machine == HOST


def with_inputs_covered(example: Example, inputs: Inputs) -> Example:
    """With inputs that are large enough, as it was measured; as it is if nobody can tell."""
    return replace(example, spec=_covered(example, inputs)) if runs_here(example) else example


def _covered(example: Example, inputs: Inputs) -> PipelineSpec:
    """The pipeline with inputs that are large enough, as it was measured; as it is if nobody can tell."""
    spec, machine = example.spec, example.machine
    options = MeasureOptions(threads=machine.threads)
    with Worker(environment=options.environment) as worker:
        for schedule in simplest_schedules(spec):
            task = Task(spec=spec, schedule=schedule, target=machine.target, inputs=inputs)
            with contextlib.suppress(JobFailed):
                return worker.run(CoverJob(task=task, options=options))
    return spec


def measured(tolerances: Iterable[Tolerance]) -> Tolerances:
    """What outputs may differ by, as it was measured."""
    pairs = ((tuple(zip(each.levels, each.allowed, strict=True)), each.near_zero) for each in tolerances)
    return Tolerances(allowed=tuple(pairs))


def usual(spec: PipelineSpec, options: MeasureOptions) -> Tolerances:
    """What outputs may differ by where nothing was measured: what people gave, or else as little as is sensible.

    Integers are exact, or may be rounded up or down where floats take part; floats have the least tolerance.
    """
    allowed: list[Allowed] = []
    by_rule = False
    elements = [(output, dtype) for output in spec.outputs for dtype in output.dtypes]
    for (output, dtype), rounded in zip(elements, rounded_outputs(spec), strict=True):
        none = (0,) * (1 + len(output.estimate))
        if dtype.startswith("float"):
            given, rule = options.tolerance, FLOAT_TOLERANCE[np.dtype(dtype).itemsize]
        else:
            given, rule = options.integer_tolerance, int(rounded)
        by_rule = by_rule or (given is None and rule != 0)  # what is exact would be measured so, too
        allowed.append((((rule if given is None else given, none),), None))
    return Tolerances(allowed=tuple(allowed), by_rule=by_rule)
