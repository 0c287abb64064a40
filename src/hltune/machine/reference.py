"""The expected outputs of a pipeline, computed on this computer, whatever machine the candidates run on."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from hltune.machine.bounds import CoverJob, growth_note
from hltune.machine.inputs import input_arrays
from hltune.machine.options import MeasureOptions
from hltune.machine.task import NumPyReference, Task, compile_task
from hltune.machine.verify import differences, output_path
from hltune.runtime.worker import Process, Worker
from hltune.schedule.repair import is_outside
from hltune.values.directives import ComputeRoot, Schedule, Stage
from hltune.values.errors import HltuneError, InputError, JobFailed
from hltune.values.pipeline import PipelineSpec


class ReferenceSession:
    """What every `Session` has: a folder of expected outputs, which a worker begins with as soon as this exists."""

    def __init__(
        self, task: Task, options: MeasureOptions, worker: Worker, numpy_reference: NumPyReference | None
    ) -> None:
        task.inputs.assign(task.spec)
        self._folder = tempfile.TemporaryDirectory(prefix="hltune-")
        self._directory = Path(self._folder.name)
        self._given, self._task = task.spec, task
        self._covered = False
        job = ReferenceJob(task=task, options=options, directory=self._directory, numpy_reference=numpy_reference)
        self._reference_job, self._running = job, worker.start(job)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Removes the files, and stops the worker if it is still busy with what nobody waits for."""
        self._running.cancel()
        self._folder.cleanup()

    def ready(self) -> None:
        """See `Session.ready`.

        Raises:
            InputError: the inputs do not fit, or the pipeline cannot run on them at all.
            HltuneError: it computes something else than its NumPy reference, or does not finish within its limits.
            JobFailed: it does not compile.
        """
        try:
            self._wait()
        except InputError as error:
            if not is_outside(error.found or "") or not self._cover(self._task.schedule):
                raise
            self._wait()
        if not self._covered and self._task.spec.manual is not None:
            self._covered = True
            # Its author runs it on images that are large enough for it.
            if self._cover(Schedule(base=self._task.spec.manual_hash)):
                self._wait()

    @property
    def growth(self) -> str | None:
        """See `Session.growth`."""
        self.ready()
        return growth_note(self._given, self._task.spec)

    def _cover(self, schedule: Schedule) -> bool:
        """Lets the inputs grow to what a schedule reads, and begins again; False if they are large enough."""
        worker, before = self._running.worker, self._task.spec
        try:
            after = worker.run(
                CoverJob(task=replace(self._task, schedule=schedule), options=self._reference_job.options)
            )
        except JobFailed:
            return False
        if after == before:
            return False
        self._task = replace(self._task, spec=after)
        self._reference_job = replace(self._reference_job, task=self._task)
        self._running = worker.start(self._reference_job)
        return True

    def _wait(self) -> None:
        try:
            self._running.result()
        except JobFailed as failed:
            if failed.failure.kind == "error":
                raise
            # Inlined everywhere, a deep pipeline can recompute for hours; at root it does not.
            self._run_at_root()

    def _run_at_root(self) -> None:
        spec = self._task.spec
        at_root = replace(self._task, schedule=every_func_at_root(spec))
        self._running = self._running.worker.start(replace(self._reference_job, task=at_root))
        try:
            self._running.result()
        except JobFailed as failed:
            raise HltuneError(
                "the pipeline does not finish within its limits, neither inlined nor with every Func at root",
                where=spec.name,
                found=str(failed),
                todo="raise the limit, or schedule for a smaller size",
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceJob:
    """Runs a task and writes its outputs into a directory, where other tasks find what is expected of them."""

    task: Task
    options: MeasureOptions
    directory: Path
    numpy_reference: NumPyReference | None

    def run(self, process: Process) -> None:
        """Runs in the worker."""
        import halide as hl  # the parent handles jobs without it

        spec = self.task.spec
        arrays = input_arrays(process, spec, self.task.inputs)
        compiled = compile_task(process, self.task, arrays, self.options)
        try:
            compiled.run(process, self.options)
        except hl.HalideError as error:
            raise InputError(
                "the pipeline cannot run on these inputs, whatever its schedule",
                where=spec.name,
                found=str(error).strip(),
                todo="check that the estimates of inputs and outputs agree with what the pipeline reads",
            ) from error
        for number, output in enumerate(compiled.outputs):
            np.save(output_path(self.directory, number), output)
        if self.numpy_reference is not None:
            process.enter("NumPy reference", timeout_s=self.options.run_timeout_s)
            pairs = zip(spec.inputs, arrays, strict=True)
            images = {argument.name: value for argument, value in pairs if isinstance(value, np.ndarray)}
            wrong = differences(spec, compiled.outputs, self.numpy_reference(images))
            if wrong:
                raise HltuneError(f"the default schedule disagrees with the NumPy reference: {wrong}", where=spec.name)


def every_func_at_root(spec: PipelineSpec) -> Schedule:
    """Computes every Func once, in full, before its consumers."""
    return Schedule(tuple(ComputeRoot(Stage(func.name)) for func in spec.funcs))
