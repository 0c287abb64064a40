"""`hltune doctor`: what is installed, which machines are usable, what is missing and how to get it."""

import platform
import shutil
from collections.abc import Callable
from functools import partial

from hltune import __version__
from hltune.machine.open import findings, resolve
from hltune.machine.protocol import Finding
from hltune.pipeline.target import HOST
from hltune.runtime import halide_wheel
from hltune.runtime.worker import physical_memory_bytes, usable_cores
from hltune.search.autoschedulers import AUTOSCHEDULERS
from hltune.values.errors import HltuneError


def examine() -> list[Finding]:
    """Looks at everything that hltune builds on."""
    return [
        _ok("hltune", __version__),
        _ok("Python", platform.python_version()),
        _look("halide", _halide),
        *(_look(each.autoscheduler, partial(_plugin, each.autoscheduler)) for each in AUTOSCHEDULERS.values()),
        _look("target host", _host),
        _compiler(),
        *findings(),
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
    name = "C++ compiler"
    for command in halide_wheel.COMPILERS:
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
