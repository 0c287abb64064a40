from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import halide as hl
import pytest

from hltune.pipeline.serialized_schedule import read_plans
from hltune.schedule.source import to_cpp_header, to_python
from hltune.values.directives import Schedule
from hltune.values.errors import InputError, JobFailed
from hltune.values.pipeline import ScalarArgument
from tests.pipeline.conftest import PIPELINES, Load


@pytest.fixture(scope="module")
def load(load: Load) -> Load:
    """The check of what a pipeline computes in its own process has tests of its own."""
    return partial(load, checked=False)


def message(load: Load, text: str | Path, **options: tuple[str, ...]) -> str:
    with pytest.raises(InputError) as caught:
        load(text, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("syntax_error.py", "bad/syntax_error.py:3: SyntaxError: "),
        (
            "raises_on_import.py",
            "bad/raises_on_import.py:3: AttributeError: module 'halide' has no attribute 'no_such_thing'",
        ),
        ("raises.py:pipeline", "bad/raises.py:5: ValueError: the kernel is odd"),
        ("halide_rejects.py", "bad/halide_rejects.py:7: HalideError: "),
        ("exits.py", "bad/exits.py:3: SystemExit: not today"),
        ("not_a_pipeline.py", "bad/not_a_pipeline.py:1: function pipeline does not return a pipeline"),
        ("same_name.py", "must have unique names, but the name 'image' was seen multiple times"),
        ("twins.py", "found: blur$1 and blur_1"),
        ("twice.py", "f is two outputs of the pipeline"),
        ("twin_loops.py", "found: r$x and r_x\n  to do: rename one of them"),
        ("bfloat.py", "input image: this element type is not supported"),
    ],
)
def test_what_is_wrong_in_the_file(load: Load, file: str, expected: str) -> None:
    assert expected in message(load, f"bad/{file}")


def test_an_error_in_a_helper_points_at_the_helper(load: Load, tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("def kernel():\n    return 1 / 0\n")
    (tmp_path / "main.py").write_text("from neighbour import kernel\n\n\ndef pipeline():\n    return kernel()\n")
    assert f"{tmp_path}/neighbour.py:2: ZeroDivisionError" in message(load, tmp_path / "main.py")


def test_the_text_of_now_counts(load: Load, tmp_path: Path) -> None:
    """Python's own cache compares seconds and sizes; two edits within a second must both be seen."""
    file = tmp_path / "f.py"
    text = (PIPELINES / "sums_function.py").read_text()
    file.write_text(text)
    first = load(file)
    file.write_text(text.replace("= 0", "= 1"))
    assert load(file).hlpipe != first.hlpipe


def test_an_rfactor_is_a_part_of_the_algorithm(load: Load) -> None:
    spec = load("rfactored.py:rfactored", checked=True)
    assert spec.rfactored == ("total_intm",)
    (note,) = spec.notes
    assert "total_intm, as your call of rfactor makes it" in note and "keep that call" in note
    text = to_python(Schedule(), spec)
    assert f"# {note}" in text
    names: dict[str, Any] = {}
    exec(text, names)
    file: dict[str, Any] = {}
    exec((PIPELINES / "rfactored.py").read_text(), file)
    kept = [file["rfactored"](everything=False) for _ in range(2)][1]  # what Halide calls total$1_intm, or higher
    names["apply_schedule"](kept)
    loops, expected = (
        {
            re.sub(r"\$\d+", "", name): [[loop.var for loop in stage.dims] for stage in plan.stages]
            for name, plan in each.items()
        }
        for each in (read_plans(data, where="kept") for data in (hl.serialize_pipeline(kept), spec.hlpipe))
    )
    assert loops == expected
    with pytest.raises(ValueError, match="make total_intm with rfactor before this is called, as your file does"):
        names["apply_schedule"](file["unscheduled"]())
    assert "make total_intm with rfactor" in to_cpp_header(Schedule(), spec)


def test_a_func_that_is_named_like_one_of_an_rfactor_is_none(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "plain.py"
    file.write_text((PIPELINES / "rfactored.py").read_text().replace('"total"', '"sum_intm"'))
    assert load(f"{file}:unscheduled").rfactored == ()
    file.write_text((PIPELINES / "rfactored.py").read_text().replace('"total"', '"output_intm"'))
    spec = load(f"{file}:unscheduled")
    assert {"output", "output_intm"} <= {func.name for func in spec.funcs}
    assert spec.rfactored == ()


def test_a_scalar_that_is_named_like_a_variable_is_none(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "row.py"
    file.write_text(
        """
import halide as hl

def row():
    x, y, f, p = hl.Var("x"), hl.Var("y"), hl.Func("f"), hl.Param(hl.Int(32), "y", 3)
    f[x, y] = x + y
    f[x, p] = 5
    f.set_estimates([(0, 8), (0, 8)])
    return f
"""
    )
    (func,) = load(file).funcs
    assert (func.args, func.update_args) == (("x", "y"), (("x",),))


def test_a_crash_is_a_failure_with_its_stage(load: Load) -> None:
    with pytest.raises(JobFailed) as caught:
        load("bad/aborts.py")
    assert (caught.value.failure.stage, caught.value.failure.kind) == ("load", "crash")
    assert "SIGABRT" in str(caught.value)


def test_a_parameter_that_may_be_none_is_set_from_text(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "raised.py"
    file.write_text(
        "import halide as hl\n\n"
        "def raised(radius: int | None = None, kind: int | str = 1):\n"
        "    x, f = hl.Var('x'), hl.Func('f' if radius is None else f'f_by_{radius + 0}')\n"
        "    f[x] = x\n"
        "    f.set_estimates([(0, 4)])\n"
        "    return f\n"
    )
    assert load(file).outputs[0].name == "f"
    assert load(file, p=("radius=3",)).outputs[0].name == "f_by_3"
    assert "did you mean radius?" in message(load, file, p=("raduis=3",))
    assert "cannot be set from text" in message(load, file, p=("kind=3",))


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ((), "f_1_2_False"),
        (("second=4",), "f_1_4_False"),
        (("first=3", "flag=true", "z=5", "rest=6", "others=7"), "f_3_2_True_others7_rest6_z5"),
    ],
)
def test_parameters_of_all_kinds(load: Load, tmp_path: Path, values: tuple[str, ...], name: str) -> None:
    file = tmp_path / "kinds.py"
    file.write_text(
        """
import halide as hl
def kinds(first=1, second=2, /, *rest, flag=False, **others: int):
    assert not rest
    words = [first, second, flag, *(f"{key}{value + 0}" for key, value in sorted(others.items()))]
    x, f = hl.Var("x"), hl.Func("_".join(map(str, ["f", *words])))
    f[x] = x
    f.set_estimates([(0, 4)])
    return f
def places(*rest):
    return kinds()
"""
    )
    assert load(f"{file}:kinds", p=values).outputs[0].name == name
    assert "z=q: the value does not fit the parameter" in message(load, f"{file}:kinds", p=("z=q",))
    assert "none: this pipeline has no parameters" in message(load, f"{file}:places", p=("rest=1",))


def test_annotations_may_be_for_type_checkers_only(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "typed.py"
    file.write_text(
        """
from __future__ import annotations
from typing import TYPE_CHECKING
import halide as hl
if TYPE_CHECKING:
    from halide import Func
    from mine import Radius

def typed(radius: Radius = 2, count: int | None = None) -> Func:
    f, x = hl.Func("f"), hl.Var("x")
    f[x] = x * radius + (count or 0)
    f.set_estimates([(0, 8)])
    return f

def of_an_image(image: Func) -> Func:
    return image
"""
    )
    hashes = {load(f"{file}:typed", p=p).content_hash for p in ((), ("radius=3",), ("radius=3", "count=1"))}
    assert len(hashes) == 3
    assert "found: 'much'" in message(load, f"{file}:typed", p=("radius=much",))
    assert "if image is a Func or an image" in message(load, f"{file}:of_an_image")


def test_several_need_a_name(load: Load) -> None:
    text = message(load, "bad/several.py")
    assert "several pipelines in this file" in text
    assert "found: first, second\n" in text
    assert f"as in {PIPELINES}/bad/several.py:first" in text


def test_none(load: Load) -> None:
    assert "no pipeline in this file" in message(load, "bad/none.py")


def test_an_unknown_name_gets_a_suggestion(load: Load) -> None:
    text = message(load, "bad/several.py:secnd")
    assert "expected: one of first, second\n" in text
    assert "did you mean second?" in text


def test_generators_come_before_helper_functions(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "both.py"
    file.write_text((PIPELINES / "sums_generator.py").read_text() + "\n\ndef helper():\n    return 3\n")
    assert load(file).funcs[-1].name == "output"


def test_an_unnamed_generator_goes_by_its_class(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "unnamed.py"
    file.write_text((PIPELINES / "sums_generator.py").read_text().replace('generator("sums")', "generator()"))
    assert load(f"{file}:Sums").name == "Sums"


def test_an_imported_generator_is_not_the_files_own(load: Load, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text((PIPELINES / "blur_generator.py").read_text())
    file = tmp_path / "main.py"
    file.write_text("from other import Blur\n" + (PIPELINES / "sums_generator.py").read_text())
    assert load(file).funcs[-1].args == ("x",)


def test_a_function_that_lacks_a_value(load: Load) -> None:
    text = message(load, "bad/needs_parameter.py:pipeline")
    assert "function pipeline needs a value for size" in text
    assert "-p size=VALUE" in text


_HELPER = "import halide as hl\ndef helper():\n    pass\ndef blur(radius: int) -> hl.Func:\n    return hl.Func()\n"


def test_a_helper_is_not_taken_for_the_pipeline_that_needs_a_value(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "helped.py"
    file.write_text(_HELPER)
    text = message(load, file)
    assert "function blur needs a value for radius" in text and "-p radius=VALUE" in text
    assert "function helper does not return a pipeline" in message(load, f"{file}:helper")
    file.write_text(f"{_HELPER}def sharpen(size: int) -> hl.Func:\n    return hl.Func()\n")
    assert "found: blur, sharpen" in message(load, file)


def test_a_given_value_makes_a_function_callable(load: Load) -> None:
    assert load("bad/needs_parameter.py:pipeline", p=("size=3", "scale=2")).name == "pipeline"


@pytest.mark.parametrize(
    ("file", "parameter", "expected"),
    [
        (
            "needs_parameter.py:pipeline",
            "size=3.5",
            "-p size=3.5: the value does not fit the parameter\n  expected: int",
        ),
        (
            "needs_parameter.py:pipeline",
            "scale=x",
            "-p scale=x: the value does not fit the parameter\n  expected: float",
        ),
        ("needs_parameter.py:pipeline", "siez=3", "expected: one of size (int), scale (float)"),
        ("needs_parameter.py:pipeline", "siez=3", "did you mean size?"),
        ("needs_parameter.py:odd", "shape=3", "-p shape: this parameter cannot be set from text"),
        ("several.py:first", "size=3", "expected: none: this pipeline has no parameters"),
        ("generator_raises.py", "blend=maybe", "expected: bool\n  found: 'maybe'"),
        ("generator_raises.py", "element=uint9", "expected: Type\n  found: 'uint9'"),
        ("generator_raises.py", "sise=3", "did you mean size?"),
        (
            "generator_raises.py",
            "sise=3",
            "one of size (int), blend (bool), rate (float), mode (str), element (Type), input.type (Type), "
            "input.dim (int)",
        ),
    ],
)
def test_parameters_are_checked(load: Load, file: str, parameter: str, expected: str) -> None:
    assert expected in message(load, f"bad/{file}", p=(parameter,))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            ("size=5", "blend=1", "rate=2", "mode=3", "element=int16", "input.type=uint8", "input.dim=3"),
            "(5, True, 2.0, '3', <halide.Type int16>, <halide.Type uint8>, 3)",
        ),
        (
            ("blend=False", "input.type=float32", "input.dim=1"),
            "(3, False, 0.5, 'fast', <halide.Type uint8>, <halide.Type float32>, 1)",
        ),
    ],
)
def test_generator_parameters_have_their_types(load: Load, values: tuple[str, ...], expected: str) -> None:
    """The generator raises an error that shows them."""
    text = message(load, "bad/generator_raises.py", p=values)
    assert text == f"{PIPELINES}/bad/generator_raises.py:16: ValueError: {expected}"


def test_what_a_generator_leaves_open_must_be_given(load: Load) -> None:
    assert "No type has been specified for input" in message(load, "bad/generator_raises.py")


def test_a_file_is_a_program_without_arguments(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "sized.py"
    file.write_text(
        """
import sys
import halide as hl

WIDTH = int(sys.argv[1]) if len(sys.argv) > 1 else 48
assert sys.argv[0].endswith("sized.py")

def row():
    x, f = hl.Var("x"), hl.Func("f")
    f[x] = x + len(sys.argv)
    f.set_estimates([(0, WIDTH)])
    return f
"""
    )
    assert [each.estimate for each in load(file).outputs] == [((0, 48),)]


def test_scalars_that_configure_adds_have_values(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "scaled.py"
    file.write_text(
        """
import halide as hl

x = hl.Var("x")

@hl.generator("scaled")
class Scaled(hl.Generator):
    output = hl.OutputBuffer(hl.Int(32), 1)

    def configure(self):
        self.add_input("scale", hl.InputScalar(hl.Int(32)))

    def generate(self):
        g = self
        g.output[x] = x * g.scale
        g.output.set_estimates([(0, 64)])
"""
    )
    assert [each.estimate for each in load(file, p=("scale=3",)).inputs if isinstance(each, ScalarArgument)] == [3]
    assert "-p scael: no such parameter" in message(load, file, p=("scael=3",))


def test_elements_of_a_tuple_have_names_of_their_own(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "both.py"
    file.write_text(
        """
import halide as hl

def both():
    x, pair, other = hl.Var("x"), hl.Func("out"), hl.Func("out_1")
    pair[x] = hl.Tuple([hl.Expr(x), x + 1])
    other[x] = x
    for each in (pair, other):
        each.set_estimates([(0, 8)])
    return pair, other
"""
    )
    assert "an element of a Tuple has the same name as another output" in message(load, file)


STARTS_PROCESSES = """
import multiprocessing
import os

import halide as hl

x = hl.Var("x")
{before}

def double(number):
    return 2 * number

@hl.generator("doubled")
class Doubled(hl.Generator):
    output = hl.OutputBuffer(hl.Int(32), 1)

    def generate(self):
        g = self
        {table}
        g.output[x] = x + sum(table)
        g.output.set_estimates([(0, 64)])
        if not g.using_autoscheduler():
            g.output.vectorize(x, 8)
"""


@pytest.mark.parametrize(
    ("before", "table"),
    [
        ("", "with multiprocessing.get_context('fork').Pool(1) as pool: table = pool.map(abs, [1, 2])"),
        ("pool = multiprocessing.get_context('fork').Pool(1)", "table = pool.map(abs, [1, 2])"),  # left open
    ],
)
def test_a_file_may_start_processes(load: Load, tmp_path: Path, before: str, table: str) -> None:
    """And the author's schedule is known all the same."""
    file = tmp_path / "doubled.py"
    file.write_text(STARTS_PROCESSES.format(before=before, table=table))
    assert load(file).manual is not None
