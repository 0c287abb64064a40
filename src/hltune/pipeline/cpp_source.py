"""Loads a pipeline from a C++ generator: compiles it with our driver, runs that, reads what it wrote."""

import json
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import halide as hl

from hltune.pipeline.algorithm import Algorithm, ImageInput, ScalarInput
from hltune.pipeline.build import dtype_name
from hltune.pipeline.cpp_build import build_program
from hltune.pipeline.parameters import choose_entry
from hltune.pipeline.source import Source
from hltune.runtime.worker import Process
from hltune.values.errors import InputError
from hltune.values.pipeline import Interval

_RUN_S = 120.0


def load_cpp_file(source: Source, target: str, cache: Path, process: Process) -> Algorithm:
    """Builds a generator of a C++ file."""
    program = build_program(Path(source.location), cache, process)
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
    return ImageInput(name=name, dtype=dtype, estimates=tuple(estimates), stride=fields["stride"])
