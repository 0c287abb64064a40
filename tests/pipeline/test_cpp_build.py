"""What a C++ generator may need of its build, and what it may ask for."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from hltune.pipeline.source import Source, parse_define, parse_include, parse_parameter, parse_source
from hltune.runtime.worker import Process
from hltune.values.errors import InputError
from hltune.values.pipeline import Constraint, PipelineSpec, ScalarArgument
from tests.loading import fresh
from tests.pipeline.conftest import PIPELINES, Load
from tests.pipeline.jobs import Observe
from tests.pipeline.test_own_output import Run

PARTS = PIPELINES / "parts"
FILES = f"{PARTS / 'parts.cpp'}+{PARTS / 'halved.cpp'}"
INCLUDE, SHIFT = parse_include(str(PARTS / "include")), parse_define("SHIFT=2")


def parts(load: Load, name: str, *parameters: str) -> PipelineSpec:
    return load(f"{FILES}:{name}", p=parameters, cxxflags=(INCLUDE, SHIFT))


def message(load: Load, text: str | Path, *cxxflags: str, p: tuple[str, ...] = ()) -> str:
    with pytest.raises(InputError) as caught:
        load(text, p=p, cxxflags=cxxflags)
    return str(caught.value)


def scalars(spec: PipelineSpec) -> dict[str, float]:
    return {i.name: i.estimate for i in spec.inputs if isinstance(i, ScalarArgument)}


def test_a_missing_header_names_the_folder(load: Load) -> None:
    text = message(load, FILES, SHIFT)
    assert "amounts.h: No such file" in text
    assert f"give the folder that holds amounts.h by {INCLUDE.replace('-I', '-I ')}" in text


@pytest.mark.long
def test_a_missing_macro_names_the_flag(load: Load) -> None:
    assert "if SHIFT is a macro that your build defines, give it by -D SHIFT=VALUE" in message(load, FILES, INCLUDE)


def test_an_error_of_the_preprocessor_names_the_flag(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "guarded.cpp"
    file.write_text('#ifndef WIDTH\n#error "the build sets WIDTH"\n#endif\n')
    text = message(load, file)
    assert "the build sets WIDTH" in text
    assert "give the macros that your build defines by -D NAME=VALUE" in text


@pytest.mark.long
def test_a_missing_symbol_names_the_form_for_several_files(load: Load) -> None:
    text = message(load, PARTS / "parts.cpp", INCLUDE, SHIFT)
    assert "name the file that defines halved(Halide::Func), too, as in parts.cpp+halved.cpp" in text


def test_a_missing_stub_names_its_generator(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "user.cpp"
    file.write_text('#include "inner.stub.h"\n')
    assert "inner.stub.h is made from generator inner: name its file, too" in message(load, file)


def test_generators_write_the_headers_that_others_call_them_by(load: Load) -> None:
    stubs = PIPELINES / "stubs"
    spec = load(f"{stubs / 'outer.cpp'}+{stubs / 'inner.cpp'}:outer")
    assert [each.name for each in spec.outputs] == ["fourfold"] and len(spec.funcs) >= 2
    # Nothing that the cache depends on was left in a folder that is gone.
    assert load(f"{stubs / 'outer.cpp'}+{stubs / 'inner.cpp'}:outer").content_hash == spec.content_hash


def test_a_header_that_is_found_first_now_is_read(load: Load, tmp_path: Path) -> None:
    """The folder has what rules of make write in a way of their own."""
    root = tmp_path / "a #$ b"
    for name in ("first", "second"):
        (root / name).mkdir(parents=True)
    file = root / "row.cpp"
    file.write_text(
        """#include "Halide.h"
#include "amount.h"
struct Row : Halide::Generator<Row> {
    Output<Buffer<int32_t, 1>> output{"output"};
    void generate() { Halide::Var x; output(x) = x + AMOUNT; output.set_estimates({{0, 8}}); }
};
HALIDE_REGISTER_GENERATOR(Row, row)
"""
    )
    flags = tuple(parse_include(str(root / name)) for name in ("first", "second"))
    (root / "second" / "amount.h").write_text("#define AMOUNT 2")
    found = [load(file, cxxflags=flags)]
    for number, folder in enumerate((root / "first", root), start=3):
        (folder / "amount.h").write_text(f"#define AMOUNT {number}")
        found.append(load(file, cxxflags=flags))
    assert len({each.hlpipe for each in found}) == 3


def test_a_missing_header_with_its_whole_path_is_named(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "row.cpp"
    file.write_text('#include "/no/such/tables.h"')
    assert "/no/such/tables.h" in message(load, file)


@pytest.mark.long
def test_flags_are_part_of_the_program(load: Load) -> None:
    """Another value of the macro gives another pipeline, not the one from the cache."""
    three = load(f"{FILES}:mixed", p=("count=1",), cxxflags=(INCLUDE, parse_define("SHIFT=3")))
    assert parts(load, "mixed", "count=1").hlpipe != three.hlpipe


def test_parameters_are_there_for_configure(load: Load) -> None:
    spec = parts(load, "mixed", "count=2", "amount1=0.25", "offsets_2=7")
    assert scalars(spec) == {"offsets_0": 1, "offsets_1": 1, "offsets_2": 7, "amount0": 0.5, "amount1": 0.25}
    assert spec.notes == ()


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ((), "count is to be 1 or more\n  to do: its parameters, set by -p KEY=VALUE: count"),
        (("cuont=2",), "count is to be 1 or more\n  to do: -p cuont sets none of its parameters: did you mean count?"),
        (("count=2", "amuont1=1"), "expected: one of count, offsets_0, offsets_1, offsets_2, amount0, amount1\n"),
        (("count=2", "amuont1=1"), "to do: did you mean amount1?"),
        (("count=two",), "-p count=two: Halide rejects the generator"),
    ],
)
def test_wrong_parameters(load: Load, parameters: tuple[str, ...], expected: str) -> None:
    assert expected in message(load, f"{FILES}:mixed", INCLUDE, SHIFT, p=parameters)


def test_a_wrong_value_casts_no_doubt_on_scalars(load: Load) -> None:
    text = message(load, f"{FILES}:mixed", INCLUDE, SHIFT, p=("amount1=1", "count=two"))
    assert "-p count=two: Halide rejects the generator" in text
    assert "amount1" not in text


def test_constraints_and_ranges(load: Load) -> None:
    spec = parts(load, "limited")
    (pixels,) = spec.buffers()
    assert pixels.constraints == (
        Constraint(minimum=0, extent=3, stride=1),
        Constraint(stride=4),
        Constraint(minimum=0),
    )
    assert [(promise.dimension, promise.what) for promise in pixels.promises] == [(2, "stride")]
    assert pixels.alignment == 32
    limits = {s.name: (s.minimum, s.maximum) for s in spec.inputs if isinstance(s, ScalarArgument)}
    assert limits == {"level": (1, 9), "gain": (0.0, None), "least": (None, None)}
    assert scalars(spec) == {"level": 5, "gain": 1.0, "least": -math.inf}
    assert spec.manual is not None
    assert spec.notes == ()


def test_a_transposed_table_keeps_its_contents(load: Load) -> None:
    spec = parts(load, "tabled", "factor=3")
    (output,) = fresh(Observe(spec)).outputs
    image = np.random.default_rng(1).integers(0, 200, (32, 48), np.uint8)
    rows = np.arange(32)[:, None]
    expected = (image.astype(int) * 3 + 100 * (rows % 2)).astype(np.uint8)
    np.testing.assert_array_equal(np.frombuffer(output, np.uint8).reshape(32, 48), expected)
    assert spec.notes == ()


@pytest.mark.parametrize("moved", ["false", "true"])
def test_a_part_of_a_table_keeps_its_contents(load: Load, moved: str) -> None:
    """Cropped out of a larger one, whose rows it keeps; and with its origin elsewhere."""
    spec = parts(load, "windowed", f"moved={moved}")
    (output,) = fresh(Observe(spec)).outputs
    row = np.random.default_rng(1).integers(0, 200, 64, np.int16)
    x = np.arange(64)
    window = (7 * np.arange(40) - 100 * np.arange(3)[:, None])[1:3, 5:25]
    expected = (row * window[x // 20 % 2, x % 20]).astype(np.int16)
    np.testing.assert_array_equal(np.frombuffer(output, np.int16), expected)
    assert spec.notes == ()


@pytest.mark.parametrize(
    ("width", "scale", "complaint"),
    [(64, 2.0, None), (64, 0.0, "is not positive"), (12, 2.0, "only so many samples: 12")],
)
def test_requirements(load: Load, width: int, scale: float, complaint: str | None) -> None:
    spec = parts(load, "demanding", "scale=2")
    spec = replace(spec, outputs=tuple(replace(output, estimate=((0, width),)) for output in spec.outputs))
    signal = np.arange(width, dtype=np.float32)
    found = fresh(Run(spec, (signal, scale)))
    if complaint is None:
        assert found == ((signal * 2).tobytes(),)
    else:
        assert isinstance(found, str) and complaint in found


@dataclass(frozen=True)
class CheckAnother:
    """Compares a generator's process with the spec of other parameters."""

    source: Source
    spec: PipelineSpec
    cache: Path

    def run(self, process: Process) -> str | None:
        from hltune.pipeline.cpp_source import load_cpp_file

        algorithm = load_cpp_file(self.source, "host", self.cache, process)
        assert algorithm.check is not None
        return algorithm.check(self.spec, False)


def test_a_spec_that_computes_something_else_is_found(load: Load, cache: Path) -> None:
    spec = parts(load, "tabled", "factor=3")
    source = parse_source(f"{FILES}:tabled", parameters=(parse_parameter("factor=4"),), cxxflags=(INCLUDE, SHIFT))
    with pytest.raises(InputError, match="other values in tabled"):
        fresh(CheckAnother(source, spec, cache))


def test_a_program_is_no_generator(load: Load) -> None:
    text = message(load, "bad/program.cpp")
    assert "no pipeline in this file\n  expected: a registered generator\n" in text
    assert "it is a program with its own main()" in text


_ENDLESS = """
#include <Halide.h>
#include <unistd.h>
#include <fstream>
class Endless : public Halide::Generator<Endless> {
public:
    Output<Buffer<uint8_t, 1>> output{"output"};
    void generate() {
        std::ofstream(std::getenv("SAID")) << getpid() << std::endl;
        while (true) sleep(1);
    }
};
HALIDE_REGISTER_GENERATOR(Endless, endless)
"""
_LOADS = """
import sys
from pathlib import Path
from hltune.pipeline.load import LoadJob
from hltune.pipeline.source import parse_source
from hltune.runtime.worker import Worker
with Worker() as worker:
    worker.run(LoadJob(source=parse_source(sys.argv[1]), target="host", cache=Path(sys.argv[2])))
"""


@pytest.mark.long
def test_a_generator_without_end_does_not_outlive_a_killed_caller(tmp_path: Path) -> None:
    file, said, cache = tmp_path / "endless.cpp", tmp_path / "said", tmp_path / "cache"
    file.write_text(_ENDLESS)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "SAID": str(said), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", _LOADS, str(file), str(cache)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as caller:
        while not said.exists() or not said.read_text().endswith("\n"):
            assert caller.poll() is None
            time.sleep(0.1)
        caller.send_signal(signal.SIGKILL)
    generator = Path("/proc", said.read_text().strip(), "stat")
    for _ in range(100):
        if not generator.exists() or generator.read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.1)
    else:
        pytest.fail("it runs on")
    assert {name.name.partition("-")[0] for name in cache.iterdir()} == {"driver", "endless"}
