"""Which compiler makes the runner, and what the device has to have for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hltune.bundle import compilers
from hltune.bundle.compilers import Compiler, check_target, find_compiler, runtime_target
from hltune.bundle.packing import device_notes
from hltune.values.errors import InputError

HERE = "x86-64-linux"


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
    ("target", "what"),
    [
        ("powerpc-32-linux", "big-endian"),
        ("hexagon-32-qurt", "no bundles for this target"),
        ("arm-64-android-no_asserts-no_bounds_query", "found: no_asserts, no_bounds_query"),
    ],
)
def test_what_no_runner_is_for_is_refused(target: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        check_target(target)
    for good in ("powerpc-64-linux", "arm-64-android", "x86-64-linux-avx2"):
        check_target(good)
