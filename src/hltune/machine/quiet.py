"""Whether the machine was quiet while schedules were timed."""

from hltune.machine.protocol import Session
from hltune.runtime.progress import Progress

_MUCH = 0.1
"""A quiet machine has less than a tenth of this; one busy process on two cores, several times as much."""


def much_waited(session: Session) -> float | None:
    """Seconds that threads waited for others per second of timing since it was last asked, if that is much."""
    waited = session.waited()
    return waited if waited is not None and waited > _MUCH else None


def say_if_busy(
    session: Session, name: str, progress: Progress, *, todo: str = "measure again when nothing else runs"
) -> None:
    """Says so if times since it was last asked are too long, for others had the processors."""
    if (waited := much_waited(session)) is not None:
        progress.note(
            f"{name}: machine busy: in each second of timing, threads waited {waited:.2f} s for other processes; the "
            f"times are too long, and no two are alike: {todo}"
        )
