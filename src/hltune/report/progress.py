"""What people see while a command works, on standard error: what moves on a terminal, plain lines in a log."""

import contextlib
import math
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.status import Status
from rich.text import Text

from hltune.report.layout import LastingConsole, print_lines
from hltune.runtime.progress import Progress

_SILENT_S = 60.0
"""How long a log of rounds may say nothing while something goes on."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One moving line, or without it a line for each phase."""

    console: Console
    status: Status | None = None

    def phase(self, text: str) -> None:
        if self.status is None:
            _say(self.console, text)
        else:
            self.status.update(Text(text))  # a string would be markup

    def note(self, text: str) -> None:
        _say(self.console, f"note: {text}")


@contextlib.contextmanager
def show_progress() -> Generator[Progress]:
    """Shows progress while the context lasts."""
    console = LastingConsole(stderr=True)
    if not console.is_terminal:
        yield _Line(console)
        return
    # Redrawn rarely: while a schedule is timed, nothing else should run.
    with console.status("", refresh_per_second=2) as status:
        yield _Line(console, status)


@dataclass(slots=True)
class Board:
    """Progress of what comes in rounds: a table and a status that move on a terminal, a line per round in a log.

    Attributes:
        said_s: when the log had its last line, by the monotonic clock.
    """

    console: Console = field(default_factory=partial(LastingConsole, stderr=True))
    status: str = ""
    live: Live | None = None
    said_s: float = field(default_factory=time.monotonic)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            # Redrawn when something happened only: while a schedule is timed, nothing else should run.
            self.live = Live(console=self.console, auto_refresh=False, transient=True)
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live is not None:
            with _heard_or_not(self.console):
                self.live.stop()

    def phase(self, text: str) -> None:
        """Becomes the status; a log, which has a line per round, has this only if it was silent for long."""
        self.status = text
        self.draw()
        if time.monotonic() >= self.said_s + _SILENT_S:
            self.log(text)

    def note(self, text: str) -> None:
        """Stays above what moves."""
        self.said_s = time.monotonic()
        _say(self.console, f"note: {text}")

    def log(self, line: str) -> None:
        """A line that only a log has."""
        if self.live is None:
            self.said_s = time.monotonic()
            _say(self.console, line)

    def draw(self) -> None:
        """Shows the present contents, on a terminal."""
        if self.live is not None:
            with _heard_or_not(self.console):
                self.live.update(Group(*self.contents()), refresh=True)

    def contents(self) -> Iterable[RenderableType]:
        """What moves."""
        raise NotImplementedError


@contextlib.contextmanager
def _heard_or_not(console: Console) -> Generator[None]:
    try:
        yield
    except OSError:
        console.on_broken_pipe()


def _say(console: Console, line: str) -> None:
    with _heard_or_not(console):
        print_lines(console, line)


def clock(seconds: float) -> str:
    """Minutes and seconds; a dash for an endless time."""
    if math.isinf(seconds):
        return "-"
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02}"
