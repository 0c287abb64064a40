"""What the features of a program say, read from small texts."""

from __future__ import annotations

import textwrap

import pytest

from hltune.lowered.evaluate import Sizes
from hltune.lowered.features import BODY, WHOLE, features
from hltune.lowered.parse import parse_lowered
from hltune.lowered.tree import Type
from hltune.lowered.walk import walk
from hltune.pipeline.layout import Dimension
from hltune.pipeline.target import datapath_bytes

WIDTH = 256
UINT8, FLOAT32 = Type("uint", 8), Type("float", 32)
ROW = (Dimension(minimum=0, extent=WIDTH, stride=1),)
TALL = (Dimension(minimum=0, extent=64, stride=1), Dimension(minimum=0, extent=1024, stride=8192))
SIZES = Sizes(buffers={"input": ROW, "table": ROW, "f": ROW, "sum": ROW, "tall": TALL}, scalars={"shift": 3})
TYPES = {**dict.fromkeys(SIZES.buffers, UINT8), "shift": Type("int", 32), "sum": FLOAT32}


def read(text: str, *, vector_bits: int = 256, datapath_bits: int = 256) -> dict[str, float]:
    """Totals over the bodies, and the features of the whole program, by name."""
    program = parse_lowered(textwrap.dedent(text))
    found = features(walk(program, SIZES, TYPES, vector_bits=vector_bits, datapath_bits=datapath_bits), "", cores=2)
    return dict(zip(BODY, found.bodies.sum(axis=0), strict=True)) | dict(zip(WHOLE, found.whole, strict=True))


def vector_load(index: str) -> dict[str, float]:
    return read(f"""\
        produce f {{
         for (f.s0.x.x, 0, 8) {{
          let t1 = ramp(f.s0.x.x*32, 1, 32)
          f[ramp(f.s0.x.x*32, 1, 32)] = input[{index}]
         }}
        }}
        """)


@pytest.mark.parametrize("index", ["ramp(f.s0.x.x*32, 1, 32)", "t1", "ramp(f.s0.x.x*32, 1, 32) aligned(32, 0)"])
def test_a_ramp_is_loaded_at_once(index: str) -> None:
    found = vector_load(index)
    assert found["load gather"] == 0 and found["load dense"] + found["load aligned"] == 8
    assert found["minmax wide"] == found["add wide"] == 0


@pytest.mark.parametrize(
    "index", ["max(min(ramp(f.s0.x.x*32, 1, 32), x32(255)), x32(0))", "ramp(f.s0.x.x*32, shift - 2, 32)", "t1 + x32(0)"]
)
def test_lanes_that_code_cannot_know_to_be_neighbours_are_gathered(index: str) -> None:
    found = vector_load(index)
    assert found["load gather"] == 8 and found["load dense"] == found["load aligned"] == 0
    # And yet they touch no more of the image than if it knew.
    assert found["unique_read"] == WIDTH and found["read_beyond_l1"] == vector_load("t1")["read_beyond_l1"]


@pytest.mark.parametrize(
    "sliced", ["slice_vectors(t2, 0, 2, 32)", "shuffle(t2, " + ", ".join(map(str, range(32))) + ")"]
)
def test_a_slice_has_the_lanes_that_it_says(sliced: str) -> None:
    """Halide loads with a stride by slices of a vector that is larger."""
    found = read(f"""\
        produce f {{
         for (f.s0.x.x, 0, 4) {{
          let t2 = input[ramp(f.s0.x.x*64, 1, 64)]
          f[ramp(f.s0.x.x*32, 1, 32)] = {sliced}
         }}
        }}
        """)
    assert (found["lanes"], found["points"]) == (32, 128)
    assert found["store gather"] == 0 and found["store dense"] + found["store aligned"] == 4
    assert found["shuffle narrow"] == 4 and found["unique_written"] == 128


def test_a_square_root_costs_what_a_division_does() -> None:
    found = read("""\
        produce f {
         for (f.s0.x, 0, 256) {
          f[f.s0.x] = uint8((float32)sqrt_f32(float32(input[f.s0.x])))
         }
        }
        """)
    assert found["divide float"] == WIDTH and found["math float"] == 0


@pytest.mark.parametrize(
    ("strict", "plain"),
    [
        ("(float32x8)strict_add(A, (float32x8)strict_mul(A, A))", "A + (A*A)"),
        ("(float32x8)strict_sub(A, (float32x8)strict_div(A, A))", "A - (A/A)"),
        ("(float32x8)strict_min(A, (float32x8)strict_max(A, A))", "min(A, max(A, A))"),
        ("select((uint1x8)strict_lt(A, A), A, x8(0.0f))", "select(A < A, A, x8(0.0f))"),
        ("select((uint1x8)strict_le(A, A), A, x8(0.0f))", "select(A <= A, A, x8(0.0f))"),
        ("select((uint1x8)strict_eq(A, A), A, x8(0.0f))", "select(A == A, A, x8(0.0f))"),
    ],
)
def test_strict_floats_are_counted_as_others(strict: str, plain: str) -> None:
    one, other = (
        read("produce sum {\nsum[ramp(0, 1, 8)] = " + text.replace("A", "sum[ramp(8, 1, 8)]") + "\n}\n")
        for text in (strict, plain)
    )
    assert one == other and not any(one[f"call {kind}"] for kind in ("narrow", "wide", "float"))


@pytest.mark.parametrize(
    ("call", "counted"),
    [
        ("(float32x8)round(A)", "cast float"),
        ("(float32x8)asin_f32(A)", "math float"),
        ("(float32x8)acosh_f32(A)", "math float"),
        ("float32x8((int32x8)rounding_shift_left(int32x8(A), x8(1)))", "add wide"),
        ("select((uint1x8)is_nan_f32(A), A, A)", "select float"),
        ("(float32x8)mux(x8(shift), A, A, A)", "select float"),
        ("(float32x8)sin_of_others(A)", "call float"),
    ],
)
def test_calls_are_counted_by_what_they_are(call: str, counted: str) -> None:
    text = call.replace("A", "sum[ramp(8, 1, 8)]")
    found = read(f"produce sum {{\nsum[ramp(0, 1, 8)] = {text}\n}}\n")
    assert found[counted] >= 1
    assert [name for name in BODY if name.startswith("call ") and found[name]] == [counted] * counted.startswith("call")


@pytest.mark.parametrize("index", ["(int32x32)bitwise_xor(t1, x32(64))", "int32x32((float32x32)round(float32x32(t1)))"])
def test_an_index_that_calls_something_is_known(index: str) -> None:
    found = vector_load(index)
    assert found["load gather"] == 8
    assert found["unique_read"] == WIDTH and found["read_beyond_l1"] == vector_load("t1")["read_beyond_l1"]


def test_an_index_that_no_type_of_numpy_holds_is_unknown() -> None:
    """A hash, as people write it: all else of the program is read."""
    product = "uint64x32(t1)*x32((uint64)11400714819323198485)"
    found = vector_load(f"int32x32((uint64x32)shift_right({product}, x32((uint64)58)))")
    assert found["load gather"] == 8 and found["multiply wide"] > 0


def test_arithmetic_of_gathered_addresses_is_done() -> None:
    # Two operations on 32 lanes of 32 bits, which fill four registers, eight times.
    found = vector_load("max(min(ramp(f.s0.x.x*32, 1, 32), x32(255)), x32(0))")
    assert found["minmax wide"] == 2 * 4 * 8


@pytest.mark.parametrize(
    ("before", "index"),
    [("", "int32(input[f.s0.x])"), ("let t = int32(input[f.s0.x])", "t"), ("let t = int32(input[f.s0.x])", "t - 1")],
)
def test_what_an_address_has_to_load_counts(before: str, index: str) -> None:
    found = read(f"""\
        produce f {{
         for (f.s0.x, 0, 256) {{
          {before or "let unused = 1"}
          f[f.s0.x] = table[{index}]
         }}
        }}
        """)
    assert found["load_bytes"] == 2 * WIDTH


def held(*sizes: int, tasks: int = 4) -> float:
    names = [f"a{number}" for number in range(len(sizes))]
    # Sizes are no constants, so that small ones are not on the stack.
    allocate = "\n".join(
        f"allocate {name}[uint8 * ((shift - 2)*{size})]" for name, size in zip(names, sizes, strict=True)
    )
    free = "\n".join(f"free {name}" for name in names)
    store = "\n".join(f"{name}[0] = (uint8)1" for name in names)
    return read(f"parallel (f.s0.y, 0, {tasks}) {{\n{allocate}\n{store}\nf[f.s0.y] = a0[0]\n{free}\n}}\n")[
        "fault_bytes"
    ]


@pytest.mark.parametrize(
    ("sizes", "fault_bytes"),
    [
        ([100_000], 0),  # the heap keeps up to 128 KiB at its end
        ([100_000, 100_000], 4 * (200_000 - 131_072)),  # and returns the rest
        ([200_000, 100_000], 0),  # but keeps twice the largest that was once mapped
        ([200_000, 100_000, 150_000], 4 * (450_000 - 131_072)),
        # As C programs do that take, write and return buffers of such sizes over and over.
        ([200_000, 140_000], 4 * (340_000 - 131_072)),
        ([731_136, 716_800], 4 * (731_136 + 716_800 - 131_072)),
        ([731_136, 600_000], 0),
    ],
)
def test_a_heap_that_goes_back_to_the_system_comes_with_page_faults(sizes: list[int], fault_bytes: float) -> None:
    assert held(*sizes) == pytest.approx(fault_bytes)


def test_what_tasks_take_lies_behind_what_is_live_around_them() -> None:
    """Two buffers that malloc keeps by themselves go back with a third one, of a loop inside."""
    texts = [
        f"""\
        allocate a[uint8 * ((shift - 2)*{400_000})]
        allocate b[uint8 * ((shift - 2)*{100_000})]
        parallel (f.s0.y, 0, 4) {{
         allocate c[uint8 * ((shift - 2)*{size})]
         c[0] = (uint8)1
         f[f.s0.y] = c[0]
         free c
        }}
        free a
        free b
        """
        for size in (10_000, 300_000)
    ]
    without, beyond = (read(text)["fault_bytes"] for text in texts)
    assert without == 0.0 and beyond == pytest.approx(800_000 - 131_072)


def test_buffers_that_malloc_never_keeps_come_from_the_system_each_time() -> None:
    """And are no part of what lies at the heap's end."""
    large, kept = (32 << 20) + 4096, 1 << 20
    assert held(large, tasks=3) == 3 * large
    assert held(large, kept, tasks=3) == 3 * large
    assert held(32 << 20, tasks=3) == 0


def test_a_vector_takes_as_many_steps_as_the_vector_unit_is_narrower() -> None:
    text = """\
        produce sum {
         for (sum.s0.x, 0, 16) {
          sum[ramp(sum.s0.x*16, 1, 16)] = sum[ramp(sum.s0.x*16, 1, 16)] + x16(1.0f)
         }
        }
        """
    whole, halves = (read(text, vector_bits=512, datapath_bits=bits) for bits in (512, 256))
    assert (whole["add float"], halves["add float"]) == (16, 32)
    assert whole["lanes"] == halves["lanes"] == 16 and whole["points"] == halves["points"]


@pytest.mark.parametrize(
    ("target", "bytes_at_a_time"),
    [
        ("x86-64-linux-avx512_skylake-avx512", 64),
        ("x86-64-linux-avx512-avx512_zen4", 32),
        ("x86-64-linux-avx512-avx512_zen4-avx512_zen5", 64),
        ("x86-64-linux-avx2", 64),
    ],
)
def test_how_wide_the_vector_unit_is_is_the_processor_s(target: str, bytes_at_a_time: int) -> None:
    assert datapath_bytes(target, 64) == bytes_at_a_time


def looked_up(index: str) -> dict[str, float]:
    """Of 256 vectors, each from a place in a table that data decides."""
    return read(f"""\
        produce f {{
         for (f.s0.x.x, 0, 256) {{
          let t1 = int32(input[f.s0.x.x])
          f[ramp(f.s0.x.x*8, 1, 8)] = table[{index}]
         }}
        }}
        """)


def test_neighbours_at_a_place_that_data_decides_are_loaded_at_once() -> None:
    dense, gathered = looked_up("ramp(t1, 1, 8)"), looked_up("ramp(t1, 1, 8)*x8(t1)")
    assert (dense["load dense"], dense["load gather"]) == (256, 0)
    assert (gathered["load dense"], gathered["load gather"]) == (0, 256)


def test_however_often_a_table_is_read_it_stays_as_small_as_it_is() -> None:
    for index in ("ramp(t1, 1, 8)", "ramp(t1, 1, 8)*x8(t1)"):
        found = looked_up(index)
        assert found["unique_read"] <= 2 * WIDTH
        assert found["read_beyond_l1"] <= 2 * (WIDTH + 64)


def walked(outer: str, inner: str) -> dict[str, float]:
    """Over an image of 64 columns, whose rows are two pages apart."""
    extents = {"x": 64, "y": 1024}
    return read(f"""\
        produce f {{
         for (f.s0.{outer}, 0, {extents[outer]}) {{
          for (f.s0.{inner}, 0, {extents[inner]}) {{
           f[f.s0.x] = tall[(f.s0.y*8192) + f.s0.x]
          }}
         }}
        }}
        """)


def test_down_a_column_each_element_is_on_another_page() -> None:
    rows, columns = walked("y", "x"), walked("x", "y")
    assert rows["pages_beyond_l1"] == pytest.approx(1024, rel=0.02)
    assert columns["pages_beyond_l1"] == pytest.approx(64 * 1024, rel=0.02)
    # All 1,024 pages stay in the second table, whichever way they are walked over.
    assert columns["pages_beyond_l2"] == pytest.approx(rows["pages_beyond_l2"], rel=0.02)


def test_steps_within_a_line_leave_no_line_out() -> None:
    every, second = (vector_load(f"ramp(f.s0.x.x*32, {step}, 32)") for step in (1, 2))
    assert second["read_beyond_l3"] <= every["read_beyond_l3"] + 2 * 64


def chained(*stores: str, loop: str = "r") -> float:
    lines = "\n".join(stores)
    return read(f"produce sum {{\nfor (sum.s1.{loop}, 1, 100) {{\n{lines}\n}}\n}}\n")["chained"]


@pytest.mark.parametrize(
    ("stores", "expected"),
    [
        (("sum[0] = sum[0] + float32(input[sum.s1.r])",), 100),
        (("sum[0] = sum[0] + 1.0f", "sum[0] = sum[0] + 2.0f"), 200),  # unrolled, but one after the other
        (("sum[0] = sum[0] + 1.0f", "sum[1] = sum[1] + 2.0f"), 100),  # side by side
        (("sum[sum.s1.r] = sum[sum.s1.r + -1] + 1.0f",), 100),
        (("sum[sum.s1.r*2] = sum[(sum.s1.r*2) + -1] + 1.0f", "sum[(sum.s1.r*2) + 1] = sum[sum.s1.r*2] + 1.0f"), 200),
        (("sum[0] = 0.0f", "sum[0] = sum[0] + 1.0f", "sum[0] = sum[0] + 2.0f"), 0),  # begins anew
        (("sum[sum.s1.r] = sum[sum.s1.r] + 1.0f",), 0),  # each for itself
        (("sum[sum.s1.r] = sum[sum.s1.r + 1] + 1.0f",), 0),  # what is read is not yet written
        (("f[0] = f[0] + input[sum.s1.r]",), 0),  # integers take one cycle
    ],
)
def test_sums_wait_for_the_one_before(stores: tuple[str, ...], expected: float) -> None:
    assert chained(*stores) == expected


def test_lanes_one_by_one_are_those_of_the_access() -> None:
    """Not those of the store, which is of one lane where a vector is reduced."""
    found = read("""\
        produce sum {
         for (sum.s1.r$x, 0, 32) {
          sum[0] = sum[0] + (float32)vector_reduce_add(float32x8(table[int32x8(input[ramp(sum.s1.r$x*8, 1, 8)])]))
         }
        }
        """)
    assert (found["load gather"], found["lane_by_lane"]) == (32, 32 * 8)


@pytest.mark.parametrize(
    ("quotient", "expected"),
    [
        ("/x32((uint8)8)", {"add narrow": 1}),
        ("/x32((uint8)3)", {"multiply narrow": 1, "add narrow": 1}),
        ("%x32((uint8)5)", {"multiply narrow": 2, "add narrow": 2}),
        ("/input[ramp(0, 1, 32)]", {"divide narrow": 32}),
    ],
)
def test_a_vector_of_integers_is_multiplied_or_divided_lane_by_lane(quotient: str, expected: dict[str, float]) -> None:
    found = read(f"produce f {{\nf[ramp(0, 1, 32)] = input[ramp(32, 1, 32)]{quotient}\n}}\n")
    assert {name: found[name] for name in ("add narrow", "multiply narrow", "divide narrow") if found[name]} == expected


def test_folded_storage_is_touched_once() -> None:
    found = read("""\
        allocate folded[uint8 * 4 * 256]
        produce f {
         for (f.s0.y, 0, 64) {
          for (f.s0.x, 0, 256) {
           folded[((f.s0.y % 4)*256) + f.s0.x] = (uint8)1
          }
         }
        }
        free folded
        """)
    assert found["unique_written"] == 4 * 256 and found["written_beyond_l1"] <= 4 * 256 + 64


def test_rows_of_a_tall_stencil_are_all_touched_in_each_iteration() -> None:
    """Nine rows of 8 KiB do not stay in the first cache, though one would."""
    loads = " + ".join(f"tall[((f.s0.y + {row})*8192) + f.s0.x]" for row in range(9))
    found = read(
        f"produce f {{\nfor (f.s0.y, 0, 64) {{\nfor (f.s0.x, 0, 8192) {{\nf[f.s0.x] = {nested(loads)}\n}}\n}}\n}}\n"
    )
    assert found["read_beyond_l1"] == pytest.approx(64 * 9 * 8192, rel=0.01)
    assert found["read_beyond_l2"] == pytest.approx((64 + 8) * 8192, rel=0.01)


def nested(terms: str) -> str:
    """A sum as Halide writes it: with parentheses around each operand."""
    first, *rest = terms.split(" + tall")
    for each in rest:
        first = f"({first}) + tall{each}"
    return first


def test_buffers_on_the_stack_count_while_they_are_there() -> None:
    found = read("""\
        allocate one[uint8 * 100] in Stack
        one[0] = (uint8)1
        allocate two[uint8 * 200] in Stack
        two[0] = one[0]
        free one
        free two
        allocate three[uint8 * 250] in Stack
        three[0] = (uint8)1
        free three
        """)
    assert found["stack_bytes"] == 300


def test_a_predicate_holds_for_lanes_of_the_iterations_that_come_to_it() -> None:
    """The first half of the last of eight vectors; of the others there is none behind the guard."""
    found = read("""\
        produce f {
         for (f.s0.x.x, 0, 8) {
          if (f.s0.x.x == 7) {
           predicate (ramp(f.s0.x.x*8, 1, 8) < x8(60))
            f[ramp(f.s0.x.x*8, 1, 8)] = x8((uint8)1)
          }
         }
        }
        """)
    assert (found["points"], found["store_bytes"]) == (4, 4)


@pytest.mark.parametrize(
    ("extent", "allocations"), [("35", 0), ("(32 + 3)", 0), ("(32*8)", 0), ("20000", 4), ("(32 + shift)", 4)]
)
def test_what_is_small_and_of_a_constant_size_is_on_the_stack(extent: str, allocations: int) -> None:
    found = read(
        f"for (f.s0.y, 0, 4) {{\nallocate a[uint8 * {extent}]\na[0] = (uint8)1\nf[f.s0.y] = a[0]\nfree a\n}}\n"
    )
    assert found["allocations"] == allocations


def test_what_is_bound_outside_of_a_loop_is_computed_there() -> None:
    def counted(outside: str, inside: str) -> dict[str, float]:
        return read(f"""\
            produce sum {{
             for (sum.s0.y, 0, 4) {{
              {outside}
              for (sum.s0.x, 0, 256) {{
               {inside}
               sum[sum.s0.x] = t1 + float32(input[sum.s0.x])
              }}
             }}
            }}
            """)

    unused, bound = "let unused = 1", "let t1 = (float32)sqrt_f32(float32(table[sum.s0.y]))"
    within, before = counted(unused, bound), counted(bound, unused)
    assert (within["divide float"], before["divide float"]) == (4 * WIDTH, 4)
    assert within["add float"] == before["add float"] == 4 * WIDTH
    assert before["load_bytes"] == 4 * WIDTH + 4
    assert within["load_bytes"] == before["load_bytes"]  # a load that stays where it is moves out of the loop by itself


def test_what_an_inner_loop_leaves_where_it_is_stays_in_a_register() -> None:
    found = read("""\
        produce sum {
         for (sum.s0.y, 0, 4) {
          for (sum.s0.r, 0, 100) {
           sum[ramp(sum.s0.y*8, 1, 8)] = sum[ramp(sum.s0.y*8, 1, 8)] + float32x8(input[ramp(sum.s0.r*2, 1, 8)])
          }
         }
        }
        """)
    assert (found["load_bytes"], found["store_bytes"]) == (400 * 8 + 4 * 32, 4 * 32)
    assert found["kept_bytes"] == 32
    assert found["chained"] == 400


def test_no_more_of_a_folded_buffer_is_touched_than_there_is() -> None:
    found = read("""\
        produce f {
         allocate folded[uint8 * (shift + 1)*64]
         for (f.s0.y, 0, 64) {
          folded[ramp((f.s0.y % 4)*64, 1, 32)] = (uint8x32)1
          f[ramp(f.s0.y*4, 1, 32)] = folded[ramp((f.s0.y % 4)*64, 1, 32)] + folded[ramp(((f.s0.y + 1) % 4)*64, 2, 32)]
         }
         free folded
        }
        """)
    assert found["unique_read"] == 256


def rows(body: str, *, extent: int = 64, kind: str = "for") -> dict[str, float]:
    """Of a loop over rows."""
    return read(f"produce f {{\n{kind} (f.s0.y, 0, {extent}) {{\n{body}\n}}\n}}\n")


@pytest.mark.parametrize("divisor", [2, 4, 8])
@pytest.mark.parametrize("remainder", [0, 1])
@pytest.mark.parametrize("extent", [1024, 8192, 1 << 20])
def test_sampled_iterations_are_in_no_step_with_the_loop(divisor: int, remainder: int, extent: int) -> None:
    found = rows(f"if ((f.s0.y % {divisor}) == {remainder}) {{\nf[f.s0.y] = (uint8)1\n}}", extent=extent)
    assert found["runs"] == extent / divisor


@pytest.mark.parametrize("divisor", [2, 3, 8])
def test_what_moves_slowly_does_not_stay_in_a_register(divisor: int) -> None:
    found = rows(f"f[f.s0.y] = input[f.s0.y/{divisor}]")
    assert (found["load scalar"], found["load broadcast"]) == (64, 0)
    assert 0.5 <= found["unique_read"] / (64 / divisor) <= 1.6  # of the samples, few see it move


COPIED = "for (f.s0.x, 0, 8192) {\nf[f.s0.x] = tall[(f.s0.y*8192) + f.s0.x]\n}"


def test_each_side_of_a_branch_touches_what_its_iterations_do() -> None:
    """As where the first and the last iteration of a parallel loop are code of their own."""
    whole = rows(COPIED, kind="parallel")
    parted = rows(f"if ((1 <= f.s0.y) && (f.s0.y < 63)) {{\n{COPIED}\n}} else {{\n{COPIED}\n}}", kind="parallel")
    assert parted["bodies"] == 2
    assert parted["store dense"] == whole["store dense"] == 64 * 8192 / 32
    for name in ("unique_read", "read_beyond_l1", "read_beyond_l2", "read_beyond_l3", "pages_beyond_l2"):
        assert parted[name] == pytest.approx(whole[name], rel=0.05), name


def test_stores_that_are_guarded_one_by_one_are_one_body() -> None:
    guarded = "\n".join(
        f"if (((f.s0.y*2) + {each}) < 100) {{\nf[(f.s0.y*2) + {each}] = (uint8)1\n}}" for each in (0, 1)
    )
    found = rows(guarded)
    assert (found["bodies"], found["stores"]) == (1, 2)
    assert found["points"] == pytest.approx(100, rel=0.05)


@pytest.mark.parametrize(("function", "calls"), [("exp_f32", 1), ("pow_f32", 1), ("sin_f32", 8), ("tanh_f32", 8)])
def test_functions_that_halide_has_no_vectors_of_are_called_lane_by_lane(function: str, calls: int) -> None:
    argument = "sum[ramp(8, 1, 8)]"
    arguments = ", ".join([argument] * (1 + function.startswith("pow")))
    found = read(f"produce sum {{\nsum[ramp(0, 1, 8)] = (float32x8){function}({arguments})\n}}\n")
    assert found["math float"] == calls


def test_wide_vectors_are_accessed_register_by_register() -> None:
    found = read("produce f {\nf[ramp(0, 1, 128)] = input[ramp(128, 1, 128)]\n}\n")
    assert found["load dense"] + found["load aligned"] == found["store dense"] + found["store aligned"] == 4
    one = read("produce f {\nf[ramp(0, 1, 128)] = x128(input[3])\n}\n")
    assert one["load broadcast"] + one["load scalar"] == 1


def test_what_a_branch_asks_of_the_data_counts() -> None:
    found = rows("if ((uint8)3 < (table[f.s0.y]/input[f.s0.y])) {\nf[0] = (uint8)1\nf[1] = (uint8)2\n}")
    assert (found["load_bytes"], found["divide narrow"]) == (2 * 64, 64)


def test_cores_share_the_tasks_of_nested_parallel_loops() -> None:
    inner = "parallel (f.s0.x, 0, 8) {\nf[f.s0.x] = (uint8)1\n}"
    assert rows(inner, extent=1, kind="parallel")["idle"] == 0
    assert rows(inner, extent=1, kind="parallel")["serial_share"] == 0
    assert rows(inner.replace("8", "1"), extent=1, kind="parallel")["serial_share"] == 1


@pytest.mark.parametrize(("divisor", "divided"), [("8", 0), ("7", 0), ("shift", 64)])
def test_a_scalar_is_divided_by_what_is_no_number(divisor: str, divided: int) -> None:
    found = rows(f"f[0] = uint8(f.s0.y/{divisor})")
    assert found["divide wide"] == divided
    assert found["index"] >= (0 if divided else 64)


def test_a_buffer_is_allocated_where_its_condition_holds() -> None:
    found = rows("allocate a[uint8 * (shift + 20000)] if (f.s0.y < 16)\na[0] = (uint8)1\nfree a")
    assert found["allocations"] == pytest.approx(16, rel=0.1)


def test_floats_of_16_bits_are_computed_as_those_of_32() -> None:
    half = "float16x16(input[ramp(0, 1, 16)])"
    found = read(f"produce f {{\nf[ramp(0, 1, 16)] = uint8x16({half}*{half})\n}}\n")
    assert found["multiply float"] == 2


@pytest.mark.parametrize(("sums", "kept"), [(8, 1.0), (16, 1.0), (32, 1 / 2)])
def test_what_registers_do_not_hold_is_loaded_and_stored_in_each_iteration(sums: int, kept: float) -> None:
    """Of 256 bits there are 16."""
    added = "\n".join(
        f"sum[ramp({8 * each}, 1, 8)] = sum[ramp({8 * each}, 1, 8)] + float32x8(input[ramp(sum.s1.r, 1, 8)])"
        for each in range(sums)
    )
    found = read(f"produce sum {{\nfor (sum.s1.r, 0, 1000) {{\n{added}\n}}\n}}\n")
    once, always = 32 * sums, 32 * sums * 1000
    assert found["store_bytes"] == pytest.approx(kept * once + (1 - kept) * always)


@pytest.mark.parametrize(
    ("value", "vectors"),
    [
        ("input[f.s0.x + 1]", 8),
        ("(uint8)7", 8),
        ("input[f.s0.x*2]", 0),
        ("input[f.s0.x] + (uint8)1", 0),
        ("f[f.s0.x + -1]", 0),
        ("input[f.s0.x]\nf[f.s0.x + 256] = (uint8)1", 0),  # the loop does something else, too
    ],
)
def test_what_only_moves_elements_is_done_for_vectors(value: str, vectors: int) -> None:
    """LLVM makes `memcpy` and `memset` of such loops."""
    found = read(f"produce f {{\nfor (f.s0.x, 0, 256) {{\nf[f.s0.x] = {value}\n}}\n}}\n")
    assert found["points"] == 256 * (1 + value.count("\n"))
    assert found["store dense"] == vectors
    assert found["runs"] == (vectors or 256)


def test_a_few_elements_are_moved_one_by_one() -> None:
    found = rows("for (f.s0.c, 0, 3) {\nf[(f.s0.y*3) + f.s0.c] = input[(f.s0.y*3) + f.s0.c]\n}")
    assert found["store dense"] == 64
    one = rows("for (f.s0.c, 0, 1) {\nf[f.s0.y] = input[f.s0.y]\n}")
    assert (one["store scalar"] + one["store broadcast"], one["store dense"]) == (64, 0)


def test_both_sides_of_a_branch_touch_all_of_a_row() -> None:
    found = rows("if ((uint8)3 < table[f.s0.y]) {\nf[f.s0.y] = (uint8)1\n} else {\nf[f.s0.y] = (uint8)2\n}")
    assert found["bodies"] == 1
    assert found["unique_written"] == found["points"] == 64


def test_what_is_bound_before_a_branch_stays_where_its_own_loops_leave_it() -> None:
    found = rows("let t = input[3]\nif (f.s0.y < 2) {\nf[f.s0.y] = t\n}")
    assert found["load_bytes"] == 1


def test_what_never_runs_pays_for_nothing() -> None:
    never, then = "if (f.s0.y < 0) {\nf[f.s0.y] = t\n}", "f[f.s0.y] = t"
    found = rows(f"let t = input[f.s0.y]/table[f.s0.y]\n{never}\n{then}")
    assert (found["load_bytes"], found["divide narrow"]) == (2 * 64, 64)


@pytest.mark.parametrize("offset", [0, 1])
def test_what_moves_slowly_moves_alike(offset: int) -> None:
    found = rows(f"f[f.s0.y] = input[f.s0.y/2] + input[(f.s0.y + {offset})/2]", extent=100)
    assert found["unique_read"] == pytest.approx(50, abs=3)


def test_a_conditional_buffer_does_not_say_how_often_others_are_taken() -> None:
    sizes = {"a": 1000, "b": 200_000, "c": 140_000}
    taken = [f"allocate {name}[uint8 * ((shift - 2)*{size})]" for name, size in sizes.items()]
    taken[0] += " if (f.s0.y < 16)"
    found = rows("\n".join([*taken, *(f"{name}[0] = (uint8)1" for name in sizes), *(f"free {name}" for name in sizes)]))
    assert found["allocations"] == 64 + 64 + 16
    assert found["fault_bytes"] == 64 * (341_000 - 131_072)
