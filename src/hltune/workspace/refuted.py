"""What commands that do not write samples have found wrong: a race may be right whenever else it is measured."""

from dataclasses import dataclass
from typing import Any, Self

from hltune.values import schedule_codec
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.provenance import Named


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuted:
    """A schedule whose outputs were wrong by the usual tolerances.

    Attributes:
        directives: the schedule, as JSON.
        stage, message: those of the failure.
    """

    directives: dict[str, Any]
    stage: str
    message: str

    @classmethod
    def of(cls, schedule: Schedule, failure: Failure) -> Self:
        """What is to be remembered of a failure."""
        return cls(directives=schedule_codec.to_json(schedule), stage=failure.stage, message=failure.message)

    @property
    def candidate(self) -> Candidate:
        """The schedule; an `InputError` if somebody has changed the file."""
        return Candidate(schedule=schedule_codec.from_json(self.directives), provenance=Named(name="refuted"))

    @property
    def failure(self) -> Failure:
        """The failure again."""
        return Failure(stage=self.stage, kind="wrong output", message=self.message)
