"""The bandwidth bound of a pipeline: the cost of a parallel, vectorised copy of the same number of bytes."""

from dataclasses import dataclass

from hltune.machine.inputs import input_bytes, output_bytes
from hltune.runtime.worker import Process
from hltune.schedule.parse import parse_schedule
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule
from hltune.values.pipeline import BufferArgument, Interval, PipelineSpec

_ROW_BYTES = 2**16
_LEAST_BYTES = 2**12
"""What is less is copied in less time than a call takes."""

# Unrolled, because a compiler for processors without a fast one would else call its `memcpy`.
_SCHEDULE = "copy.compute_root().split(x, xo, xi, {block}).vectorize(xi, {vector_bytes}).unroll(xi).parallel(y);"


def copied_bytes(spec: PipelineSpec) -> int:
    """Half of what the pipeline reads and writes at least: a copy moves each of its bytes twice."""
    return (input_bytes(spec) + output_bytes(spec) + 1) // 2


def bound_of(copy: Measurement | None, spec: PipelineSpec) -> float | None:
    """What the copy costs, in seconds; None if it failed, or moves so little that its time is that of calling it."""
    if not isinstance(copy, Cost) or (not copy.counted and copied_bytes(spec) < _LEAST_BYTES):
        return None
    return copy.value


def copy_size(count: int) -> tuple[Interval, Interval]:
    """Rows of about `_ROW_BYTES`, together as many bytes as asked for."""
    rows = max(1, count // _ROW_BYTES)
    return (0, count // rows), (0, rows)


@dataclass(frozen=True, slots=True)
class CopyJob:
    """Makes the copy that goes with a pipeline, and its schedule for vectors of so many bytes."""

    spec: PipelineSpec
    vector_bytes: int

    def run(self, process: Process) -> tuple[PipelineSpec, Schedule]:
        """Runs in the worker, because it needs Halide."""
        import halide as hl

        from hltune.pipeline.build import spec_of

        process.enter("copy", timeout_s=30)
        size = copy_size(copied_bytes(self.spec))
        x, y = hl.vars("x y")
        source = hl.ImageParam(hl.UInt(8), 2, "source")
        copy = hl.Func("copy")
        copy[x, y] = source[x, y]
        argument = BufferArgument(name="source", dtype="uint8", estimate=size)
        spec = spec_of("copy", hl.serialize_pipeline(hl.Pipeline(copy)), [argument], [size])
        text = _SCHEDULE.format(block=4 * self.vector_bytes, vector_bytes=self.vector_bytes)
        return spec, parse_schedule(text, spec.funcs)
