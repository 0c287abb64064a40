"""A table that the pipeline brings along is as one that it is called with."""

from __future__ import annotations

from pathlib import Path

import pytest

from hltune.lowered.job import FeaturesJob, Lowering
from hltune.machine.open import resolve
from hltune.pipeline.source import Source
from hltune.runtime.worker import Worker
from hltune.schedule.parse import parse_schedule
from hltune.values.program_features import ProgramFeatures
from tests.cache import CACHE
from tests.loading import Unchecked

TEXT = """
import halide as hl
import numpy as np

FIRST = (0, -2)
CURVE = np.arange(256, dtype=np.uint16)
CUBE = np.zeros((4, 16), np.float64)


def looked_up(curve, cube):
    x, y = hl.vars("x y")
    image, output = hl.ImageParam(hl.UInt(8), 2, "image"), hl.Func("output")
    element = hl.i32(image[x, y])
    output[x, y] = curve[element] + hl.u16(cube[element % 16, element / 64 - 2])
    for each in (image, output):
        each.set_estimates([(0, 640), (0, 480)])
    return output


def embedded():
    cube = hl.Buffer(CUBE, name="my cube")
    cube.set_min(FIRST)
    return looked_up(hl.Buffer(CURVE, name="curve"), cube)


def given():
    curve, cube = hl.ImageParam(hl.UInt(16), 1, "curve"), hl.ImageParam(hl.Float(64), 2, "cube")
    for table, extents, minima in ((curve, (256,), (0,)), (cube, (16, 4), FIRST)):
        table.set_estimates([*zip(minima, extents)])
        for number, (minimum, extent) in enumerate(zip(minima, extents)):
            table.dim(number).set_bounds(minimum, extent)
    cube.dim(1).set_stride(16)
    return looked_up(curve, cube)
"""


@pytest.mark.parametrize("schedule", ["output.parallel(y);", "output.vectorize(x, 16).parallel(y);"])
def test_it_makes_no_difference_where_a_table_comes_from(schedule: str, tmp_path: Path) -> None:
    embedded, given = (features(name, schedule, tmp_path) for name in ("embedded", "given"))
    assert embedded == given


def features(entry: str, schedule: str, folder: Path) -> bytes:
    """Of a pipeline of the text above."""
    file, target = folder / "looked_up.py", resolve("host")
    file.write_text(TEXT)
    with Worker() as worker:
        source = Source(kind="python", location=str(file), entry=entry)
        spec = worker.run(Unchecked(source=source, target="host", cache=CACHE))
        schedules = (parse_schedule(schedule, spec.funcs),)
        job = FeaturesJob(lowering=Lowering(spec=spec, target=target, cores=2), schedules=schedules)
        (found,) = worker.run(job)
    assert isinstance(found, ProgramFeatures), found
    return found.encode()
