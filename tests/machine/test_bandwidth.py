from __future__ import annotations

import math

import pytest

from hltune.machine.bandwidth import bound_of, copied_bytes, copy_size
from hltune.values.cost import Cost
from hltune.values.pipeline import BufferArgument, OutputArgument, PipelineSpec, ScalarArgument
from hltune.values.unit import MILLISECONDS
from tests.report.values import CRASH, packets


def test_half_of_all_bytes_is_copied() -> None:
    spec = PipelineSpec(
        name="p",
        hlpipe=b"",
        inputs=(
            BufferArgument(name="a", dtype="uint8", estimate=((0, 100), (0, 10))),
            BufferArgument(name="b", dtype="float32", estimate=((5, 10),)),
            ScalarArgument(name="c", dtype="int32", estimate=1),
        ),
        outputs=(OutputArgument(name="o", dtypes=("uint8", "int16"), estimate=((0, 100),)),),
        funcs=(),
    )
    assert copied_bytes(spec) == (1000 + 40 + 100 + 200) // 2


@pytest.mark.parametrize("count", [1, 100, 2**16, 3 * 2**16 + 1, 1536 * 2560])
def test_the_copy_has_the_size_asked_for(count: int) -> None:
    copied = math.prod(extent for _, extent in copy_size(count))
    assert count * 0.98 <= copied <= count


@pytest.mark.parametrize(("width", "limit"), [(3, None), (4095, None), (4096, 2e-7)])
def test_a_copy_of_a_few_bytes_is_no_limit(width: int, limit: float | None) -> None:
    """Its time is that of calling it; packets are of the copy alone."""
    size = ((0, width),)
    spec = PipelineSpec(
        name="p",
        hlpipe=b"",
        inputs=(BufferArgument(name="a", dtype="uint8", estimate=size),),
        outputs=(OutputArgument(name="o", dtypes=("uint8",), estimate=size),),
        funcs=(),
    )
    copy = Cost(unit=MILLISECONDS, turns=((2e-7,),))
    assert [bound_of(each, spec) for each in (copy, None, CRASH)] == [limit, None, None]
    assert bound_of(packets(120), spec) == 1.2e-7
