"""A machine without a machine: the cost of a schedule is computed from its directives."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from hltune.machine.protocol import Session
from hltune.machine.verify import Verification
from hltune.runtime.worker import Worker
from hltune.samples.results import Ranked
from hltune.tuning.contest import Contest
from hltune.tuning.finals import Finals, decide
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, Counters, Measurement
from hltune.values.directives import ComputeAt, Parallel, Schedule, Unroll, Vectorize
from hltune.values.errors import Failure
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.record import Record
from hltune.workspace.rows import Row
from tests.report.values import PACKETS

BROKEN = Failure(stage="compile", kind="timeout", message="took longer than its limit of 20 s")
COUNTED = Counters(packets=1, hvx_instructions=0, instructions=1, allocations=0, peak_heap_bytes=0, line_misses=None)
_WORTH = {Vectorize: 0.5, Parallel: 0.6, Unroll: 0.8, ComputeAt: 0.9}


class RecordedSession:
    """A `hltune.machine.protocol.Session`; notes what it was asked for.

    Args:
        broken_share: of the schedules, that fails.
    """

    def __init__(self, broken_share: float = 0.0) -> None:
        self.broken_share = broken_share
        self.asked: list[Schedule] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    side_by_side = False
    verification = Verification(reference="default", confirmed_by=None, outputs=())

    def ready(self) -> None: ...

    def settled(self) -> bool:
        return True

    def nodes(self) -> int:
        return 1

    def has_news(self) -> bool:
        return True

    def waited(self) -> float | None:
        return None

    @contextlib.contextmanager
    def beside(self, workers: Sequence[Worker]) -> Generator[None]:  # noqa: ARG002 - nothing is timed
        yield

    def measure(self, schedules: Mapping[str, Schedule]) -> dict[str, Measurement]:
        self.asked += schedules.values()
        return {name: self.cost(schedule) for name, schedule in schedules.items()}

    def measure_with_bound(self, schedules: Mapping[str, Schedule]) -> tuple[dict[str, Measurement], Measurement]:
        return self.measure(schedules), self.cost(Schedule())

    def measure_each(
        self,
        schedules: Iterable[tuple[str, Schedule]],
        *,
        best: float | None,  # noqa: ARG002 - nothing is hopeless here
    ) -> Generator[tuple[str, Measurement]]:
        for key, schedule in schedules:
            self.asked.append(schedule)
            yield key, self.cost(schedule)

    def cost(self, schedule: Schedule) -> Measurement:
        number = zlib.crc32(schedule_hash(schedule).encode()) / 2**32
        if number < self.broken_share:
            return BROKEN
        value = 1e-2 * (1 + 0.02 * number)
        for directive in schedule.directives:
            value *= _WORTH.get(type(directive), 1.0)
        return Cost(unit=PACKETS, turns=((value, 1.01 * value),) * 5, counters=COUNTED)


class TimedSession(RecordedSession):
    """Each schedule costs what is given; the others work no more."""

    def __init__(self, costs: Mapping[Schedule, Measurement]) -> None:
        super().__init__()
        self.costs = costs

    def cost(self, schedule: Schedule) -> Measurement:
        return self.costs.get(schedule, BROKEN)


def decided(
    session: Session,
    references: Mapping[str, Candidate],
    failed_now: Mapping[str, Failure],
    best: Sequence[Ranked],
    records: Sequence[Record],
    *,
    most: int | None = None,
    told: Callable[[Sequence[Row]], None] = lambda _: None,
    **known: Any,
) -> Finals:
    """The final comparison, with what is known of the schedules as `Contest` has it."""
    contest = Contest(pipeline="p", references=references, failed_now=failed_now, best=best, records=records, **known)
    return decide(session, contest, most=most, told=told)
