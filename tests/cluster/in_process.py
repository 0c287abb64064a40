"""Ray without Ray: nodes are objects of this process, and their calls run in threads."""

from __future__ import annotations

import heapq
import math
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hltune import __version__
from hltune.cluster import connection, head, node
from hltune.cluster.node import About, Node
from hltune.machine.alone import lock_path
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.machine_id import MachineId
from tests.cluster.made_up import MADE_UP
from tests.tuning.recorded import RecordedSession

Compiling = Callable[[Schedule], float]
TURNS = 3
_MOST_IDLE = 4
"""How often a head may wait in vain; nothing takes so long here."""


class LanesSession(RecordedSession):
    """Compiles on several lanes like `HostSession.measure_each`, in time that is only counted.

    Each schedule takes a turn whenever its lane has compiled one, and has `TURNS` of them.
    """

    def __init__(self, opener: LanesOpener) -> None:
        super().__init__()
        self._opener = opener
        self._left = opener.fails_after

    def ready(self) -> None:
        self._opener.ready()

    def waited(self) -> float | None:
        return self._opener.waited

    def cost(self, schedule: Schedule) -> Measurement:
        if schedule in self._opener.deadly:
            self._opener.die()
            raise SystemExit
        if schedule in self._opener.too_large:
            return Failure(stage="run", kind="memory", message="the system killed it")
        cost = super().cost(schedule)
        assert isinstance(cost, Cost)
        slower = self._opener.slower()
        return replace(cost, turns=tuple(tuple(each * slower for each in turn) for turn in cost.turns))

    def measure_each(
        self, schedules: Iterable[tuple[str, Schedule]], *, best: float | None
    ) -> Generator[tuple[str, Measurement]]:
        del best
        waiting = iter(schedules)
        busy: list[tuple[float, int, str, Schedule]] = []
        under_way: dict[int, list[tuple[str, Schedule, int]]] = {}
        late: list[tuple[str, Schedule]] = []

        def start(now: float, lane: int, item: tuple[str, Schedule] | None) -> None:
            if item is not None:
                heapq.heappush(busy, (now + self._opener.compiling(item[1]), lane, *item))

        for lane in range(self._opener.workers):
            start(0.0, lane, next(waiting, None))
        while busy:
            now, lane, key, schedule = heapq.heappop(busy)
            following = next(waiting, None)
            turns = [*under_way.get(lane, ()), (key, schedule, 0)]
            taken = [(*each[:2], TURNS if following is None else each[2] + 1) for each in turns]
            under_way[lane] = [each for each in taken if each[2] < TURNS]
            start(now, lane, following)
            for ended, its_schedule, count in taken:
                if count >= TURNS and its_schedule in self._opener.late:
                    late.append((ended, its_schedule))
                elif count >= TURNS:
                    time.sleep(self._opener.seconds)
                    yield ended, self.cost(its_schedule)
                    self._left -= 1
                    if self._left == 0:
                        raise self._opener.error
        for ended, its_schedule in late:
            yield ended, self.cost(its_schedule)


@dataclass(frozen=True, kw_only=True)
class LanesOpener:
    """A computer with so many cores.

    Attributes:
        compiling: how long each schedule takes to compile, counted only.
        slower: how many times as long as on others everything takes, at present.
        seconds: that really pass before each measurement.
        too_large: what its memory is too small for.
        late: what is told when there is nothing else to measure.
        deadly: what takes the node down.
        die: takes it down.
        ready: ends when it is known what is expected.
        fails_after: that many measurements.
        error: what it fails with.
    """

    name: str = "one"
    workers: int = 1
    compiling: Compiling = lambda _: 1.0
    slower: Callable[[], float] = lambda: 1.0
    seconds: float = 0.0
    waited: float | None = None
    memory: int = 1 << 34
    too_large: frozenset[Schedule] = frozenset()
    late: frozenset[Schedule] = frozenset()
    deadly: frozenset[Schedule] = frozenset()
    die: Callable[[], None] = lambda: None
    ready: Callable[[], None] = lambda: None
    fails_after: float = math.inf
    error: Exception = field(default_factory=lambda: OSError("no space left on device"))
    machine: MachineId = MADE_UP
    kind_of_cores: str = "cores"
    halide: str = MADE_UP.halide
    hltune: str = __version__

    def about(self) -> About:
        return About(
            name=self.name,
            computer=f"test-{os.getpid()}-{self.name}",
            kind=self.machine,
            machine=self.machine,
            cores=self.workers,
            workers=self.workers,
            hardware=self.hardware(),
            halide=self.halide,
            hltune=self.hltune,
            memory_bytes=self.memory,
        )

    def hardware(self) -> str:
        return self.kind_of_cores

    def open(self) -> Any:
        return _Machine(self)


@dataclass(frozen=True)
class _Machine:
    opener: LanesOpener

    def __enter__(self) -> _Machine:
        return self

    def __exit__(self, *_: object) -> None: ...

    def session(self, **_: Any) -> LanesSession:
        return LanesSession(self.opener)


@dataclass(eq=False)
class InProcess:
    """What of Ray a head uses; each Ray node is a computer that such an opener describes."""

    openers: Mapping[str, LanesOpener]
    errors: dict[str, Exception] = field(default_factory=dict[str, Exception])
    """Raised by a node's first call, in place of what it returns."""
    exceptions: Any = field(default_factory=lambda: head.ray.exceptions)
    late_s: dict[str, float] = field(default_factory=dict[str, float])
    """By how much later than others calls of a method come."""
    actors: list[_Actor] = field(default_factory=list["_Actor"])
    idle: int = 0

    def __post_init__(self) -> None:
        self.util = SimpleNamespace(
            scheduling_strategies=SimpleNamespace(NodeAffinitySchedulingStrategy=lambda ray_id, soft: (ray_id, soft))
        )

    def is_initialized(self) -> bool:
        return True

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": each, "Alive": True, "NodeManagerHostname": f"host-{each}"} for each in self.openers]

    def remote(self, *, scheduling_strategy: tuple[str, bool], **_: Any) -> Callable[[type[Node]], Any]:
        ray_id = scheduling_strategy[0]
        error = self.errors.get(ray_id)
        for each in self.actors:
            each.wait_until_gone()
        if error is None:
            self.actors.append(_Actor(Node(self.openers[ray_id]), self.late_s))
        made = self.actors[-1] if error is None else _Failing(error)
        return lambda _: SimpleNamespace(remote=lambda _: made)

    def get(self, reference: Future[Any], timeout: float | None = None) -> Any:
        return reference.result(60.0 if timeout is None else timeout)

    def wait(
        self, references: list[Future[Any]], *, num_returns: int = 1, timeout: float | None = None
    ) -> tuple[list[Future[Any]], list[Future[Any]]]:
        if num_returns:
            wait(references, timeout, return_when=FIRST_COMPLETED)
        ready = [each for each in references if each.done()]
        self.idle = 0 if ready else self.idle + bool(timeout)
        assert self.idle < _MOST_IDLE, "nobody measures anything any more"
        return ready, [each for each in references if each not in ready]

    def kill(self, actor: Any) -> None:
        actor.kill()


Cluster = Callable[..., InProcess]


class _Actor:
    def __init__(self, node: Node, late_s: Mapping[str, float]) -> None:
        self._node = node
        self.name = node.about().name
        self._late_s = late_s
        self._threads = ThreadPoolExecutor(64)
        self._calls: list[Future[Any]] = []
        self._dead = False
        self._gone = threading.Event()

    def kill(self) -> None:
        self.wait_until_gone()
        if not self._dead:
            self._dead = True
            self._end()

    def die(self) -> None:
        """As a process does: whoever waits for it is told."""
        self._dead = True
        for call in [each for each in self._calls if not each.done()]:
            call.set_exception(head.ray.exceptions.ActorDiedError())
        threading.Thread(target=self._end).start()

    def _end(self) -> None:
        try:
            self._node.end()
        finally:
            self._gone.set()

    def wait_until_gone(self) -> None:
        """What died has nothing to itself any more."""
        if self._dead:
            self._gone.wait()

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._node, method)

        def call(*given: Any, **named: Any) -> Any:
            time.sleep(self._late_s.get(method, 0.0))
            return found(*given, **named)

        return SimpleNamespace(remote=lambda *given, **named: self._begin(partial(call, *given, **named)))

    def _begin(self, call: Callable[[], Any]) -> Future[Any]:
        told: Future[Any] = Future()
        self._calls.append(told)
        if self._dead:
            told.set_exception(head.ray.exceptions.ActorDiedError())
        else:
            self._threads.submit(_tell, call, told)
        return told


def _tell(call: Callable[[], Any], told: Future[Any]) -> None:
    try:
        result = call()
    except Exception as error:
        if not told.done():
            told.set_exception(error)
    else:
        if not told.done():
            told.set_result(result)


class _Failing:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def kill(self) -> None: ...

    def __getattr__(self, method: str) -> Any:
        failed: Future[Any] = Future()
        failed.set_exception(self._error)
        return SimpleNamespace(remote=lambda *_, **__: failed)


class _NoSlot:
    """In place of a worker that searches."""

    job = None
    worker = None

    def __init__(self, slots: int) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Has heads use these computers, each of which is named by itself."""
    monkeypatch.setattr(node, "_Slot", _NoSlot)
    locks: list[Path] = []
    clusters: list[InProcess] = []

    def use(*openers: LanesOpener) -> InProcess:
        made = InProcess({each.name: each for each in openers})
        clusters.append(made)
        locks.extend(lock_path(each.about().computer) for each in openers)
        for module in (connection, head):
            monkeypatch.setattr(module, "ray", made)
        return made

    yield use
    for each in [actor for made in clusters for actor in made.actors]:
        each.kill()  # a head does not wait for those that begin
    for lock in locks:
        lock.unlink(missing_ok=True)
