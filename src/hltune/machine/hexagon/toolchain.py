"""Compiler, linker and emulator, and what is built with them once: the harness and the compiler's own library.

Built things are in the user's cache, by the hash of all that went into them; they appear there whole or not at all.
"""

import functools
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hltune.machine.hexagon.target import OLDEST_CPU
from hltune.runtime.c_compilers import INSTALL_COMPILER, find_c_compiler, find_zig
from hltune.runtime.files import ScratchFolder, check_writable
from hltune.runtime.worker import Process
from hltune.values.errors import NO_FUNCTION, HltuneError, InputError

_EMULATORS = ("qemu-hexagon-static", "qemu-hexagon")
INSTALL_EMULATOR = "apt-get install qemu-user-static"
INSTALL_PLUGIN_EMULATOR = "apt-get install qemu-user gcc"
_SOURCES = Path(__file__).with_name("harness")
_PLUGIN = Path(__file__).parent / "plugin" / "cache.c"
_PROFILER = Path(__file__).with_name("profiler")
_MACHINE_FLAGS = ("-target", "hexagon-linux-musl", f"-mcpu={OLDEST_CPU}")
_COMPILE_FLAGS = ("-O2", "-G0", "-std=c11", "-ffreestanding", "-fno-builtin", "-fno-sanitize=all", "-Wall", "-Wextra")
_LINK_FLAGS = ("-static", "--gc-sections")
_BUILD_S = 300.0
_GIVE_CACHE = "set XDG_CACHE_HOME to a folder that can be written to"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Programs.

    Attributes:
        zig: drives clang and lld.
        emulator: QEMU's user mode for Hexagon.
        cache_plugin: what the emulator loads; None if it is not to simulate a cache.
        harness: objects and libraries that every candidate is linked with; none before they are built.
    """

    zig: Path
    emulator: Path
    cache_plugin: Path | None = None
    harness: tuple[Path, ...] = ()

    def link(self, candidate: Path, program: Path, *flags: str) -> None:
        """Makes a program that the emulator runs; an `HltuneError` if symbols are missing."""
        words = (*_LINK_FLAGS, *flags, *map(str, (candidate, *self.harness)), "-o", str(program))
        try:
            self.run("ld.lld", *words, scratch=program.parent, what="linking failed")
        except HltuneError as error:
            if missing := re.findall(r"undefined symbol: (?!halide_)(\w+)", error.found or ""):
                raise HltuneError(f"{NO_FUNCTION}: {', '.join(missing)}") from error
            raise

    def run(self, *arguments: str, scratch: Path, what: str) -> None:
        """Runs zig, which leaves behind in `scratch` what the caller has to remove; an `HltuneError` if it fails."""
        caches = str(scratch / "zig-cache")
        environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": caches, "ZIG_LOCAL_CACHE_DIR": caches}
        done = _ran(str(self.zig), *arguments, env=environment)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
            raise HltuneError(what, where=arguments[0], found="; ".join(lines[:3]) or f"exit status {done.returncode}")


def find_tools(*, with_cache: bool) -> Tools:
    """What is installed, else an `InputError` with the remedy; a cache needs an emulator that loads plug-ins."""
    zig = find_zig()
    emulator, install_emulator = find_emulator(), INSTALL_EMULATOR
    if with_cache:
        emulator, install_emulator = find_plugin_emulator(), INSTALL_PLUGIN_EMULATOR
    missing = [command for found, command in ((zig, INSTALL_COMPILER), (emulator, install_emulator)) if found is None]
    if zig is None or emulator is None:
        raise InputError(
            "measuring on the emulated Hexagon DSP needs tools that are not installed",
            where="--target hexagon",
            expected="a compiler and linker (ziglang), and QEMU's user mode for Hexagon",
            todo=" && ".join(missing),
        )
    if not addresses_can_be_fixed():
        raise InputError(
            "addresses cannot be fixed here, so that the same schedule would give other counts from run to run",
            where="--target hexagon",
            expected="that `setarch -R true` works",
            todo="in a container, allow the system call: docker run --security-opt seccomp=unconfined",
        )
    return Tools(zig=zig, emulator=emulator)


def find_emulator() -> Path | None:
    """The first of `_EMULATORS`."""
    return next((Path(found) for name in _EMULATORS if (found := shutil.which(name))), None)


@functools.cache
def find_plugin_emulator() -> Path | None:
    """The first of `_EMULATORS` that loads plug-ins, which a statically linked one does not."""
    for name in _EMULATORS:
        found = shutil.which(name)
        if found and "-plugin" in _ran(found, "-help").stdout:
            return Path(found)
    return None


@functools.cache
def addresses_can_be_fixed() -> bool:
    """True if processes without randomised addresses may be started; some containers forbid it."""
    setarch = shutil.which("setarch")
    return setarch is not None and _ran(setarch, "-R", "true").returncode == 0


def toolchain_key(*, with_cache: bool = False) -> str:
    """Identity of all that takes part in counting: counts of different ones do not compare.

    With a cache, another emulator may count, see `find_tools`.
    """
    emulator = find_plugin_emulator() if with_cache else find_emulator()
    tools = (_MACHINE_FLAGS, _COMPILE_FLAGS, _LINK_FLAGS, _zig_version(), emulator and _version(emulator))
    digest = hashlib.sha256(repr(tools).encode())
    for path in (*sorted(_SOURCES.iterdir()), _PLUGIN):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _zig_version() -> str | None:
    try:
        return version("ziglang")
    except PackageNotFoundError:
        return None


@functools.cache
def _version(emulator: Path) -> str:
    return _ran(str(emulator), "--version").stdout.partition("\n")[0]


def _ran(*command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )


@dataclass(frozen=True, slots=True)
class BuildJob:
    """Adds the harness, and the emulator's plug-in if asked for; built if they are not in the cache."""

    tools: Tools
    with_cache: bool

    def run(self, process: Process) -> Tools:
        """Runs in a worker."""
        built = _built(toolchain_key(), process, self._build_harness)
        plugin = None
        if self.with_cache:
            key = hashlib.sha256(_PLUGIN.read_bytes()).hexdigest()[:12]
            plugin = _built(f"cache-{key}", process, lambda to: _build_plugin(_PLUGIN, to / "cache.so")) / "cache.so"
        harness = (*sorted(built.glob("*.o")), *sorted(built.glob("*.a")))
        return replace(self.tools, harness=harness, cache_plugin=plugin)

    def _build_harness(self, folder: Path) -> None:
        for source in sorted(_SOURCES.glob("*.c")):
            what = "the harness does not compile"
            files = ("-c", str(source), "-o", str(folder / f"{source.stem}.o"))
            self.tools.run("cc", *_MACHINE_FLAGS, *_COMPILE_FLAGS, *files, scratch=folder.parent, what=what)
        library = str(self.tools.zig.parent / "lib" / "compiler_rt.zig")
        flags = (*_MACHINE_FLAGS, "-O", "ReleaseFast", "-static", f"-femit-bin={folder / 'libcompiler_rt.a'}")
        what = "the compiler's library does not compile"
        self.tools.run("build-lib", library, *flags, scratch=folder.parent, what=what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiler:
    """What counts packets by Func.

    Attributes:
        emulator: one that loads plug-ins.
        plugin: what it loads.
        runtime: object that a candidate is linked with in addition.
    """

    emulator: Path
    plugin: Path
    runtime: Path


@dataclass(frozen=True, slots=True)
class BuildProfilerJob:
    """Builds the profiler if it is not in the cache; None without an emulator that loads plug-ins, or a C compiler."""

    tools: Tools

    def run(self, process: Process) -> Profiler | None:
        """Runs in a worker."""
        emulator = find_plugin_emulator()
        if emulator is None or find_c_compiler() is None:
            return None
        built = _built(f"profiler-{toolchain_key()}-{self._key()}", process, self._build)
        return Profiler(emulator=emulator, plugin=built / "plugin.so", runtime=built / "runtime.o")

    def _key(self) -> str:
        return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(_PROFILER.iterdir()))).hexdigest()[:12]

    def _build(self, folder: Path) -> None:
        files = ("-c", str(_PROFILER / "runtime.c"), "-o", str(folder / "runtime.o"))
        what = "the profiler does not compile"
        self.tools.run("cc", *_MACHINE_FLAGS, *_COMPILE_FLAGS, *files, scratch=folder.parent, what=what)
        _build_plugin(_PROFILER / "plugin.c", folder / "plugin.so")


def _build_plugin(source: Path, to: Path) -> None:
    compiler = find_c_compiler()
    if compiler is None:
        raise InputError(
            "the cache model needs a C compiler, and there is none",
            where="--objective packets+misses",
            todo=INSTALL_PLUGIN_EMULATOR,
        )
    done = _ran(compiler, "-O2", "-shared", "-fPIC", "-std=c11", str(source), "-o", str(to))
    if done.returncode:
        raise HltuneError(
            "a plug-in of the emulator does not compile", where=compiler, found=done.stderr.strip()[-500:]
        )


def _cache() -> Path:
    """Where a user's caches are."""
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given)
    try:
        return Path.home() / ".cache"
    except RuntimeError as error:  # a container's user without a name
        raise InputError("no folder for caches is known", where="HOME", found=str(error), todo=_GIVE_CACHE) from None


def _built(name: str, process: Process, build: Callable[[Path], None]) -> Path:
    """A folder of the cache, which `build` fills if it is not there."""
    folder = _cache() / "hltune" / "hexagon" / name
    if not folder.is_dir():
        process.enter("building tools for the emulator, once", timeout_s=_BUILD_S)
        try:
            check_writable(folder.parent)
        except InputError as error:
            what = "tools for the emulator are built once, and cannot be kept here"
            raise InputError(what, where=str(folder.parent), found=error.found, todo=_GIVE_CACHE) from None
        with ScratchFolder(folder.parent) as scratch:
            part = Path(scratch, name)
            part.mkdir()
            build(part)
            try:
                part.rename(folder)
            except OSError:  # another process was faster
                if not folder.is_dir():
                    raise
    return folder
