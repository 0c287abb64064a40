"""What runs on each computer of a cluster: its workers, and its machine with sessions. Knows nothing of Ray.

Whoever calls it is on another computer, so all goes in and out as values, packed as `hltune.cluster.parcel` does it.
Calls may come from any thread, several at a time, and overtake each other; the machine, whose users are one thread, has
one of its own, and so has each worker.
"""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from hltune import __version__
from hltune.cluster.outcome import Outcome, outcome_of
from hltune.cluster.parcel import decode, encode, place_of, unpack
from hltune.cluster.stream import Stream
from hltune.machine.alone import alone, computer
from hltune.machine.open import default_threads, identify, open_machine, resolve, this_computer
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Machine, Session
from hltune.pipeline.target import HOST, TargetInfo
from hltune.runtime.files import ScratchFolder
from hltune.runtime.halide_wheel import halide_version
from hltune.runtime.worker import Job, physical_memory_bytes, usable_cores, usable_workers
from hltune.search.pool import search_worker
from hltune.values.errors import Failure, JobFailed
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a computer is.

    Attributes:
        name: what people call it.
        computer: equal for those that run on the same one, where only one may time.
        kind: what it is with all its cores, for all that its processor can do.
        machine: whose samples it measures; None if it cannot run the code.
        cores: that it may run on.
        workers: how many jobs it runs side by side, and compiles beside them.
        hardware: what has to be equal, too, where times are compared; empty where nothing is timed.
        alone: nobody else measures on it.
        memory_bytes: all that it has; computers that differ in nothing else are the same machine.
    """

    name: str
    computer: str
    kind: MachineId
    machine: MachineId | None
    cores: int
    workers: int
    halide: str
    hltune: str
    hardware: str = ""
    alone: bool = True
    memory_bytes: int = 0


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

    def hardware(self) -> str:
        """What `About` has to say of computers that measure for this one, or in its place."""
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
        kind = this_computer()
        return About(
            name=platform.node(),
            computer=computer(),
            kind=kind,
            machine=None if self.target.machine is None else identify(self.target, self._here),
            cores=usable_cores(),
            workers=usable_workers(),
            hardware=self._hardware(kind),
            halide=halide_version(),
            hltune=__version__,
            memory_bytes=physical_memory_bytes(),
        )

    def hardware(self) -> str:
        """See `Opener.hardware`: cores, and what they can do, whatever code is generated for."""
        return self._hardware(self.options.elsewhere or this_computer())

    def open(self) -> Machine:
        """See `Opener.open`."""
        return open_machine(self.target, self._here, workers=usable_workers())

    @property
    def _here(self) -> MeasureOptions:
        """The options on a computer that measures itself."""
        return replace(self.options, elsewhere=None)

    def _hardware(self, kind: MachineId) -> str:
        return f"{kind.threads} cores, {kind.target}" if self.target.machine == HOST else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenForItself(OpenMachine):
    """The same, where computers of other kinds than the one that is wanted measure for themselves.

    Attributes:
        asked: what the user called the target.
        usual_threads: schedules run on as many threads as is usual on each computer, not on a fixed number.
    """

    asked: str
    usual_threads: bool

    def about(self) -> About:
        """See `Opener.about`."""
        return OpenMachine.about(self._of_this_kind())

    def open(self) -> Machine:
        """See `Opener.open`."""
        return OpenMachine.open(self._of_this_kind())

    def _of_this_kind(self) -> OpenMachine:
        threads = default_threads(self.asked) if self.usual_threads else self.options.threads
        return OpenMachine(target=resolve(self.asked), options=replace(self._here, threads=threads))


@dataclass(eq=False, slots=True)
class _Pipeline:
    """A pipeline that can be measured.

    Attributes:
        stack: ends the session, and what belongs to it.
        stream: what is measured at present; None if nothing is.
    """

    name: str
    session: Session
    stack: contextlib.ExitStack
    stream: Stream | None = None


class Node:
    """The workers and the machine of one computer; its processes end with it."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._stack = contextlib.ExitStack()
        self._about = opener.about()
        self._claimed = False
        self._began_s = time.monotonic()
        self._folder = Path(self._stack.enter_context(ScratchFolder()))
        self._slots = [_Slot(self._about.workers) for _ in range(self._about.workers)]
        self._cancelled: set[int] = set()
        self._measuring = ThreadPoolExecutor(1)
        self._machine: Machine | None = None
        self._pipelines: dict[str, _Pipeline] = {}
        self._measured = 0

    def about(self) -> About:
        """What this computer is."""
        return self._about

    def claim(self) -> About:
        """Has the machine of this computer to itself from now on, unless somebody else has, which is told."""
        if not self._claimed:
            with contextlib.ExitStack() as claiming:
                self._claimed = claiming.enter_context(alone(self._about.computer))
                if self._claimed:
                    self._stack.push(claiming.pop_all())
        self._about = replace(self._about, alone=self._claimed)
        return self._about

    def status(self) -> Status:
        """What it does at present."""
        return Status(
            about=self._about,
            jobs=tuple(slot.job and slot.job[1] for slot in self._slots),
            sessions=tuple(each.name for each in self._pipelines.values()),
            measured=self._measured,
            seconds=time.monotonic() - self._began_s,
        )

    def keep(self, digest: str, name: str, data: bytes) -> None:
        """Keeps a part that later values name."""
        folder = place_of(self._folder, digest)
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)

    def run(self, slot: int, number: int, data: bytes) -> bytes:
        """Runs a job in a slot to its end, after what runs there; returns its `Outcome`.

        Args:
            number: what `cancel` knows it by.
        """
        try:
            return encode(self._slots[slot].run(number, unpack(data, self._folder), self._cancelled))
        finally:
            self._cancelled.discard(number)

    def cancel(self, number: int) -> None:
        """Ends a job, or has it not begin; nothing if it has ended."""
        self._cancelled.add(number)
        for slot in self._slots:
            slot.cancel(number)

    def open(self, session: str, data: bytes) -> bytes:
        """Begins with a pipeline; the data are the arguments of `Machine.session` by name. Returns an `Outcome`."""
        return self._on_machine(lambda: self._open(session, unpack(data, self._folder)))

    def call(self, session: str, method: str, data: bytes) -> bytes:
        """The `Outcome` of a method of a session, or of reading an attribute; the data are its arguments."""
        arguments: tuple[tuple[Any, ...], dict[str, Any]] = unpack(data, self._folder)
        return self._on_machine(lambda: self._call(session, method, *arguments))

    def begin(self, session: str, best: float | None) -> None:
        """Begins to measure what `feed` brings."""
        pipeline = self._pipelines[session]
        pipeline.stream = Stream()
        self._measuring.submit(self._settle_others, session)
        self._measuring.submit(pipeline.stream.measure, pipeline.session, best)

    def feed(self, session: str, data: bytes, *, total: int | None) -> None:
        """Schedules to measure, each with its key; `take` ends when so many have come in all, if that is known."""
        if (stream := self._pipelines[session].stream) is not None:  # nobody has stopped it
            stream.feed(decode(data), total=total)

    def take(self, session: str, data: bytes | None, *, total: int | None) -> bytes:
        """`feed`, unless there is nothing to say, and then waits for what is `Taken`."""
        if data is not None:
            self.feed(session, data, total=total)
        stream = self._pipelines[session].stream
        assert stream is not None
        taken = stream.take()
        self._measured += len(taken.measured)
        return encode(taken)

    def stop(self, session: str) -> None:
        """Nobody waits any more for what is measured."""
        pipeline = self._pipelines.get(session)
        if pipeline is not None and pipeline.stream is not None:
            pipeline.stream.stop()
            pipeline.stream = None

    def close(self, session: str) -> None:
        """Ends a session, and what it measures."""
        self.stop(session)
        if (pipeline := self._pipelines.pop(session, None)) is not None:
            self._measuring.submit(pipeline.stack.close).result()

    def end(self) -> None:
        """Ends all processes."""
        for session in list(self._pipelines):
            self.close(session)
        self._measuring.submit(self._stack.close).result()
        for slot in self._slots:
            slot.close()

    def _on_machine(self, call: Callable[[], Any]) -> bytes:
        return encode(self._measuring.submit(outcome_of, call).result())

    def _open(self, name: str, arguments: Mapping[str, Any]) -> None:
        if self._machine is None:
            self._machine = self._stack.enter_context(self._opener.open())
        self._settle_others(name)
        stack = contextlib.ExitStack()
        session = stack.enter_context(self._machine.session(**arguments))
        stack.enter_context(session.beside([slot.worker for slot in self._slots]))
        spec: PipelineSpec = arguments["spec"]
        self._pipelines[name] = _Pipeline(spec.name, session, stack)

    def _call(self, name: str, method: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        self._settle_others(name)
        found = getattr(self._pipelines[name].session, method)
        return found(*arguments, **named) if callable(found) else found

    def _settle_others(self, name: str) -> None:
        """Waits for what others have begun with in a worker that all use; if it fails, these sessions say so."""
        for other, pipeline in list(self._pipelines.items()):
            if other != name:
                outcome_of(pipeline.session.ready)


class _Slot:
    """A worker with the thread that started it: where that ends, the kernel ends the worker.

    Attributes:
        job: number and name of what runs; None if nothing does.
    """

    def __init__(self, slots: int) -> None:
        self.job: tuple[int, str] | None = None
        self._thread = ThreadPoolExecutor(1)
        self.worker = self._thread.submit(search_worker, slots).result()

    def run(self, number: int, job: Job[Any], cancelled: set[int]) -> Outcome:
        return self._thread.submit(self._run, number, job, cancelled).result()

    def _run(self, number: int, job: Job[Any], cancelled: set[int]) -> Outcome:
        self.job = number, type(job).__name__
        try:
            if number in cancelled:
                return False, JobFailed(Failure(stage="run on a node", kind="error", message="nobody waits for it"))
            return outcome_of(lambda: self.worker.run(job))
        finally:
            self.job = None

    def cancel(self, number: int) -> None:
        if self.job is not None and self.job[0] == number:
            self.worker.kill()

    def close(self) -> None:
        self._thread.submit(self.worker.close).result()
        self._thread.shutdown()
