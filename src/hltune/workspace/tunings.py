"""Which commands tuned a pipeline: a line of JSON each, the newest last."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from hltune.runtime.files import cannot_write
from hltune.values.documents import convert
from hltune.values.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningCommand:
    """One run of `hltune tune`.

    Attributes:
        command: as a shell takes it.
        seed: of all that was left to chance.
        began_s: when, in seconds since 1970.
        hltune: the version that ran.
    """

    command: str
    seed: int
    began_s: float
    hltune: str


def note_tuning(path: Path, run: TuningCommand) -> None:
    """Adds a line; an `InputError` if that cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps(asdict(run))}\n")  # whatever a full disk left before it
    except OSError as error:
        raise cannot_write(path, error) from None


def tunings(path: Path) -> Iterator[TuningCommand]:
    """All of them, the oldest first; none if no such file can be read. What a full disk left of a line is skipped."""
    with contextlib.suppress(OSError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError, InputError):
                yield convert(json.loads(line), TuningCommand)
