from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hltune.pipeline.load import LoadJob
from hltune.pipeline.source import parse_source
from hltune.values.errors import InputError, JobFailed
from hltune.values.pipeline import BufferArgument, PipelineSpec, ScalarArgument
from tests.loading import fresh
from tests.pipeline.conftest import PIPELINES, Load

ESTIMATES = ("images_0=64", "images_1=65", "func=64", "offset=1", "output=64")


@pytest.fixture
def no_compiler(tmp_path: Path) -> dict[str, str]:
    return {"PATH": str(tmp_path / "empty")}


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    """A copy of a generator with a header of its own, to be changed."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    shutil.copy(PIPELINES / "sums_size.h", folder)
    return Path(shutil.copy(PIPELINES / "sums.cpp", folder))


def message(load: Load, text: str | Path, **options: tuple[str, ...]) -> str:
    with pytest.raises(InputError) as caught:
        load(text, **options)
    return str(caught.value)


def height(spec: PipelineSpec) -> int:
    return next(spec.buffers()).estimate[1][1]


@pytest.mark.long
def test_only_a_new_compiler_compiles_again(
    load: Load, sums: Path, tmp_path: Path, no_compiler: dict[str, str]
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    calls = tmp_path / "calls"
    compiler = tools / "g++"
    compiler.write_text(f'#!/bin/sh\necho called >> {calls}\nexec {shutil.which("g++")} "$@"\n')
    compiler.chmod(0o755)
    environment = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    first = load(sums, environment=environment)
    assert load(sums, environment=environment) == first
    assert load(sums, environment=no_compiler) == first
    built = calls.read_text()
    with compiler.open("a") as file:
        file.write("# another version\n")
    assert load(sums, environment=environment) == first
    assert calls.read_text() == 2 * built


@pytest.mark.long
def test_a_changed_header_is_seen(load: Load, sums: Path, no_compiler: dict[str, str]) -> None:
    assert height(load(sums)) == 24
    sums.with_name("sums_size.h").write_text("#define WIDTH 32\n#define HEIGHT 25\n")
    with pytest.raises(InputError, match="needs a C\\+\\+ compiler"):
        load(sums, environment=no_compiler)
    assert height(load(sums)) == 25


@pytest.mark.long
def test_a_copy_with_another_header_is_another_program(load: Load, sums: Path) -> None:
    assert height(load("sums.cpp")) == 24
    sums.with_name("sums_size.h").write_text("#define WIDTH 32\n#define HEIGHT 26\n")
    assert height(load(sums)) == 26


@pytest.mark.long
def test_a_killed_build_leaves_nothing(load: Load, sums: Path, tmp_path: Path) -> None:
    """A compiler that writes half a program and hangs is killed with its worker."""
    tools = tmp_path / "tools"
    tools.mkdir()
    compiler = tools / "g++"
    compiler.write_text(
        '#!/bin/sh\nfor word; do [ "$last" = -o ] && echo half > "$word"; last=$word; done\nkill -9 $PPID\n'
    )
    compiler.chmod(0o755)
    cache = tmp_path / "cache"
    with pytest.raises(JobFailed) as caught:
        load(sums, cache=cache, environment={"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"})
    assert (caught.value.failure.stage, caught.value.failure.kind) == ("build generator", "crash")
    assert [path for path in cache.iterdir() if not path.name.startswith("build-")] == []
    assert height(load(sums, cache=cache)) == 24


def test_without_a_compiler(load: Load, tmp_path: Path, no_compiler: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        load("blur.cpp", cache=tmp_path / "cache", environment=no_compiler)
    assert "expected: one of g++, clang++, c++ in PATH" in str(caught.value)
    assert "Python files, .hlpipe files and built-in pipelines need none" in str(caught.value)


def test_a_compile_error_names_the_line(load: Load) -> None:
    text = message(load, "bad/syntax_error.cpp")
    assert "bad/syntax_error.cpp:4:12: error: " in text
    assert "no_such_name" in text


def test_a_missing_header_is_a_compile_error(load: Load, sums: Path) -> None:
    sums.with_name("sums_size.h").unlink()
    assert "sums.cpp:2:10: fatal error: sums_size.h" in message(load, sums)


def test_no_generator(load: Load) -> None:
    assert "no pipeline in this file\n  expected: a registered generator" in message(load, "bad/none.cpp")


def test_a_c_function_in_an_expression_is_refused(load: Load) -> None:
    assert "the C function my_curve is called" in message(load, "bad/extern_call.cpp")


def test_several_need_a_name(load: Load) -> None:
    assert "found: bad, worse\n" in message(load, "bad/bad_generators.cpp")
    assert "did you mean worse?" in message(load, "bad/bad_generators.cpp:worst")
    assert load("bad/bad_generators.cpp:worse", estimates=("output=8",)).name == "worse"


def test_arrays_funcs_and_scalars_are_inputs(load: Load) -> None:
    spec = load("bad/bad_generators.cpp:bad", estimates=ESTIMATES)
    assert spec.inputs == (
        BufferArgument(name="images_0", dtype="uint8", estimate=((0, 64),)),
        BufferArgument(name="images_1", dtype="uint8", estimate=((0, 65),)),
        BufferArgument(name="func", dtype="uint8", estimate=((0, 64),)),
        ScalarArgument(name="offset", dtype="uint8", estimate=1),
    )


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("sise=1", "-p sise: no such parameter\n  expected: one of size, offset"),
        ("size=x", "Halide rejects the generator: Error: Unable to parse: x"),
        ("size=2", "the generator crashed\n  expected: exit status 0\n  found: SIGABRT"),
        ("size=3", "a bad size"),
        (
            "size=6",
            "the generator ended by itself before it had built a pipeline\n"
            "  expected: generate() and schedule() that return\n"
            "  found: exit status 0; it printed: goodbye\nto all\n"
            "  to do: take out what ends the process",
        ),
        ("size=7", "that return\n  found: exit status 3; it printed: nothing\n  to do: take out what ends the process"),
        ("size=8", "crashed\n  expected: exit status 0\n  found: SIGSEGV; it printed: nothing\n  to do: build it as"),
        ("size=4", "Halide rejects the generator: Error: "),
    ],
)
def test_what_is_wrong_in_the_generator(load: Load, parameter: str, expected: str) -> None:
    assert expected in message(load, "bad/bad_generators.cpp:bad", p=(parameter,), estimates=ESTIMATES)


def test_the_target_reaches_the_generator(cache: Path) -> None:
    source = parse_source(str(PIPELINES / "sums.cpp"))
    job = LoadJob(source=source, target="not-a-target", cache=cache)
    with pytest.raises(InputError, match="not-a-target"):
        fresh(job)
