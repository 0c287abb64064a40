"""Loads a pipeline from a C++ generator: builds it with our driver, runs that, reads what it wrote.

Reading map: `cpp_build` makes the program, `cpp_errors` explains what the compiler says; ``generator_driver.cpp`` has
the form of what is read here.
"""

import json
import resource
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import halide as hl

from hltune.pipeline.algorithm import Algorithm, ImageInput, ScalarInput, promising
from hltune.pipeline.build import dtype_name
from hltune.pipeline.cpp_build import build_program, driver_environment
from hltune.pipeline.cpp_check import check_same, digest, once
from hltune.pipeline.cpp_errors import no_generator
from hltune.pipeline.embedded import store_densely
from hltune.pipeline.parameters import choose_entry, no_such_parameter
from hltune.pipeline.prefetches import take_prefetches
from hltune.pipeline.source import Source
from hltune.runtime.rlimits import limit
from hltune.runtime.worker import Process, physical_memory_bytes
from hltune.values.errors import NO_ROOM, InputError, Refused, did_you_mean
from hltune.values.pipeline import (
    LIMITS,
    Constraint,
    Interval,
    Number,
    OutputImage,
    PipelineSpec,
    Promise,
    unless_default,
)

_RUN_S = 300.0
_CHECK_S, _CHECKS = 60.0, 5
"""Limit on each way to compare outputs, of which there are four; one more is for a build on this computer."""
_LEAST_ADDRESSES = 2**31
_GOALS = {"list": "it had told its name", "check": "its pipeline had run"}
"""What processes of the driver are to reach, where that is not the serialized pipeline."""

Form = Literal["algorithm", "manual"]
"""Without the schedule that the generator brings, or with it."""


def load_cpp_file(source: Source, target: str, cache: Path, process: Process) -> Algorithm:
    """Builds a generator of one or several C++ files."""
    path = build_program(source, cache, process)
    program = _Program(source=source, target=target, path=path, scratch=process.scratch)
    process.enter("run generator", timeout_s=_RUN_S)
    name = program.choose()
    algorithm = replace(program.build(name, "algorithm"), name=name, check=partial(_check, program, name, process))
    process.enter("run generator with its own schedule", timeout_s=_RUN_S)
    try:
        return replace(algorithm, manual=program.build(name, "manual"))
    except InputError as error:  # the algorithm can be searched all the same
        return replace(algorithm, manual=error)


def _check(program: "_Program", name: str, process: Process, spec: PipelineSpec, scheduled: bool) -> str | None:
    """Compares the spec with the pipeline in a process of the generator; once for each program, target and sizes."""
    key = digest(spec, name, program.target, repr(program.source.parameters))
    done = program.path.with_name(f"{program.path.name}.same-{key}")
    return once(done, partial(_compare, program, name, process, spec, scheduled))


def _compare(program: "_Program", name: str, process: Process, spec: PipelineSpec, scheduled: bool) -> str | None:
    process.enter("compare with the generator's process", timeout_s=_CHECKS * _CHECK_S)
    hlpipe = spec.manual if scheduled and spec.manual is not None else spec.hlpipe
    if scheduled and not _runs_here(program.target):  # such a schedule may be for a device
        program = replace(program, target="host")
        try:
            hlpipe = store_densely(program.build(name, "algorithm").hlpipe, where=program.source.location)
        except InputError as error:
            return f"outputs could not be compared with those of the generator's own process: {error}"
    readable = take_prefetches(hlpipe, where=program.source.location).data  # they change no values
    with tempfile.TemporaryDirectory(dir=process.scratch) as directory:
        file = Path(directory, "spec.hlpipe")
        file.write_bytes(readable)

        def run(sizes: Path, rooted: str) -> dict[str, Any]:
            return program.compare(file, name, sizes, rooted)

        return check_same(run, spec, where=program.source.location, rooted=not scheduled, directory=Path(directory))


def _runs_here(target: str) -> bool:
    wanted, host = hl.Target(target), hl.get_host_target()
    return (wanted.arch, wanted.os, wanted.bits) == (host.arch, host.os, host.bits)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Program:
    """The user's generators with our driver; every call is a process of its own.

    Attributes:
        scratch: a folder for temporary files.
    """

    source: Source
    target: str
    path: Path
    scratch: Path

    def choose(self) -> str:
        """The generator that the user names, or the only one."""
        names: list[str] = self._run("list")["generators"]
        where = self.source.location
        if not names:
            todo = no_generator(self.source)
            raise InputError("no pipeline in this file", where=where, expected="a registered generator", todo=todo)
        return choose_entry(names, self.source.entry, candidates=names, where=where, kind="registered generator")

    def build(self, name: str, form: Form) -> Algorithm:
        """The serialized pipeline, and its inputs."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as directory:
            hlpipe = Path(directory, "pipeline.hlpipe")
            fields = self._run("build", str(hlpipe), name, self.target, form, *self._words)
            data = hlpipe.read_bytes()
        inputs = tuple(map(_input, fields["inputs"]))
        scalars = [argument.name for argument in inputs if isinstance(argument, ScalarInput)]
        _check_keys(fields["others"], [*fields["parameters"], *scalars])
        return Algorithm(hlpipe=data, inputs=inputs, output_images=_output_images(fields["outputs"]))

    def compare(self, hlpipe: Path, name: str, sizes: Path, rooted: str) -> dict[str, Any]:
        """What the driver says of the pipeline of its process and the serialized one."""
        arguments = (str(hlpipe), name, self.target, "algorithm", str(sizes), rooted, *self._words)
        return self._call("check", *arguments, timeout_s=_CHECK_S)

    @property
    def _words(self) -> list[str]:
        return [word for pair in self.source.parameters for word in pair]

    def _run(self, mode: str, *words: str) -> dict[str, Any]:
        fields = self._call(mode, *words)
        if "error" in fields:
            raise self._rejected(fields)
        return fields

    def _call(self, mode: str, *words: str, timeout_s: float | None = None) -> dict[str, Any]:
        """What the driver wrote, an error that Halide found included."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as directory:
            result = Path(directory, "result.json")
            command = [str(self.path), mode, str(result), *words]
            try:
                run = subprocess.run(
                    command,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    check=False,
                    timeout=timeout_s,
                    # Several threads would add floats in another order each time, and outputs are compared bit by bit.
                    env={**driver_environment(), "HL_NUM_THREADS": "1"},
                    preexec_fn=_limit_memory,
                )
            except subprocess.TimeoutExpired:
                raise InputError(f"it takes longer than {timeout_s:.0f} s", where=self.source.location) from None
            if not result.exists() or (run.returncode != 0 and mode != "check"):
                raise self._ended(mode, run)
            try:
                return json.loads(result.read_bytes())
            except json.JSONDecodeError:  # the driver writes it at once
                raise Refused.by_system(NO_ROOM) from None

    def _ended(self, mode: str, run: "subprocess.CompletedProcess[str]") -> InputError:
        """Of a process that ended before it had done what it was to do."""
        code = run.returncode
        if "bad_alloc" in run.stderr:
            return InputError(
                "the pipeline is too large for Halide to serialize: it writes an expression as often as it is used",
                where=self.source.location,
                found=f"more than {_memory_bytes() >> 30} GB",
                todo="make Funcs of expressions that are used again and again, or choose a smaller problem by -p",
            )
        printed = [text.strip()[-1000:] for text in (run.stdout, run.stderr) if text.strip()]
        told = "it printed: " + ("\n".join(printed) or "nothing")
        if code < 0:
            return InputError(
                "the generator crashed",
                where=self.source.location,
                expected="exit status 0",
                found=f"{signal.Signals(-code).name}; {told}",
                todo="build it as Halide's generators are built, and run that in a debugger",
            )
        return InputError(
            f"the generator ended by itself before {_GOALS.get(mode, 'it had built a pipeline')}",
            where=self.source.location,
            expected="generate() and schedule() that return",
            found=f"exit status {code}; {told}",
            todo="take out what ends the process, such as a call of exit",
        )

    def _rejected(self, fields: dict[str, Any]) -> InputError:
        """Halide's own words; where it was no setting that it refused, a key that is mistyped may explain more.

        Such a key may also name a scalar input: these are not known before the generator is built.
        """
        what, key = f"Halide rejects the generator: {fields['error'].strip()}", fields["setting"]
        if key is not None:
            return InputError(what, where=f"-p {key}={dict(self.source.parameters)[key]}")
        names, others = fields["parameters"], fields["others"]
        doubts = [
            f"-p {other} sets none of its parameters: {did_you_mean(other, names) or ', '.join(names)}"
            for other in others
        ]
        can_set = f"its parameters, set by -p KEY=VALUE: {', '.join(names)}" if names else None
        return InputError(what, where=self.source.location, todo="; ".join(doubts) or can_set)


def _memory_bytes() -> int:
    """Half of the memory; in a small container more, for it limits addresses, of which code takes many."""
    return max(_LEAST_ADDRESSES, physical_memory_bytes() // 2)


def _limit_memory() -> None:
    limit(resource.RLIMIT_AS, _memory_bytes())


def _check_keys(keys: Sequence[str], names: Sequence[str]) -> None:
    for key in keys:
        if key not in names:
            raise no_such_parameter(key, {name: name for name in names}, of="generator")


def _input(fields: Mapping[str, Any]) -> ImageInput | ScalarInput:
    name = fields["name"]
    code, bits = fields["type"]
    dtype = dtype_name(hl.Type(hl.TypeCode(code), bits, 1), where=f"input {name}")
    if "estimate" in fields:
        minimum, maximum = _limit(name, fields["minimum"]), _limit(name, fields["maximum"])
        estimate: Number | str | None = fields["estimate"]
        value = float(estimate) if isinstance(estimate, str) else estimate  # one that JSON has no number for
        return ScalarInput(name=name, dtype=dtype, estimate=value, minimum=minimum, maximum=maximum)
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


def _output_images(outputs: Sequence[Mapping[str, Any]]) -> tuple[OutputImage, ...]:
    return promising(image for image in map(_input, outputs) if isinstance(image, ImageInput))


def _limit(name: str, value: Number | str | None) -> Number | None:
    if isinstance(value, str):
        expected = "numbers in set_range"
        raise InputError(f"the range of scalar {name} is no constant", expected=expected, found="an expression")
    return value


def _constraint(values: Mapping[str, int | str | None]) -> Constraint:
    return Constraint(**{what: value for what, value in values.items() if not isinstance(value, str)})
