"""Whether the machine was quiet while schedules were timed."""

from hltune.machine.protocol import Session
from hltune.runtime.progress import Progress

_MUCH = 0.1
"""A quiet machine has less than a tenth of this; one busy process on two cores, several times as much."""


def say_if_busy(session: Session, name: str, progress: Progress) -> None:
    """Says so if times since it was last asked are too long, for others had the processors."""
    waited = session.waited()
    if waited is not None and waited > _MUCH:
        progress.note(
            f"{name}: machine busy: in each second of timing, threads waited {waited:.2f} s for other processes; the "
            "times are too long, and no two are alike: measure again when nothing else runs"
        )
