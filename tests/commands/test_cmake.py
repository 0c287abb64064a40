"""`hltune export --cmake`, as a project of somebody else uses it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import cmake
import pytest

from hltune.commands.export import export
from hltune.machine.open import identify
from hltune.machine.options import MeasureOptions
from hltune.pipeline.source import parse_source
from hltune.runtime.halide_wheel import include_directory
from hltune.runtime.progress import Progress, Silent
from hltune.schedule.cmake import for_compiled, for_generator, found_first, names_header
from hltune.schedule.parse import parse_schedule
from hltune.values.errors import InputError
from hltune.values.provenance import Named
from hltune.workspace.record import TUNED, Record
from hltune.workspace.records import Workspace
from hltune.workspace.subject import SubjectOptions, load_subject

BLUR = Path(__file__).parents[1] / "pipelines" / "blur.cpp"
MEASURE = MeasureOptions(threads=2)
SILENT = Silent()
CMAKE = Path(cmake.CMAKE_BIN_DIR) / "cmake"
WIDEN = """
#include "Halide.h"

class Widen : public Halide::Generator<Widen> {
public:
    GeneratorParam<int> gain{"gain", 1};
    Input<Buffer<uint8_t, 2>> input{"input"};
    Input<uint16_t> extra{"extra", 0};
    Output<Buffer<uint16_t, 2>> output{"output"};

    void generate() {
        output(x, y) = Halide::cast<uint16_t>(input(x, y)) * OFFSET * gain + extra;
        input.set_estimates({{0, 256}, {0, 128}});
        output.set_estimates({{0, 256}, {0, 128}});
    }

    void schedule() {
        APPLY
    }

private:
    Var x{"x"}, y{"y"};
};

HALIDE_REGISTER_GENERATOR(Widen, widen)
"""
TWO = """
#include "Halide.h"
#include "halide_trace_config.h"
HEADERS

template<int K>
class Add : public Halide::Generator<Add<K>> {
public:
    typename Halide::Generator<Add<K>>::template Input<Halide::Buffer<uint8_t, 3>> input{"input"};
    typename Halide::Generator<Add<K>>::template Output<Halide::Buffer<uint8_t, 3>> output{"output"};

    void generate() {
        output(x, y, c) = input(x, y, c) + Halide::cast<uint8_t>(K);
        input.set_estimates({{0, 256}, {0, 128}, {0, 3}});
        output.set_estimates({{0, 256}, {0, 128}, {0, 3}});
    }

    void schedule() {
        APPLY
    }

private:
    Halide::Var x{"x"}, y{"y"}, c{"c"};
};

using One = Add<1>;
using Two = Add<2>;
HALIDE_REGISTER_GENERATOR(One, one)
HALIDE_REGISTER_GENERATOR(Two, two)

int main() { return 0; }
"""
APPLY_BOTH = """
        if (K == 1) apply_schedule_one(this->get_pipeline(), this->get_target());
        if (K == 2) apply_schedule_two(this->get_pipeline(), this->get_target());
"""
CALL_BOTH = """
#include "HalideBuffer.h"
#include "one.h"
#include "two.h"

#include <cstdio>

int main() {
    Halide::Runtime::Buffer<uint8_t> input(8, 8, 5), output(8, 8, 5), last(8, 8, 5);
    input.fill(7);
    const int failed = one(input, output) + two(output, last);
    std::printf("%d %d\\n", failed, int(last(7, 7, 4)));
}
"""
SINE = """
import halide as hl


def sine():
    image, x, output = hl.ImageParam(hl.Float(32), 1, "image"), hl.Var("x"), hl.Func("output")
    output[x] = hl.sin(image[x])
    image.dim(0).set_estimate(0, 256)
    output.set_estimate(x, 0, 256)
    return output
"""
C_PROJECT = """
cmake_minimum_required(VERSION 3.28)
project(somebody C)
add_subdirectory(inner)
include(out/sine.cmake)
add_executable(program program.c)
target_link_libraries(program PRIVATE sine)
"""
PROGRAM = """
#include "HalideBuffer.h"
#include "NAME.h"

#include <cstdio>

int main() {
    Halide::Runtime::Buffer<uint8_t> input(256, 128);
    Halide::Runtime::Buffer<TYPE> output(256, 128);
    input.fill(7);
    const int failed = NAME(INPUTS, output);
    std::printf("%d %d\\n", failed, int(output(255, 127)));
}
"""
PROJECT = """
cmake_minimum_required(VERSION 3.28)
project(somebody C CXX)
set(CMAKE_CXX_STANDARD 17)
FIND
include(out/NAME.cmake)
add_executable(program program.cpp)
target_include_directories(program PRIVATE INCLUDE)
target_link_libraries(program PRIVATE NAME)
"""


def built(folder: Path, name: str, kind: str, *, inputs: str = "input", find: str = "") -> str:
    """What the program of a project prints that uses the exported files."""
    program = PROGRAM.replace("NAME", name).replace("TYPE", kind).replace("INPUTS", inputs)
    (folder / "program.cpp").write_text(program)
    project = PROJECT.replace("NAME", name).replace("FIND", find).replace("INCLUDE", str(include_directory()))
    return ran(folder, project)


def ran(folder: Path, project: str) -> str:
    """What the program of a project prints."""
    (folder / "CMakeLists.txt").write_text(project)
    (packages,) = include_directory().parent.glob("lib*/cmake")
    environment = os.environ | {"LD_LIBRARY_PATH": str(packages.parent)}
    for command in (
        ["-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={packages}"],
        ["--build", folder / "build"],
    ):
        done = subprocess.run([CMAKE, *command], check=False, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
    return subprocess.run([folder / "build" / "program"], check=True, capture_output=True, text=True).stdout.strip()


class Notes(Silent):
    """Keeps what people should read."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def exported(
    options: SubjectOptions,
    text: str,
    folder: Path,
    *forms: str,
    function_name: str | None = None,
    progress: Progress = SILENT,
) -> tuple[Path, ...]:
    workspace = Workspace(folder / "ws")
    subject = load_subject(options, workspace)
    schedule = parse_schedule(text, subject.spec.funcs)
    record = Record(name=TUNED, schedule=schedule, cost=1e-3, provenance=Named(name="by hand"))
    workspace.replace(record, subject.spec, identify(subject.target, MEASURE))
    return export(
        options,
        forms=forms,  # type: ignore[arg-type]
        directory=folder / "out",
        function_name=function_name,
        cmake=True,
        schedule=None,
        workspace=workspace,
        measure=MEASURE,
        progress=progress,
    ).files


def test_a_project_links_what_was_compiled(tmp_path: Path) -> None:
    options = SubjectOptions(pipeline="dilate3x3", target="host", size=(256, 128))
    files = exported(options, "output.split(x, x, xi, 16).vectorize(xi);", tmp_path, "object")
    assert tmp_path / "out" / "dilate3x3.cmake" in files
    assert built(tmp_path, "dilate3x3", "uint8_t") == "0 7"


def test_a_project_in_c_links_what_was_compiled_from_several_folders(tmp_path: Path) -> None:
    (tmp_path / "sine.py").write_text(SINE)
    exported(SubjectOptions(pipeline=str(tmp_path / "sine.py"), target="host"), "", tmp_path, "object")
    for folder, code in (("", 'puts(sine ? "linked" : "")'), ("inner", "0")):
        (tmp_path / folder).mkdir(exist_ok=True)
        declared = "#include <stdio.h>\nint sine();\n"
        (tmp_path / folder / "program.c").write_text(f"{declared}int main(void) {{ {code}; return 0; }}\n")
    inner = C_PROJECT.replace("out/", "../out/").replace("program ", "other ").partition("(inner)\n")[2]
    (tmp_path / "inner" / "CMakeLists.txt").write_text(inner)
    assert ran(tmp_path, C_PROJECT) == "linked"


@pytest.mark.parametrize(
    ("target", "flags"),
    [
        ("x86-64-linux-avx2", "-lpthread;-ldl;-lm"),
        ("arm-64-android", "-ldl;-lm;-llog"),
        ("arm-64-osx", "-lpthread;-ldl;-lm"),
        ("x86-64-windows", ""),
    ],
)
def test_what_was_compiled_is_linked_with_what_its_system_has(target: str, flags: str, tmp_path: Path) -> None:
    text = for_compiled(name="f", target=target, directory=tmp_path)
    assert f'INTERFACE_LINK_LIBRARIES "{flags}")' in text


@pytest.mark.long
def test_a_project_builds_two_generators_of_one_source_that_is_a_program_too(tmp_path: Path) -> None:
    """Its headers are both on the path of both, Halide's tools as well; what has no constant length is unrolled."""
    generator = tmp_path / "two.cpp"
    generator.write_text(TWO.replace("HEADERS", "").replace("APPLY", ""))
    for name in ("one", "two"):
        options = SubjectOptions(pipeline=f"{generator}:{name}", target="host")
        exported(options, "output.reorder(c, x, y).unroll(c).parallel(y);", tmp_path, "cpp")
    headers = '#include "one_schedule.h"\n#include "two_schedule.h"'
    generator.write_text(TWO.replace("HEADERS", headers).replace("APPLY", APPLY_BOTH))
    (tmp_path / "program.cpp").write_text(CALL_BOTH)
    once = "include(out/one.cmake)\n"
    project = PROJECT.replace("include(out/NAME.cmake)", f"{once}{once}include(out/two.cmake)")
    project = project.replace("PRIVATE NAME", "PRIVATE one two").replace("INCLUDE", str(include_directory()))
    assert ran(tmp_path, project.replace("FIND", "find_package(Halide REQUIRED)")) == "0 10"


@pytest.mark.long
def test_a_project_links_what_was_compiled_of_a_generator(tmp_path: Path) -> None:
    generator = tmp_path / "widen.cpp"
    generator.write_text(WIDEN.replace("OFFSET", "3").replace("APPLY", ""))
    options = SubjectOptions(pipeline=str(generator), target="host")
    files = exported(options, "output.split(x, x, xi, 16).vectorize(xi);", tmp_path, "object", function_name="wide")
    assert tmp_path / "out" / "wide.cmake" in files
    assert "add_halide_generator" not in (tmp_path / "out" / "wide.cmake").read_text()
    assert built(tmp_path, "wide", "uint16_t", inputs="input, 1") == "0 22"


@pytest.mark.parametrize(
    ("pipeline", "size", "form", "what", "todo"),
    [
        ("dilate3x3", (256, 128), "json", "nothing to link", "--format object"),
        (str(BLUR), None, "json", "no schedule for the generator", "--format cpp"),
        (str(BLUR), None, "python", "no schedule for the generator", "--format object"),
    ],
)
def test_what_a_project_would_miss_is_an_error(
    pipeline: str, size: tuple[int, int] | None, form: str, what: str, todo: str, tmp_path: Path
) -> None:
    options = SubjectOptions(pipeline=pipeline, target="host", size=size)
    with pytest.raises(InputError, match=what) as found:
        exported(options, "", tmp_path, form)
    assert todo in str(found.value)
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("name", ["../elsewhere", "a b", "f)"])
def test_a_name_that_is_none_writes_nothing(name: str, tmp_path: Path) -> None:
    options = SubjectOptions(pipeline=str(BLUR), target="host")
    with pytest.raises(InputError, match="cannot be the name of your C function"):
        exported(options, "", tmp_path, "cpp", function_name=name)
    assert not list(tmp_path.rglob("*.cmake"))


def test_versions_of_a_generator_keep_their_schedules(tmp_path: Path) -> None:
    """Each library is built with the header that was exported with it, whatever is exported later."""
    options = SubjectOptions(pipeline=str(BLUR), target="host")
    for name in ("narrow", "wide"):
        files = {each.name: each for each in exported(options, "", tmp_path, "json", "cpp", function_name=name)}
        header = next(each for each in files if each.endswith("_schedule.h"))
        assert files[header].parent.name == f"{name}.schedule" and f"{name}.schedule.json" in files
        assert f'"${{CMAKE_CURRENT_LIST_DIR}}/{name}.schedule/{header}"' in files[f"{name}.cmake"].read_text()
    assert len([*(tmp_path / "out").rglob(header)]) == 2


@pytest.mark.long
def test_a_project_builds_the_generator_with_its_schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    generator = tmp_path / "a folder" / "widen.cpp"
    for number, folder in enumerate(("one more", "another")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"half{number}.h").write_text(f"#define HALF{number} 1\n")
    generator.parent.mkdir()
    plain = '#include "half0.h"\n#include "half1.h"\n' + WIDEN.replace("OFFSET", "FACTOR").replace("APPLY", "")
    generator.write_text(plain)
    flags = ("-DFACTOR=(HALF0 + HALF1)", "-isystem", "one more", "-isystem", "another", "-lm")
    options = SubjectOptions(
        pipeline=str(generator), target="host", parameters=(("gain", "3"), ("extra", "5")), cxxflags=flags
    )
    exported(options, "output.split(x, x, xi, 16).vectorize(xi).parallel(y);", tmp_path, "cpp")
    applied = '#include "widen_schedule.h"\n#include "half0.h"\n#include "half1.h"\n' + WIDEN.replace(
        "OFFSET", "FACTOR"
    ).replace("APPLY", "apply_schedule_widen(get_pipeline(), get_target());")
    generator.write_text(applied)
    find = "find_package(Halide REQUIRED)"
    assert built(tmp_path, "widen", "uint16_t", inputs="input, 1", find=find) == "0 43"


def test_flags_go_where_cmake_wants_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.cpp").write_text("")
    flags = ("-O2", "-Iinclude", "-I", "/opt/more", "-Lbuild/lib", "-lfoo", "-l", "bar", "-Wl,--as-needed")
    source = parse_source("a.cpp", cxxflags=flags)
    text = for_generator(
        source, scalars=(), name="f", entry="g", header=Path("f.h"), target="host", directory=tmp_path / "out"
    )
    below = '"${CMAKE_CURRENT_LIST_DIR}/../'
    own = "${CMAKE_CURRENT_BINARY_DIR}/f.schedule"
    first, include = [line for line in text.splitlines() if line.startswith("target_include")]
    # Alone, for a header of the pipeline's own name lies beside it in the folder of the exported files.
    assert first == f'target_include_directories(f.generator BEFORE PRIVATE "{own}")'
    assert f'configure_file("${{CMAKE_CURRENT_LIST_DIR}}/f.h" "{own}/f.h" COPYONLY)\n' in text
    assert include.startswith(f'target_include_directories(f.generator PRIVATE {below}include" ')
    assert include.endswith('opt/more")')
    assert 'target_compile_options(f.generator PRIVATE "-O2")\n' in text
    assert f'target_link_directories(f.generator PRIVATE {below}build/lib")\n' in text
    assert 'target_link_libraries(f.generator PRIVATE "-lfoo" "-lbar" "-Wl,--as-needed")\n' in text


@pytest.mark.long
def test_the_header_of_a_later_export_goes_before_an_earlier_one(tmp_path: Path) -> None:
    older = tmp_path / "older"
    older.mkdir()
    generator = tmp_path / "widen.cpp"
    apply = "apply_schedule_widen(get_pipeline(), get_target());"
    generator.write_text('#include "widen_schedule.h"\n' + WIDEN.replace("OFFSET", "3").replace("APPLY", apply))
    (older / "widen_schedule.h").write_text("inline void apply_schedule_widen(Halide::Pipeline, Halide::Target) {}\n")
    options = SubjectOptions(pipeline=str(generator), target="host", cxxflags=("-I", str(older)))
    exported(options, "output.split(x, x, xi, 16).vectorize(xi);", tmp_path, "cpp")
    (older / "widen_schedule.h").write_text("#error an older schedule\n")
    find = "find_package(Halide REQUIRED)"
    assert built(tmp_path, "widen", "uint16_t", inputs="input, 1", find=find) == "0 22"


@pytest.mark.parametrize(
    ("include", "flag", "place"),
    [
        ("f_schedule.h", (), "."),
        ("f_schedule.h", ("-iquote",), "given"),
        ("sub/f_schedule.h", (), "sub"),
        ("sub/f_schedule.h", ("-I",), "given/sub"),
    ],
)
def test_a_header_that_is_found_first_anyway_is_told(
    include: str, flag: tuple[str, ...], place: str, tmp_path: Path
) -> None:
    generator, out = tmp_path / "g.cpp", tmp_path / "out" / "f_schedule.h"
    generator.write_text(f'# include "{include}"\n')
    source = parse_source(str(generator), cxxflags=(*flag, str(tmp_path / "given")) if flag else ())
    assert found_first(source, out) is None
    other = tmp_path / place / "f_schedule.h"
    other.parent.mkdir(parents=True, exist_ok=True)
    other.write_text("")
    assert found_first(source, out) == other
    assert found_first(source, other) is None


def test_the_export_tells_of_a_header_that_is_found_first(tmp_path: Path) -> None:
    generator = Path(shutil.copy(BLUR, tmp_path))
    generator.with_name("blur_schedule.h").write_text("")
    progress = Notes()
    exported(SubjectOptions(pipeline=str(generator), target="host"), "", tmp_path, "cpp", progress=progress)
    note = f"blur.cpp finds {tmp_path / 'blur_schedule.h'} first"
    assert [each for each in progress.notes if each.startswith(note)]


def test_the_export_tells_of_a_generator_that_does_not_apply_the_header(tmp_path: Path) -> None:
    progress = Notes()
    exported(SubjectOptions(pipeline=str(BLUR), target="host"), "", tmp_path, "cpp", progress=progress)
    assert [each for each in progress.notes if each.startswith("blur.cpp does not name blur_schedule.h")]


def test_a_header_may_be_named_by_any_file_or_flag(tmp_path: Path) -> None:
    one, two, header = tmp_path / "one.cpp", tmp_path / "two.cpp", Path("out/f_schedule.h")
    one.write_text('#include "g_schedule.h"\n')
    two.write_text('#  include "out/f_schedule.h"\n')
    assert not names_header(parse_source(str(one)), header)
    assert names_header(parse_source(f"{one}+{two}"), header)
    assert names_header(parse_source(str(one), cxxflags=("-DHEADER=<f_schedule.h>",)), header)


def test_flags_of_two_words_stay_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.cpp", "b c.h"):
        (tmp_path / name).write_text("")
    (tmp_path / "more").mkdir()
    flags = ["-isystem", "more", "-isystem", "/usr", "-include", "b c.h", "-include", "cmath", "-D", "A=1 2", "-D", "B"]
    source = parse_source("a.cpp", cxxflags=(*flags, "-U", "C", "-x", "c++"))
    text = for_generator(
        source, scalars=(), name="f", entry="g", header=Path("f.h"), target="host", directory=tmp_path / "out"
    )
    (line,) = [line for line in text.splitlines() if line.startswith("target_compile_options")]
    below = r"\"${CMAKE_CURRENT_LIST_DIR}/.."
    pairs = [rf"-isystem {below}/more\"", rf"-include {below}/b c.h\"", "-include cmath", "-x c++"]
    assert [pair for pair in pairs if f'"SHELL:{pair}"' not in line] == []
    assert line.endswith('"-DA=1 2" "-DB" "-UC" "SHELL:-x c++")')


def test_scalars_are_no_parameters_of_a_generator(tmp_path: Path) -> None:
    source = parse_source(str(BLUR), parameters=(("gain", "2"), ("width", "3")))
    text = for_generator(
        source, scalars={"gain"}, name="f", entry="g", header=Path("f.h"), target="host", directory=tmp_path / "out"
    )
    assert 'PARAMS "width=3")' in text


def test_a_generator_that_waits_for_another_ones_header_is_refused(tmp_path: Path) -> None:
    stubs = BLUR.parent / "stubs"
    options = SubjectOptions(pipeline=f"{stubs / 'outer.cpp'}+{stubs / 'inner.cpp'}:outer", target="host")
    with pytest.raises(InputError, match="another generator has to write a header first") as found:
        exported(options, "", tmp_path, "cpp")
    assert "outer.cpp with #include of inner.stub.h" in str(found.value)
    assert not list((tmp_path / "out").glob("*"))


def test_marks_that_cmake_would_read_are_escaped(tmp_path: Path) -> None:
    file = tmp_path / "a;b $c.cpp"
    file.write_text("")
    source = parse_source(str(file), parameters=(("text", 'say "$x;y\\"'),))
    text = for_generator(
        source, scalars=(), name="f", entry="g", header=Path("f.h"), target="host", directory=tmp_path / "out"
    )
    assert '"${CMAKE_CURRENT_LIST_DIR}/../a\\;b \\$c.cpp"' in text
    assert '"text=say \\"\\$x\\;y\\\\\\""' in text
