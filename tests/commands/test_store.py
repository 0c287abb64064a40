"""What writes to the store asks for it before it begins with anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from hltune.commands import bundle, pretrain, store
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.pretraining.options import PretrainOptions
from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from hltune.search.autoschedulers import Adams2019Options
from hltune.values.errors import InputError
from hltune.workspace.records import Workspace
from hltune.workspace.subject import SubjectOptions
from tests.tuning.conftest import make_options

MEASURE = MeasureOptions(threads=2)


class Recorder(Silent):
    """As `PretrainProgress`; nothing comes of it."""


@pytest.fixture
def busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(store, "WAIT_S", 0.0)
    return Workspace(tmp_path)


def test_pre_training_begins_nothing_beside_another_run(busy: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain, "open_place", lambda *_, **__: pytest.fail("it has begun"))
    options = PretrainOptions(search=Adams2019Options(parallelism=2))
    with Store(busy.samples, progress=Silent(), wait_s=0), pytest.raises(InputError, match="another run writes"):
        pretrain.pretrain(options, target="host", workspace=busy, measure=MEASURE, use=False, progress=Recorder())  # type: ignore[arg-type]


def test_a_bundle_begins_nothing_beside_another_run(
    busy: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "_reference", lambda *_: pytest.fail("it has begun"))
    with Store(busy.samples, progress=Silent(), wait_s=0), pytest.raises(InputError, match="another run writes"):
        bundle.make(
            SubjectOptions(pipeline="sobel", target="host", size=(64, 64)),
            make_options(),
            device=None,
            output=tmp_path / "b.zip",
            workspace=busy,
            measure=MEASURE,
            inputs=Inputs(),
            progress=Silent(),
        )
