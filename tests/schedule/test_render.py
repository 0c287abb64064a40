from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from hltune.runtime.worker import Worker
from hltune.schedule.parse import parse_schedule
from hltune.schedule.render import render_loop_nest
from hltune.values.directives import Schedule
from hltune.values.pipeline import FuncInfo, OutputArgument, PipelineSpec
from tests.schedule.conftest import NAMES
from tests.schedule.plugin import SEARCHES, HalideLoopNest, SearchAndReplay, probe

FUNCS = (
    FuncInfo(name="blur", args=("x", "y")),
    FuncInfo(name="sum", args=("x", "y"), updates=(("r_x",),), update_args=(("x", "y"),)),
    FuncInfo(name="output", args=("x", "y")),
)
SPEC = PipelineSpec(
    name="p",
    hlpipe=b"",
    inputs=(),
    outputs=(OutputArgument(name="output", dtypes=("uint8",), estimate=((0, 100), (0, 100))),),
    funcs=FUNCS,
)


def rendered(text: str) -> str:
    return render_loop_nest(parse_schedule(text, FUNCS), SPEC)


def test_a_pipeline_without_a_schedule() -> None:
    assert render_loop_nest(Schedule(), SPEC) == "produce output:\n  for y:\n    for x:\n      output(...) = ...\n"


def test_a_tiled_pipeline() -> None:
    text = """
        output.tile(x, y, xi, yi, 64, 8).vectorize(xi, 16).unroll(xi).parallel(y);
        blur.compute_at(output, yi).store_at(output, x).vectorize(x, 8);
        sum.compute_at(output, x).update(0).reorder(x, r_x);
    """
    assert (
        rendered(text)
        == """\
produce output:
  parallel y:
    for x:
      store blur
      produce sum:
        for y:
          for x:
            sum(...) = ...
        for y:
          for r_x:
            for x:
              sum(...) = ...
      for yi in 8:
        produce blur:
          for y:
            for x:
              vectorized v1 in 8:
                blur(...) = ...
        unrolled xi in 4:
          vectorized v0 in 16:
            output(...) = ...
"""
    )


def test_a_func_outside_of_all_loops() -> None:
    assert rendered("blur.compute_at(output, __outermost).store_root();").startswith(
        "store blur\nproduce output:\n  produce blur:\n    for y:\n"
    )


def test_memory_that_is_taken_further_out() -> None:
    text = "output.split(y, y, yi, 8); blur.compute_at(output, yi).hoist_storage(output, y);"
    assert rendered(text).startswith(
        "produce output:\n  for y:\n    allocate blur\n    for yi in 8:\n      produce blur:\n"
    )
    assert rendered("blur.compute_at(output, y).hoist_storage_root();").startswith("allocate blur\nproduce output:\n")


@pytest.mark.parametrize("name", NAMES)
def test_as_halide_prints_it(worker: Worker, specs: dict[str, PipelineSpec], name: str) -> None:
    spec = specs[name]
    for autoscheduler, parameters in [*SEARCHES, *map(probe, range(12))]:
        schedule = worker.run(SearchAndReplay(spec, autoscheduler, parameters, lower=False)).schedule
        halide = worker.run(HalideLoopNest(spec, schedule))
        ours = render_loop_nest(schedule, spec)
        assert _same(_tree(ours), _tree(halide)), f"{ours}\n{halide}"


@dataclass(frozen=True, slots=True)
class _Node:
    head: str
    extent: int | None
    children: tuple[_Node, ...]


def _tree(text: str) -> list[_Node]:
    """The lines of a loop nest as a tree, in our form: see the head of `hltune.schedule.render`."""
    lines = [(len(line) - len(line.lstrip()), line.strip()) for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line[1].startswith(("Warning", "In previous"))]

    def siblings(indent: int) -> list[_Node]:
        found: list[_Node] = []
        while lines and lines[0][0] == indent:
            _, line = lines.pop(0)
            children = siblings(lines[0][0]) if lines and lines[0][0] > indent else []
            if line.startswith(("consume ", "store ")):
                found += [_Node(_head(line), None, ())] * line.startswith("store ") + children
            else:
                found.append(_Node(_head(line), _extent(line), tuple(children)))
        return found

    return siblings(0)


def _head(line: str) -> str:
    """``vectorized x.xi in [0, 7]:`` and ``vectorized xi in 8:`` become ``vectorized xi``."""
    what, _, rest = line.partition(" ")
    if "(...)" in what:
        return re.sub(r"_\d+\(", "(", line)
    name = rest.split(" in ")[0].rstrip(".:").split(".")[-1]
    name = re.sub(r"^(r\d*|up|all)_[xyzw]\w*$", r"\1", name)  # Halide drops what follows the $ of r$x
    return f"{what} {re.sub(r'_[0-9]+$', '', name) if what in ('produce', 'store') else name}"


def _extent(line: str) -> int | None:
    if ". in [" in line:  # renamed by sliding window, which lets the loop begin earlier
        return None
    if match := re.search(r" in \[(-?\d+), (-?\d+)\]", line):
        return int(match[2]) - int(match[1]) + 1
    match = re.search(r" in (\d+):", line)
    return int(match[1]) if match else None


def _same(ours: list[_Node], theirs: list[_Node]) -> bool:
    """Equality, but for loops that Halide drops as it can tell that they have one iteration."""
    if not ours:
        return not theirs
    first, rest = ours[0], ours[1:]
    if theirs and first.head == theirs[0].head:
        extents = {extent for extent in (first.extent, theirs[0].extent) if extent is not None}
        if len(extents) < 2 and _same(list(first.children), list(theirs[0].children)) and _same(rest, theirs[1:]):
            return True
    is_loop = first.head.split()[0] in ("for", "parallel", "vectorized", "unrolled")
    return is_loop and first.extent in (None, 1) and _same([*first.children, *rest], theirs)


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("for x:\n  f(...) = ...", "for x:\n  f(...) = ...", True),
        ("for x:\n  f(...) = ...", "f(...) = ...", True),
        ("for x in 8:\n  f(...) = ...", "f(...) = ...", False),
        ("for x in 8:\n  f(...) = ...", "for x in [0, 7]:\n  f(...) = ...", True),
        ("for x in 8:\n  f(...) = ...", "for x in [0, 8]:\n  f(...) = ...", False),
        ("parallel x:\n  f(...) = ...", "for x:\n  f(...) = ...", False),
        ("f(...) = ...", "for x:\n  f(...) = ...", False),
        ("store f\nproduce g:\n  g(...) = ...", "store f:\n  produce g:\n    g(...) = ...", True),
        ("produce g:\n  g(...) = ...", "store f:\n  produce g:\n    g(...) = ...", False),
    ],
)
def test_the_comparison_itself(ours: str, theirs: str, same: bool) -> None:
    assert _same(_tree(ours), _tree(theirs)) == same
