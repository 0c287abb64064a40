"""What workers have in common, wherever they are."""

from __future__ import annotations

from multiprocessing.connection import Connection
from typing import Protocol, TypeVar

from hltune.runtime.worker.messages import Job

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class AnyRunning(Protocol[R_co]):
    """A job that a worker has begun with; see `hltune.runtime.worker.Running`."""

    connection: Connection
    """Has something to read when `done` may have changed."""

    @property
    def worker(self) -> AnyWorker:
        """Whoever runs it."""
        ...

    def result(self) -> R_co:
        """Waits for the job to end."""
        ...

    def done(self) -> bool:
        """True if it has ended."""
        ...

    def remaining_s(self) -> float:
        """The time that it may still take."""
        ...

    def spent_s(self) -> float:
        """For how long it has run so far, or until it ended: without the start of its process, as far as is known."""
        ...

    def cancel(self) -> None:
        """Ends it."""
        ...


class AnyWorker(Protocol):
    """Runs one job at a time; see `hltune.runtime.worker.Worker`."""

    def run(self, job: Job[R]) -> R:
        """Runs a job to its end."""
        ...

    def start(self, job: Job[R]) -> AnyRunning[R]:
        """Hands over a job and returns."""
        ...

    def stop(self) -> None:
        """Makes it stand still until `proceed`."""
        ...

    def proceed(self, *, stopped_s: float) -> None:
        """Lets it go on."""
        ...
