"""The sample store, as a command that may be interrupted holds it."""

import contextlib
from collections.abc import Generator
from pathlib import Path

from hltune.runtime.progress import Progress
from hltune.samples.database import check_store
from hltune.samples.lock import WriterLock, lock_of
from hltune.samples.writer import Store

WAIT_S = 5.0
"""Seconds to wait for a run that may be about to end."""


@contextlib.contextmanager
def lock_store(path: Path, progress: Progress) -> Generator[WriterLock]:
    """Keeps all others from writing to a store, for who opens it only later; leaves nothing if there is none then.

    Raises:
        InputError: another run writes to it, which is timing; or it is damaged, or of a newer version.
    """
    with contextlib.closing(WriterLock(lock_of(path), wait_s=WAIT_S, progress=progress)) as lock:
        try:
            if path.exists():
                check_store(path)  # nothing is computed beside a store that cannot be read
            yield lock
        finally:
            if not path.exists():
                lock.remove()


@contextlib.contextmanager
def hold_store(path: Path, progress: Progress, *, todo: str, lock: WriterLock | None = None) -> Generator[Store]:
    """Opens a store to write to; whoever interrupts is told that the samples of this run are kept, and what to do.

    Args:
        lock: of `lock_store`; None if nobody has locked it.
    """
    with Store(path, progress=progress, wait_s=WAIT_S, lock=lock) as store:
        try:
            yield store
        except KeyboardInterrupt:
            kept = f"all {store.added} samples of this run are kept in {store.path}, which has {store.count()} in all"
            progress.note(f"{kept}; {todo}")
            raise
