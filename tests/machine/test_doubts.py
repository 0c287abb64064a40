"""What people are told about expected values that wrong ones may not differ from."""

from __future__ import annotations

import numpy as np
import pytest

from hltune.machine.doubts import little_shown
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
    notes = [*little_shown(SPEC, "out", output)]
    assert [f"all expected values are {values}, and wrong ones may not show" in each for each in notes] == (
        [True] if values else []
    )
