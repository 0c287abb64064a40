"""The flags that commands share, and the options that they make."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Self

from cyclopts import Parameter, Token

from hltune.cli.arguments import KNOWN, LIMITS, MACHINE, SEARCH, STORED, WHAT, Whole, each_parsed, parsed
from hltune.machine.options import MachineOptions, MeasureOptions
from hltune.pipeline.source import (
    Estimates,
    Examples,
    Parameters,
    check_unique,
    parse_cxxflags,
    parse_define,
    parse_estimate,
    parse_example,
    parse_include,
    parse_number,
    parse_parameter,
    parse_size,
    split_named_file,
)
from hltune.search.autoschedulers import Adams2019Options
from hltune.values.errors import InputError, out_of_range
from hltune.values.pipeline import Number

if TYPE_CHECKING:
    from hltune.machine.inputs import Inputs
    from hltune.values.machine_id import MachineId
    from hltune.workspace.subject import SubjectOptions

MEASURE, ADAMS2019 = MeasureOptions(threads=1), Adams2019Options(parallelism=1)
"""The defaults."""
MEASURED = "measured"
"""Default of a tolerance."""

Pipeline = Annotated[
    str,
    Parameter(
        group=WHAT, required=True, help="A built-in name, file.py[:name], file.cpp[+other.cpp][:name] or file.hlpipe."
    ),
]
Target = Annotated[str, Parameter(help="host, hexagon, or a Halide target string.")]
Known = Annotated[
    str | None,
    Parameter(
        name="--schedule",
        group=KNOWN,
        metavar="NAME|ID|FILE",
        show_default="the best known",
        help="Schedule to use: a known one by name, one of `hltune samples best` by id, or a schedule.json.",
    ),
]
Key = Annotated[str | None, Parameter(group=STORED, metavar="KEY")]
OnlyKey = Annotated[Key, Parameter(show_default="the only one", help="Machine in the store.")]
Output = Parameter(name=("-o", "--output"))


def parse_bytes(option: str, text: str) -> int:
    """Reads a number of bytes, such as 64M; raises an `InputError` if it is malformed."""
    match = re.fullmatch(r"([0-9]+)([KMG]?)", text)
    if match is None:
        raise InputError("malformed size", where=option, expected="bytes, or a number with K, M or G", found=repr(text))
    return int(match[1]) * 1024 ** " KMG".index(match[2] or " ")


def mebibytes(size: int) -> str:
    """A number of bytes as `parse_bytes` reads it."""
    return f"{size >> 20}M"


def _parse_input(text: str) -> tuple[str | None, Path | Number]:
    """Reads ``NAME=VALUE`` of a scalar, or ``[NAME=]IMAGE``: which of them a name is, the pipeline tells."""
    name, equals, value = text.partition("=")
    number = parse_number(value) if name and equals and not Path(value).exists() else None
    if number is not None:
        return name, number
    image, path = split_named_file(text)
    if not image and not Path(path).is_file():
        raise InputError("no such image", where=f"-i {text}", found=f"no file {path!r}")
    return image or None, Path(path).absolute()


Images = Annotated[
    tuple[tuple[str | None, Path | Number], ...],
    each_parsed(_parse_input, name=("-i", "--input"), metavar="[NAME=]IMAGE"),
]


def changed(flags: Any, names: Iterable[str]) -> list[str]:
    """Which of these fields of some flags are not what they are if nobody gives them, as people type them."""
    usual = type(flags)()
    return [f"--{name.replace('_', '-')}" for name in names if getattr(flags, name) != getattr(usual, name)]


def _inputs(given: Sequence[tuple[str | None, Path | Number]], seed: int) -> "Inputs":
    """Images, scalars, and random data for the other inputs."""
    from hltune.machine.inputs import Inputs, file_digest

    check_unique("-i", ((name, value) for name, value in given if name is not None))
    images = tuple((name, value) for name, value in given if isinstance(value, Path))
    return Inputs(
        images=images,
        digests=tuple((path, file_digest(path)) for _, path in images),
        scalars=tuple((name or "", value) for name, value in given if not isinstance(value, Path)),
        seed=seed,
    )


def _seconds(_kind: Any, tokens: Sequence[Token]) -> float:
    value = float(tokens[-1].value)
    if not 0 < value < float("inf"):
        raise out_of_range(tokens[-1].keyword or "", "more than 0 seconds", value)
    return value


Seconds = Annotated[float, Parameter(metavar="SECONDS", n_tokens=1, converter=_seconds)]


@Parameter(name="*", group=WHAT)
@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFlags:
    """Target, size, parameters and estimates of pipelines.

    Attributes:
        size: Size of a built-in benchmark.
        parameters: Parameter of the generator or function.
        estimates: Estimate of an input or output.
        examples: Image whose size is the estimate.
        includes: Folder of headers of a C++ generator.
        defines: Macro for a C++ generator.
        cxxflags: Further flags of the C++ compiler, such as "-O2 -lfoo".
    """

    target: Target = "host"
    size: Annotated[tuple[int, int] | None, parsed(parse_size, metavar="WxH")] = None
    parameters: Annotated[Parameters, each_parsed(parse_parameter, name="-p", metavar="KEY=VALUE")] = ()
    estimates: Annotated[Estimates, each_parsed(parse_estimate, name="--estimate", metavar="NAME=WxH")] = ()
    examples: Annotated[Examples, each_parsed(parse_example, name="--example", metavar="[NAME=]IMAGE")] = ()
    includes: Annotated[tuple[str, ...], each_parsed(parse_include, name="-I", metavar="DIR")] = ()
    defines: Annotated[tuple[str, ...], each_parsed(parse_define, name="-D", metavar="NAME[=VALUE]")] = ()
    cxxflags: Annotated[
        tuple[tuple[str, ...], ...],
        each_parsed(parse_cxxflags, name="--cxxflags", metavar="FLAGS", allow_leading_hyphen=True),
    ] = ()

    def subject(self, pipeline: str, elsewhere: "MachineId | None" = None) -> "SubjectOptions":
        """Names a pipeline, which may be for other computers."""
        from hltune.workspace.subject import SubjectOptions

        return SubjectOptions(
            pipeline=pipeline,
            target=self.target,
            host=elsewhere and elsewhere.target,
            size=self.size,
            parameters=self.parameters,
            estimates=self.estimates,
            examples=self.examples,
            cxxflags=(*self.includes, *self.defines, *chain.from_iterable(self.cxxflags)),
        )


@Parameter(name="*", group=WHAT)
@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFlags(SourceFlags):
    """What to run on, too.

    Attributes:
        images: Image or .npy file to run on; NAME=VALUE of a scalar.
    """

    images: Images = ()

    def inputs(self, seed: int = 0) -> "Inputs":
        """Images, scalars, and random data for the other inputs."""
        return _inputs(self.images, seed)


@Parameter(name="*", group=STORED)
@dataclass(frozen=True, slots=True, kw_only=True)
class InputFlags:
    """What to run a stored schedule on.

    Attributes:
        images: Image or .npy file to run on; NAME=VALUE of a scalar.
        seed: Number that random inputs start from.
    """

    images: Images = ()
    seed: Annotated[Whole | None, Parameter(show_default="that of its tuning, or 0")] = None

    def inputs(self, seed: int) -> "Inputs":
        """Images, scalars, and random data for the other inputs, which starts from this seed unless one was given."""
        if self.seed is not None and self.seed < 0:
            raise out_of_range("--seed", "0 or more", self.seed)
        return _inputs(self.images, seed if self.seed is None else self.seed)


@Parameter(name="*", group=MACHINE)
@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadFlags:
    """How parallel a schedule is.

    Attributes:
        max_parallelism: Threads to schedule for and to run with.
    """

    max_parallelism: Annotated[Whole | None, Parameter(show_default="cores; 1 for hexagon")] = None

    def on(self, elsewhere: "MachineId | None") -> Self:
        """On other computers: all of their cores, unless told otherwise."""
        if elsewhere is None or self.max_parallelism is not None:
            return self
        return replace(self, max_parallelism=elsewhere.threads)

    def threads(self, target: str) -> int:
        """Size of the thread pool: all cores that this process may use, unless told otherwise.

        The emulated DSP has one thread, on which parallel loops would only cost packets.
        """
        from hltune.machine.open import default_threads

        if self.max_parallelism is None:
            return default_threads(target)
        if self.max_parallelism < 1:
            raise out_of_range("--max-parallelism", "1 or more", self.max_parallelism)
        return self.max_parallelism


@Parameter(name="*", group=MACHINE)
@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFlags:
    """Where it runs.

    Attributes:
        cluster: Computers that search and measure: auto, local, or the address of a Ray cluster.
        machine: With --cluster: computers to measure on, by a part of their name or the start of their key.
    """

    cluster: Annotated[str | None, Parameter(metavar="ADDRESS", show_default="this computer")] = None
    machine: Annotated[str | None, Parameter(metavar="KIND", show_default="those like this one")] = None

    def elsewhere(self, target: str) -> "MachineId | None":
        """The computers to measure on, where those are of another kind than this one."""
        if self.machine is None:
            return None
        if self.cluster is None:
            raise InputError(
                "--machine chooses among the computers of a cluster",
                found=f"--machine {self.machine} without --cluster",
                todo="give --cluster ADDRESS as well, or leave --machine out",
            )
        from hltune.commands.place import find_computers
        from hltune.report.progress import show_progress

        with show_progress() as progress:
            return find_computers(self.cluster, self.machine, target, progress)


@Parameter(name="*", group=SEARCH)
@dataclass(frozen=True, slots=True, kw_only=True)
class BeamFlags(ThreadFlags):
    """The beam search.

    Attributes:
        beam_size: States that the last tree search keeps; 1 is greedy.
        num_passes: Passes of the last tree search.
        weights: Weights of the cost model, a .weights file, or builtin for Halide's.
        seed: Number that random inputs and the search's dropout start from.
    """

    beam_size: Whole = ADAMS2019.beam_size
    num_passes: Annotated[Whole | None, Parameter(show_default="5; 1 when the beam is 1")] = None
    weights: Annotated[Path | None, Parameter(show_default="pre-training's, or hltune's")] = None
    seed: Whole = ADAMS2019.seed

    def adams2019(self, target: str, **others: Any) -> Adams2019Options:
        """The tree search; the weights are checked here, because the plugin does not."""
        from hltune.cost_model.adams2019.weights import read_weights
        from hltune.search.autoschedulers import BUILTIN

        weights = self.weights
        if weights is not None and weights != BUILTIN:
            read_weights(weights)
            weights = weights.absolute()
        return Adams2019Options(
            parallelism=self.threads(target),
            beam_size=self.beam_size,
            num_passes=self.num_passes,
            weights=weights,
            seed=self.seed,
            **others,
        )


@Parameter(name="*", group=SEARCH)
@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFlags(BeamFlags):
    """The beam search for pipelines of people.

    Attributes:
        memory_limit: Memory that a schedule may allocate, such as 64M or 2G.
    """

    memory_limit: Annotated[int | None, parsed(partial(parse_bytes, "--memory-limit")), Parameter(metavar="BYTES")] = (
        None
    )

    def limited(self, target: str, **others: Any) -> Adams2019Options:
        """The tree search, within the memory limit."""
        return self.adams2019(target, memory_limit_bytes=self.memory_limit, **others)


@Parameter(name="*", group=LIMITS)
@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """How long compiling and running may take.

    Attributes:
        compile_timeout: Limit on each compilation.
        run_timeout: Limit on each run.
    """

    compile_timeout: Seconds = MEASURE.compile_timeout_s
    run_timeout: Seconds = MEASURE.run_timeout_s

    def measure(self, threads: int, emulator: MachineOptions | None, **others: Any) -> MeasureOptions:
        """How to measure."""
        return MeasureOptions(
            threads=threads,
            machine_options=emulator,
            compile_timeout_s=self.compile_timeout,
            run_timeout_s=self.run_timeout,
            **others,
        )


@Parameter(name="*", group=LIMITS)
@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFlags(RunLimits):
    """How long compiling and running may take, and how exact outputs have to be.

    Attributes:
        tolerance: By how much floats in an output may differ, relative to their value.
        integer_tolerance: By how much integers in an output may differ.
    """

    tolerance: Annotated[float | None, Parameter(show_default=MEASURED)] = None
    integer_tolerance: Annotated[Whole | None, Parameter(show_default=MEASURED)] = None

    def verified(self, threads: int, emulator: MachineOptions | None, **others: Any) -> MeasureOptions:
        """How to measure and verify."""
        exact = {"tolerance": self.tolerance, "integer_tolerance": self.integer_tolerance}
        return self.measure(threads, emulator, **exact, **others)


CAREFUL: Mapping[str, Any] = MappingProxyType({"turns": 9, "turn_s": 0.04, "long_turns": 3})
"""How schedules are measured of which one is to be the best: of fewer turns, one that was lucky could decide."""


@Parameter(name="*", group=LIMITS)
@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFlags(CheckFlags):
    """How long searching may take, too.

    Attributes:
        search_timeout: Limit on the time in which anything is searched.
    """

    search_timeout: Seconds = 100.0
