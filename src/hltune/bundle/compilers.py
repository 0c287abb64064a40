"""C compilers that make a bundle's runner: this system's own one, or zig's clang for other processors."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hltune.machine.task import checked
from hltune.runtime.c_compilers import find_c_compiler, find_zig
from hltune.runtime.files import ScratchFolder
from hltune.schedule.export import libraries
from hltune.values.errors import HltuneError, InputError

FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra")
_LIBRARIES = libraries("linux")
"""Also for Android: what is compiled here has the C library of Linux."""
_STACK = "-Wl,-z,stack-size=8388608"
"""Threads of Linux's small C library have 128 KiB of stack, unless the program says otherwise."""
_OWN = {"x86_64": "x86-64-linux", "aarch64": "arm-64-linux"}
_TRIPLES = {
    "x86-64-linux": "x86_64-linux-musl",
    "arm-64-linux": "aarch64-linux-musl",
    "arm-64-android": "aarch64-linux-musl",
    "arm-32-linux": "arm-linux-musleabihf",
}
"""A static program needs nothing of the device but its kernel, which Android and Linux share."""
FAMILIES = tuple(_TRIPLES)
"""Beginnings of the targets that a runner can be built for, see `family`."""
_BIG_ENDIAN = "powerpc-32"
"""Halide's only processor that stores the first byte last; inputs and expected outputs of bundles are little-endian."""
_LINK_S, _PROBE_S = 600.0, 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiler:
    """A compiler for a target.

    Attributes:
        name: what people know it by.
        command: the program with its flags.
        static: the program brings its own C library, that of Linux; else it needs this system's, or a newer one.
    """

    name: str
    command: tuple[str, ...]
    static: bool

    def link(self, sources: Sequence[Path], objects: Sequence[Path], program: Path) -> None:
        """Makes the runner of a bundle; an `HltuneError` if that fails."""
        files = map(str, (*sources, *objects))
        command = [*self.command, *FLAGS, *files, "-o", str(program), *_LIBRARIES]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LINK_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise HltuneError("the C compiler does not come to an end", where=self.name) from None
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line or "undefined" in line]
            found = "; ".join((lines or done.stderr.splitlines())[:3])
            raise HltuneError("the runner of the bundle does not compile", where=self.name, found=found)


def family(target: str) -> str:
    """Processor, bits and operating system of a full Halide target string."""
    return "-".join(target.split("-")[:3])


def check_target(target: str) -> None:
    """Raises an `InputError` for what no runner is for."""
    if family(target).rpartition("-")[2] not in ("linux", "android"):
        raise InputError(
            "there are no bundles for this target",
            where=f"--target {target}",
            expected="a target of Linux or Android, such as arm-64-android",
            todo="for the Hexagon DSP, hltune tune --target hexagon, then hltune export",
        )
    if target.startswith(_BIG_ENDIAN):
        raise InputError(
            "there are no bundles for big-endian processors",
            where=f"--target {target}",
            expected="a little-endian one, such as arm-64-linux or powerpc-64-linux",
        )
    kept = checked(target).split("-")
    if unchecked := [each for each in target.split("-") if each not in kept]:
        raise InputError(
            "a schedule that reads beyond its images would not be found out",
            where=f"--target {target}",
            expected="code with Halide's checks, which cost next to nothing",
            found=", ".join(unchecked),
            todo="leave that out of the bundle's target, and give it to your own compiler if you want it",
        )


def find_compiler(target: str) -> Compiler | None:
    """The first that makes programs for a full Halide target string; None if there is none here.

    Static ones come first: the C library of a device behind an air gap may be older than this system's.
    """
    wanted = family(target)
    own = find_c_compiler() if _OWN.get(platform.machine()) == wanted else None
    if own is not None and _links_statically(own):
        return Compiler(name=Path(own).name, command=(own, "-static"), static=True)
    zig, triple = find_zig(), _TRIPLES.get(wanted)
    if zig is not None and triple is not None:
        return Compiler(name="zig", command=(str(zig), "cc", "-target", triple, "-static", "-s", _STACK), static=True)
    return None if own is None else Compiler(name=Path(own).name, command=(own,), static=False)


def _links_statically(compiler: str) -> bool:
    """Whether this system has its C library for static programs, too; not every one has."""
    with ScratchFolder() as folder:
        source, program = Path(folder, "empty.c"), Path(folder, "empty")
        source.write_text("int main(void) { return 0; }\n")
        command = [compiler, "-static", str(source), "-o", str(program), *_LIBRARIES]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_S, check=False)
        except subprocess.TimeoutExpired:
            return False
        return not done.returncode


def runtime_target(target: str, compiler: Compiler | None) -> str:
    """Which runtime of Halide's goes with a runner: a static program has the C library of Linux, even on Android."""
    if compiler is None or not compiler.static:
        return target
    architecture, bits, _, *features = target.split("-")
    return "-".join((architecture, bits, "linux", *features))
