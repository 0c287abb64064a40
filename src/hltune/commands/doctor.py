"""`hltune doctor`: what is installed, which machines are usable, what is missing and how to get it."""

import platform
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import partial

from hltune import __version__
from hltune.bundle import compilers
from hltune.cluster import requirement
from hltune.machine.open import findings, resolve
from hltune.machine.protocol import Finding
from hltune.pipeline.target import HOST
from hltune.runtime import halide_wheel
from hltune.runtime.c_compilers import INSTALL_COMPILER
from hltune.runtime.halide_wheel import CMAKE_VERSION
from hltune.runtime.worker import physical_memory_bytes, usable_cores
from hltune.search.autoschedulers import AUTOSCHEDULERS
from hltune.values.errors import HltuneError

_PATIENT_S = 10.0


def examine() -> list[Finding]:
    """Looks at everything that hltune builds on."""
    return [
        _ok("hltune", __version__),
        _ok("Python", platform.python_version()),
        _look("halide", _halide),
        *(_look(each.autoscheduler, partial(_plugin, each.autoscheduler)) for each in AUTOSCHEDULERS.values()),
        _look("target host", _host),
        _compiler(),
        _cmake(),
        *findings(),
        *map(_bundles, compilers.FAMILIES),
        _ray(),
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


def _plugin(name: str) -> str:
    return halide_wheel.plugin_path(name).name


def _host() -> str:
    return resolve(HOST).name


def _compiler() -> Finding:
    found = next((path for command in halide_wheel.COMPILERS if (path := shutil.which(command))), None)
    without, todo = "C++ generators cannot be loaded", "install one, for example: apt-get install g++"
    return _optional("C++ compiler", found, without=without, todo=todo)


def _cmake() -> Finding:
    path, needed = shutil.which("cmake"), ".".join(map(str, CMAKE_VERSION))
    without = "what `export --cmake` writes for C++ generators cannot be built here"
    todo = f"install {needed} or newer, for example: pip install cmake"
    told = _printed(path, "--version") if path else ""
    if (version := re.search(r"(\d+)\.(\d+)\S*", told)) is None:
        return _optional("CMake", None, without=without, todo=todo)
    if (int(version[1]), int(version[2])) >= CMAKE_VERSION:
        return _optional("CMake", version[0], without=without, todo=todo)
    old = f"{version[0]}, older than {needed}; {without}, everything else works"
    return Finding(name="CMake", ok=False, required=False, found=old, todo=todo)


def _printed(*command: str) -> str:
    """What a command prints; nothing if it cannot be run."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENT_S).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _bundles(family: str) -> Finding:
    compiler = compilers.find_compiler(family)
    without = "the device has to build the runner"
    return _optional(f"bundles for {family}", compiler and compiler.name, without=without, todo=INSTALL_COMPILER)


def _ray() -> Finding:
    ray = requirement.load_ray()
    return _optional("Ray", ray and ray.__version__, without="--cluster cannot be used", todo=requirement.INSTALL)


def _optional(name: str, found: str | None, *, without: str, todo: str) -> Finding:
    """What hltune does without, where need be, but for one thing."""
    told = found or f"none; {without}, everything else works"
    return Finding(name=name, ok=found is not None, required=False, found=told, todo=None if found else todo)
