"""The command line: flags to option objects, nothing else."""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from hltune import __version__
from hltune.autoschedule import AutoscheduleOptions, autoschedule
from hltune.compare import CompareOptions, Comparison, compare
from hltune.cost_model.weights import read_weights
from hltune.doctor import examine
from hltune.errors import HltuneError, InputError
from hltune.export import TEXT_FORMS, ExportOptions, export, parse_forms
from hltune.known import best_known, keep_autoscheduled, keep_comparison, read_schedule_file
from hltune.machine.fingerprint import fingerprint
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions, physical_memory_bytes
from hltune.report import documents, tables
from hltune.report.progress import show_progress
from hltune.run import run
from hltune.search.options import Adams2019Options, Li2018Options, Mullapudi2016Options, SearchOptions
from hltune.subject import Subject, SubjectOptions, load_subject
from hltune.suite import catalog
from hltune.workspace import Record, Workspace, check_writable

app = typer.Typer(
    name="hltune",
    help="Finds fast schedules for Halide pipelines.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

PIPELINE_HELP = "A built-in name, file.py[:name], file.cpp[:name] or file.hlpipe."

Pipeline = Annotated[str, typer.Argument(help=PIPELINE_HELP)]
Pipelines = Annotated[list[str], typer.Argument(help=PIPELINE_HELP)]
Target = Annotated[str, typer.Option(help="host, or a Halide target string.")]
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
    list[str] | None, typer.Option("-i", "--input", metavar="[NAME=]IMAGE", help="Image or .npy file to run on.")
]
WorkspaceDir = Annotated[Path, typer.Option(help="Where schedules and caches are kept.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Parallelism = Annotated[
    int | None, typer.Option(help="Threads to schedule for and to run with.", show_default="cores")
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
Seed = Annotated[int, typer.Option(help="Of random inputs and of the search's dropout.")]

WORKSPACE = Path(".hltune")
SEARCH_TIMEOUT_S = 120.0
COMPILE_TIMEOUT_S = 60.0
RUN_TIMEOUT_S = 20.0
MEMORY_SHARE = 0.8


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    """Finds fast schedules for Halide pipelines."""
    if version:
        print(f"hltune {__version__}")


@app.command("list")
def list_command(*, as_json: Json = False) -> None:
    """Shows the built-in benchmarks."""
    if as_json:
        _print_json(documents.benchmarks(catalog.BENCHMARKS))
    else:
        tables.print_benchmarks(Console(), catalog.BENCHMARKS)


@app.command("schedule")
def schedule_command(
    pipeline: Pipeline,
    *,
    target: Target = "host",
    size: Size = None,
    parameters: Parameters = None,
    estimates: Estimates = None,
    examples: Examples = None,
    images: Images = None,
    autoscheduler: Annotated[str, typer.Option(help="adams2019, mullapudi2016 or li2018.")] = "adams2019",
    beam_size: BeamSize = 32,
    num_passes: NumPasses = None,
    max_parallelism: Parallelism = None,
    weights: WeightsFile = None,
    memory_limit: MemoryLimit = None,
    random_dropout: Annotated[
        int, typer.Option(metavar="PERCENT", help="Chance that no state is dropped: 100 drops none.")
    ] = 100,
    seed: Seed = 0,
    search_timeout: SearchTimeout = SEARCH_TIMEOUT_S,
    compile_timeout: CompileTimeout = COMPILE_TIMEOUT_S,
    run_timeout: RunTimeout = RUN_TIMEOUT_S,
    workspace: WorkspaceDir = WORKSPACE,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Directory for the schedule.", show_default="in the workspace")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """Finds a schedule without tuning, runs it, verifies it and writes it."""
    threads = _threads(max_parallelism)
    adams2019 = _adams2019(threads, beam_size, num_passes, weights, memory_limit, random_dropout, seed)
    options = AutoscheduleOptions(
        search=_search_options(autoscheduler, adams2019), search_timeout_s=_seconds("--search-timeout", search_timeout)
    )
    measure = _measure_options(threads, compile_timeout, run_timeout)
    inputs = _inputs(images, seed)
    place = Workspace(workspace)
    check_writable(output or place.root)
    with show_progress() as progress:
        progress.phase(f"loading {pipeline}")
        subject = load_subject(_subject(pipeline, target, size, parameters, estimates, examples), place)
        result = autoschedule(subject, options, measure=measure, inputs=inputs, progress=progress)
    keep_autoscheduled(place, subject, result, fingerprint(subject.target, threads=threads))
    export_options = ExportOptions(
        forms=TEXT_FORMS,
        directory=output or place.directory(subject.spec),
        target=subject.target.name,
        function_name=subject.spec.name,
    )
    files = export(subject.spec, result.schedule, export_options)
    if as_json:
        _print_json(documents.autoscheduled(subject, result, files))
    else:
        tables.print_autoscheduled(Console(), subject, result, files)


@app.command("compare")
def compare_command(
    pipelines: Pipelines,
    *,
    target: Target = "host",
    size: Size = None,
    parameters: Parameters = None,
    estimates: Estimates = None,
    examples: Examples = None,
    images: Images = None,
    beam_size: BeamSize = 32,
    num_passes: NumPasses = None,
    max_parallelism: Parallelism = None,
    weights: WeightsFile = None,
    memory_limit: MemoryLimit = None,
    seed: Seed = 0,
    rounds: Annotated[int, typer.Option(help="Turns that each schedule takes.")] = 7,
    schedules: Annotated[
        list[Path] | None, typer.Option("--schedule", metavar="FILE", help="A schedule.json to compare as well.")
    ] = None,
    search_timeout: SearchTimeout = SEARCH_TIMEOUT_S,
    compile_timeout: CompileTimeout = COMPILE_TIMEOUT_S,
    run_timeout: RunTimeout = RUN_TIMEOUT_S,
    workspace: WorkspaceDir = WORKSPACE,
    as_json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """Measures all known schedules side by side, interleaved."""
    threads = _threads(max_parallelism)
    adams2019 = _adams2019(threads, beam_size, num_passes, weights, memory_limit, 100, seed)
    measure = _measure_options(threads, compile_timeout, run_timeout, rounds=rounds)
    inputs = _inputs(images, seed)
    place = Workspace(workspace)
    from_files = {path.name.partition(".")[0]: read_schedule_file(path) for path in schedules or ()}
    results: list[Comparison] = []
    with show_progress() as progress:
        subjects = [
            load_subject(_subject(pipeline, target, size, parameters, estimates, examples), place)
            for pipeline in pipelines
        ]
        for subject in subjects:
            machine = fingerprint(subject.target, threads=threads)
            recorded = {record.name: record.schedule for record in place.records(subject.spec, machine)}
            options = CompareOptions(
                adams2019=adams2019,
                search_timeout_s=_seconds("--search-timeout", search_timeout),
                known={**recorded, **from_files},
            )
            results.append(compare(subject, options, measure=measure, inputs=inputs, progress=progress))
            keep_comparison(place, results[-1], machine)
            if not as_json:
                tables.print_comparison(Console(), results[-1])
    if as_json:
        _print_json(documents.comparisons(results))


@app.command("run")
def run_command(
    pipeline: Pipeline,
    *,
    images: Images = None,
    outputs: Annotated[list[Path] | None, typer.Option("-o", "--output", help="Image or .npy file to write.")] = None,
    target: Target = "host",
    size: Size = None,
    parameters: Parameters = None,
    estimates: Estimates = None,
    examples: Examples = None,
    max_parallelism: Parallelism = None,
    schedule: Annotated[Path | None, typer.Option(metavar="FILE", help="A schedule.json to use instead.")] = None,
    compile_timeout: CompileTimeout = COMPILE_TIMEOUT_S,
    run_timeout: RunTimeout = RUN_TIMEOUT_S,
    workspace: WorkspaceDir = WORKSPACE,
    as_json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """Applies the best known schedule to a real image."""
    threads = _threads(max_parallelism)
    place = Workspace(workspace)
    with show_progress() as progress:
        progress.phase(f"loading {pipeline}")
        subject = load_subject(_subject(pipeline, target, size, parameters, estimates, examples), place)
        record = _chosen(place, subject, threads, schedule)
        progress.phase(f"compiling and running {subject.spec.name}")
        result = run(
            subject,
            record.schedule,
            inputs=_inputs(images, 0),
            outputs=tuple(outputs or ()),
            measure=_measure_options(threads, compile_timeout, run_timeout),
        )
    if as_json:
        files = [str(path) for path in result.files]
        _print_json({"pipeline": subject.spec.name, "name": record.name, "files": files, "sizes": result.sizes})
    else:
        tables.print_ran(Console(), record.name, result)


@app.command("export")
def export_command(
    pipeline: Pipeline,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="Directory for the files.")],
    forms: Annotated[
        str, typer.Option("--format", help="Of json, python, cpp, object, separated by commas.")
    ] = "json,python,cpp,object",
    function_name: Annotated[
        str | None, typer.Option(help="C name of the compiled pipeline.", show_default="the pipeline's name")
    ] = None,
    target: Annotated[str, typer.Option(help="Halide target of the object code.")] = "host",
    size: Size = None,
    parameters: Parameters = None,
    estimates: Estimates = None,
    examples: Examples = None,
    max_parallelism: Parallelism = None,
    schedule: Annotated[Path | None, typer.Option(metavar="FILE", help="A schedule.json to use instead.")] = None,
    workspace: WorkspaceDir = WORKSPACE,
    as_json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """Writes the best known schedule in the forms that other programs use."""
    place = Workspace(workspace)
    wanted = parse_forms(forms)
    check_writable(output)
    with show_progress() as progress:
        progress.phase(f"loading {pipeline}")
        # Schedules are known by the machine that measured them, which is this one, whatever the target.
        subject = load_subject(_subject(pipeline, "host", size, parameters, estimates, examples), place)
        record = _chosen(place, subject, _threads(max_parallelism), schedule)
        progress.phase(f"exporting the schedule {record.name} of {subject.spec.name}")
        options = ExportOptions(
            forms=wanted, directory=output, target=target, function_name=function_name or subject.spec.name
        )
        files = export(subject.spec, record.schedule, options)
    if as_json:
        _print_json({"pipeline": subject.spec.name, "name": record.name, "files": [str(path) for path in files]})
    else:
        tables.print_files(Console(), files)


@app.command("doctor")
def doctor_command(*, as_json: Json = False) -> None:
    """Shows what is installed, what is missing and how to get it."""
    found = examine()
    if as_json:
        _print_json(documents.findings(found))
    else:
        tables.print_findings(Console(), found)
    if not all(finding.ok for finding in found if finding.required):
        raise typer.Exit(1)


def run_command_line(arguments: list[str]) -> int:
    """Runs a command and returns its exit code: 0 done, 1 failed, 2 bad input or usage, 130 interrupted."""
    try:
        app(arguments, prog_name="hltune")
    except HltuneError as error:
        if "--debug" in arguments:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        if "--json" in arguments:
            _print_json(documents.error(error))
        return error.exit_code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=1))


def _subject(
    pipeline: str,
    target: str,
    size: str | None,
    parameters: Iterable[str] | None,
    estimates: Iterable[str] | None,
    examples: Iterable[str] | None,
) -> SubjectOptions:
    return SubjectOptions(
        pipeline=pipeline,
        target=target,
        size=size,
        parameters=tuple(parameters or ()),
        estimates=tuple(estimates or ()),
        examples=tuple(examples or ()),
    )


def _chosen(place: Workspace, subject: Subject, threads: int, file: Path | None) -> Record:
    if file is None:
        return best_known(place, subject.spec, fingerprint(subject.target, threads=threads))
    return Record(name=file.name, schedule=read_schedule_file(file), cost_s=float("nan"), origin=str(file))


def _threads(max_parallelism: int | None) -> int:
    if max_parallelism is None:
        return os.cpu_count() or 1
    if max_parallelism < 1:
        raise InputError(
            "option out of range", where="--max-parallelism", expected="1 or more", found=str(max_parallelism)
        )
    return max_parallelism


def _adams2019(
    threads: int,
    beam_size: int,
    num_passes: int | None,
    weights: Path | None,
    memory_limit: str | None,
    random_dropout: int,
    seed: int,
) -> Adams2019Options:
    if weights is not None:
        read_weights(weights)
    return Adams2019Options(
        parallelism=threads,
        beam_size=beam_size,
        num_passes=num_passes,
        weights=weights.absolute() if weights else None,
        memory_limit_bytes=_bytes(memory_limit) if memory_limit else None,
        random_dropout=random_dropout,
        seed=seed,
    )


def _search_options(autoscheduler: str, adams2019: Adams2019Options) -> SearchOptions:
    known: dict[str, SearchOptions] = {
        "adams2019": adams2019,
        "mullapudi2016": Mullapudi2016Options(parallelism=adams2019.parallelism),
        "li2018": Li2018Options(parallelism=adams2019.parallelism),
    }
    if autoscheduler not in known:
        raise InputError(
            "unknown autoscheduler", where="--autoscheduler", expected=", ".join(known), found=repr(autoscheduler)
        )
    return known[autoscheduler]


def _measure_options(
    threads: int, compile_timeout: float, run_timeout: float, *, rounds: int = 3
) -> MeasureOptions:
    return MeasureOptions(
        threads=threads,
        rounds=rounds,
        compile_timeout_s=_seconds("--compile-timeout", compile_timeout),
        run_timeout_s=_seconds("--run-timeout", run_timeout),
        memory_bytes=int(physical_memory_bytes() * MEMORY_SHARE),
    )


def _seconds(option: str, value: float) -> float:
    if not 0 < value < float("inf"):
        raise InputError("option out of range", where=option, expected="more than 0 seconds", found=str(value))
    return value


def _bytes(text: str) -> int:
    match = re.fullmatch(r"([0-9]+)([KMG]?)", text)
    if match is None:
        raise InputError(
            "malformed size", where="--memory-limit", expected="bytes, or a number with K, M or G", found=repr(text)
        )
    return int(match[1]) * 1024 ** " KMG".index(match[2] or " ")


def _inputs(images: Iterable[str] | None, seed: int) -> Inputs:
    return Inputs(images=tuple(_image(text) for text in images or ()), seed=seed)


def _image(text: str) -> tuple[str | None, Path]:
    name, equals, path = text.partition("=")
    if not equals or Path(text).exists():
        name, path = "", text
    if not Path(path).is_file():
        raise InputError("no such image", where=f"-i {text}", found=f"no file {path!r}")
    return name or None, Path(path).absolute()
