"""What runs on each computer of a cluster: its workers, and its machine with sessions. Knows nothing of Ray.

Whoever calls it is on another computer, so all goes in and out as values. Calls may come from any thread, several at a
time; the machine, whose users are one thread, has one of its own, and so has each worker.
"""

from __future__ import annotations

import contextlib
import fcntl
import platform
import tempfile
import time
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from hltune.cluster.parcel import place_of, unpack
from hltune.machine.open import identify, open_machine
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Machine, Session
from hltune.pipeline.target import TargetInfo
from hltune.runtime.halide_wheel import halide_version
from hltune.runtime.worker import usable_cores
from hltune.search.pool import search_worker
from hltune.values.cost import Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import HltuneError, JobFailed
from hltune.values.machine_id import MachineId

Outcome = tuple[bool, Any]
"""Whether it is a result, or an error to raise: what leaves a job, for Ray would wrap the error."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a computer is.

    Attributes:
        name: what people call it.
        computer: equal for those that run on the same one, where only one may time.
        machine: whose samples it measures; None if it cannot run the code.
        cores: how many jobs it runs side by side, and compiles beside them.
        alone: nobody else measures on it.
    """

    name: str
    computer: str
    machine: MachineId | None
    cores: int
    halide: str
    hltune: str
    alone: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a node does at present.

    Attributes:
        jobs: what each slot runs; None where it is free.
        sessions: names of the pipelines that it can measure.
        measured: how many schedules it has measured for its head.
        seconds: since it was started.
    """

    about: About
    jobs: tuple[str | None, ...]
    sessions: tuple[str, ...]
    measured: int
    seconds: float


class Opener(Protocol):
    """Opens the machine of a computer, there; a picklable value."""

    def about(self) -> About:
        """What this computer is."""
        ...

    def open(self) -> Machine:
        """A machine that compiles on all cores."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenMachine:
    """The machine that runs code for a target."""

    target: TargetInfo
    options: MeasureOptions

    def about(self) -> About:
        """See `Opener.about`."""
        boot = _BOOT.read_text().strip() if _BOOT.exists() else ""
        return About(
            name=platform.node(),
            computer=boot or platform.node(),
            machine=None if self.target.machine is None else identify(self.target, self.options),
            cores=usable_cores(),
            halide=halide_version(),
            hltune=version("hltune"),
        )

    def open(self) -> Machine:
        """See `Opener.open`."""
        return open_machine(self.target, self.options, workers=usable_cores())


class Node:
    """The workers and the machine of one computer; its processes end with it."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._stack = contextlib.ExitStack()
        self._about = opener.about()
        self._began_s = time.monotonic()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="hltune-")))
        self._slots = [_Slot(self._about.cores) for _ in range(self._about.cores)]
        self._measuring = ThreadPoolExecutor(1)
        self._machine: Machine | None = None
        self._sessions: dict[str, tuple[Session, contextlib.ExitStack]] = {}
        self._pipelines: dict[str, str] = {}
        self._streams: dict[str, _Stream] = {}
        self._measured = 0

    def about(self) -> About:
        """What this computer is."""
        return self._about

    def claim(self) -> About:
        """Has the machine of this computer to itself from now on, unless somebody else has, which is told."""
        self._about = replace(self._about, alone=self._stack.enter_context(_alone(self._about.computer)))
        return self._about

    def status(self) -> Status:
        """What it does at present."""
        return Status(
            about=self._about,
            jobs=tuple(slot.job for slot in self._slots),
            sessions=tuple(self._pipelines.values()),
            measured=self._measured,
            seconds=time.monotonic() - self._began_s,
        )

    def keep(self, digest: str, name: str, data: bytes) -> None:
        """Keeps a file that later values name."""
        folder = place_of(self._folder, digest)
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)

    def run(self, slot: int, data: bytes) -> Outcome:
        """Runs a job in a slot, which is free, to its end."""
        return self._slots[slot].run(unpack(data, self._folder))

    def kill(self, slot: int) -> None:
        """Ends what runs in a slot."""
        self._slots[slot].kill()

    def open(self, session: str, data: bytes) -> Outcome:
        """Begins with a pipeline; the data are the arguments of `Machine.session` by name."""
        return self._on_machine(lambda: self._open(session, unpack(data, self._folder)))

    def call(self, session: str, method: str, data: bytes) -> Outcome:
        """Calls a method of a session, or reads an attribute; the data are its arguments."""
        arguments: tuple[tuple[Any, ...], dict[str, Any]] = unpack(data, self._folder)
        return self._on_machine(lambda: self._call(session, method, *arguments))

    def begin(self, session: str, best: float | None) -> None:
        """Begins to measure what `feed` brings."""
        stream = self._streams[session] = _Stream()
        opened, _ = self._sessions[session]
        self._measuring.submit(stream.measure, opened, best)

    def feed(self, session: str, items: list[tuple[str, Schedule]], *, last: bool) -> None:
        """Schedules to measure; after the last ones `take` ends."""
        self._streams[session].feed(items, last=last)

    def take(self, session: str) -> tuple[list[tuple[str, Measurement]], Outcome | None]:
        """Waits for what was measured; the outcome of all when nothing more comes."""
        found, end = self._streams[session].take()
        self._measured += len(found)
        return found, end

    def stop(self, session: str) -> None:
        """Nobody waits any more for what is measured."""
        if (stream := self._streams.pop(session, None)) is not None:
            stream.stop()

    def close(self, session: str) -> None:
        """Ends a session, and what it measures."""
        self.stop(session)
        self._pipelines.pop(session, None)
        _, stack = self._sessions.pop(session, (None, contextlib.ExitStack()))
        self._measuring.submit(stack.close).result()

    def end(self) -> None:
        """Ends all processes."""
        for name in list(self._sessions):
            self.close(name)
        self._measuring.submit(self._stack.close).result()
        for slot in self._slots:
            slot.close()

    def _on_machine(self, call: Any) -> Outcome:
        return self._measuring.submit(_outcome, call).result()

    def _open(self, name: str, arguments: Mapping[str, Any]) -> None:
        if self._machine is None:
            self._machine = self._stack.enter_context(self._opener.open())
        stack = contextlib.ExitStack()
        session = stack.enter_context(self._machine.session(**arguments))
        stack.enter_context(session.beside([slot.worker for slot in self._slots]))
        self._sessions[name] = session, stack
        self._pipelines[name] = getattr(arguments.get("spec"), "name", name)

    def _call(self, name: str, method: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        session, _ = self._sessions[name]
        found = getattr(session, method)
        return found(*arguments, **named) if callable(found) else found


class _Slot:
    """A worker with the thread that started it: where that ends, the kernel ends the worker."""

    def __init__(self, slots: int) -> None:
        self.job: str | None = None
        self._thread = ThreadPoolExecutor(1)
        self.worker = self._thread.submit(search_worker, slots).result()

    def run(self, job: Any) -> Outcome:
        return self._thread.submit(self._run, job).result()

    def _run(self, job: Any) -> Outcome:
        self.job = type(job).__name__
        try:
            return _outcome(lambda: self.worker.run(job))
        finally:
            self.job = None

    def kill(self) -> None:
        self.worker.kill()

    def close(self) -> None:
        self._thread.submit(self.worker.close).result()
        self._thread.shutdown()


@dataclass(frozen=True, slots=True)
class _Measured:
    key: str
    measurement: Measurement


class _Stream:
    """Schedules that come in and measurements that go out, on either side of the thread that measures."""

    def __init__(self) -> None:
        self._fed: SimpleQueue[tuple[str, Schedule] | None] = SimpleQueue()
        self._measured: SimpleQueue[_Measured | Outcome] = SimpleQueue()
        self._stopped = False

    def feed(self, items: list[tuple[str, Schedule]], *, last: bool) -> None:
        for item in items:
            self._fed.put(item)
        if last:
            self._fed.put(None)

    def stop(self) -> None:
        self._stopped = True
        self._fed.put(None)

    def measure(self, session: Session, best: float | None) -> None:
        """On the machine's thread, until the last schedule."""

        def all_of_them() -> None:
            with contextlib.closing(session.measure_each(self._schedules(), best=best)) as measured:
                for key, measurement in measured:
                    self._measured.put(_Measured(key, measurement))
                    if self._stopped:
                        return

        self._measured.put(_outcome(all_of_them))

    def take(self) -> tuple[list[tuple[str, Measurement]], Outcome | None]:
        found: list[tuple[str, Measurement]] = []
        item = self._measured.get()
        while isinstance(item, _Measured):
            found.append((item.key, item.measurement))
            try:
                item = self._measured.get_nowait()
            except Empty:
                return found, None
        return found, item

    def _schedules(self) -> Generator[tuple[str, Schedule]]:
        while (item := self._fed.get()) is not None and not self._stopped:
            yield item


@contextlib.contextmanager
def _alone(computer: str) -> Generator[bool]:
    """True if no other node measures on this computer as long as the context lasts, whatever cluster it belongs to."""
    with Path(tempfile.gettempdir(), f"hltune-{computer}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True


def _outcome(call: Any) -> Outcome:
    """Errors of ours are values, for whoever asked raises them; others are told as text, and end nothing."""
    try:
        return True, call()
    except (HltuneError, JobFailed) as error:
        return False, error
    except Exception as error:
        return False, HltuneError(f"{type(error).__name__}: {error}", where="a node of the cluster")


def result_of(outcome: Outcome) -> Any:
    """The result, or raises the error."""
    done, value = outcome
    if not done:
        raise value
    return value
