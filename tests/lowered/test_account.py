"""What an account says of bodies, read from small texts."""

from __future__ import annotations

import textwrap

import pytest

from hltune.lowered.account import Body, account
from hltune.lowered.evaluate import Sizes
from hltune.lowered.parse import parse_lowered
from hltune.lowered.tree import Type
from hltune.lowered.walk import walk
from hltune.pipeline.layout import Dimension

ROW = (Dimension(minimum=0, extent=256, stride=1),)
SIZES = Sizes(buffers={"input": ROW, "sum": ROW}, scalars={})
TYPES = dict.fromkeys(SIZES.buffers, Type("float", 32))


def body_of(text: str) -> Body:
    """The one body of a program."""
    walked = walk(parse_lowered(textwrap.dedent(text)), SIZES, TYPES, vector_bits=256, datapath_bits=256)
    (found,) = account(walked, "", cores=2).bodies
    return found


EIGHT = "(float32)vector_reduce_add(input[ramp(sum.s1.r$x*8, 1, 8)])"


@pytest.mark.parametrize(
    ("before", "value", "lanes"),
    [
        ("", "input[sum.s1.r$x]", 1),
        ("", EIGHT, 8),
        (f"let t = {EIGHT}", "t", 8),
        ("", f"({EIGHT} + (float32)vector_reduce_add(input[ramp(0, 1, 16)]))", 16),
    ],
)
def test_a_vectorised_reduction_computes_several_elements_at_once(before: str, value: str, lanes: int) -> None:
    """Though it stores one, which is what features say."""
    found = body_of(f"""\
        produce sum {{
         for (sum.s1.r$x, 0, 32) {{
          {before or "let unused = 1"}
          sum[0] = sum[0] + {value}
         }}
        }}
        """)
    assert (found.lanes, found.vector, found.features["lanes"]) == (lanes, lanes > 1, 1.0)


def test_what_is_read_and_written_is_touched_once() -> None:
    found = body_of("""\
        produce sum {
         for (sum.s1.r$y, 0, 4) {
          for (sum.s1.x, 0, 256) {
           sum[sum.s1.x] = sum[sum.s1.x] + input[sum.s1.x]
          }
         }
        }
        """)
    assert [level.touched for level in found.levels] == [2 * 4 * 256, 2 * 64] and found.run_bytes == 2 * 64


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ("int32x8(input[ramp(sum.s1.x*8, 1, 8)])", (False, True, frozenset(("input",)))),
        ("ramp(sum.s1.x*8, 1, 8)", (False, True, frozenset[str]())),  # nothing is accessed lane by lane
        ("ramp(sum.s1.x*2, 4, 8)", (False, False, frozenset[str]())),
        ("(let t = int32x8(input[ramp(0, 1, 8)]) in (t + x8(1)))", (False, True, frozenset(("input",)))),
        ("(int32x8)bitwise_xor(ramp(sum.s1.x*8, 1, 8), x8(64))", (False, False, frozenset[str]())),
        ("(int32x8)of_others(ramp(sum.s1.x*8, 1, 8))", (False, False, frozenset[str]())),  # unknown, but no data
    ],
)
def test_what_data_decides_is_told(index: str, said: tuple[bool, bool, frozenset[str]]) -> None:
    found = body_of(f"""\
        produce sum {{
         for (sum.s1.x, 0, 32) {{
          sum[ramp(sum.s1.x*8, 1, 8)] = input[{index}]
         }}
        }}
        """)
    assert (found.scatters, found.by_data, found.gathered) == said


def test_data_decides_through_what_a_store_binds_for_itself() -> None:
    found = body_of("""\
        produce sum {
         for (sum.s1.x, 0, 32) {
          sum[ramp(sum.s1.x*8, 1, 8)] =
            let t1 = int32x8(input[ramp(sum.s1.x*8, 1, 8)]) in
            let t2 = t1*t1 in
            input[t2]
         }
        }
        """)
    assert found.by_data and found.gathered == {"input"}


def test_a_store_where_data_decides_scatters() -> None:
    found = body_of("""\
        produce sum {
         for (sum.s1.r$x, 0, 32) {
          sum[int32(input[sum.s1.r$x])] = sum[int32(input[sum.s1.r$x])] + input[0]
         }
        }
        """)
    assert found.scatters and not found.gathered
