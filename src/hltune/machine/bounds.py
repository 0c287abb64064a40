"""What a pipeline reads of its inputs: Halide's code answers that, at once, when it is called without memory for them.

Estimates of inputs may be too small for those of the outputs, and many a user's pipeline is run on larger images only.
Candidates then run on inputs that have grown; the pipeline's identity stays.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat, zip_longest
from typing import Any

from hltune.machine.inputs import Inputs, input_arrays
from hltune.machine.options import MeasureOptions
from hltune.machine.sensitivity import every_func_at_root
from hltune.machine.task import Task, checked, compile_code
from hltune.runtime.worker import Process
from hltune.values.about import OutputSizes
from hltune.values.errors import InputError
from hltune.values.pipeline import BufferArgument, Interval, PipelineSpec

_REMAINDERS = (0, 1, 5, 31)
"""By how much outputs are larger than their estimates, to see what is read for some sizes that tiles do not divide."""
Regions = Mapping[str, tuple[Interval, ...]]
"""By the input's name, one interval per dimension, innermost first."""


def regions_read(call: Callable[..., object], spec: PipelineSpec, inputs: Inputs) -> Regions:
    """What a compiled pipeline reads to compute its outputs at the size of their estimates. Runs in a worker."""
    extents = {each.name: tuple(size for _, size in each.estimate) for each in spec.outputs}
    _, read = _queried(call, spec, inputs, extents)
    return read


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverJob:
    """Finds out how large the inputs have to be for the schedule of a task."""

    task: Task
    options: MeasureOptions

    def run(self, process: Process) -> PipelineSpec:
        """Runs in a worker; returns the pipeline with estimates of its inputs that are large enough."""
        spec = self.task.spec
        function = _compiled(process, self.task, self.options)
        process.enter("bounds query", timeout_s=self.options.run_timeout_s)
        return grown(spec, regions_read(function, spec, self.task.inputs))


@dataclass(frozen=True, slots=True, kw_only=True)
class HasInputsJob:
    """Finds out whether inputs can be as large as a task wants them: files and fixed strides are as they are."""

    task: Task

    def run(self, process: Process) -> bool:
        """Runs in a worker, which keeps the inputs."""
        try:
            input_arrays(process, self.task.spec, self.task.inputs)
        except InputError:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSizesJob:
    """Finds out on which sizes of outputs a schedule runs: tiles that may not stand out of an image want whole ones."""

    task: Task
    options: MeasureOptions

    def run(self, process: Process) -> OutputSizes:
        """Runs in a worker."""
        task = replace(self.task, target=checked(self.task.target))
        function = compile_code(process, task, self.options).function
        process.state[compiled_key(task)] = function  # for a `MarginsJob`
        process.enter("bounds query", timeout_s=self.options.run_timeout_s)
        return output_sizes(function, task.spec, task.inputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginsJob:
    """Finds out how many elements of inputs a schedule reads that the algorithm does not, on some other sizes.

    Tiles of what is computed from an input may stand out of what is needed of it.
    """

    task: Task
    options: MeasureOptions

    def run(self, process: Process) -> dict[str, tuple[int, ...]]:
        """Runs in a worker; returns the most by dimension, of those inputs of which there are any."""
        spec, inputs = self.task.spec, self.task.inputs
        most: dict[str, list[int]] = {each.name: [0] * len(each.estimate) for each in spec.buffers()}
        task = replace(self.task, target=checked(self.task.target))
        plain_task = replace(task, schedule=every_func_at_root(spec))
        call, plain = (_compiled(process, each, self.options) for each in (task, plain_task))
        process.enter("bounds query", timeout_s=self.options.run_timeout_s)
        for more in _REMAINDERS:
            wanted = {each.name: tuple(extent + more for _, extent in each.estimate) for each in spec.outputs}
            extents, read = _queried(call, spec, inputs, wanted)
            _, needed = _queried(plain, spec, inputs, extents)
            for name, intervals in read.items():
                for number, (interval, least) in enumerate(zip(intervals, needed[name], strict=True)):
                    before, behind = least[0] - interval[0], sum(interval) - sum(least)
                    most[name][number] = max(most[name][number], before, behind)
        return {name: tuple(each) for name, each in most.items() if any(each)}


def output_sizes(call: Callable[..., object], spec: PipelineSpec, inputs: Inputs) -> OutputSizes:
    """What a compiled pipeline makes of outputs of one element, and of those that are one larger. Runs in a worker."""
    least, _ = _queried(call, spec, inputs, {output.name: (1,) * len(output.estimate) for output in spec.outputs})
    larger = {name: tuple(extent + 1 for extent in extents) for name, extents in least.items()}
    following, _ = _queried(call, spec, inputs, larger)
    steps = {
        name: tuple(after - before for before, after in zip(extents, following[name], strict=True))
        for name, extents in least.items()
    }
    return OutputSizes(least, steps)


def _queried(
    call: Callable[..., object], spec: PipelineSpec, inputs: Inputs, extents: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, tuple[int, ...]], Regions]:
    """The extents of outputs with which a compiled pipeline computes these, and what it reads for them."""
    images = {a.name: _without_memory(a.dtype, a.estimate) for a in spec.buffers()}
    values = [images[a.name] if isinstance(a, BufferArgument) else inputs.scalar(a) for a in spec.inputs]
    regions = {
        output.name: [(least, extent) for (least, _), extent in zip(output.estimate, extents[output.name], strict=True)]
        for output in spec.outputs
    }
    outputs = {
        output.name: [_without_memory(dtype, regions[output.name]) for dtype in output.dtypes]
        for output in spec.outputs
    }
    call(*values, *chain.from_iterable(outputs.values()))
    made = {name: tuple(extent for _, extent in _region(elements[0])) for name, elements in outputs.items()}
    return made, {name: _region(image) for name, image in images.items()}


def _compiled(process: Process, task: Task, options: MeasureOptions) -> Callable[..., object]:
    """The code of a task: what an earlier job has left, or else compiled now."""
    return process.state.pop(compiled_key(task), None) or compile_code(process, task, options).function


def compiled_key(task: Task) -> str:
    """Where a worker's state may have the code of a task, which need not be compiled again then."""
    return f"compiled for a bounds query: {task.spec.content_hash} {task.schedule} {task.target}"


def _without_memory(dtype: str, estimate: Sequence[Interval]) -> Any:
    import halide as hl

    from hltune.pipeline.build import halide_type

    buffer = hl.Buffer.make_bounds_query(halide_type(dtype), [extent for _, extent in estimate])
    buffer.set_min([minimum for minimum, _ in estimate])
    return buffer


def _region(buffer: Any) -> tuple[Interval, ...]:
    dimensions = (buffer.dim(number) for number in range(buffer.dimensions()))
    return tuple((dimension.min(), dimension.extent()) for dimension in dimensions)


def grown(spec: PipelineSpec, regions: Regions) -> PipelineSpec:
    """The same pipeline with estimates of its inputs that cover what is read."""
    return replace(
        spec,
        inputs=tuple(
            replace(a, estimate=tuple(map(_hull, a.estimate, regions[a.name]))) if isinstance(a, BufferArgument) else a
            for a in spec.inputs
        ),
    )


def _hull(estimate: Interval, read: Interval) -> Interval:
    least = min(estimate[0], read[0])
    return least, max(sum(estimate), sum(read)) - least


def growth(before: PipelineSpec, after: PipelineSpec) -> str:
    """Which inputs had to grow, and by how much; empty if none had to."""
    pairs = zip(before.buffers(), after.buffers(), strict=True)
    texts = [f"{a.name} from {_text(a.estimate)} to {_text(b.estimate)}" for a, b in pairs if a.estimate != b.estimate]
    return ", ".join(texts)


def growth_notes(before: PipelineSpec, after: PipelineSpec) -> tuple[str, ...]:
    """What people should know of inputs that had to grow, if some had to."""
    if not (text := growth(before, after)):
        return ()
    return (
        "the estimates of inputs do not cover what is read for those of the outputs, so the images that schedules run "
        f"on are larger: {text}. Estimates of that size in the file make this note go away",
    )


def shrunk(before: PipelineSpec, after: PipelineSpec) -> str:
    """Flags by which inputs that had to grow end up as large as they were before; empty where nothing is left then."""
    pairs = zip(before.buffers(), after.buffers(), strict=True)
    grew = {a.name: [new[1] - old[1] for old, new in zip(a.estimate, b.estimate, strict=True)] for a, b in pairs}
    most = [max(each) for each in zip_longest(*grew.values(), fillvalue=0)]
    flags: list[str] = []
    for argument in (*before.buffers(), *before.outputs):
        mores = chain(grew.get(argument.name, most), repeat(0))
        extents = [extent - more for (_, extent), more in zip(argument.estimate, mores, strict=False)]
        if min(extents, default=1) < 1:
            return ""
        if extents != [extent for _, extent in argument.estimate]:
            flags.append(f"--estimate {argument.name}={'x'.join(map(str, extents))}")
    return " ".join(flags)


def _text(estimate: tuple[Interval, ...]) -> str:
    sizes = "x".join(str(extent) for _, extent in estimate)
    start = ", ".join(str(minimum) for minimum, _ in estimate)
    return f"{sizes} at ({start})" if any(minimum for minimum, _ in estimate) else sizes
