from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hltune.pipeline.load import LoadJob
from hltune.pipeline.source import parse_estimate, parse_example, parse_parameter, parse_source
from hltune.runtime.worker import Worker
from hltune.values.pipeline import PipelineSpec
from tests.cache import CACHE
from tests.loading import Unchecked, fresh

PIPELINES = Path(__file__).parents[1] / "pipelines"

Load = Callable[..., PipelineSpec]


@pytest.fixture(scope="session")
def cache() -> Path:
    """Shared, because compiling a generator takes seconds."""
    return CACHE


@pytest.fixture(scope="session")
def load(cache: Path) -> Load:
    """Loads a file as in a new process: ``load("blur.cpp:blur", p=["shift=1"], estimates=[...], examples=[...])``.

    With an environment, it is one. Whether a pipeline computes there what it does afterwards is checked, unless told
    otherwise.
    """

    def load(
        text: str | Path,
        *,
        p: tuple[str, ...] = (),
        estimates: tuple[str, ...] = (),
        examples: tuple[str, ...] = (),
        cxxflags: tuple[str, ...] = (),
        cache: Path = cache,
        environment: dict[str, str] | None = None,
        checked: bool = True,
    ) -> PipelineSpec:
        source = parse_source(
            str(PIPELINES / text),
            parameters=tuple(map(parse_parameter, p)),
            estimates=tuple(map(parse_estimate, estimates)),
            examples=tuple(map(parse_example, examples)),
            cxxflags=cxxflags,
        )
        job = LoadJob if checked else Unchecked
        loading = job(source=source, target="host", cache=cache)
        if environment is None:
            return fresh(loading)
        with Worker(environment=environment) as worker:
            return worker.run(loading)

    return load
