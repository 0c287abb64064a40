"""A schedule that is taken off leaves no trace, and directives say what it was."""

import pytest

from hltune.pipeline.strip import strip_schedule
from hltune.values.errors import InputError
from tests.loading import fresh
from tests.pipeline.schedules import HandMadeJob, RandomJob


def test_random_programs_lose_their_schedules_and_tell_them() -> None:
    found = fresh(RandomJob(range(12)))
    for seed, (unchanged, same, schedule, recovered) in found.items():
        assert unchanged, seed
        assert same, seed
        assert recovered.lost == () and recovered.reason is None, (seed, recovered)
        assert recovered.schedule is not None
        assert len(recovered.schedule.directives) >= len(schedule.directives) // 2, seed


def test_hand_made_pipeline_computes_the_same_without_its_schedule() -> None:
    plain, scheduled, stripped, outputs = fresh(HandMadeJob())
    assert strip_schedule(plain) == plain
    assert stripped != scheduled
    assert strip_schedule(stripped) == stripped
    assert (outputs["plain"] == outputs["numpy"]).all()
    assert (outputs["stripped"] == outputs["numpy"]).all()


def test_what_is_cut_off_is_damaged() -> None:
    _, scheduled, _, _ = fresh(HandMadeJob())
    for size in range(8, len(scheduled), 997):
        with pytest.raises(InputError):
            strip_schedule(scheduled[:size])
