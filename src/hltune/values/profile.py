"""Where the time of a schedule goes, as a profiler says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a Func, or something of Halide's runtime, takes.

    Attributes:
        samples: how often it was seen running; where all of it is counted, what it costs.
        threads: mean number of threads that were at work meanwhile.
        heap_peak_bytes: most that its buffers took at a time.
        allocations: buffers that it took from the heap in a run.
        stack_bytes: most that its buffers took of the stack.
    """

    name: str
    samples: int
    threads: float
    heap_peak_bytes: int = 0
    allocations: float = 0.0
    stack_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A schedule that was sampled while it ran, again and again, or counted in a single run.

    Attributes:
        seconds: median of a run, with the profiler at work.
        runs: how many there were.
        parts: Funcs by the names that the schedule has for them, and what else takes time.
        threads: mean number of threads that were at work.
        heap_peak_bytes: most that was taken from the heap at a time.
        allocations: buffers that a run takes from the heap.
        counted: nothing was sampled: the samples are all that there is.
    """

    seconds: float
    runs: int
    parts: tuple[Part, ...]
    threads: float
    heap_peak_bytes: int
    allocations: float
    counted: bool = False

    @property
    def samples(self) -> int:
        """Of all parts."""
        return sum(each.samples for each in self.parts)

    def share(self, part: Part) -> float:
        """The share of the time that a part takes."""
        return part.samples / max(1, self.samples)
