"""A schedule to run on this computer, what its outputs are checked against, and its code with its buffers."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from hltune.machine.heap import poisoned_heap
from hltune.machine.inputs import Array, Inputs, input_arrays
from hltune.machine.options import MeasureOptions
from hltune.machine.verify import verify
from hltune.pipeline.jit_handlers import on_one_thread
from hltune.pipeline.layout import Stored, layout_of, stored
from hltune.pipeline.target import running_target
from hltune.runtime.worker import Process, waited_s
from hltune.values.directives import Schedule
from hltune.values.errors import WROTE_BEYOND, Failure, InputError
from hltune.values.pipeline import BufferArgument, Interval, PipelineSpec

R = TypeVar("R")

WROTE_BETWEEN = f"{WROTE_BEYOND} an output, or of its rows"
SMOOTH = "verify on smooth inputs"
"""The stage in which outputs are wrong that are right for other inputs."""
COMPILE = "compile"
RUN = "run"
RUN_SMOOTH = "run on smooth inputs"
"""The stage in which what runs on other inputs fails."""
_UNCHECKED = {"no_asserts", "no_bounds_query"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A schedule to compile for this computer and to run.

    Attributes:
        target: a full Halide target string that this computer can run.
        reference: directory with the expected outputs, or None to accept any.
        smooth_inputs: further ones, see `hltune.machine.smooth`; None if they show nothing.
        smooth_reference: directory with what is expected of these.
    """

    spec: PipelineSpec
    schedule: Schedule
    target: str
    inputs: Inputs
    reference: Path | None = None
    smooth_inputs: Inputs | None = None
    smooth_reference: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumPyReference:
    """A function of an installed module: arrays of all images by name -> arrays of all outputs."""

    module: str
    function: str

    def __call__(self, arrays: Mapping[str, Array]) -> tuple[Array, ...]:
        """The expected outputs."""
        return getattr(importlib.import_module(self.module), self.function)(arrays)


class Code(NamedTuple):
    """Machine code.

    Attributes:
        funcs: see `hltune.schedule.apply.Scheduled.called_otherwise`.
        compile_s: how long it took to compile, without what that waited for a processor.
    """

    function: Callable[..., object]
    funcs: Mapping[str, str]
    compile_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """Machine code with its buffers."""

    task: Task
    arguments: tuple[object, ...]
    code: Code
    memories: tuple[Stored, ...]

    def call(self) -> None:
        """Runs once, whatever is in the outputs.

        Raises:
            hl.HalideError: it failed.
        """
        import halide as hl  # the parent handles jobs without it

        try:
            self.code.function(*self.arguments)
        except (hl.HalideError, UnicodeDecodeError) as error:
            if isinstance(error, hl.HalideError) and "\n" not in str(error).strip():
                raise
            raise hl.HalideError(_said_by_one(lambda: self.code.function(*self.arguments), error)) from error

    @property
    def outputs(self) -> tuple[Array, ...]:
        """One per element of each output."""
        return tuple(memory.array for memory in self.memories)

    def poison(self) -> None:
        """Overwrites the outputs, so that what is not computed shows."""
        for memory in self.memories:
            memory.poison()

    def run(self, process: Process, options: MeasureOptions) -> None:
        """Runs once over poisoned outputs."""
        process.enter(RUN_SMOOTH if self.task.inputs.smooth else RUN, timeout_s=options.run_timeout_s)
        self.poison()
        with poisoned_heap():
            process.on_main_thread(self.call)

    def run_and_verify(self, process: Process, options: MeasureOptions) -> Failure | None:
        """`run`, and what is wrong with the outputs; on smooth inputs as well, where these may show more."""
        self.run(process, options)
        failure = self.verify(process, options)
        if failure is None and self.task.smooth_inputs is not None:
            return self._verify_on(process, self.task.smooth_inputs, options)
        return failure

    def _verify_on(self, process: Process, inputs: Inputs, options: MeasureOptions) -> Failure | None:
        import halide as hl  # the parent handles jobs without it

        task = replace(self.task, inputs=inputs, reference=self.task.smooth_reference, smooth_inputs=None)
        compiled = with_buffers(process, task, self.code, input_arrays(process, task.spec, inputs))
        try:
            failure = compiled.run_and_verify(process, options)
        except hl.HalideError as error:
            return Failure.of(RUN_SMOOTH, error)
        return failure and replace(failure, stage=SMOOTH)

    def verify(self, process: Process, options: MeasureOptions) -> Failure | None:
        """What is wrong with the outputs as they are."""
        if not all(memory.gaps_intact() for memory in self.memories):
            return Failure(stage="verify", kind="wrong output", message=WROTE_BETWEEN)
        return verify(process, self.outputs, self.task.reference, options)


def checked(target: str) -> str:
    """The target with the checks that its features leave out: code for it says which images do not fit it."""
    return "-".join(each for each in target.split("-") if each not in _UNCHECKED)


def attempted(process: Process, call: Callable[[], R | Failure]) -> R | Failure:
    """What a call returns, or the failure of what it tries, and of nothing else: by the stage in which it ended."""
    import halide as hl  # the parent handles jobs without it

    try:
        return call()
    except (InputError, hl.HalideError) as error:
        return Failure.of(process.stage, error)


def compile_task(process: Process, task: Task, arrays: tuple[Array | float, ...], options: MeasureOptions) -> Compiled:
    """Compiles a task and gives it its buffers."""
    return with_buffers(process, task, compile_code(process, task, options), arrays)


def with_buffers(process: Process, task: Task, code: Code, arrays: tuple[Array | float, ...]) -> Compiled:
    """The code of a task, ready to run on these inputs."""
    outputs = _output_memories(process, task.spec)
    estimates = [output.estimate for output in task.spec.outputs for _ in output.dtypes]
    pairs = zip(task.spec.inputs, arrays, strict=True)
    inputs = [_buffer(value, a.estimate) if isinstance(a, BufferArgument) else value for a, value in pairs]
    arguments = [*inputs, *(_buffer(each.array, at) for each, at in zip(outputs, estimates, strict=True))]

    return Compiled(task=task, arguments=tuple(arguments), code=code, memories=outputs)


def _said_by_one(call: Callable[[], object], error: Exception) -> str:
    """Why code fails on several threads, in the words of one: Halide has one message for all, a mixture of theirs."""
    import halide as hl  # the parent handles jobs without it

    try:
        with on_one_thread():
            call()
    except (hl.HalideError, UnicodeDecodeError) as again:
        return str(again)
    return f"it fails on several threads, and not on one: {error}"


def compile_code(process: Process, task: Task, options: MeasureOptions) -> Code:
    """Builds, schedules and compiles; nothing of it depends on earlier tasks of the process."""
    import halide as hl  # the parent handles jobs without it

    from hltune.schedule.apply import scheduled

    process.enter(COMPILE, timeout_s=options.compile_timeout_s, one_thread=True)
    began_s = time.perf_counter() - waited_s()
    ready = scheduled(task.spec, task.schedule)
    built = ready.built
    function = built.pipeline.compile_to_callable(built.arguments, hl.Target(running_target(task.target)))
    return Code(function, ready.called_otherwise, time.perf_counter() - waited_s() - began_s)


def compile_idle(process: Process, compiled: Compiled) -> Compiled:
    """Code that takes the same arguments and computes nothing; one for all schedules of a pipeline."""
    import halide as hl  # the parent handles jobs without it

    from hltune.pipeline.build import build

    task = compiled.task
    key = f"idle {task.spec.content_hash}"
    if key not in process.state:
        built = build(task.spec)
        outputs = [_idle(each) for each in built.pipeline.outputs()]
        target = hl.Target(running_target(task.target))
        process.state[key] = hl.Pipeline(outputs).compile_to_callable(built.arguments, target)
    return replace(compiled, code=compiled.code._replace(function=process.state[key]))


def _idle(func: Any) -> Any:
    """A Func of the same dimensions and types, no value of which is ever stored."""
    import halide as hl  # the parent handles jobs without it

    idle, variables = hl.Func("idle"), [hl.Var() for _ in range(func.dimensions())]
    values = [hl.undef(each) for each in func.types()]
    idle[variables] = values[0] if len(values) == 1 else hl.Tuple(values)
    for buffer in idle.output_buffers():
        if variables:
            buffer.dim(0).set_stride(hl.Expr())  # any: Halide's default is 1
    return idle


def _output_memories(process: Process, spec: PipelineSpec) -> tuple[Stored, ...]:
    """The same for all schedules of a process: where an array lies in memory can make a difference of a fifth."""
    key = f"outputs {spec.content_hash}"
    if key not in process.state:
        process.state[key] = tuple(
            stored(layout_of(output, dtype), name=output.name, alignment=output.alignment)
            for output in spec.outputs
            for dtype in output.dtypes
        )
    return process.state[key]


def _buffer(array: Array | float, estimate: tuple[Interval, ...]) -> Any:
    from hltune.pipeline.build import buffer_of

    assert isinstance(array, np.ndarray)
    return buffer_of(array, [minimum for minimum, _ in estimate])
