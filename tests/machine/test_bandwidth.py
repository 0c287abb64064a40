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


def test_what_is_over_at_once_is_no_limit() -> None:
    """Of a few bytes, the time is that of calling the copy; packets are of the copy alone."""
    short, longer = (Cost(unit=MILLISECONDS, turns=((seconds,),)) for seconds in (3e-7, 2e-6))
    assert [bound_of(each) for each in (short, longer, None, CRASH)] == [None, 2e-6, None, None]
    assert bound_of(packets(120)) == 1.2e-7
