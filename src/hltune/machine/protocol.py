"""What a machine is to the rest of hltune: schedules go in, measurements come out."""

from __future__ import annotations

import statistics
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from hltune.machine.host.jobs import NumPyReference
from hltune.machine.inputs import Inputs
from hltune.machine.reference import DEFAULT_REFERENCE
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.machine_id import Fingerprint
from hltune.values.pipeline import PipelineSpec
from hltune.values.unit import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What an emulator counts beside the cost.

    Attributes:
        packets: issued, scalar and vector ones.
        hvx_instructions: those of the vector unit.
        instructions: in all packets.
        allocations: of the heap.
        peak_heap_bytes: in use at a time.
        line_misses: of the cache model; None without one.
    """

    packets: int
    hvx_instructions: int
    instructions: int
    allocations: int
    peak_heap_bytes: int
    line_misses: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What running a candidate cost; its output was verified.

    Attributes:
        unit: what people see it in.
        turns: every repeat in seconds, turn by turn; between two turns the other schedules had theirs. What is counted
            and not timed has one turn of one repeat, see `Unit`.
        pruned: it was so much slower than the best that further repeats were not worth their time.
        counters: None where nothing is counted.
    """

    unit: Unit
    turns: tuple[tuple[float, ...], ...]
    pruned: bool = False
    counters: Counters | None = None

    @property
    def repeats(self) -> tuple[float, ...]:
        """Every repeat, in the order of measurement."""
        return tuple(repeat for turn in self.turns for repeat in turn)

    @property
    def value(self) -> float:
        """The fastest repeat: what disturbs a run only ever adds time."""
        return min(self.repeats)

    @property
    def spread(self) -> float:
        """How far the median repeat lies above the fastest, as a share of it."""
        return statistics.median(self.repeats) / self.value - 1


Measurement = Cost | Failure


class Session(Protocol):
    """A machine that is ready to measure schedules of one pipeline on one set of inputs.

    Used by one thread. Leaving the context ends all processes of the session.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def side_by_side(self) -> bool:
        """Whether `measure` uses all cores at once, for nothing is timed."""
        ...

    def ready(self) -> None:
        """Waits until the expected outputs are known; the first measurement does so, too.

        Raises:
            InputError: the inputs do not fit the pipeline.
        """
        ...

    def measure(self, schedules: Mapping[str, Schedule]) -> dict[str, Measurement]:
        """Measures schedules side by side, interleaved, with their outputs verified.

        A schedule that fails is a `Failure` in the result and never disturbs the others.

        Raises:
            InputError: the inputs do not fit the pipeline.
        """
        ...

    def measure_with_bound(self, schedules: Mapping[str, Schedule]) -> tuple[dict[str, Measurement], Measurement]:
        """`measure`, with a copy of the same number of bytes side by side; returns both."""
        ...

    def measure_each(
        self, schedules: Iterable[tuple[str, Schedule]], *, best: float | None
    ) -> Generator[tuple[str, Measurement]]:
        """Measures many schedules, each in one turn, and yields them as they are done, in no particular order.

        Args:
            schedules: names and schedules, asked for when somebody is free to compile them.
            best: the least cost that is known; what is far above it, or above a better one that comes, gets a single
                repeat, or fails.

        Raises:
            InputError: the inputs do not fit the pipeline.
        """
        ...


class Machine(Protocol):
    """Where schedules are compiled and measured. Leaving the context ends all of its processes."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Whose samples the measurements are."""
        ...

    @property
    def unit(self) -> Unit:
        """What people see costs in."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def session(
        self,
        spec: PipelineSpec,
        inputs: Inputs,
        *,
        reference: Schedule = DEFAULT_REFERENCE,
        numpy_reference: NumPyReference | None = None,
    ) -> Session:
        """Begins with a pipeline; its expected outputs are computed while the caller does something else.

        Args:
            spec: the pipeline.
            inputs: what to run on.
            reference: the schedule that computes the expected outputs.
            numpy_reference: an independent version of the algorithm that they are checked against.

        Raises:
            InputError: the inputs do not fit the pipeline.
        """
        ...
