"""What people are told about expected values that wrong ones may not differ from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hltune.machine.doubts import little_shown
from hltune.machine.tolerance import measured
from hltune.machine.verify import usual
from hltune.pipeline.images import Array
from hltune.values.pipeline import PipelineSpec

SPEC = PipelineSpec(name="p", hlpipe=b"", inputs=(), outputs=(), funcs=())


@pytest.mark.parametrize(
    ("output", "values"),
    [
        (np.zeros(9, np.float32), "0.0"),
        (np.arange(-1, 1, dtype=np.int32).repeat(500), "-1 or 0"),
        (np.arange(4, dtype=np.int32).repeat(500), None),
        (np.arange(2, dtype=np.uint8).repeat(500), None),  # a mask
        (np.arange(2, dtype=np.int32).repeat(50), None),
        (np.arange(2, dtype=np.float32).repeat(500), None),
    ],
)
def test_few_values_show_little(output: Array, values: str | None) -> None:
    notes = [*little_shown(SPEC, usual("out", output), output)]
    assert [f"all expected values are {values}, and wrong ones may not show" in each for each in notes] == (
        [True] if values else []
    )


@pytest.mark.parametrize(("offset", "note"), [(1e4, False), (1e5, True)])
def test_what_an_offset_hides_is_told(offset: float, note: bool) -> None:
    output = np.random.default_rng(0).random((64, 96), dtype=np.float32) + np.float32(offset)
    notes = [*little_shown(SPEC, measured("out", output, [("again", output)]), output)]
    assert ["each may be off by 0.16, and wrong ones may not show" in each for each in notes] == [True] * note


@pytest.mark.parametrize("differ", [True, False])
def test_integers_that_schedules_compute_differently_are_told(differ: bool) -> None:
    output = np.arange(12)
    tolerance = replace(usual("out", output), advice="they overflow" if differ else "")
    assert [*little_shown(SPEC, tolerance, output)] == (["output out: they overflow"] if differ else [])
