"""A built-in benchmark as a value; what it describes is imported when it is asked for."""

from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module

from hltune.pipeline.source import Source
from hltune.pipeline.target import TargetInfo
from hltune.runtime.worker import Process
from hltune.suite.strips import hvx_strips

_SIMPLE = "output.compute_root().vectorize(x, {vector_bytes}).parallel(y, 16);"
"""What Halide's repository gives these pipelines on CPUs: one vector of pixels, everything else inlined."""


class Group(StrEnum):
    """Benchmarks that belong together, which one name stands for."""

    HEXAGON = "hexagon"
    APPS = "apps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A pipeline that comes with hltune.

    Those of the group ``hexagon`` are image filters: the uint8 image ``input`` becomes the uint8 image ``output`` of
    the same size, and pixels outside of ``input`` repeat its edge. The hand-written schedules need at least one vector
    in x and `hltune.suite.strips.STRIP_ROWS` rows: 64 x 64 is enough on every CPU. Those of the group ``apps`` say in
    their modules what they compute; their schedules are for CPUs only.

    Attributes:
        module: imports Halide and has ``pipeline(width, height) -> Func`` and ``expert(vector_bytes) -> str``. In the
            group ``hexagon`` it also has ``reference(arrays) -> tuple`` in NumPy, and ``expert_hvx() -> str`` if that
            is not just `hvx_strips`.
        width: what the benchmark is measured with, unless the user chooses another size.
        height: likewise.
        least: the smallest width and height that the hand-written schedules are for.
    """

    name: str
    summary: str
    module: str
    group: Group
    width: int
    height: int
    least: int = 64

    @property
    def has_reference(self) -> bool:
        """Whether the module computes the outputs in NumPy, quickly enough for the usual size."""
        return self.group is Group.HEXAGON

    def source(self, width: int, height: int) -> Source:
        """Where the pipeline of this size is loaded from."""
        parameters = (("width", str(width)), ("height", str(height)))
        return Source(kind="module", location=self.module, entry="pipeline", parameters=parameters)


@dataclass(frozen=True, slots=True)
class HandWrittenJob:
    """Gets the hand-written schedules by name, as text for `hltune.schedule.parse.parse_schedule`."""

    benchmark: Benchmark
    target: TargetInfo

    def run(self, process: Process) -> dict[str, str]:
        """Runs in the worker, because the module of a benchmark imports Halide."""
        process.enter("hand-written schedules", timeout_s=30)
        return schedules(self.benchmark, self.target)


def schedules(benchmark: Benchmark, target: TargetInfo) -> dict[str, str]:
    """What `HandWrittenJob` gets, in this process."""
    module = import_module(benchmark.module)
    on_dsp = target.machine == "hexagon"
    if benchmark.group is Group.APPS:
        return {} if on_dsp else {"expert": module.expert(target.vector_bytes)}
    expert: str = getattr(module, "expert_hvx", hvx_strips)() if on_dsp else module.expert(target.vector_bytes)
    return {"simple": _SIMPLE.format(vector_bytes=target.vector_bytes), "expert": expert}
