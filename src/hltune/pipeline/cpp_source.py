"""Loads a pipeline from a C++ generator: builds it with our driver, runs that, reads what it wrote.

Reading map: `cpp_build` makes the program, `cpp_errors` explains what the compiler says; ``generator_driver.cpp`` has
the form of what is read here.
"""

import json
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import halide as hl

from hltune.pipeline.algorithm import Algorithm, ImageInput, ScalarInput
from hltune.pipeline.build import dtype_name
from hltune.pipeline.cpp_build import build_program
from hltune.pipeline.cpp_errors import no_generator
from hltune.pipeline.parameters import choose_entry
from hltune.pipeline.source import Source
from hltune.runtime.worker import Process
from hltune.values.errors import InputError, did_you_mean
from hltune.values.pipeline import LIMITS, Constraint, Interval, Number, Promise, unless_default

_RUN_S = 120.0

Form = Literal["algorithm", "manual"]
"""Without the schedule that the generator brings, or with it."""


def load_cpp_file(source: Source, target: str, cache: Path, process: Process) -> Algorithm:
    """Builds a generator of one or several C++ files."""
    program = _Program(source=source, target=target, path=build_program(source, cache, process))
    process.enter("run generator", timeout_s=_RUN_S)
    name = program.choose()
    algorithm = program.build(name, "algorithm")
    try:
        return replace(algorithm, manual=program.build(name, "manual"))
    except InputError as error:  # the algorithm can be searched all the same
        return replace(algorithm, manual=error)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Program:
    """The user's generators with our driver; every call is a process of its own."""

    source: Source
    target: str
    path: Path

    def choose(self) -> str:
        """The generator that the user names, or the only one."""
        names: list[str] = self._run("list")[0]["generators"]
        where = self.source.location
        if not names:
            todo = no_generator(self.source)
            raise InputError("no pipeline in this file", where=where, expected="a registered generator", todo=todo)
        return choose_entry(names, self.source.entry, candidates=names, where=where, kind="registered generator")

    def build(self, name: str, form: Form) -> Algorithm:
        """The serialized pipeline, and its inputs."""
        words = [word for pair in self.source.parameters for word in pair]
        fields, hlpipe = self._run("build", name, self.target, form, *words)
        inputs = tuple(map(_input, fields["inputs"]))
        scalars = [argument.name for argument in inputs if isinstance(argument, ScalarInput)]
        _check_keys(fields["others"], [*fields["parameters"], *scalars])
        return Algorithm(hlpipe=hlpipe, inputs=inputs)

    def _run(self, mode: str, *words: str) -> tuple[dict[str, Any], bytes]:
        with tempfile.TemporaryDirectory(prefix="hltune-") as directory:
            result, hlpipe = Path(directory, "result.json"), Path(directory, "pipeline.hlpipe")
            command = [str(self.path), mode, str(result), *([str(hlpipe)] if words else []), *words]
            run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
            if run.returncode != 0 or not result.exists():
                raise self._crashed(run)
            fields = json.loads(result.read_bytes())
            if "error" in fields:
                raise self._rejected(fields)
            return fields, hlpipe.read_bytes() if words else b""

    def _crashed(self, run: "subprocess.CompletedProcess[str]") -> InputError:
        code = run.returncode
        return InputError(
            "the generator crashed",
            where=self.source.location,
            expected="exit status 0",
            found=signal.Signals(-code).name if code < 0 else f"exit status {code}",
            todo="it printed: " + (run.stderr.strip()[-1000:] or "nothing"),
        )

    def _rejected(self, fields: dict[str, Any]) -> InputError:
        """A key that is mistyped explains more than what came of it, but it may name a scalar input."""
        names, others, setting = fields["parameters"], fields["others"], fields["setting"]
        where = self.source.location if setting is None else f"-p {setting}={dict(self.source.parameters)[setting]}"
        doubts = [
            f"-p {key} sets none of its parameters: {did_you_mean(key, names) or ', '.join(names)}" for key in others
        ]
        can_set = f"its parameters, set by -p KEY=VALUE: {', '.join(names)}" if names and setting is None else None
        todo = "; ".join(doubts) or can_set
        return InputError(f"Halide rejects the generator: {fields['error'].strip()}", where=where, todo=todo)


def _check_keys(keys: Sequence[str], names: Sequence[str]) -> None:
    for key in keys:
        if key not in names:
            expected = "one of " + ", ".join(names) if names else "none: this generator has no parameters"
            todo = did_you_mean(key, names)
            raise InputError("no such parameter", where=f"-p {key}", expected=expected, found=repr(key), todo=todo)


def _input(fields: Mapping[str, Any]) -> ImageInput | ScalarInput:
    name = fields["name"]
    code, bits = fields["type"]
    dtype = dtype_name(hl.Type(hl.TypeCode(code), bits, 1), where=f"input {name}")
    if "estimate" in fields:
        minimum, maximum = _limit(name, fields["minimum"]), _limit(name, fields["maximum"])
        return ScalarInput(name=name, dtype=dtype, estimate=fields["estimate"], minimum=minimum, maximum=maximum)
    estimates: list[Interval | None] = [None if e is None else (e[0], e[1]) for e in fields["estimates"]]
    dimensions: list[dict[str, Any]] = fields["constraints"]
    return ImageInput(
        name=name,
        dtype=dtype,
        estimates=tuple(estimates),
        constraints=unless_default(tuple(_constraint(values) for values in dimensions)),
        promises=tuple(
            Promise(dimension=dimension, what=what, expression=bytes.fromhex(values[what]))
            for dimension, values in enumerate(dimensions)
            for what in LIMITS
            if isinstance(values[what], str)
        ),
        alignment=fields["alignment"],
    )


def _limit(name: str, value: Number | str | None) -> Number | None:
    if isinstance(value, str):
        expected = "numbers in set_range"
        raise InputError(f"the range of scalar {name} is no constant", expected=expected, found="an expression")
    return value


def _constraint(values: Mapping[str, int | str | None]) -> Constraint:
    return Constraint(**{what: value for what, value in values.items() if not isinstance(value, str)})
