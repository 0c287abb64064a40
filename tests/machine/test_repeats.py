"""Whether outputs depend on what they contained before."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from hltune.machine.repeats import depends_on_before

IMAGE = np.linspace(0.1, 0.9, 100, dtype=np.float32)


def _depends(call: Callable[[np.ndarray], None], dtype: str = "float32") -> bool:
    output = np.empty(100, dtype)
    compiled = cast(Any, SimpleNamespace(outputs=(output,), call=lambda: call(output)))
    process = cast(Any, SimpleNamespace(on_main_thread=lambda call: call()))
    return depends_on_before(process, compiled, lambda ours, theirs: np.allclose(ours, theirs, rtol=1e-3))


def _noisy(output: np.ndarray, share: float) -> None:
    """Rounds otherwise each time, as threads do that add floats."""
    output[:] = IMAGE * (1 + 1e-6 * np.random.default_rng().random(100)) + share * output


@pytest.mark.parametrize(
    ("update", "depends"),
    [
        (lambda out: np.copyto(out, IMAGE), False),
        (lambda out: np.copyto(out[::2], IMAGE[::2]), False),
        (lambda out: np.copyto(out, np.nan), False),
        (lambda out: np.copyto(out, IMAGE + np.float32(1e-4) * out), True),
        (lambda out: np.minimum(out, IMAGE, out=out), True),
        (lambda out: np.maximum(out, IMAGE, out=out), True),
        (lambda out: np.copyto(out, out * out), True),
        (lambda out: np.copyto(out[7:], out[:-7]), True),
        (lambda out: _noisy(out, 0), False),
        (lambda out: _noisy(out, 0.01), True),
    ],
)
def test_floats(update: Callable[[np.ndarray], None], depends: bool) -> None:
    assert _depends(update) == depends


@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint64"])
def test_integers_that_only_gain_bits_or_lose_them(dtype: str) -> None:
    image = (np.arange(100) % 30).astype(dtype)
    assert _depends(lambda out: np.copyto(out, out | image), dtype)
    assert _depends(lambda out: np.copyto(out, out & image), dtype)
    assert not _depends(lambda out: np.copyto(out, image), dtype)


def test_truths() -> None:
    image = np.arange(100) % 3 > 0
    assert _depends(lambda out: np.copyto(out, out ^ image), "bool")
    assert not _depends(lambda out: np.copyto(out, image), "bool")
