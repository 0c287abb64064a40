"""What reads more than others do fails alone where there is no more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hltune.machine.host.machine import HostMachine
from hltune.machine.inputs import Inputs
from hltune.machine.reference import References
from hltune.machine.reference_job import INLINED
from hltune.machine.sensitivity import vectorised
from hltune.pipeline.target import TargetInfo
from hltune.values.cost import Cost
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from tests.machine.opened import OPTIONS, load, opened

MODULE = "tests.machine.doubtful"


def _given(folder: Path, *shape: int) -> Inputs:
    np.save(folder / "image.npy", np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    return Inputs(images=((None, folder / "image.npy"),))


@pytest.mark.parametrize(("name", "is_given"), [("rounded_up", True), ("rounded_up_in_place", False)])
def test_an_authors_schedule_that_reads_more_than_there_is_fails_alone(
    name: str, is_given: bool, host: TargetInfo, tmp_path: Path
) -> None:
    spec = load(name, host, MODULE)
    inputs = _given(tmp_path, 32, 98) if is_given else Inputs()
    with opened(spec, host, inputs=inputs) as session:
        found = session.verification
        own = Schedule(base=spec.manual_hash)
        measured = session.measure({"inlined": Schedule(), "own": own})
    assert found.confirmed_by and not found.notes
    assert isinstance(measured["inlined"], Cost)
    failure = measured["own"]
    assert isinstance(failure, Failure) and "image is accessed at 127" in failure.message


def test_an_image_that_is_larger_than_what_is_needed_has_room(host: TargetInfo, tmp_path: Path) -> None:
    spec = load("rounded_up", host, MODULE)
    with opened(spec, host, inputs=_given(tmp_path, 32, 128)) as session:
        assert "image from 98x32 to 128x32" in " ".join(session.verification.notes)
        assert isinstance(session.measure({"own": Schedule(base=spec.manual_hash)})["own"], Cost)


def test_one_schedule_that_reads_more_than_others_is_no_reason_to_end(host: TargetInfo, tmp_path: Path) -> None:
    spec = load("diagonal", host, MODULE)
    references = References(more=lambda: {"further": vectorised(spec)})
    with (
        HostMachine(host, OPTIONS, workers=1) as machine,
        machine.session(spec, _given(tmp_path, 1), references) as session,
    ):
        assert session.verification.reference == INLINED
        assert isinstance(session.measure({"inlined": Schedule()})["inlined"], Cost)
