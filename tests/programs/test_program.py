from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from hltune.machine.open import resolve
from hltune.machine.options import MeasureOptions
from hltune.pipeline.target import TargetInfo
from hltune.programs.program import Program, ProgramJob
from hltune.runtime.worker import Worker
from hltune.search.autoschedulers import Adams2019Options
from hltune.search.jobs import ENVIRONMENT, SearchJob
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost
from hltune.values.errors import Failure, InputError
from tests.machine.opened import opened

ANOTHER_PROCESS = """
import json, sys
from hltune.programs.program import ProgramJob
class Process:
    def enter(self, stage, timeout_s): pass
program = ProgramJob(seed=int(sys.argv[1])).run(Process())
print(json.dumps([program.spec.content_hash, program.text]))
"""


@pytest.fixture(scope="module")
def maker() -> Iterator[Worker]:
    with Worker(preload=("halide",), recycle_after=1) as worker:
        yield worker


@pytest.fixture(scope="module")
def host() -> TargetInfo:
    return resolve("host")


@pytest.mark.parametrize("seed", [0, 11])
def test_the_same_program_in_every_process(maker: Worker, seed: int) -> None:
    program = maker.run(ProgramJob(seed=seed))
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", ANOTHER_PROCESS, str(seed)],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": hash_seed},
        )
        assert json.loads(done.stdout) == [program.spec.content_hash, list(program.text)]


def test_seeds_and_numbers_of_stages_make_different_programs(maker: Worker) -> None:
    programs = [maker.run(ProgramJob(seed=seed, stages=stages)) for seed in range(3) for stages in (2, 6)]
    assert len({program.spec.content_hash for program in programs}) == len(programs)
    assert len({program.spec.name for program in programs}) == len(programs)


def test_every_kind_comes(maker: Worker) -> None:  # noqa: ARG001 - Halide is not imported by this process first
    from hltune.programs.generate import generate
    from hltune.programs.geometry import BORDERS
    from hltune.programs.kinds import KINDS

    programs = [generate("p", seed, None) for seed in range(150)]
    kinds = {node.kind for program in programs for node in program.nodes}
    assert kinds == {kind.__name__ for _, kind in KINDS} | set(BORDERS) | {"input"}
    types = {node.dtype for program in programs for node in program.nodes}
    assert types == {"uint8", "uint16", "uint32", "int8", "int16", "int32", "float32"}
    assert any(len(program.spec.outputs) > 1 for program in programs)
    assert any(len(info.updates) > 1 for program in programs for info in program.spec.funcs)


def measured(program: Program, host: TargetInfo) -> list[Cost | Failure]:
    """The schedules of random searches, against the default schedule's output."""
    options = MeasureOptions(threads=2, turns=1, turn_s=0.01, compile_timeout_s=600, run_timeout_s=600)
    searches = [Adams2019Options(parallelism=2, beam_size=1, random_dropout=1, seed=seed) for seed in range(2)]
    searches.append(Adams2019Options(parallelism=2, beam_size=4, num_passes=1))
    with Worker(environment=ENVIRONMENT) as worker, opened(program.spec, host, options=options) as session:
        job = SearchJob(spec=program.spec, target=host.name, searches=tuple(searches), timeout_s=600)
        found = worker.run(job)
        assert all(isinstance(candidate, Candidate) for candidate in found)
        return list(session.measure({str(n): candidate.schedule for n, candidate in enumerate(found)}).values())


# Seeds whose default schedule, everything inlined, compiles in seconds.
@pytest.mark.long
@pytest.mark.parametrize("seed", [100, 102, 103, 105])
def test_random_schedules_give_the_output_of_the_default_schedule(seed: int, maker: Worker, host: TargetInfo) -> None:
    outcomes = measured(maker.run(ProgramJob(seed=seed, stages=4)), host)
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    # Halide may refuse to run a schedule, for the bounds that it infers are too wide; it must never be wrong.
    assert all(failure.kind == "error" for failure in failures), failures
    assert len(failures) <= 1


def test_nodes_tell_of_all_that_the_outputs_depend_on(maker: Worker) -> None:
    program = maker.run(ProgramJob(seed=5))
    names = [node.name for node in program.nodes]
    assert len(set(names)) == len(names)
    assert {name for node in program.nodes for name in node.reads} <= set(names)
    inputs = {node.name: node.extents for node in program.nodes if node.kind == "input"}
    assert inputs == {buffer.name: tuple(extent for _, extent in buffer.estimate) for buffer in program.spec.buffers()}
    for output in program.spec.outputs:
        node = next(node for node in program.nodes if node.name == output.name)
        assert (node.dtype,) == output.dtypes
        assert node.extents == tuple(extent for _, extent in output.estimate)
        assert np.prod(node.extents) >= 1000


@pytest.mark.parametrize(("seed", "stages"), [(-1, None), (0, 0)])
def test_impossible_programs(seed: int, stages: int | None) -> None:
    with pytest.raises(InputError, match="no such program"):
        ProgramJob(seed=seed, stages=stages)
