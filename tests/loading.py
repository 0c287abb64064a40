"""Loading pipelines: in a fork of a process that has imported Halide, and unchecked where that is not the question."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hltune.pipeline.load import LoadJob
from hltune.runtime.worker import Job, Process, Worker

R = TypeVar("R")

_PRELOAD = (
    "halide",
    "numpy",
    "pytest",
    "hltune.lowered.readable",
    "hltune.machine.bounds",
    "hltune.machine.open",
    "hltune.pipeline.cpp_source",
    "hltune.pipeline.estimates",
    "hltune.pipeline.manual",
    "hltune.pipeline.python_source",
    "hltune.schedule.apply",
    "hltune.schedule.export",
    "hltune.schedule.recover",
    "tests.loading",
)
"""What most jobs import: a fork that had to import it would take as long as a process of its own."""
_AS_ELSEWHERE = {"PYTHONHASHSEED": "random", "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": ""}
"""In place of what makes reproducible processes alike, and slow to start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchecked(LoadJob):
    """Takes what Halide wrote as it is: for the check, both pipelines would be compiled."""

    def _compare(self, *_: object, **__: object) -> None:
        return None


@dataclass(frozen=True, slots=True)
class _Here:
    """A job in the folder that its caller is in, with these variables."""

    job: Job[Any]
    folder: Path
    environment: Mapping[str, str]

    def run(self, process: Process) -> Any:
        os.chdir(self.folder)
        os.environ.update(self.environment)
        return self.job.run(process)


_ready: list[Worker] = []


@contextlib.contextmanager
def ready_to_fork() -> Iterator[None]:
    """Meanwhile there is a process for `fresh` that has imported Halide, and done nothing else.

    All forks have its hash seed and its addresses: what depends on these shows in processes of their own alone.
    """
    from hltune.machine.hexagon.toolchain import addresses_can_be_fixed

    forks = addresses_can_be_fixed()  # else workers do not fork
    environment = {**os.environ, **_AS_ELSEWHERE}
    recycle_after = None if forks else 1
    with Worker(environment=environment, preload=_PRELOAD, reproducible=forks, recycle_after=recycle_after) as worker:
        _ready.append(worker)
        try:
            yield
        finally:
            _ready.remove(worker)


def fresh(job: Job[R], environment: Mapping[str, str] | None = None) -> R:
    """What comes of a job where Halide has made nothing before: its names depend on that."""
    here = _Here(job, Path.cwd(), {**os.environ, **(environment or {})})
    (worker,) = _ready
    try:
        return worker.run(here)
    except KeyboardInterrupt:  # who interrupts does not wait for the answer, which nobody else should get
        worker.recycle()
        raise


class Fresh(contextlib.nullcontext[Any]):
    """Stands in for a `Worker` whose jobs know nothing of each other: each of them is a `fresh` one."""

    def __init__(self, *, environment: Mapping[str, str] | None = None, **_: object) -> None:
        super().__init__(self)
        self._environment = environment

    def run(self, job: Job[R]) -> R:
        return fresh(job, self._environment)
