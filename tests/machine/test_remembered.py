"""What was found out about expected outputs is used again, as long as they are the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hltune.machine.inputs import Inputs
from hltune.machine.open import resolve
from hltune.machine.options import MeasureOptions
from hltune.machine.remembered import Remembered, digest
from hltune.machine.task import Task
from hltune.machine.verify import Verification
from hltune.pipeline.target import TargetInfo
from hltune.values.cost import Cost
from hltune.values.directives import Schedule
from hltune.values.pipeline import PipelineSpec
from tests.machine.opened import OPTIONS, load, opened

MARK = "an earlier run said so"


@pytest.fixture(scope="module")
def target() -> TargetInfo:
    return resolve("host")


@pytest.fixture(scope="module")
def spec(target: TargetInfo) -> PipelineSpec:
    return load("scaled", target)


Find = Callable[..., Verification]


@pytest.fixture
def find(spec: PipelineSpec, target: TargetInfo, tmp_path: Path) -> Find:
    def run(options: MeasureOptions = OPTIONS, inputs: Inputs = Inputs()) -> Verification:  # noqa: B008 - frozen
        with opened(spec, target, options=options, inputs=inputs, memory=tmp_path) as session:
            measured = session.measure({"default": Schedule()})["default"]
            assert isinstance(measured, Cost)
            return session.verification

    return run


def only(folder: Path) -> Path:
    (path,) = folder.glob("expected-*.json")
    return path


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def marked(path: Path) -> None:
    """So that whoever uses it says so."""
    document = json.loads(path.read_text())
    change(path, verification={**document["verification"], "notes": [MARK]})


def test_the_next_run_knows_the_tolerances(find: Find, tmp_path: Path) -> None:
    first = find()
    assert first.confirmed_by is not None and MARK not in first.notes
    marked(only(tmp_path))
    again = find()
    assert again.notes == (MARK,)
    assert again.outputs == first.outputs and (again.reference, again.confirmed_by) == (
        first.reference,
        first.confirmed_by,
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: change(path, outputs="0" * 64),  # other outputs than then
        lambda path: path.write_text(path.read_text()[:-40]),
        lambda path: change(path, verification={"reference": 1}),
        lambda path: change(path, schedule={}),
        lambda path: change(path, version=99),
        lambda path: path.write_bytes(b"\xff\x00"),
    ],
)
def test_what_does_not_hold_any_more_is_found_out_again(
    damage: Callable[[Path], object], find: Find, tmp_path: Path
) -> None:
    first = find()
    path, before = only(tmp_path), only(tmp_path).read_text()
    marked(path)
    damage(path)
    assert find().outputs == first.outputs
    kept = json.loads(path.read_text())
    assert MARK not in path.read_text() and kept["outputs"] == json.loads(before)["outputs"]


def test_a_wrong_schedule_in_it_is_not_believed(find: Find, tmp_path: Path, spec: PipelineSpec) -> None:
    first = find()
    path = only(tmp_path)
    marked(path)
    no_such = {"op": "compute_root", "func": "no such Func"}
    change(path, schedule={**json.loads(path.read_text())["schedule"], "directives": [no_such]})
    again = find()
    assert MARK not in again.notes and again.outputs == first.outputs and spec.funcs


def test_under_other_conditions_there_is_another_file(spec: PipelineSpec, target: TargetInfo, tmp_path: Path) -> None:
    task = Task(spec=spec, schedule=Schedule(), target=target.name, inputs=Inputs())
    arrays = (np.zeros((3, 4), np.uint8), 3)

    def path(
        task: Task = task, arrays: tuple = arrays, options: MeasureOptions = OPTIONS, strict: bool = False
    ) -> Path:
        return Remembered.of(tmp_path, task, arrays, options, None, strict=strict).path

    others = [
        path(arrays=(np.ones((3, 4), np.uint8), 3)),
        path(arrays=(np.zeros((4, 3), np.uint8), 3)),
        path(arrays=(np.zeros((3, 4), np.int8), 3)),
        path(arrays=(np.zeros((3, 4), np.uint8), 4)),
        path(options=replace(OPTIONS, tolerance=0.1)),
        path(options=replace(OPTIONS, integer_tolerance=1)),
        path(replace(task, target=f"{target.name}-strict_float")),
        path(replace(task, spec=replace(spec, outputs=(replace(spec.outputs[0], estimate=((10, 48),)),)))),
        path(strict=True),
    ]
    assert path() == path() and len({path(), *others}) == 1 + len(others)


def test_digests_tell_parts_from_the_whole() -> None:
    whole = np.arange(12, dtype=np.int16).reshape(3, 4)
    assert digest([whole]) == digest([np.asfortranarray(whole)]) != digest([whole.T])
    assert digest([whole[:, :2]]) == digest([whole[:, :2].copy()]) != digest([whole])
    assert digest([whole, whole]) != digest([whole])
