from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path

import pytest

from hltune.machine.open import target_job
from hltune.pipeline.source import Source
from hltune.runtime.worker import Worker
from hltune.search.autoschedulers import Adams2019Options, Mullapudi2016Options
from hltune.search.jobs import ENVIRONMENT, SearchJob
from hltune.search.probes import probes
from hltune.values.candidate import Candidate
from hltune.values.errors import Failure
from tests.cache import CACHE
from tests.loading import Unchecked

BASE = Adams2019Options(parallelism=2, beam_size=32, num_passes=5, memory_limit_bytes=2**30)


def take(number: int, round_number: int) -> list[Adams2019Options]:
    variants = cycle([Path("a.weights"), Path("b.weights"), Path("c.weights")])
    return list(islice(probes(BASE, variants, round_number=round_number, each=4), number))


def test_no_search_comes_twice() -> None:
    drawn = [*take(300, 1), *take(300, 2), *take(300, 21_000)]
    assert len({each.seed for each in drawn}) == 900
    assert all(each.beam_size == 1 and each.memory_limit_bytes == 2**30 for each in drawn)


def test_weights_dropout_and_parallelism_vary() -> None:
    drawn = take(48, 1)
    assert len({each.weights for each in drawn}) == 3
    assert len({each.random_dropout for each in drawn}) > 1
    assert {each.parallelism for each in drawn} > {2}
    assert {each.weights for each in drawn[:4]} == {Path("a.weights")}


def test_searches_of_a_job_fail_one_by_one() -> None:
    source = Source(kind="module", location="tests.machine.pipelines", entry="blur")
    with Worker(environment=ENVIRONMENT, preload=("halide",)) as worker:
        target = worker.run(target_job("host"))
        spec = worker.run(Unchecked(source=source, target=target.name, cache=CACHE))
        good = Adams2019Options(parallelism=2, beam_size=1, random_dropout=1, seed=1)
        starved = Adams2019Options(parallelism=2, beam_size=1, memory_limit_bytes=1)
        job = SearchJob(spec=spec, target=target.name, searches=(good, starved, good), timeout_s=60)
        first, failed, again = worker.run(job)
    assert isinstance(first, Candidate) and isinstance(again, Candidate)
    assert first.schedule == again.schedule
    assert isinstance(failed, Failure) and failed.kind == "error"


@pytest.mark.parametrize("parameters", [(), (("align", "true"),), (("whole", "true"),)])
def test_bounds_that_are_no_intervals_end_no_search(parameters: tuple[tuple[str, str], ...]) -> None:
    """Halide's autoschedulers refuse them."""
    file = Path(__file__).parents[1] / "pipelines" / "layouts.py"
    source = Source(kind="python", location=str(file), entry="partly", parameters=parameters)
    with Worker(environment=ENVIRONMENT, preload=("halide",)) as worker:
        target = worker.run(target_job("host"))
        spec = worker.run(Unchecked(source=source, target=target.name, cache=CACHE))
        searches = (Adams2019Options(parallelism=2, beam_size=1), Mullapudi2016Options(parallelism=2))
        for each in searches:
            (found,) = worker.run(SearchJob(spec=spec, target=target.name, searches=(each,), timeout_s=60))
            assert isinstance(found, Candidate), found
