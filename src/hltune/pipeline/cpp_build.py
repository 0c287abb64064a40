"""Compiles a C++ file of generators, together with our driver, into a program; once per content.

The cache holds, per source file, a manifest that names every file the compiler read, with its hash, and the program::

    <key>.json              {"files": {path: sha256...}, "program": "<key>-<digest>"}
    <key>-<digest>          the program; digest covers the hashes of the files

The compiler counts as one of the files; system headers and the wheel stand under its and Halide's version. Files appear
by renaming, the manifest last, so that a kill leaves nothing half-written.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from hltune.runtime.halide_wheel import halide_version, include_directory, library_directory
from hltune.runtime.worker import Process
from hltune.values.errors import InputError

_BUILD_S = 300.0
COMPILERS = ("g++", "clang++", "c++")
_FLAGS = ("-std=c++17", "-fno-rtti", "-pthread")
_DRIVER = Path(__file__).with_name("generator_driver.cpp")
_SHOWN_ERRORS = 3


def build_program(source: Path, cache: Path, process: Process) -> Path:
    """The program for a file of generators, from the cache if nothing that it was made of has changed.

    Raises:
        InputError: there is no compiler, or it rejects the file.
    """
    key = _key(source)
    cached = _cached(cache, key)
    if cached is not None:
        return cached
    process.enter("build generator", timeout_s=_BUILD_S)
    compiler = _find_compiler(source)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="build-") as directory:
        program, dependencies = Path(directory, "program"), Path(directory, "dependencies")
        _compile(compiler, source, program, dependencies)
        paths = [compiler.resolve(), *_read_dependencies(dependencies)]
        files = {str(path): _sha256(path) for path in paths}
        digest = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:16]
        kept = program.replace(cache / f"{key}-{digest}")
        manifest = Path(directory, "manifest.json")
        manifest.write_text(json.dumps({"files": files, "program": kept.name}, indent=1))
        manifest.replace(cache / f"{key}.json")
    return kept


def _key(source: Path) -> str:
    """Where the manifest is found: everything that is known without the compiler's help."""
    parts = (str(source), source.read_bytes(), _DRIVER.read_bytes(), halide_version(), str(library_directory()), _FLAGS)
    return f"{source.stem}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"


def _cached(cache: Path, key: str) -> Path | None:
    """The program, if it is there and nothing that it was made of has changed."""
    try:
        manifest = json.loads((cache / f"{key}.json").read_bytes())
        program, files = cache / str(manifest["program"]), dict(manifest["files"])
        current = program.is_file() and all(_sha256(Path(path)) == sha for path, sha in files.items())
    except (OSError, ValueError, KeyError, TypeError):
        return None  # the cache is damaged or empty, or a file is gone: build again
    return program if current else None


def _find_compiler(source: Path) -> Path:
    for name in COMPILERS:
        if found := shutil.which(name):
            return Path(found)
    raise InputError(
        "a C++ generator needs a C++ compiler, and there is none",
        where=str(source),
        expected="one of " + ", ".join(COMPILERS) + " in PATH",
        todo="install one, for example apt install g++; Python files, .hlpipe files and built-in pipelines need none",
    )


def _compile(compiler: Path, source: Path, program: Path, dependencies: Path) -> None:
    library = library_directory()
    command = [
        *(str(compiler), *_FLAGS),
        # -isystem: the wheel's headers are not listed as dependencies, and do not warn.
        *("-isystem", str(include_directory()), "-include", str(_DRIVER), str(source), "-o", str(program)),
        *("-MMD", "-MF", str(dependencies), "-MT", "program"),
        *(f"-L{library}", "-lHalide", f"-Wl,-rpath,{library}"),
    ]
    result = subprocess.run(
        command, capture_output=True, text=True, errors="replace", env={**os.environ, "LC_ALL": "C"}, check=False
    )
    if result.returncode != 0:
        lines = result.stderr.splitlines()
        errors = [line for line in lines if "error: " in line or "undefined reference" in line] or lines
        raise InputError(
            "the C++ compiler rejects the file:\n" + "\n".join(errors[:_SHOWN_ERRORS]),
            where=str(source),
            todo=f"make it compile with {compiler} {' '.join(_FLAGS)} against halide {halide_version()}",
        )


def _read_dependencies(file: Path) -> list[Path]:
    """Reads a rule of make: backslashes join lines and protect spaces."""
    _, _, text = file.read_text().replace("\\\n", " ").partition(": ")
    return [Path(word.replace("\0", " ")).absolute() for word in text.replace("\\ ", "\0").split()]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
