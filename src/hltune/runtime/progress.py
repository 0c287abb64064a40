"""How long work says what it does, without knowing who listens."""

from typing import Protocol


class Progress(Protocol):
    """Somebody who is told; the terminal, a log, or nobody."""

    def phase(self, text: str) -> None:
        """What goes on from now on."""

    def note(self, text: str) -> None:
        """Something that people should read, such as a fallback."""


class Silent(Progress):
    """Listens to nothing."""
