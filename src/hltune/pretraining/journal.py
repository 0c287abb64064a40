"""How far pre-training has come: one small JSON file beside the weights, written after every batch.

The samples are in the store; this file only says which batches are complete and what the run began with, for another
seed or other weights would be another run.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from hltune.pretraining.batch import Batch
from hltune.runtime.files import write_bytes
from hltune.values.documents import Format
from hltune.values.errors import InputError

_TODO = "start over with --fresh; all samples are kept"
_FORMAT = Format(name="hltune-pretraining", version=1, what="damaged record of pre-training", todo=_TODO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """How far a run has come, however often it was interrupted.

    Attributes:
        schedules: schedules per program.
        measured: schedules, failed ones included.
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

    def after(self, batch: Batch) -> Journal:
        """One batch later."""
        return replace(
            self,
            batches=self.batches + 1,
            measured=self.measured + batch.measured,
            failed=self.failed + len(batch.failures),
            rejected=dict(Counter(self.rejected) + Counter(batch.rejected)),
            seconds=self.seconds + batch.seconds,
        )

    def __post_init__(self) -> None:
        counts = (self.seed, self.schedules, self.batches, self.measured, self.failed, *self.rejected.values())
        if any(count < 0 for count in counts):
            raise InputError("not a journal", expected="counts of 0 or more", found=str(self))

    def write(self, path: Path) -> None:
        """Writes it whole or not at all."""
        write_bytes(path, _FORMAT.encode(asdict(self)))


def read_journal(path: Path) -> Journal | None:
    """Reads what `Journal.write` wrote; None if there is nothing. Raises InputError if it is damaged."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _FORMAT.damaged(str(path), error.strerror) from None
    return _FORMAT.read(data, Journal, where=str(path))
