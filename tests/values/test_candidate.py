"""A candidate that had to be repaired, and what is kept of it."""

from __future__ import annotations

from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, count_repaired
from hltune.values.directives import ComputeRoot, Schedule, Split, Stage
from hltune.values.errors import Failure
from hltune.values.provenance import Mutated, Searched
from hltune.values.schedule_codec import schedule_hash
from hltune.values.unit import MILLISECONDS

F = Stage("f")
GIVEN = Candidate(
    schedule=Schedule((ComputeRoot(F), Split(F, "x", "xo", "xi", 8, "RoundUp"))),
    provenance=Searched(autoscheduler="Adams2019"),
    predicted_ms=1.5,
)
REPAIR = Schedule((ComputeRoot(F), Split(F, "x", "xo", "xi", 8, "ShiftInwards")))


def test_the_candidate_is_the_one_that_was_measured() -> None:
    cost = Cost(unit=MILLISECONDS, turns=((1.0,),), repair=REPAIR)
    measured = GIVEN.as_measured(cost)
    assert measured.schedule == REPAIR and measured.predicted_ms == 1.5
    assert measured.provenance == Mutated(parent=schedule_hash(GIVEN.schedule), changes=("repair",))
    assert count_repaired([cost, cost, Failure(stage="run", kind="error", message="no")]) == 2


def test_others_stay_what_they_are() -> None:
    assert GIVEN.as_measured(Cost(unit=MILLISECONDS, turns=((1.0,),))) is GIVEN
    assert GIVEN.as_measured(Failure(stage="run", kind="error", message="no")) is GIVEN
