"""What the host machine has its worker do: compile, run, verify and time one schedule.

Compiled schedules stay in the state of the process under their key until the process ends.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hltune.machine.host.timing import time_calls
from hltune.machine.inputs import Array, Inputs, aligned, image_size, random_array, read_image, shape_of
from hltune.machine.options import MeasureOptions
from hltune.machine.verify import difference
from hltune.runtime.worker import Process
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError, InputError
from hltune.values.pipeline import BufferArgument, PipelineSpec

_POISON = 0xA5
"""Outputs are filled with it first, so that an element that nobody wrote shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to compile and run.

    Attributes:
        target: a full Halide target string that this machine can run.
        reference: directory with the expected outputs, or None to accept any.
    """

    spec: PipelineSpec
    schedule: Schedule
    target: str
    inputs: Inputs
    reference: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumPyReference:
    """A function of an installed module: arrays of all images by name -> arrays of all outputs."""

    module: str
    function: str

    def __call__(self, arrays: Mapping[str, Array]) -> tuple[Array, ...]:
        """Computes the expected outputs."""
        return getattr(importlib.import_module(self.module), self.function)(arrays)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceJob:
    """Runs a task and writes its outputs into a directory, where other tasks find what is expected of them.

    Raises:
        InputError: an image does not fit, or the pipeline reads what these inputs do not have.
        HltuneError: the outputs are not those of the independent NumPy version.
    """

    task: Task
    options: MeasureOptions
    directory: Path
    numpy_reference: NumPyReference | None = None

    def run(self, process: Process) -> None:
        """Runs in the worker."""
        arrays = input_arrays(process, self.task)
        compiled = compile_task(process, self.task, arrays, self.options)
        self._run(compiled, process)
        for number, output in enumerate(compiled.outputs):
            np.save(output_path(self.directory, number), output)
        if self.numpy_reference is not None:
            process.enter("NumPy reference", timeout_s=self.options.run_timeout_s)
            images = {
                argument.name: value
                for argument, value in zip(self.task.spec.inputs, arrays, strict=True)
                if isinstance(value, np.ndarray)
            }
            wrong = compiled.differences(self.numpy_reference(images), integer_tolerance=0)
            if wrong:
                raise HltuneError(
                    f"the default schedule disagrees with the NumPy reference: {wrong}", where=self.task.spec.name
                )

    def _run(self, compiled: Compiled, process: Process) -> None:
        import halide as hl  # the parent handles jobs without it

        try:
            compiled.run(process, self.options)
        except hl.HalideError as error:
            raise InputError(
                "the pipeline cannot run on these inputs, whatever its schedule",
                where=self.task.spec.name,
                found=str(error).strip(),
                todo="check that the estimates of inputs and outputs agree with what the pipeline reads",
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareJob:
    """Compiles a task, runs it once and verifies what it wrote."""

    key: str
    task: Task
    options: MeasureOptions

    def run(self, process: Process) -> Failure | None:
        """Runs in the worker; returns None when all went well."""
        arrays = input_arrays(process, self.task)
        try:
            compiled = compile_task(process, self.task, arrays, self.options)
        except InputError as error:  # the schedule does not fit the pipeline: its failure, and nobody else's
            return Failure(stage="compile", kind="error", message=str(error))
        compiled.run(process, self.options)
        failure = verify(process, compiled, self.task.reference, self.options)
        if failure is None:
            process.state[self.key] = compiled
        return failure


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeJob:
    """Takes one turn with a prepared task.

    Attributes:
        last: run and verify once more afterwards, for a race need not show in the first run, and forget the task.
        prune_s: a call that takes longer is not repeated.
    """

    key: str
    task: Task
    options: MeasureOptions
    last: bool
    prune_s: float

    def run(self, process: Process) -> tuple[float, ...] | Failure:
        """Runs in the worker; returns seconds per call."""
        compiled: Compiled = process.state[self.key]
        process.enter("timing", timeout_s=self.options.turn_s + 2 * self.options.run_timeout_s)
        repeats = time_calls(
            compiled.call,
            turn_s=self.options.turn_s,
            sample_s=self.options.sample_s,
            prune_s=self.prune_s,
        )
        if not self.last:
            return repeats
        del process.state[self.key]
        compiled.run(process, self.options)
        return verify(process, compiled, self.task.reference, self.options) or repeats


@dataclass(frozen=True, slots=True)
class Compiled:
    """Machine code with its buffers."""

    call: Callable[[], object]
    outputs: tuple[Array, ...]
    output_names: tuple[str, ...]

    def run(self, process: Process, options: MeasureOptions) -> None:
        """Runs once over poisoned outputs."""
        process.enter("run", timeout_s=options.run_timeout_s)
        for output in self.outputs:
            output.reshape(-1).view(np.uint8).fill(_POISON)
        self.call()

    def differences(
        self, expected: tuple[Array, ...], *, integer_tolerance: int, float_slack: float = 1.0
    ) -> str | None:
        """How the outputs differ from the expected ones, or None."""
        return _differences(self.output_names, self.outputs, expected, integer_tolerance, float_slack)


def _differences(
    names: Sequence[str],
    found: Sequence[Array],
    expected: Sequence[Array],
    integer_tolerance: int,
    float_slack: float,
) -> str | None:
    for name, ours, wanted in zip(names, found, expected, strict=True):
        text = difference(ours, wanted, name=name, integer_tolerance=integer_tolerance, float_slack=float_slack)
        if text is not None:
            return text
    return None


def output_differences(
    spec: PipelineSpec, found: Sequence[Array], expected: Sequence[Array], options: MeasureOptions
) -> str | None:
    """How outputs differ from the expected ones, or None."""
    return _differences(_output_names(spec), found, expected, options.integer_tolerance, options.float_slack)


def _output_names(spec: PipelineSpec) -> tuple[str, ...]:
    return tuple(output.name for output in spec.outputs for _ in output.dtypes)


def expected_outputs(reference: Path, count: int) -> tuple[Array, ...]:
    """What a `ReferenceJob` left in a directory."""
    return tuple(np.load(output_path(reference, number)) for number in range(count))


def verify(process: Process, compiled: Compiled, reference: Path | None, options: MeasureOptions) -> Failure | None:
    """Compares what the last run wrote with the stored outputs."""
    if reference is None:
        return None
    process.enter("verify", timeout_s=options.verify_timeout_s)
    expected = expected_outputs(reference, len(compiled.outputs))
    text = compiled.differences(expected, integer_tolerance=options.integer_tolerance, float_slack=options.float_slack)
    return Failure(stage="verify", kind="wrong output", message=text) if text else None


def output_path(directory: Path, number: int) -> Path:
    """Where a reference output is stored."""
    return directory / f"output{number}.npy"


def input_arrays(process: Process, task: Task) -> tuple[Array | float, ...]:
    """The inputs at the size of the estimates, in the order of the spec; made once per process."""
    key = f"inputs {task.spec.content_hash} {task.inputs}"
    if key not in process.state:
        process.enter("inputs", timeout_s=120)
        images = task.inputs.assign(task.spec)
        process.state[key] = tuple(
            _input_array(argument, images.get(argument.name), task.inputs.seed)
            if isinstance(argument, BufferArgument)
            else task.inputs.scalar(argument)
            for argument in task.spec.inputs
        )
    return process.state[key]


def _input_array(argument: BufferArgument, image: Path | None, seed: int) -> Array:
    if image is None:
        return random_array(argument, seed=seed)
    array = read_image(image, argument)
    wanted = shape_of(argument.estimate)
    if any(extent < least for extent, least in zip(array.shape, wanted, strict=True)):
        size = "x".join(str(extent) for extent in reversed(wanted))
        raise InputError(
            f"the image is too small for input {argument.name}",
            where=str(image),
            expected=f"{size} or larger, the size that the pipeline is scheduled for",
            found=image_size(array),
            todo="give --example IMAGE to schedule for this size, or --size WxH for a built-in benchmark",
        )
    cropped = aligned(wanted, argument.dtype)
    cropped[...] = array[tuple(slice(extent) for extent in wanted)]
    return cropped


def compile_task(process: Process, task: Task, arrays: tuple[Array | float, ...], options: MeasureOptions) -> Compiled:
    """Builds, schedules and compiles; nothing of it depends on earlier tasks of the process."""
    import halide as hl  # the parent handles jobs without it

    from hltune.pipeline.build import build
    from hltune.schedule.apply import apply_schedule

    process.enter("compile", timeout_s=options.compile_timeout_s)
    built = build(task.spec)
    apply_schedule(built, task.spec, task.schedule)
    function = built.pipeline.compile_to_callable(built.arguments, hl.Target(task.target))
    outputs = [output for output in task.spec.outputs for _ in output.dtypes]
    written = _output_arrays(process, task.spec)
    arguments = [
        *(_halide_input(argument, value) for argument, value in zip(task.spec.inputs, arrays, strict=True)),
        *(
            _buffer(array, [minimum for minimum, _ in output.estimate])
            for output, array in zip(outputs, written, strict=True)
        ),
    ]
    return Compiled(
        call=lambda: function(*arguments),
        outputs=written,
        output_names=_output_names(task.spec),
    )


def _output_arrays(process: Process, spec: PipelineSpec) -> tuple[Array, ...]:
    """The same for all schedules of a process: where an array lies in memory can make a difference of a fifth."""
    key = f"outputs {spec.content_hash}"
    if key not in process.state:
        process.state[key] = tuple(
            aligned(shape_of(output.estimate), dtype) for output in spec.outputs for dtype in output.dtypes
        )
    return process.state[key]


def _halide_input(argument: Any, value: Array | float) -> Any:
    if isinstance(argument, BufferArgument):
        assert isinstance(value, np.ndarray)
        return _buffer(value, [minimum for minimum, _ in argument.estimate])
    return value


def _buffer(array: Array, minima: list[int]) -> Any:
    import halide as hl

    buffer = hl.Buffer(array)
    buffer.set_min(minima)
    return buffer
