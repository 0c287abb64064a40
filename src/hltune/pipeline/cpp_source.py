"""Loads a pipeline from a C++ generator: compiles it with our driver, runs that, reads what it wrote.

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
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import halide as hl

from hltune.pipeline.algorithm import Algorithm, ImageInput, ScalarInput
from hltune.pipeline.build import dtype_name
from hltune.pipeline.parameters import choose_entry
from hltune.pipeline.source import Source
from hltune.runtime.halide_wheel import COMPILERS, halide_version, include_directory, library_directory
from hltune.runtime.worker import Process
from hltune.values.errors import InputError
from hltune.values.pipeline import Constraint, Interval, unless_default

_BUILD_S = 300.0
_RUN_S = 120.0
_FLAGS = ("-std=c++17", "-fno-rtti", "-pthread")
_DRIVER = Path(__file__).with_name("generator_driver.cpp")
_SHOWN_ERRORS = 3


def load_cpp_file(source: Source, target: str, cache: Path, process: Process) -> Algorithm:
    """Builds a generator of a C++ file."""
    program = _build_program(Path(source.location), cache, process)
    process.enter("run generator", timeout_s=_RUN_S)
    with tempfile.TemporaryDirectory(prefix="hltune-") as directory:
        result, hlpipe = Path(directory, "result.json"), Path(directory, "pipeline.hlpipe")
        names = _run(source, [str(program), "list", str(result)], result)["generators"]
        name = choose_entry(names, source.entry, candidates=names, where=source.location, kind="registered generator")
        parameters = [word for pair in source.parameters for word in pair]
        command = [str(program), "build", str(result), str(hlpipe), name, target, *parameters]
        inputs = _run(source, command, result)["inputs"]
        return Algorithm(hlpipe=hlpipe.read_bytes(), inputs=tuple(_input(fields) for fields in inputs))


def _run(source: Source, command: list[str], result: Path) -> dict[str, Any]:
    result.unlink(missing_ok=True)
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if run.returncode != 0 or not result.exists():
        code = run.returncode
        raise InputError(
            "the generator crashed",
            where=source.location,
            expected="exit status 0",
            found=signal.Signals(-code).name if code < 0 else f"exit status {code}",
            todo="it printed: " + (run.stderr.strip()[-1000:] or "nothing"),
        )
    fields = json.loads(result.read_bytes())
    if "error" in fields:
        raise InputError(f"Halide rejects the generator: {fields['error'].strip()}", where=source.location)
    return fields


def _input(fields: dict[str, Any]) -> ImageInput | ScalarInput:
    name = fields["name"]
    code, bits = fields["type"]
    dtype = dtype_name(hl.Type(hl.TypeCode(code), bits, 1), where=f"input {name}")
    if "estimate" in fields:
        return ScalarInput(name=name, dtype=dtype, estimate=fields["estimate"])
    estimates: list[Interval | None] = [None if e is None else (e[0], e[1]) for e in fields["estimates"]]
    constraints = tuple(Constraint(stride=None if d else fields["stride"]) for d in range(len(estimates)))
    return ImageInput(name=name, dtype=dtype, estimates=tuple(estimates), constraints=unless_default(constraints))


def _build_program(source: Path, cache: Path, process: Process) -> Path:
    """The program for a file of generators and our driver, from the cache if nothing has changed."""
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
