"""Where the halide wheel keeps its plugins, tools and headers: no other file knows."""

import functools
from importlib.util import find_spec
from pathlib import Path

from hltune.values.errors import HltuneError

COMPILERS = ("g++", "clang++", "c++")
"""Those that can build against the wheel's headers; the first in PATH does."""
COMPILE_ENVIRONMENT = {"HL_PERMIT_FAILED_UNROLL": "1"}
"""Adams2019 asks for unrolling that Halide cannot always do; without this, such a schedule is an error."""

CMAKE_VERSION = (3, 28)
"""The oldest CMake that reads the wheel's packages."""


@functools.cache
def wheel_directory() -> Path:
    """The installed ``halide`` package, found without importing it."""
    spec = find_spec("halide")
    if spec is None or spec.origin is None:
        raise HltuneError("the halide package is not installed", todo="pip install halide==21.0.0")
    return Path(spec.origin).parent


def halide_version() -> str:
    """Version of the installed wheel."""
    from importlib.metadata import version  # slow to import, and options need only the names above

    return version("halide")


def include_directory() -> Path:
    """Holds Halide.h and HalideBuffer.h."""
    return _existing(wheel_directory() / "include")


def library_directory() -> Path:
    """Holds libHalide.so, libHalide_GenGen.a and the autoscheduler plugins."""
    return _existing(wheel_directory() / "lib64")


def tools_directory() -> Path:
    """Holds what Halide's own generators include: halide_trace_config.h, halide_image_io.h."""
    return _existing(wheel_directory() / "share" / "tools")


def plugin_path(autoscheduler: str) -> Path:
    """The shared library of an autoscheduler, by Halide's name of it; ``hl.load_plugin`` wants its full path."""
    return _existing(library_directory() / f"libautoschedule_{autoscheduler.lower()}.so")


def _existing(path: Path) -> Path:
    if not path.exists():
        raise HltuneError(
            "the halide wheel is not laid out as expected",
            where=str(path),
            expected="the files of halide 21.0.0",
            found=f"halide {halide_version()} without this one",
            todo="pip install --force-reinstall halide==21.0.0",
        )
    return path
