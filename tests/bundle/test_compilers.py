"""Which compiler makes the runner, and what the device has to have for it."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from hltune.bundle import compilers
from hltune.bundle.compilers import Compiler, check_target, find_compiler, runtime_target
from hltune.bundle.packing import device_notes
from hltune.values.directives import Parallel
from hltune.values.errors import InputError
from tests.bundle.conftest import Bundle
from tests.bundle.test_runner import failures, read

HERE = "x86-64-linux"
INTERPRETER = 3
"""Type of the segment that names the loader of shared libraries; static programs have none."""
NEEDS_THREADS = """
#include <dirent.h>
int {function}_argv(void **);
int needs_threads(void **arguments) {{
    int code = {function}_argv(arguments), entries = 0;
    DIR *tasks = opendir("/proc/self/task");
    while (tasks && readdir(tasks)) {{
        entries++;
    }}
    if (!tasks || closedir(tasks) || entries < 4) {{ /* the folder and its parent, and two threads */
        exit(9);
    }}
    return code;
}}
"""


def segments(program: bytes) -> list[int]:
    """Types of the segments of an ELF file of 64 bits."""
    (begin,) = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    return [struct.unpack_from("<I", program, begin + size * number)[0] for number in range(count)]


def parallel_place(bundle: Bundle) -> int:
    """Of the first candidate that uses the thread pool."""
    return next(
        place
        for place, each in enumerate(bundle.manifest.entries)
        if any(isinstance(directive, Parallel) for directive in each.candidate.schedule.directives)
    )


def test_a_static_runner_measures_on_all_threads(bundle: Bundle) -> None:
    """Halide's runtime has its thread pool and all else that it wants of the C library."""
    compiler = find_compiler(bundle.manifest.target)
    assert compiler is not None
    if not compiler.static:
        pytest.skip("this system has no C library for static programs")
    place = parallel_place(bundle)
    entry = bundle.manifest.entries[place]
    bundle.spoil({place: "needs_threads"}, NEEDS_THREADS.format(function=entry.function))
    program = bundle.folder / "run"
    compiler.link(sorted(bundle.folder.glob("*.c")), sorted(bundle.folder.glob("*.o")), program)
    assert 1 in segments(program.read_bytes()) and INTERPRETER not in segments(program.read_bytes())
    code, out = bundle.run()
    assert code == 0, out
    results = read(bundle)
    assert failures(results) == {} and len(results.measured) == 2 * len(bundle.numbers)


def found(monkeypatch: pytest.MonkeyPatch, *, static: bool, zig: bool) -> Compiler | None:
    monkeypatch.setattr(compilers.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(compilers, "_links_statically", lambda _compiler: static)
    monkeypatch.setattr(compilers, "find_zig", lambda: Path("/zig") if zig else None)
    return find_compiler(f"{HERE}-avx2")


def test_a_device_with_an_older_c_library_is_thought_of(monkeypatch: pytest.MonkeyPatch) -> None:
    own = found(monkeypatch, static=True, zig=True)
    assert own is not None and (own.command, own.static) == (("/usr/bin/gcc", "-static"), True)
    other = found(monkeypatch, static=False, zig=True)
    assert other is not None and (other.name, other.static) == ("zig", True)
    assert not list(device_notes(HERE, own)) and not list(device_notes(HERE, other))
    shared = found(monkeypatch, static=False, zig=False)
    assert shared is not None and (shared.command, shared.static) == (("/usr/bin/gcc",), False)
    (note,) = device_notes(HERE, shared)
    assert "or a newer one" in note


def test_android_is_told_where_programs_run() -> None:
    (note,) = device_notes("arm-64-android-arm_dot_prod", None)
    assert "/data/local/tmp" in note
    static = Compiler(name="zig", command=("zig",), static=True)
    assert runtime_target("arm-64-android-arm_dot_prod", static) == "arm-64-linux-arm_dot_prod"


@pytest.mark.parametrize(
    ("target", "what"), [("powerpc-32-linux", "big-endian"), ("hexagon-32-qurt", "no bundles for this target")]
)
def test_what_no_runner_is_for_is_refused(target: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        check_target(target)
    for good in ("powerpc-64-linux", "arm-64-android", "x86-64-linux-avx2"):
        check_target(good)
