"""`hltune doctor`: what is installed, which machines are usable, what is missing and how to get it."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import get_args

from hltune import __version__
from hltune.machine.hexagon.toolchain import (
    INSTALL_COMPILER,
    INSTALL_EMULATOR,
    INSTALL_PLUGIN_EMULATOR,
    addresses_can_be_fixed,
    find_emulator,
    find_plugin_compiler,
    find_plugin_emulator,
    find_zig,
)
from hltune.pipeline.cpp_build import COMPILERS
from hltune.pipeline.target import HOST, TargetJob
from hltune.runtime import halide_wheel
from hltune.runtime.worker import Worker, physical_memory_bytes, usable_cores
from hltune.values.errors import HltuneError


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the diagnosis.

    Attributes:
        required: whether hltune is of no use without it.
        todo: how to get it, if it is missing.
    """

    name: str
    ok: bool
    required: bool
    found: str
    todo: str | None = None


def examine() -> list[Finding]:
    """Looks at everything that hltune builds on."""
    return [
        _ok("hltune", __version__),
        _ok("Python", platform.python_version()),
        _look("halide", _halide),
        *(_look(name, partial(_plugin, name)) for name in get_args(halide_wheel.Autoscheduler)),
        _look("target host", _host),
        _compiler(),
        *_hexagon(),
        _ok("cores", str(usable_cores())),
        _ok("memory", f"{physical_memory_bytes() / 2**30:.1f} GiB"),
    ]


def _ok(name: str, found: str) -> Finding:
    return Finding(name=name, ok=True, required=True, found=found)


def _look(name: str, look: Callable[[], str]) -> Finding:
    """What `look` tells, or the error that it raises."""
    try:
        return _ok(name, look())
    except HltuneError as error:
        return Finding(name=name, ok=False, required=True, found=error.what, todo=error.todo)


def _halide() -> str:
    halide_wheel.library_directory()
    return halide_wheel.halide_version()


def _plugin(name: halide_wheel.Autoscheduler) -> str:
    return halide_wheel.plugin_path(name).name


def _host() -> str:
    with Worker() as worker:
        return worker.run(TargetJob(HOST)).name


def _hexagon() -> list[Finding]:
    zig, emulator = find_zig(), find_emulator()
    fixed = addresses_can_be_fixed()
    return [
        _optional("Hexagon compiler", zig and str(zig), INSTALL_COMPILER),
        _optional("Hexagon emulator", emulator and str(emulator), INSTALL_EMULATOR),
        _optional("Hexagon cache model", _cache_model(), INSTALL_PLUGIN_EMULATOR, lacking="--objective packets+misses"),
        _optional(
            "Hexagon: fixed addresses",
            "setarch -R works" if fixed else None,
            "in a container: docker run --security-opt seccomp=unconfined",
        ),
    ]


def _cache_model() -> str | None:
    emulator, compiler = find_plugin_emulator(), find_plugin_compiler()
    return f"{emulator}, {compiler}" if emulator and compiler else None


def _optional(name: str, found: str | None, todo: str, *, lacking: str = "--target hexagon") -> Finding:
    """Something that only the emulated DSP needs."""
    if found is not None:
        return Finding(name=name, ok=True, required=False, found=found)
    return Finding(
        name=name, ok=False, required=False, found=f"none; {lacking} cannot measure, everything else works", todo=todo
    )


def _compiler() -> Finding:
    name = "C++ compiler"
    for command in COMPILERS:
        path = shutil.which(command)
        if path is not None:
            return Finding(name=name, ok=True, required=False, found=path)
    return Finding(
        name=name,
        ok=False,
        required=False,
        found="none; C++ generators cannot be loaded, everything else works",
        todo="install one, for example: apt-get install g++",
    )
