"""C compilers: this machine's own, and that of the package ``ziglang``, which compiles for others."""

import shutil
from importlib.util import find_spec
from pathlib import Path

INSTALL_COMPILER = "pip install 'hltune[hexagon]'"
"""How to get the latter."""


def find_c_compiler() -> str | None:
    """A C compiler for this machine."""
    return next((found for name in ("gcc", "clang", "cc") if (found := shutil.which(name))), None)


def find_zig() -> Path | None:
    """The compiler of the package ``ziglang``."""
    spec = find_spec("ziglang")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name("zig")
    return path if path.exists() else None
