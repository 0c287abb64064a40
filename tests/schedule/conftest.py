from __future__ import annotations

from collections.abc import Iterator

import pytest

from hltune.pipeline.spec import PipelineSpec
from hltune.worker import Worker
from tests.schedule.plugin import ENVIRONMENT, MakeSpec

NAMES = ("separable", "convolution", "channels", "two_outputs", "tuples", "histogram", "small")


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    with Worker(environment=ENVIRONMENT, preload=("halide",)) as worker:
        yield worker


@pytest.fixture(scope="session")
def specs(worker: Worker) -> dict[str, PipelineSpec]:
    return {name: worker.run(MakeSpec(name), timeout_s=30) for name in NAMES}
