"""Whether the machine was quiet while schedules were timed."""

from hltune.machine.protocol import Session
from hltune.runtime.progress import Progress

_MUCH = 0.1
"""On a quiet machine, a thread of short calls may wait for most of this: waking up counts. One busy process on two
cores makes it half of the time."""


def much_waited(session: Session) -> float | None:
    """Seconds that a thread waited for others per second of timing since it was last asked, if that is much."""
    waited = session.waited()
    return waited if waited is not None and waited > _MUCH else None


def say_if_busy(
    session: Session, name: str, progress: Progress, *, todo: str = "measure again when nothing else runs"
) -> None:
    """Says so if times since it was last asked are too long, for others had the processors."""
    if (waited := much_waited(session)) is not None:
        progress.note(
            f"{name}: machine busy: in each second of timing, a thread waited {waited:.2f} s for other processes; the "
            f"times are too long, and no two are alike: {todo}"
        )
