"""The expected outputs of a pipeline, computed on this machine, whatever machine the candidates run on."""

from __future__ import annotations

from pathlib import Path

from hltune.machine.host.jobs import NumPyReference, ReferenceJob, Task
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.runtime.worker import Worker
from hltune.values.directives import ComputeRoot, Schedule, Stage
from hltune.values.errors import HltuneError, JobFailed
from hltune.values.pipeline import PipelineSpec

DEFAULT_REFERENCE = Schedule()
"""The schedule without directives."""


class Reference:
    """Files with expected outputs, which a worker begins with as soon as this exists.

    Args:
        spec: the pipeline.
        target: of this machine.
        options: how to measure.
        inputs: what to run on.
        directory: for the files.
        worker: whose next job it is.
        schedule: that computes them.
        numpy_reference: an independent version of the algorithm that they are checked against.
    """

    def __init__(
        self,
        spec: PipelineSpec,
        *,
        target: str,
        options: MeasureOptions,
        inputs: Inputs,
        directory: Path,
        worker: Worker,
        schedule: Schedule,
        numpy_reference: NumPyReference | None,
    ) -> None:
        inputs.assign(spec)
        self._spec = spec
        self._target = target
        self._options = options
        self._inputs = inputs
        self.directory = directory
        self._worker = worker
        self._numpy_reference = numpy_reference
        self._pending: ReferenceJob | None = self._job(schedule)
        worker.start(self._pending)

    def abandon(self) -> None:
        """Stops the worker if it is still busy with outputs that nobody waits for."""
        if self._pending is not None:
            self._worker.recycle()

    def ready(self) -> None:
        """Waits for the files.

        Raises:
            InputError: the inputs do not fit, or the pipeline cannot run on them at all.
            HltuneError: it computes something else than its NumPy reference, or does not finish within its limits.
            JobFailed: it does not compile.
        """
        if self._pending is None:
            return
        try:
            self._worker.finish(self._pending)
        except JobFailed as failed:
            if failed.failure.kind == "error":
                raise
            # Inlined everywhere, a deep pipeline can recompute for hours; at root it does not.
            self._run_at_root()
        self._pending = None

    def _run_at_root(self) -> None:
        try:
            self._worker.run(self._job(every_func_at_root(self._spec)))
        except JobFailed as failed:
            raise HltuneError(
                "the pipeline does not finish within its limits, neither inlined nor with every Func at root",
                where=self._spec.name,
                found=str(failed),
                todo="raise the limit, or schedule for a smaller size",
            ) from None

    def _job(self, schedule: Schedule) -> ReferenceJob:
        return ReferenceJob(
            task=Task(spec=self._spec, schedule=schedule, target=self._target, inputs=self._inputs),
            options=self._options,
            directory=self.directory,
            numpy_reference=self._numpy_reference,
        )


def every_func_at_root(spec: PipelineSpec) -> Schedule:
    """Computes every Func once, in full, before its consumers."""
    return Schedule(tuple(ComputeRoot(Stage(func.name)) for func in spec.funcs))
