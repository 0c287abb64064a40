from __future__ import annotations

from collections.abc import Iterator

import pytest

from hltune.runtime.worker import Worker
from hltune.values.pipeline import PipelineSpec
from tests.loading import fresh
from tests.schedule.plugin import ENVIRONMENT, MakeSpec

NAMES = ("separable", "convolution", "channels", "two_outputs", "tuples", "histogram", "small", "odd_names")


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    with Worker(environment=ENVIRONMENT, preload=("halide",)) as worker:
        yield worker


@pytest.fixture(scope="session")
def specs() -> dict[str, PipelineSpec]:
    return {name: _spec(name) for name in (*NAMES, "truth")}


def _spec(name: str) -> PipelineSpec:
    """Built in a process of its own: the second Func called output would be named ``output$1``."""
    return fresh(MakeSpec(name), ENVIRONMENT)
