"""How many processes measure side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hltune.tuning import lanes
from hltune.tuning.lanes import lanes_for
from hltune.values.pipeline import OutputArgument
from tests.report.values import SPEC

LARGE = OutputArgument(name="out", dtypes=("float32",), estimate=((0, 2**14), (0, 2**14)))
"""One GiB."""


@pytest.mark.parametrize(("gib", "lanes_there"), [(256, 8), (21, 4), (9, 1), (1, 1)])
def test_as_many_as_there_is_memory_for(gib: int, lanes_there: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "memory_share_bytes", lambda _: int(0.8 * gib * 2**30))
    assert lanes_for([replace(SPEC, outputs=(LARGE,))], 8) == lanes_there
    assert lanes_for([replace(SPEC, outputs=(LARGE,))] * 2, 8) <= lanes_there  # each keeps the images of both
    assert lanes_for([SPEC], 8) == min(8, max(1, int(0.8 * gib)))
