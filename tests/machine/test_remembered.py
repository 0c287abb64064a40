"""What was found out about expected outputs is used again, as long as they are the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
from tests.machine.opened import OPTIONS, load, sharing

MARK = "an earlier run said so"


@pytest.fixture(scope="module")
def target() -> TargetInfo:
    return resolve("host")


@pytest.fixture(scope="module")
def spec(target: TargetInfo) -> PipelineSpec:
    return load("scaled", target)


Find = Callable[[Path], Verification]


@pytest.fixture(scope="module")
def find(spec: PipelineSpec, target: TargetInfo) -> Iterator[Find]:
    """Measures with what is kept in a folder."""
    with sharing() as opened:

        def run(folder: Path) -> Verification:
            with opened(spec, target, memory=folder) as session:
                measured = session.measure({"default": Schedule()})["default"]
                assert isinstance(measured, Cost)
                return session.verification

        yield run


@dataclass(frozen=True)
class First:
    """What the first run found out of noise, and the file in which it is kept."""

    found: Verification
    file: Path


@pytest.fixture(scope="module")
def once(find: Find, tmp_path_factory: pytest.TempPathFactory) -> First:
    folder = tmp_path_factory.mktemp("once")
    found = find(folder)
    on_noise, _ = sorted(folder.glob("expected-*.json"), key=lambda each: each.stat().st_mtime_ns)
    return First(found, on_noise)


@pytest.fixture
def first(once: First, tmp_path: Path) -> First:
    """In a folder of the test's own, marked so that whoever uses it says so."""
    file = Path(shutil.copy(once.file, tmp_path))
    change(file, verification={**json.loads(file.read_text())["verification"], "notes": [MARK]})
    return First(once.found, file)


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_the_next_run_knows_the_tolerances(first: First, find: Find, tmp_path: Path) -> None:
    found = first.found
    assert found.confirmed_by is not None and MARK not in found.notes
    again = find(tmp_path)
    assert again.notes == (MARK,)
    assert again.outputs == found.outputs and (again.reference, again.confirmed_by) == (
        found.reference,
        found.confirmed_by,
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
    damage: Callable[[Path], object], first: First, once: First, find: Find, tmp_path: Path
) -> None:
    damage(first.file)
    assert find(tmp_path).outputs == first.found.outputs
    kept = json.loads(first.file.read_text())
    assert MARK not in first.file.read_text() and kept["outputs"] == json.loads(once.file.read_text())["outputs"]


def test_a_wrong_schedule_in_it_is_not_believed(first: First, find: Find, tmp_path: Path, spec: PipelineSpec) -> None:
    no_such = {"op": "compute_root", "func": "no such Func"}
    change(first.file, schedule={**json.loads(first.file.read_text())["schedule"], "directives": [no_such]})
    again = find(tmp_path)
    assert MARK not in again.notes and again.outputs == first.found.outputs and spec.funcs


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
