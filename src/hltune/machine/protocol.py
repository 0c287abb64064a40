"""What a machine is to the rest of hltune: schedules go in, measurements come out."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from types import TracebackType
from typing import Protocol, Self

from hltune.machine.host.jobs import NumPyReference
from hltune.machine.inputs import Inputs
from hltune.machine.reference import DEFAULT_REFERENCE
from hltune.values.cost import Measurement
from hltune.values.directives import Schedule
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec


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
    def identity(self) -> MachineId:
        """Whose samples the measurements are."""
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
