"""What reading the store gives."""

from __future__ import annotations

import numpy as np
import pytest

from hltune.samples.results import minutes_without_pauses


@pytest.mark.parametrize("step_s", [2.0, 90.0])
def test_time_between_runs_does_not_count_and_slow_measurements_do(step_s: float) -> None:
    at_s = 1e9 + np.array([0, 1, 2, 3, 5000, 5001, 5002]) * step_s
    assert minutes_without_pauses(at_s)[-1] == pytest.approx(5 * step_s / 60)
    assert minutes_without_pauses(at_s[:1]) == [0.0] and not minutes_without_pauses(at_s[:0]).size
