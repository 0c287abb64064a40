"""Progress for people: one moving line on a terminal, plain lines in a pipe or a log."""

import contextlib
from collections.abc import Generator
from dataclasses import dataclass

from rich.console import Console
from rich.status import Status

from hltune.runtime.progress import Progress


@dataclass(frozen=True, slots=True)
class _Terminal:
    status: Status

    def phase(self, text: str) -> None:
        self.status.update(text)

    def note(self, text: str) -> None:
        self.status.console.print(f"note: {text}", markup=False, highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class _Plain:
    console: Console

    def phase(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        self.phase(f"note: {text}")


@contextlib.contextmanager
def show_progress() -> Generator[Progress]:
    """Shows progress on standard error while the context lasts."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Plain(console)
        return
    # Redrawn rarely: while a schedule is timed, nothing else should run.
    with console.status("", refresh_per_second=2) as status:
        yield _Terminal(status)
