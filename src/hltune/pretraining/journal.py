"""How far pre-training has come: one small JSON file beside the weights, written after every batch.

The samples are in the store; this file only says which batches are complete and what the run began with, for another
seed or other weights would be another run.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from hltune.runtime.files import write_text
from hltune.values.errors import InputError

FORMAT = "hltune-pretraining"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """Of one run, however often it was interrupted.

    Attributes:
        seed: of the run.
        schedules: per program.
        initial_hash: of the weights that it began with.
        batches: that are complete.
        measured: schedules, failed ones included.
        failed: of those.
        rejected: programs, by the reason.
        seconds: wall time of all batches.
    """

    seed: int
    schedules: int
    initial_hash: str
    batches: int = 0
    measured: int = 0
    failed: int = 0
    rejected: dict[str, int] = field(default_factory=dict[str, int])
    seconds: float = 0.0

    def after(self, *, measured: int, failed: int, rejected: tuple[str, ...], seconds: float) -> Journal:
        """One batch later."""
        counts = self.rejected | {reason: self.rejected.get(reason, 0) + rejected.count(reason) for reason in rejected}
        return replace(
            self,
            batches=self.batches + 1,
            measured=self.measured + measured,
            failed=self.failed + failed,
            rejected=counts,
            seconds=self.seconds + seconds,
        )

    def write(self, path: Path) -> None:
        """Writes it whole or not at all."""
        write_text(path, json.dumps({"format": FORMAT, "version": VERSION, **asdict(self)}, indent=1) + "\n")


def read_journal(path: Path) -> Journal | None:
    """Reads what `Journal.write` wrote; None if there is nothing.

    Raises:
        InputError: it is damaged.
    """
    try:
        document = cast(dict[str, Any], json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from None
    try:
        if (document.pop("format"), document.pop("version")) != (FORMAT, VERSION):
            raise ValueError("another format or version")
        if not isinstance(document["initial_hash"], str) or not isinstance(document["seconds"], int | float):
            raise TypeError("a field of the wrong type")
        journal = Journal(**document)
        numbers = (
            journal.seed,
            journal.schedules,
            journal.batches,
            journal.measured,
            journal.failed,
            *journal.rejected.values(),
        )
        if any(type(number) is not int or number < 0 for number in numbers):
            raise ValueError("a count that is no whole number")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from None
    return journal


def _damaged(path: Path, found: str) -> InputError:
    return InputError(
        "damaged record of pre-training",
        where=str(path),
        expected=f"{FORMAT} version {VERSION}",
        found=found,
        todo="start over with --fresh; all samples are kept",
    )
