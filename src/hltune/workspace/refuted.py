"""What commands that do not write samples have found wrong: a race may be right whenever else it is measured."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from hltune.values import schedule_codec
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, InputError
from hltune.workspace.lines import read_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuted:
    """A schedule whose outputs were wrong by the usual tolerances, or by any.

    Attributes:
        directives: the schedule, as JSON.
        stage, message: those of the failure.
        cpu: the processor on which it was; empty where earlier versions did not write that down.
    """

    directives: dict[str, Any]
    stage: str
    message: str
    cpu: str = ""

    @classmethod
    def of(cls, schedule: Schedule, failure: Failure, cpu: str) -> Self:
        """What is to be remembered of a failure."""
        return cls(directives=schedule_codec.to_json(schedule), stage=failure.stage, message=failure.message, cpu=cpu)


def read_refuted(path: Path, cpu: str) -> Iterator[tuple[Schedule, Failure]]:
    """Schedules of a file that failed on such a processor, and how, without what somebody has changed."""
    for each in read_lines(path, Refuted):
        if each.cpu not in ("", cpu):
            continue
        with contextlib.suppress(InputError):
            schedule = schedule_codec.from_json(each.directives)
            yield schedule, Failure(stage=each.stage, kind="wrong output", message=each.message)
