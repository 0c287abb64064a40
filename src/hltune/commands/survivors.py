"""Several pipelines in one command: what goes wrong with one does not end the others."""

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from hltune.values.errors import HltuneError


@dataclass(slots=True)
class Survivors:
    """Lets some of several pipelines fail, but not the last one that is left.

    Attributes:
        say: tells people that a pipeline is left out, and why.
        failed: why each was left out, by name.
    """

    left: int
    say: Callable[[str, HltuneError], None]
    failed: dict[str, HltuneError] = field(default_factory=dict[str, HltuneError])

    @contextlib.contextmanager
    def trying(self, name: str) -> Generator[None]:
        """What goes wrong with this pipeline is noted, and raised if there is no other one."""
        try:
            yield
        except HltuneError as error:
            self.left -= 1
            if not self.left:
                raise
            self.failed[name] = error
            self.say(name, error)
