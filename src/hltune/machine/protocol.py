"""What a machine is to the rest of hltune: schedules go in, measurements come out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.machine.reference import ANY_TWO, References
from hltune.machine.verify import Verification
from hltune.pipeline.target import TargetInfo
from hltune.runtime.worker import AnyWorker
from hltune.values.cost import Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.values.profile import Profile

if TYPE_CHECKING:
    import halide as hl


class Session(AbstractContextManager["Session"], Protocol):
    """A machine that is ready to measure schedules of one pipeline on one set of inputs.

    Used by one thread. Leaving the context ends all processes of the session.
    """

    side_by_side: bool
    """`measure` uses all cores at once, for nothing is timed."""

    def ready(self) -> None:
        """Waits until the expected outputs are known; an `InputError` if the inputs do not fit the pipeline."""

    def settled(self) -> bool:
        """`ready` does not wait any more, as far as is known here."""
        ...

    def nodes(self) -> int:
        """How many computers `measure_each` uses at present; at least 1."""
        ...

    def has_news(self) -> bool:
        """Whoever asks `measure_each`, which has begun, for its next measurement does not wait long for it."""
        ...

    def beside(self, workers: Sequence[AnyWorker]) -> AbstractContextManager[None]:
        """While the context lasts, these processes stand still whenever a schedule is timed."""
        ...

    def waited(self) -> float | None:
        """Seconds that a thread waited for others per second of timing since the last call; None where nobody knows."""

    @property
    def verification(self) -> Verification:
        """What outputs are checked against; waits as `ready` does."""
        ...

    def measure(self, schedules: Mapping[str, Schedule]) -> dict[str, Measurement]:
        """Measures schedules side by side, interleaved, with their outputs verified.

        A schedule that fails is a `Failure` in the result and never disturbs the others. Calls `ready` first, like all
        that measures.
        """
        ...

    def measure_with_bound(self, schedules: Mapping[str, Schedule]) -> tuple[dict[str, Measurement], Measurement]:
        """`measure`, with a copy of the same number of bytes side by side; returns both."""
        ...

    def measure_each(
        self, schedules: Iterable[tuple[str, Schedule]], *, best: float | None
    ) -> Generator[tuple[str, Measurement]]:
        """Measures many schedules, each in few short turns, and yields them as they are done, in no particular order.

        Args:
            schedules: names and schedules, asked for when somebody is free to compile them.
            best: the least cost that is known; what is far above it, or above a better one that comes, gets a single
                repeat, or fails, and so does what takes far longer to compile than others. None where each is worth
                all the time that the options allow.
        """
        ...

    def profile(self, schedule: Schedule, *, seconds: float) -> Profile | Failure | None:
        """Runs a schedule again and again for so long, sampled, or counts a single run; None where neither is possible.

        A Failure if it does not work, or if what it wrote was wrong.
        """
        ...


class Machine(AbstractContextManager["Machine"], Protocol):
    """A place where schedules are compiled and measured. Leaving the context ends all of its processes."""

    identity: MachineId
    """Which machine's samples the measurements are."""

    def session(self, spec: PipelineSpec, inputs: Inputs, references: References = ANY_TWO) -> Session:
        """Begins with a pipeline; an `InputError` if the inputs do not fit it.

        The expected outputs are computed while the caller does something else.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the diagnosis of `hltune doctor`.

    Attributes:
        required: whether hltune is of no use without it.
        todo: how to get it, if it is missing.
    """

    name: str
    ok: bool
    required: bool
    found: str
    todo: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineKind:
    """A kind of machine: a line of the table in `hltune.machine.open`.

    Attributes:
        name: what users call it, and what targets with further words after it begin with.
        targets: Halide's target strings by the names that we give them.
        claim: what it makes of a target of Halide's whose code it runs on a computer of another such target, else None;
            called in a worker.
        identify: the identity of the machine that `open` would open.
        open: takes the number of processes that compile side by side.
        threads: size of the thread pool, unless the user asks for another one; None for all cores.
        findings: what it needs, and whether it is there.
        caches: bytes of the caches of a core, the smallest first; empty if nobody knows.
        weights: folder of the weights and the ranker that come with this package, trained on such a machine.
    """

    name: str
    targets: Mapping[str, str]
    claim: Callable[[hl.Target, hl.Target], TargetInfo | None]
    identify: Callable[[TargetInfo, MeasureOptions], MachineId]
    open: Callable[[TargetInfo, MeasureOptions, int], Machine]
    threads: int | None = None
    findings: Callable[[], list[Finding]] = list
    caches: Callable[[], tuple[int, ...]] = tuple
    weights: Path | None = None
