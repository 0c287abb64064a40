"""What `hltune doctor` says of tools that may be older than they have to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from hltune.commands import doctor
from hltune.runtime.halide_wheel import CMAKE_VERSION, library_directory


def test_cmake_is_as_new_as_the_wheel_wants() -> None:
    text = (library_directory() / "cmake" / "Halide" / "HalideConfig.cmake").read_text()
    assert text.startswith(f"cmake_minimum_required(VERSION {'.'.join(map(str, CMAKE_VERSION))})")


@pytest.mark.parametrize(
    ("prints", "ok", "told"),
    [
        ("cmake version 3.28.1", True, "3.28.1"),
        ("cmake version 4.0.0-rc1", True, "4.0.0-rc1"),
        ("cmake version 3.9.2", False, "3.9.2, older than 3.28; what `export --cmake` writes for C++ generators"),
        ("", False, "none; what `export --cmake` writes for C++ generators cannot be built here"),
        (None, False, "none; what `export --cmake` writes for C++ generators cannot be built here"),
    ],
)
def test_cmake(prints: str | None, ok: bool, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if prints is not None:
        (tmp_path / "cmake").write_text(f"#!/bin/sh\necho '{prints}'\n")
        (tmp_path / "cmake").chmod(0o755)
    finding = doctor._cmake()
    assert (finding.name, finding.ok, finding.required) == ("CMake", ok, False)
    assert finding.found.startswith(told)
    assert finding.todo == (None if ok else "install 3.28 or newer, for example: pip install cmake")
