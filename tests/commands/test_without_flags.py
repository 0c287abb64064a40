"""Commands are functions: options and somebody to tell in, a result out."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from hltune.commands.export import export
from hltune.commands.run import run
from hltune.commands.schedule import schedule
from hltune.commands.survivors import Survivors, load_subjects
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.runtime.progress import Silent
from hltune.search.autoschedulers import Mullapudi2016Options
from hltune.values.errors import InputError
from hltune.workspace.records import Workspace
from hltune.workspace.subject import SubjectOptions

DILATE = SubjectOptions(pipeline="dilate3x3", target="host", size=(128, 96))
MEASURE = MeasureOptions(threads=2, turns=2)


@pytest.mark.long
def test_schedule_run_and_export(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    scheduled = schedule(
        DILATE,
        Mullapudi2016Options(parallelism=2),
        search_timeout_s=60,
        workspace=workspace,
        measure=MEASURE,
        inputs=Inputs(),
        directory=None,
        progress=Silent(),
    )
    assert scheduled.name == "mullapudi2016"
    assert scheduled.cost is not None
    assert [path.suffix for path in scheduled.files] == [".json", ".py", ".h"]
    assert {path.parent for path in scheduled.files} == {workspace.directory(scheduled.subject.spec)}

    pixels = np.random.default_rng(0).integers(0, 256, (96, 128), dtype=np.uint8)
    iio.imwrite(tmp_path / "in.png", pixels)
    ran = run(
        DILATE,
        schedule=None,
        outputs=((None, tmp_path / "out.png"),),
        output_sizes=(),
        workspace=workspace,
        measure=MEASURE,
        inputs=Inputs(images=((None, tmp_path / "in.png"),)),
        progress=Silent(),
    )
    assert (ran.pipeline, ran.schedule, ran.sizes) == ("dilate3x3", scheduled.name, ("128x96",))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(pixels, 1, mode="edge"), (3, 3))
    np.testing.assert_array_equal(iio.imread(tmp_path / "out.png"), windows.max(axis=(2, 3)))

    exported = export(
        DILATE,
        forms=("json",),
        directory=tmp_path / "there",
        function_name=None,
        schedule=str(scheduled.files[0]),
        workspace=workspace,
        measure=MEASURE,
        progress=Silent(),
    )
    assert exported.schedule == "dilate3x3"  # as the file is, up to its first dot
    written, again = (json.loads(path.read_bytes()) for path in (scheduled.files[0], *exported.files))
    for sizes in ("least_outputs", "steps_of_outputs", "sizes_are_checked", "read_beyond"):
        assert written["about"].pop(sizes) is None  # only export takes the time to find out
        found = again["about"].pop(sizes)
        assert found in (True, {}) or found.keys() == {"output"}
    assert {**again["about"], "day": ""} == {**written["about"], "day": ""}  # it may be midnight
    assert {**again, "about": None} == {**written, "about": None}


def test_all_pipelines_are_loaded_before_the_first_is_used(tmp_path: Path) -> None:
    unknown = SubjectOptions(pipeline="nonsense", target="host")
    with pytest.raises(InputError, match="unknown benchmark"):
        load_subjects([DILATE, unknown], Workspace(tmp_path / "ws"), MEASURE, Survivors(2, lambda *_: None))


def test_nothing_is_named_twice() -> None:
    with pytest.raises(InputError, match="-p gives radius twice"):
        SubjectOptions(pipeline="blur.py", target="host", parameters=(("radius", "1"), ("radius", "2")))
