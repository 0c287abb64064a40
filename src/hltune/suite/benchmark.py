"""A built-in benchmark as a value; what it describes is imported when it is asked for."""

from dataclasses import dataclass
from importlib import import_module

from hltune.pipeline.source import Source
from hltune.pipeline.target import TargetInfo
from hltune.runtime.worker import Process
from hltune.suite.strips import hvx_strips

_SIMPLE = "output.compute_root().vectorize(x, {vector_bytes}).parallel(y, 16);"
"""What Halide's repository gives these pipelines on CPUs: one vector of pixels, everything else inlined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """An image filter: the uint8 image ``input`` becomes the uint8 image ``output`` of the same size.

    Pixels outside of ``input`` repeat its edge. The hand-written schedules need at least one vector in x and
    `hltune.suite.strips.STRIP_ROWS` rows: 64 x 64 is enough on every CPU.

    Attributes:
        module: imports Halide and has ``pipeline(width, height) -> Func``, ``reference(arrays) -> tuple`` in NumPy
            and ``expert(vector_bytes) -> str``; ``expert_hvx() -> str`` if that is not just `hvx_strips`.
        width: what the benchmark is measured with, unless the user chooses another size.
        height: likewise.
    """

    name: str
    summary: str
    module: str
    width: int = 1536
    height: int = 2560

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
    expert: str = getattr(module, "expert_hvx", hvx_strips)() if on_dsp else module.expert(target.vector_bytes)
    return {"simple": _SIMPLE.format(vector_bytes=target.vector_bytes), "expert": expert}
