from __future__ import annotations

import pytest

from hltune.runtime.worker import Worker
from hltune.suite.benchmark import Benchmark
from hltune.suite.catalog import FILTERS
from hltune.values.pipeline import PipelineSpec
from tests.cache import CACHE
from tests.loading import Unchecked, fresh
from tests.schedule.conftest import NAMES
from tests.schedule.plugin import SEARCHES, SearchAndReplay, probe

Searches = list[tuple[str, dict[str, str]]]

each_search = pytest.mark.parametrize(
    "searches",
    [
        pytest.param([*SEARCHES, *map(probe, range(6))], id="few"),
        pytest.param([*map(probe, range(6, 20))], id="more", marks=pytest.mark.long),
    ],
)


@each_search
@pytest.mark.parametrize("name", NAMES)
def test_a_replayed_schedule_lowers_to_what_the_plugin_made(
    worker: Worker, specs: dict[str, PipelineSpec], name: str, searches: Searches
) -> None:
    check(worker, specs[name], searches)


@each_search
@pytest.mark.parametrize("benchmark", FILTERS, ids=lambda benchmark: benchmark.name)
def test_so_it_does_for_every_built_in_benchmark(worker: Worker, benchmark: Benchmark, searches: Searches) -> None:
    source = benchmark.source(benchmark.width, benchmark.height)
    check(worker, fresh(Unchecked(source=source, target="host", cache=CACHE)), searches)


def check(worker: Worker, spec: PipelineSpec, searches: Searches) -> None:
    for autoscheduler, parameters in searches:
        job = SearchAndReplay(spec, autoscheduler, parameters)
        for _ in range(3):
            replayed = worker.run(job)
            # Halide orders some things by counted names ($9 before $10), which are others in the next attempt.
            if replayed.plugin == replayed.replay == replayed.python:
                break
        assert replayed.replay == replayed.plugin, replayed.text
        assert replayed.python == replayed.plugin, replayed.text
