"""How long work says what it does, without knowing who listens."""

from dataclasses import dataclass, field
from typing import Protocol


class Progress(Protocol):
    """Somebody who is told; the terminal, a log, or nobody."""

    def phase(self, text: str) -> None:
        """What goes on from now on."""

    def note(self, text: str) -> None:
        """Something that people should read, such as a fallback."""


@dataclass(frozen=True, slots=True)
class Numbered(Progress):
    """Says which one of several things is under way."""

    progress: Progress
    number: int
    count: int

    def phase(self, text: str) -> None:
        """See `Progress`."""
        self.progress.phase(text if self.count == 1 else f"[{self.number} of {self.count}] {text}")

    def note(self, text: str) -> None:
        """See `Progress`."""
        self.progress.note(text)


@dataclass(frozen=True, slots=True)
class Remembered(Progress):
    """Keeps what people should read, for what they read later."""

    progress: Progress
    notes: list[str] = field(default_factory=list[str])

    def phase(self, text: str) -> None:
        """See `Progress`."""
        self.progress.phase(text)

    def note(self, text: str) -> None:
        """See `Progress`."""
        self.notes.append(text)
        self.progress.note(text)


class Silent(Progress):
    """Listens to nothing."""
