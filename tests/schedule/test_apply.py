from __future__ import annotations

import pytest

from hltune.runtime.worker import Worker
from hltune.values.directives import ComputeAt, Directive, Parallel, Rfactor, Schedule, Split, Stage, Vectorize
from hltune.values.errors import InputError
from hltune.values.pipeline import PipelineSpec
from tests.schedule.plugin import Lower

TOTAL = Stage("total", 0)


@pytest.mark.parametrize(
    ("directive", "message"),
    [
        (Vectorize(Stage("total"), "z"), "total has no loop 'z' here"),
        (ComputeAt(Stage("total"), "total", "z"), "total has no loop 'z'"),
        (
            Parallel(TOTAL, "r_x"),
            "total.update(0).parallel(r_x): Halide refuses a directive\n  found: Error: In schedule",
        ),
        (
            Split(TOTAL, "r_x", "r_x", "r_xi", 8, "RoundUp"),
            "total.update(0).split(r_x, r_x, r_xi, 8, TailStrategy::RoundUp): Halide refuses a directive",
        ),
        (Rfactor(Stage("total", 1), (("x", "u"),), "part"), "x of total.update(1) is not a reduction variable"),
    ],
)
def test_what_halide_refuses_is_our_error(
    worker: Worker, specs: dict[str, PipelineSpec], directive: Directive, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        worker.run(Lower(specs["convolution"], Schedule((directive,))))
    assert message in str(caught.value)


def test_replaying_does_not_depend_on_what_the_process_did(worker: Worker, specs: dict[str, PipelineSpec]) -> None:
    schedule = Schedule((Split(TOTAL, "r_x", "r0", "r1", 2), Rfactor(TOTAL, (("r0", "v2"),), "total_intm")))
    first, second = (worker.run(Lower(specs["convolution"], schedule)) for _ in range(2))
    assert first == second
