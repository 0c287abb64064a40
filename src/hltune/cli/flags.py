"""The flags that commands share, and what becomes of their values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hltune.cost_model.adams2019.weights import read_weights
from hltune.machine.hexagon.options import CacheModel, EmulatorOptions
from hltune.machine.inputs import Inputs
from hltune.machine.open import default_threads
from hltune.machine.options import MeasureOptions
from hltune.pipeline.source import parse_number, split_named_file
from hltune.pipeline.target import HOST
from hltune.search.autoschedulers import Adams2019Options, Li2018Options, Mullapudi2016Options, SearchOptions
from hltune.values.errors import InputError
from hltune.values.pipeline import Number
from hltune.workspace.subject import SubjectOptions

PIPELINE_HELP = "A built-in name, file.py[:name], file.cpp[:name] or file.hlpipe."

Pipeline = Annotated[str, typer.Argument(help=PIPELINE_HELP)]
Pipelines = Annotated[list[str], typer.Argument(help=PIPELINE_HELP)]
Target = Annotated[str, typer.Option(help="host, hexagon, or a Halide target string.")]
Size = Annotated[str | None, typer.Option(metavar="WxH", help="Size of a built-in benchmark.")]
Parameters = Annotated[
    list[str] | None, typer.Option("-p", metavar="KEY=VALUE", help="Parameter of the generator or function.")
]
Estimates = Annotated[
    list[str] | None, typer.Option("--estimate", metavar="NAME=WxH", help="Estimate of an input or output.")
]
Examples = Annotated[
    list[str] | None, typer.Option("--example", metavar="[NAME=]IMAGE", help="Image whose size is the estimate.")
]
Images = Annotated[
    list[str] | None,
    typer.Option("-i", "--input", metavar="[NAME=]IMAGE", help="Image or .npy file to run on; NAME=VALUE of a scalar."),
]
WorkspaceDir = Annotated[Path, typer.Option(help="Where schedules and caches are kept.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Parallelism = Annotated[
    int | None, typer.Option(help="Threads to schedule for and to run with.", show_default="cores; 1 for hexagon")
]
HeapLimit = Annotated[
    str, typer.Option(metavar="BYTES", help="Heap that a schedule may use at a time in the emulator, such as 64M.")
]
BeamSize = Annotated[int, typer.Option(help="States that the tree search keeps; 1 is greedy.")]
NumPasses = Annotated[
    int | None, typer.Option(help="Passes of the tree search.", show_default="5; 1 when the beam is 1")
]
WeightsFile = Annotated[
    Path | None, typer.Option(help="Weights of the cost model, a .weights file.", show_default="built-in")
]
MemoryLimit = Annotated[
    str | None, typer.Option(metavar="BYTES", help="Memory that a schedule may allocate, such as 64M or 2G.")
]
SearchTimeout = Annotated[float, typer.Option(metavar="SECONDS", help="Limit on each search.")]
CompileTimeout = Annotated[float, typer.Option(metavar="SECONDS", help="Limit on each compilation.")]
RunTimeout = Annotated[float, typer.Option(metavar="SECONDS", help="Limit on each run.")]
Objective = Annotated[
    str,
    typer.Option(help="Of the emulator: packets, or packets+20*misses with a simulated cache; packets+misses is 20."),
]
Cache = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE:WAYS:LINE",
        help="Cache of packets+misses: bytes, lines of a set, bytes of a line.",
        show_default="1M:8:128",
    ),
]
IntegerTolerance = Annotated[
    int, typer.Option(help="By how much integers in an output may differ, where floats are rounded.")
]
Seed = Annotated[int, typer.Option(help="Of random inputs and of the search's dropout.")]

WORKSPACE = Path(".hltune")
SEARCH_TIMEOUT_S = 120.0
COMPILE_TIMEOUT_S = 60.0
TUNE_COMPILE_TIMEOUT_S = 20.0
"""What compiles longer is hardly ever fast, and many others could be measured meanwhile."""
PRETRAIN_COMPILE_TIMEOUT_S = 10.0
PRETRAIN_ABORT_RATIO = 1000.0
"""A schedule that is hopeless for one program still teaches something."""
PRETRAIN_FLOAT_SLACK = 100.0
"""Random expressions cancel out more often than those of people, and rounding then shows."""
TUNE_MINUTES = 5.0
TUNE_ROUNDS = 9
"""Turns in the final comparison: enough for an interval, and short, for there are many finalists."""
TUNE_TURN_S = 0.04
RUN_TIMEOUT_S = 20.0
HEAP_LIMIT = "256M"
OBJECTIVE = "packets"
_MISS_WEIGHT = 20.0
_DEFAULT_CACHE = "1M:8:128"


def subject(
    pipeline: str,
    target: str,
    size: str | None,
    parameters: Iterable[str] | None,
    estimates: Iterable[str] | None,
    examples: Iterable[str] | None,
) -> SubjectOptions:
    """Which pipeline, on which target."""
    return SubjectOptions(
        pipeline=pipeline,
        target=target,
        size=size,
        parameters=tuple(parameters or ()),
        estimates=tuple(estimates or ()),
        examples=tuple(examples or ()),
    )


def threads(max_parallelism: int | None, target: str = HOST) -> int:
    """Size of the thread pool: what suits the machine, unless told otherwise."""
    if max_parallelism is None:
        return default_threads(target)
    if max_parallelism < 1:
        raise InputError(
            "option out of range", where="--max-parallelism", expected="1 or more", found=str(max_parallelism)
        )
    return max_parallelism


def adams2019(
    threads: int,
    beam_size: int,
    num_passes: int | None,
    weights: Path | None,
    memory_limit: str | None,
    random_dropout: int,
    seed: int,
) -> Adams2019Options:
    """The tree search; the weights are checked here, because the plugin does not."""
    if weights is not None:
        read_weights(weights)
    return Adams2019Options(
        parallelism=threads,
        beam_size=beam_size,
        num_passes=num_passes,
        weights=weights.absolute() if weights else None,
        memory_limit_bytes=_bytes("--memory-limit", memory_limit) if memory_limit else None,
        random_dropout=random_dropout,
        seed=seed,
    )


def search_options(
    autoscheduler: str, adams2019: Adams2019Options, *, last_level_cache: str, balance: float
) -> SearchOptions:
    """The options of the autoscheduler of this name."""
    known: dict[str, SearchOptions] = {
        "adams2019": adams2019,
        "mullapudi2016": Mullapudi2016Options(
            parallelism=adams2019.parallelism,
            last_level_cache_bytes=_bytes("--last-level-cache", last_level_cache),
            balance=balance,
        ),
        "li2018": Li2018Options(parallelism=adams2019.parallelism),
    }
    if autoscheduler not in known:
        raise InputError(
            "unknown autoscheduler", where="--autoscheduler", expected=", ".join(known), found=repr(autoscheduler)
        )
    return known[autoscheduler]


def measure_options(
    threads: int,
    compile_timeout: float,
    run_timeout: float,
    *,
    rounds: int = 3,
    turn_s: float = 0.1,
    integer_tolerance: int = 0,
    emulator: EmulatorOptions | None = None,
) -> MeasureOptions:
    """How to measure."""
    return MeasureOptions(
        threads=threads,
        turns=rounds,
        turn_s=turn_s,
        integer_tolerance=integer_tolerance,
        machine_options=emulator,
        compile_timeout_s=seconds("--compile-timeout", compile_timeout),
        run_timeout_s=seconds("--run-timeout", run_timeout),
    )


def emulator_options(heap_limit: str, objective: str, cache: str | None) -> EmulatorOptions | None:
    """How to run in an emulator; None for the defaults, which any machine takes."""
    own = EmulatorOptions(heap_limit_bytes=_bytes("--heap-limit", heap_limit), cache=_cache_model(objective, cache))
    return None if own == EmulatorOptions() else own


def _cache_model(objective: str, cache: str | None) -> CacheModel | None:
    match = re.fullmatch(r"packets(\+(?:([0-9.]+)\*)?misses)?", objective)
    if match is None:
        raise InputError(
            "unknown objective",
            where="--objective",
            expected="packets, packets+misses or packets+20*misses",
            found=repr(objective),
        )
    if match[1] is None:
        if cache is not None:
            raise InputError(
                "a cache that nobody counts misses of",
                where="--cache",
                found=repr(cache),
                todo="give --objective packets+misses as well",
            )
        return None
    parts = [_bytes("--cache", part) for part in (cache or _DEFAULT_CACHE).split(":")]
    if len(parts) != 3:
        raise InputError(
            "malformed cache", where="--cache", expected="SIZE:WAYS:LINE, such as 1M:8:128", found=repr(cache)
        )
    size, ways, line = parts
    weight = _MISS_WEIGHT if match[2] is None else _weight(match[2])
    return CacheModel(miss_weight=weight, size_bytes=size, ways=ways, line_bytes=line)


def _weight(text: str) -> float:
    number = parse_number(text)
    if number is None:
        raise InputError("malformed weight", where="--objective", expected="a number", found=repr(text))
    return float(number)


def pretrain_measure_options(
    threads: int, compile_timeout: float, run_timeout: float, emulator: EmulatorOptions | None
) -> MeasureOptions:
    """How to measure random programs: that a slow schedule is slow is worth knowing."""
    options = measure_options(threads, compile_timeout, run_timeout, emulator=emulator)
    return replace(options, abort_ratio=PRETRAIN_ABORT_RATIO, float_slack=PRETRAIN_FLOAT_SLACK)


def plan_of(plan: bool, pipelines: int | None, hours: float | None) -> tuple[int, float] | None:
    """Pipelines and hours to plan for; None if no plan is asked for."""
    if not plan and pipelines is None and hours is None:
        return None
    if not plan or pipelines is None or hours is None:
        raise InputError("--plan, --pipelines and --hours belong together", todo="give all three, or none of them")
    if not 0 < hours < float("inf"):
        raise InputError("option out of range", where="--hours", expected="more than 0", found=str(hours))
    return pipelines, hours


def seconds(option: str, value: float) -> float:
    """A limit in seconds, checked."""
    if not 0 < value < float("inf"):
        raise InputError("option out of range", where=option, expected="more than 0 seconds", found=str(value))
    return value


def _bytes(option: str, text: str) -> int:
    match = re.fullmatch(r"([0-9]+)([KMG]?)", text)
    if match is None:
        raise InputError("malformed size", where=option, expected="bytes, or a number with K, M or G", found=repr(text))
    return int(match[1]) * 1024 ** " KMG".index(match[2] or " ")


def inputs_of(images: Iterable[str] | None, seed: int) -> Inputs:
    """What to run on."""
    scalars: list[tuple[str, Number]] = []
    files: list[tuple[str | None, Path]] = []
    for text in images or ():
        name, equals, value = text.partition("=")
        number = parse_number(value) if name and equals and not Path(value).exists() else None
        if number is None:
            files.append(_image(text))
        else:
            scalars.append((name, number))
    return Inputs(images=tuple(files), scalars=tuple(scalars), seed=seed)


def sizes(option: str, texts: Iterable[str] | None) -> dict[str, tuple[int, ...]]:
    """Extents by name, from ``NAME=WxH``."""
    found: dict[str, tuple[int, ...]] = {}
    for text in texts or ():
        match = re.fullmatch(r"(\w+)=([1-9][0-9]*(?:x[1-9][0-9]*)*)", text)
        if match is None:
            raise InputError("malformed size", where=f"{option} {text}", expected="NAME=WIDTHxHEIGHT")
        found[match[1]] = tuple(int(extent) for extent in match[2].split("x"))
    return found


def _image(text: str) -> tuple[str | None, Path]:
    name, path = split_named_file(text)
    if not Path(path).is_file():
        raise InputError("no such image", where=f"-i {text}", found=f"no file {path!r}")
    return name or None, Path(path).absolute()
