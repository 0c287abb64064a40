"""Builds the program of a C++ generator and our driver, and keeps it.

The cache holds, per source, a manifest that names every file the compiler read, with its hash, and the program::

    <key>.json              {"files": {path: sha256...}, "program": "<key>-<digest>"}
    <key>-<digest>          the program; digest covers the hashes of the files
    driver-<digest>.o       our driver, compiled; digest covers the compiler

The compiler counts as one of the files; system headers and the wheel stand under its and Halide's version. All is made
in the worker's folder for temporary files; files appear by renaming, the manifest last, so that a kill leaves nothing
half-written.

A generator that calls others includes headers that these write (``NAME.stub.h``). Where one of the files named does
so, the others are compiled first, and a program of them writes the headers.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path

from hltune.pipeline.cpp_errors import refusal, rejected
from hltune.pipeline.source import Source
from hltune.runtime.files import move_into
from hltune.runtime.halide_wheel import COMPILERS, halide_version, include_directory, library_directory, tools_directory
from hltune.runtime.worker import Process, usable_workers
from hltune.values.errors import InputError, Refused

_BUILD_S = 300.0
_FLAGS = ("-std=c++17", "-fno-rtti", "-pthread")
_DRIVER = Path(__file__).with_name("generator_driver.cpp")
_STUB_S = 60.0
_STUB = re.compile(r'^\s*#\s*include\s*[<"]([^">]+\.stub\.h)[">]', re.MULTILINE)
RENAMED_MAIN = "main=hltune_users_main"
"""A definition for the user's files: they may be a program of their own, too."""


def build_program(source: Source, cache: Path, process: Process) -> Path:
    """The program for the files of a generator and our driver, from the cache if nothing has changed."""
    key = _key(source)
    cached = _cached(cache, key)
    if cached is not None:
        return cached
    process.enter("build generator", timeout_s=_BUILD_S)
    compiler = _find_compiler(source)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=process.scratch) as directory:
        files = {str(compiler.resolve()): _sha256(compiler.resolve())}
        driver = cache / f"driver-{_digest((_DRIVER.read_bytes(), _wheel(), _FLAGS, files))}.o"
        program, read = _build(compiler, source, driver, Path(directory))
        files |= {str(path): _sha256(path) for path in read}
        absent = _before(read, source)
        program = program.rename(program.with_name(f"{key}-{_digest(sorted(files.items()))}"))
        manifest = Path(directory, f"{key}.json")
        manifest.write_text(json.dumps({"files": files, "absent": absent, "program": program.name}, indent=1))
        kept, _ = move_into(cache, (program, manifest))
    return kept


def _key(source: Source) -> str:
    """Where the manifest is found: everything that is known without the compiler's help."""
    texts = [(file, Path(file).read_bytes()) for file in source.files]
    parts = (texts, source.cxxflags, _DRIVER.read_bytes(), _wheel(), _FLAGS)
    return f"{Path(source.location).stem}-{_digest(parts)}"


def _wheel() -> tuple[str, str]:
    return halide_version(), str(library_directory())


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def _cached(cache: Path, key: str) -> Path | None:
    """The program, if it is there and nothing that it was made of has changed."""
    try:
        manifest = json.loads((cache / f"{key}.json").read_bytes())
        program, files = cache / str(manifest["program"]), dict(manifest["files"])
        current = program.is_file() and all(_sha256(Path(path)) == sha for path, sha in files.items())
        current = current and not any(Path(path).exists() for path in manifest["absent"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # the cache is damaged or empty, or a file is gone: build again
    return program if current else None


def _before(read: Iterable[Path], source: Source) -> list[str]:
    """Files that are not there, and that the compiler would read in place of headers, for it looks there first."""
    folders = [Path(folder).absolute() for folder in _folders(source.cxxflags)]
    beside = [Path(file).absolute().parent for file in source.files]
    found: set[Path] = set()
    for path in read:
        number = next((number for number, folder in enumerate(folders) if path.is_relative_to(folder)), None)
        if number is not None:
            header = path.relative_to(folders[number])
            found |= {folder / header for folder in (*beside, *folders[:number])}
    return sorted(str(each) for each in found if not each.exists())


def _find_compiler(source: Source) -> Path:
    for name in COMPILERS:
        if found := shutil.which(name):
            return Path(found)
    raise InputError(
        "a C++ generator needs a C++ compiler, and there is none",
        where=source.location,
        expected="one of " + ", ".join(COMPILERS) + " in PATH",
        todo="install one, for example apt install g++; Python files, .hlpipe files and built-in pipelines need none",
    )


def _build(compiler: Path, source: Source, driver: Path, directory: Path) -> tuple[Path, list[Path]]:
    """The program, and the files that the compiler read; compiles the driver, too, if it is not there."""
    build = _Build(compiler, source, driver, directory)
    build.compile()
    program = build.link("program", build.objects)
    return program, [path for path in build.read() if directory.absolute() not in path.parents]


class _Build:
    """Objects of the files of a source, in a folder; those of files that need stubs of the others come after these."""

    def __init__(self, compiler: Path, source: Source, driver: Path, directory: Path) -> None:
        self._compiler = compiler
        self._source = source
        self._driver = driver
        self._directory = directory
        self._stubs = directory / "stubs"
        self.objects: dict[Path, Path] = {}

    def compile(self) -> None:
        """Compiles all files; whenever some wait for headers that others can make, the others make theirs."""
        waiting = {self._directory / f"{number}.o": Path(file) for number, file in enumerate(self._source.files)}
        while waiting:
            ready = {out: file for out, file in waiting.items() if not self._missing(file)}
            self._compile(ready or waiting)  # else the compiler says what is missing
            self.objects |= ready or waiting
            waiting = {out: file for out, file in waiting.items() if out not in self.objects}
            if waiting:
                self._make_stubs({name for file in waiting.values() for name in self._missing(file)})

    def link(self, name: str, objects: Iterable[Path]) -> Path:
        """A program of objects and the driver."""
        program, library = self._directory / name, library_directory()
        flags = self._source.cxxflags
        link = [str(self._compiler), "-pthread", *map(str, objects), str(self._driver), "-o", str(program), *flags]
        _call(self._source, self._directory, [*link, f"-L{library}", "-lHalide", f"-Wl,-rpath,{library}"])
        return program

    def read(self) -> list[Path]:
        """The files that the compiler read."""
        return [path for out in self.objects for path in _read_dependencies(out.with_suffix(".d"))]

    def _compile(self, objects: Mapping[Path, Path]) -> None:
        flags = (*self._source.cxxflags, "-I", str(self._stubs))
        commands = [_compile_command(self._compiler, file, out, flags) for out, file in objects.items()]
        made = self._directory / self._driver.name
        if not self._driver.exists():
            commands.append(_compile_command(self._compiler, _DRIVER, made, ()))
        with ThreadPoolExecutor(usable_workers()) as pool:
            list(pool.map(partial(_call, self._source, self._directory), commands))
        if made.exists():
            move_into(self._driver.parent, (made,))

    def _missing(self, file: Path) -> set[str]:
        """Headers of stubs that a file includes, and that are neither there nor made."""
        return _missing_stubs(file, [self._stubs, *map(Path, _folders(self._source.cxxflags))])

    def _make_stubs(self, wanted: set[str]) -> None:
        """Has the generators that are compiled write their headers, as far as somebody waits for these."""
        # Where they cannot be made, they are missing, which the compiler says.
        with contextlib.suppress(InputError, subprocess.TimeoutExpired):
            program = self.link("stubs-program", self.objects)
            for name in wanted:
                header = self._stubs / name
                header.parent.mkdir(parents=True, exist_ok=True)
                generator = header.name.removesuffix(".stub.h")
                command = [str(program), "stub", str(self._directory / "stub.json"), generator, "host", str(header)]
                environment = driver_environment()
                subprocess.run(command, env=environment, capture_output=True, check=False, timeout=_STUB_S)


def needed_stubs(source: Source) -> list[str]:
    """Headers of stubs that other generators have to write before the files of a source can be compiled."""
    folders = [*map(Path, _folders(source.cxxflags))]
    return sorted({name for file in source.files for name in _missing_stubs(Path(file), folders)})


def _missing_stubs(file: Path, folders: Iterable[Path]) -> set[str]:
    """Headers of stubs that a file includes, and that lie neither beside it nor in these folders."""
    included: list[str] = _STUB.findall(file.read_text(errors="replace"))
    inside = [name for name in included if not Path(name).is_absolute() and ".." not in Path(name).parts]
    return {name for name in inside if not any((folder / name).exists() for folder in (file.parent, *folders))}


def _compile_command(compiler: Path, file: Path, out: Path, cxxflags: Sequence[str]) -> list[str]:
    include = include_directory()
    rename = () if file == _DRIVER else (f"-D{RENAMED_MAIN}",)
    return [
        *(str(compiler), "-c", *_FLAGS, *cxxflags, *rename, str(file), "-o", str(out)),
        *("-MMD", "-MF", str(out.with_suffix(".d")), "-MT", "object"),
        # The wheel's Halide.h comes first, whatever the user's folders hold: its version is that of the library.
        *("-include", str(include / "Halide.h")),
        # -isystem: the wheel's headers are not listed as dependencies, and do not warn.
        *("-isystem", str(include), "-isystem", str(tools_directory())),
    ]


def _folders(cxxflags: Sequence[str]) -> Iterator[str]:
    """The folders that ``-I`` names, with a space after it or without."""
    for flag, following in pairwise((*cxxflags, "")):
        if flag.startswith("-I"):
            yield flag[2:] or following


def driver_environment() -> dict[str, str]:
    """With which programs of our driver are run: they end with this process."""
    return {**os.environ, "HLTUNE_PARENT": str(os.getpid())}


def _call(source: Source, directory: Path, command: list[str]) -> None:
    """Runs a compiler, whose own temporary files go into the folder, too."""
    environment = {**os.environ, "LC_ALL": "C", "TMPDIR": str(directory)}
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment, check=False)
    if result.returncode == 0:
        return
    if (reason := refusal(result.stderr)) is not None:
        raise Refused.by_system(reason)
    raise rejected(source, result.stderr, f"{Path(command[0]).name} {' '.join((*_FLAGS, *source.cxxflags))}")


def _read_dependencies(file: Path) -> list[Path]:
    """Reads a rule of make: backslashes join lines and protect spaces and ``#``, and ``$`` is written twice."""
    _, _, text = os.fsdecode(file.read_bytes()).replace("\\\n", " ").partition(": ")
    words = text.replace("\\ ", "\0").replace("\\#", "#").replace("$$", "$").split()
    return [Path(word.replace("\0", " ")).absolute() for word in words]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
