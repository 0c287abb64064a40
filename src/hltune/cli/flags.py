"""The flags that commands share, and the options that they make."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hltune.cli.arguments import Panel, argument, default_of, flag
from hltune.machine.options import MachineOptions, MeasureOptions
from hltune.pipeline.source import (
    parse_estimate,
    parse_example,
    parse_number,
    parse_parameter,
    parse_size,
    split_named_file,
)
from hltune.search.autoschedulers import Adams2019Options
from hltune.values.errors import InputError
from hltune.values.pipeline import Number

if TYPE_CHECKING:
    from hltune.machine.inputs import Inputs
    from hltune.workspace.subject import SubjectOptions

WHAT = "what to schedule"
_PIPELINE_HELP = "A built-in name, file.py[:name], file.cpp[:name] or file.hlpipe."


def parse_bytes(option: str, text: str) -> int:
    """Reads a number of bytes, such as 64M.

    Raises:
        InputError: it is malformed.
    """
    match = re.fullmatch(r"([0-9]+)([KMG]?)", text)
    if match is None:
        raise InputError("malformed size", where=option, expected="bytes, or a number with K, M or G", found=repr(text))
    return int(match[1]) * 1024 ** " KMG".index(match[2] or " ")


def parse_input(text: str) -> tuple[str | None, Path | Number]:
    """Reads ``NAME=VALUE`` of a scalar, or ``[NAME=]IMAGE``.

    Raises:
        InputError: it is neither.
    """
    name, equals, value = text.partition("=")
    number = parse_number(value) if name and equals and not Path(value).exists() else None
    if number is not None:
        return name, number
    image, path = split_named_file(text)
    if not Path(path).is_file():
        raise InputError("no such image", where=f"-i {text}", found=f"no file {path!r}")
    return image or None, Path(path).absolute()


def seconds(option: str, value: float) -> float:
    """A limit in seconds, checked."""
    if not 0 < value < float("inf"):
        raise InputError("option out of range", where=option, expected="more than 0 seconds", found=str(value))
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFlags(Panel):
    """Target, size, parameters and estimates of pipelines."""

    title: ClassVar[str] = WHAT
    target: str = flag("host", "host, hexagon, or a Halide target string.")
    size: tuple[int, int] | None = flag(None, "Size of a built-in benchmark.", metavar="WxH", parse=parse_size)
    parameters: tuple[tuple[str, str], ...] = flag(
        (), "Parameter of the generator or function.", "-p", metavar="KEY=VALUE", parse=parse_parameter
    )
    estimates: tuple[tuple[str, tuple[Number, ...]], ...] = flag(
        (), "Estimate of an input or output.", "--estimate", metavar="NAME=WxH", parse=parse_estimate
    )
    examples: tuple[tuple[str | None, str], ...] = flag(
        (), "Image whose size is the estimate.", "--example", metavar="[NAME=]IMAGE", parse=parse_example
    )

    def subject(self, pipeline: str) -> SubjectOptions:
        """Names a pipeline."""
        from hltune.workspace.subject import SubjectOptions

        return SubjectOptions(
            pipeline=pipeline,
            target=self.target,
            size=self.size,
            parameters=self.parameters,
            estimates=self.estimates,
            examples=self.examples,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineFlags(SourceFlags):
    """One pipeline."""

    pipeline: str = argument(_PIPELINE_HELP, "PIPELINE")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinesFlags(SourceFlags):
    """One or more pipelines."""

    pipelines: tuple[str, ...] = argument(_PIPELINE_HELP, "PIPELINE")

    def subjects(self) -> tuple[SubjectOptions, ...]:
        """Names each of them."""
        return tuple(map(self.subject, self.pipelines))


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFlags(Panel):
    """What to run on."""

    title: ClassVar[str] = WHAT
    images: tuple[tuple[str | None, Path | Number], ...] = flag(
        (),
        "Image or .npy file to run on; NAME=VALUE of a scalar.",
        "-i",
        "--input",
        metavar="[NAME=]IMAGE",
        parse=parse_input,
    )

    def inputs(self, seed: int = 0) -> Inputs:
        """Images, scalars, and random data for the other inputs."""
        from hltune.machine.inputs import Inputs

        return Inputs(
            images=tuple((name, value) for name, value in self.images if isinstance(value, Path)),
            scalars=tuple((name or "", value) for name, value in self.images if not isinstance(value, Path)),
            seed=seed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadFlags(Panel):
    """How parallel a schedule is."""

    title: ClassVar[str] = "machine"
    max_parallelism: int | None = flag(None, "Threads to schedule for and to run with.", shown="cores; 1 for hexagon")

    def threads(self, target: str) -> int:
        """Size of the thread pool: all cores that this process may use, unless told otherwise.

        The emulated DSP has one thread, on which parallel loops would only cost packets.
        """
        from hltune.machine.open import default_threads

        if self.max_parallelism is None:
            return default_threads(target)
        if self.max_parallelism < 1:
            raise InputError(
                "option out of range", where="--max-parallelism", expected="1 or more", found=str(self.max_parallelism)
            )
        return self.max_parallelism


@dataclass(frozen=True, slots=True, kw_only=True)
class BeamFlags(ThreadFlags):
    """The beam search."""

    title: ClassVar[str] = "search"
    beam_size: int = flag(default_of(Adams2019Options, "beam_size"), "States that the tree search keeps; 1 is greedy.")
    num_passes: int | None = flag(None, "Passes of the tree search.", shown="5; 1 when the beam is 1")
    weights: Path | None = flag(None, "Weights of the cost model, a .weights file.", shown="built-in")
    seed: int = flag(default_of(Adams2019Options, "seed"), "Of random inputs and of the search's dropout.")

    def adams2019(self, target: str, **others: Any) -> Adams2019Options:
        """The tree search; the weights are checked here, because the plugin does not."""
        from hltune.cost_model.adams2019.weights import read_weights

        if self.weights is not None:
            read_weights(self.weights)
        return Adams2019Options(
            parallelism=self.threads(target),
            beam_size=self.beam_size,
            num_passes=self.num_passes,
            weights=self.weights.absolute() if self.weights else None,
            seed=self.seed,
            **others,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFlags(BeamFlags):
    """The beam search for pipelines of people."""

    memory_limit: int | None = flag(
        None,
        "Memory that a schedule may allocate, such as 64M or 2G.",
        metavar="BYTES",
        parse=lambda text: parse_bytes("--memory-limit", text),
    )

    def limited(self, target: str, **others: Any) -> Adams2019Options:
        """The tree search, within the memory limit."""
        return self.adams2019(target, memory_limit_bytes=self.memory_limit, **others)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits(Panel):
    """How long compiling and running may take."""

    title: ClassVar[str] = "limits"
    compile_timeout: float = flag(
        default_of(MeasureOptions, "compile_timeout_s"), "Limit on each compilation.", metavar="SECONDS"
    )
    run_timeout: float = flag(default_of(MeasureOptions, "run_timeout_s"), "Limit on each run.", metavar="SECONDS")

    def measure(self, threads: int, emulator: MachineOptions | None, **others: Any) -> MeasureOptions:
        """How to measure."""
        return MeasureOptions(
            threads=threads,
            machine_options=emulator,
            compile_timeout_s=seconds("--compile-timeout", self.compile_timeout),
            run_timeout_s=seconds("--run-timeout", self.run_timeout),
            **others,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFlags(RunLimits):
    """How long searching, compiling and running may take, and how exact outputs have to be."""

    search_timeout: float = flag(120.0, "Limit on each search.", metavar="SECONDS")
    integer_tolerance: int = flag(
        default_of(MeasureOptions, "integer_tolerance"),
        "By how much integers in an output may differ, where floats are rounded.",
    )

    @property
    def search_timeout_s(self) -> float:
        """Limit on each search."""
        return seconds("--search-timeout", self.search_timeout)

    def verified(self, threads: int, emulator: MachineOptions | None, **others: Any) -> MeasureOptions:
        """How to measure and verify."""
        return self.measure(threads, emulator, integer_tolerance=self.integer_tolerance, **others)
