"""What writes to the store asks for it before it begins with anything else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hltune.commands import bundle, pretrain, store, tune
from hltune.machine.inputs import Inputs
from hltune.machine.open import resolve
from hltune.machine.options import MeasureOptions
from hltune.pretraining.options import PretrainOptions
from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from hltune.search.autoschedulers import Adams2019Options
from hltune.values.errors import InputError
from hltune.workspace.records import Workspace
from hltune.workspace.subject import SubjectOptions, load_subject
from tests.report.values import SPEC, SUBJECT
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


def make_bundle(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "_reference", lambda *_: pytest.fail("it has begun"))
    bundle.make(
        SubjectOptions(pipeline="sobel", target="host", size=(64, 64)),
        make_options(),
        device=None,
        output=workspace.root / "b.zip",
        workspace=workspace,
        measure=MEASURE,
        inputs=Inputs(),
        progress=Silent(),
    )


@pytest.mark.parametrize(("arguments", "dimensions", "said"), [(65, 2, "arguments"), (1, 9, "dimensions")])
def test_a_bundle_of_too_large_a_pipeline_is_refused_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: int, dimensions: int, said: str
) -> None:
    """All candidates would be compiled in vain."""
    (image,), estimate = SPEC.buffers(), ((0, 8),) * dimensions
    inputs = tuple(replace(image, name=f"in{number}", estimate=estimate) for number in range(arguments))
    subject = replace(SUBJECT, spec=replace(SPEC, inputs=inputs), target=resolve("host"))
    monkeypatch.setattr(bundle, "load_subject", lambda *_: subject)
    with pytest.raises(InputError, match=f"too many {said} for a bundle"):
        make_bundle(Workspace(tmp_path), monkeypatch)


def test_a_bundle_begins_nothing_beside_another_run(busy: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(busy.samples, progress=Silent(), wait_s=0), pytest.raises(InputError, match="another run writes"):
        make_bundle(busy, monkeypatch)


def test_nothing_begins_beside_a_store_that_cannot_be_read(busy: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Expected outputs of a large pipeline take minutes."""
    busy.samples.write_bytes(b"no store")
    with pytest.raises(InputError, match="the sample store is damaged"):
        make_bundle(busy, monkeypatch)
    monkeypatch.setattr(tune, "open_place", lambda *_, **__: pytest.fail("it has begun"))
    subject = load_subject(SubjectOptions(pipeline="sobel", target="host", size=(64, 64)), busy)
    with pytest.raises(InputError, match="the sample store is damaged"):
        tune.tune(
            [subject],
            make_options(),
            workspace=busy,
            measure=MEASURE,
            inputs=Inputs(),
            progress=Recorder(),  # type: ignore[arg-type]
        )
