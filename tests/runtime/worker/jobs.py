"""Jobs that misbehave, each in its own way."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hltune.runtime.worker import Process
from hltune.values.errors import InputError


@dataclass(frozen=True)
class Add:
    left: int
    right: int

    def run(self, process: Process) -> int:
        process.enter("add", timeout_s=10)
        return self.left + self.right


@dataclass(frozen=True)
class Remember:
    key: str
    value: Any = None

    def run(self, process: Process) -> Any:
        return process.state.setdefault(self.key, self.value)


@dataclass(frozen=True)
class Sleep:
    stage: str
    seconds: float
    timeout_s: float
    one_thread: bool = False

    def run(self, process: Process) -> None:
        process.enter(self.stage, timeout_s=self.timeout_s, one_thread=self.one_thread)
        time.sleep(self.seconds)


@dataclass(frozen=True)
class Die:
    how: str

    def run(self, process: Process) -> None:
        process.enter("dying", timeout_s=10)
        print("last words", flush=True)
        if self.how == "abort":
            os.abort()
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "end":
            os.kill(os.getpid(), signal.SIGTERM)
        os._exit(int(self.how))


@dataclass(frozen=True)
class Unlucky:
    """Dies, the first time or each time, in a stage or before it."""

    how: str
    folder: Path
    begun: bool = True
    each_time: bool = False

    def run(self, process: Process) -> str:
        tried = self.folder / f"tried {self.how} {self.begun}"
        if self.each_time or not tried.exists():
            tried.touch()
            if self.begun:
                Die(self.how).run(process)
            os._exit(1)
        return "works"


@dataclass(frozen=True)
class Raise:
    kind: str

    def run(self, process: Process) -> None:
        process.enter("raising", timeout_s=10)
        if self.kind == "ours":
            raise InputError("too small", where="f.py:3", expected="2", found="1", todo="make it bigger")
        if self.kind == "unpicklable":
            raise type("Local", (Exception,), {"lock": threading.Lock()})("cannot be sent")
        raise ValueError("not ours")


@dataclass(frozen=True)
class UnpicklableResult:
    def run(self, process: Process) -> Any:  # noqa: ARG002
        return threading.Lock()


@dataclass(frozen=True)
class Fork:
    """Starts a child that would outlive the worker, and tells its number."""

    def run(self, process: Process) -> int:  # noqa: ARG002
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid


@dataclass(frozen=True)
class Leave:
    """Makes a temporary folder, says in another file where, and dozes in it."""

    said: Path
    seconds: float = 60.0
    timeout_s: float = 60.0

    def run(self, process: Process) -> None:
        process.enter("dozing", timeout_s=self.timeout_s)
        with tempfile.TemporaryDirectory(dir=process.scratch) as folder:
            Path(folder, "large").write_bytes(b"0" * 1000)
            self.said.write_text(folder)
            time.sleep(self.seconds)


@dataclass(frozen=True)
class SecondBuild:
    """Has a fork build something without end, and says its number in a file."""

    said: Path
    limit_s: float = 60.0

    def run(self, process: Process) -> object:
        from hltune.pipeline.second_build import second_build

        def build() -> None:
            self.said.write_text(str(os.getpid()))
            time.sleep(600)

        process.enter("building", timeout_s=60)
        with second_build(build, limit_s=self.limit_s) as ask:
            return ask()


@dataclass(frozen=True)
class Leak:
    def run(self, process: Process) -> int:
        process.enter("leaking", timeout_s=60)
        return sum(len(block) for block in [bytearray(2**26) for _ in range(64)])


@dataclass(frozen=True)
class Say:
    text: str

    def run(self, process: Process) -> None:  # noqa: ARG002
        print(self.text, flush=True)


@dataclass(frozen=True)
class Environment:
    name: str

    def run(self, process: Process) -> str | None:  # noqa: ARG002
        return os.environ.get(self.name)


@dataclass(frozen=True)
class Count:
    """Counts for so long by the process's own clock, which stands still while the process does."""

    seconds: float
    timeout_s: float

    def run(self, process: Process) -> int:
        process.enter("counting", timeout_s=self.timeout_s)
        count, end = 0, time.process_time() + self.seconds
        while time.process_time() < end:
            count += 1
        return count


@dataclass(frozen=True)
class Pid:
    def run(self, process: Process) -> int:
        process.enter("pid", timeout_s=10)
        return os.getpid()


@dataclass(frozen=True)
class Layout:
    """Where things lie in memory, and how text hashes."""

    payload: object = None

    def run(self, process: Process) -> tuple[int, ...]:
        process.enter("layout", timeout_s=10)
        objects = [object() for _ in range(1000)]
        allocate = ctypes.CDLL(None).malloc
        allocate.restype = ctypes.c_void_p
        blocks = [
            allocate(ctypes.c_size_t(size)) for size in (*range(16, 2048, 16), 10_000, 10_000_000) for _ in "many"
        ]
        return (*map(id, objects), hash("text"), *blocks)


@dataclass(frozen=True)
class Group:
    """Number of the process group, which is that of its leader."""

    def run(self, process: Process) -> int:
        process.enter("group", timeout_s=10)
        return os.getpgid(0)


@dataclass(frozen=True)
class Refuse:
    """Raises what the system does when it has none left, or when a file is not there."""

    number: int
    filename: str

    def run(self, process: Process) -> None:
        process.enter("refusing", timeout_s=10)
        raise OSError(self.number, os.strerror(self.number), self.filename)


@dataclass(frozen=True)
class Fill:
    """Dies as LLVM does when it cannot write an object."""

    def run(self, process: Process) -> None:
        process.enter("compile", timeout_s=10)
        print("LLVM ERROR: IO failure on output stream: No space left on device", flush=True)
        os.abort()
