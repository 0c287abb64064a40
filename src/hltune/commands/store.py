"""The sample store, as a command that may be interrupted holds it."""

import contextlib
from collections.abc import Generator
from pathlib import Path

from hltune.runtime.progress import Progress
from hltune.samples.lock import lock_of, wait_until_free
from hltune.samples.writer import Store

WAIT_S = 5.0
"""Seconds to wait for a run that may be about to end."""


def check_store_is_free(path: Path, progress: Progress) -> None:
    """Raises an `InputError` if another run writes to the store, which is timing, for who needs it only later."""
    wait_until_free(lock_of(path), wait_s=WAIT_S, progress=progress)


@contextlib.contextmanager
def hold_store(path: Path, progress: Progress, *, todo: str) -> Generator[Store]:
    """Opens a store to write to; whoever interrupts is told that the samples of this run are kept, and what to do."""
    with Store(path, progress=progress, wait_s=WAIT_S) as store:
        try:
            yield store
        except KeyboardInterrupt:
            kept = f"all {store.added} samples of this run are kept in {store.path}, which has {store.count()} in all"
            progress.note(f"{kept}; {todo}")
            raise
