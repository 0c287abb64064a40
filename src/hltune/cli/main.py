"""The command line: flags to option objects, nothing else."""

from __future__ import annotations

import contextlib
import json
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from hltune import INTERRUPTED, __version__
from hltune.cli import flags, programs, samples
from hltune.commands.compare import CompareOptions, Comparison, compare
from hltune.commands.doctor import examine
from hltune.commands.export import FORMS, TEXT_FORMS, ExportOptions, export, parse_forms
from hltune.commands.run import run
from hltune.commands.schedule import AutoscheduleOptions, autoschedule
from hltune.machine.hexagon.target import HEXAGON
from hltune.machine.open import TargetJob, identify
from hltune.machine.options import MeasureOptions
from hltune.pipeline.target import HOST
from hltune.report import documents, tables
from hltune.report.progress import show_progress
from hltune.runtime import interrupts
from hltune.runtime.files import check_writable
from hltune.runtime.worker import Worker
from hltune.search.autoschedulers import Adams2019Options
from hltune.suite import catalog
from hltune.values.directives import Schedule
from hltune.values.errors import HltuneError, InputError
from hltune.values.provenance import Named
from hltune.values.schedule_codec import read_schedule_file
from hltune.workspace.default_weights import with_default_weights
from hltune.workspace.records import Record, Workspace
from hltune.workspace.subject import Subject, load_subject

app = typer.Typer(
    name="hltune",
    help="Finds fast schedules for Halide pipelines.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(samples.app, name="samples")
app.add_typer(programs.app, name="programs")


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    """Finds fast schedules for Halide pipelines."""
    interrupts.raise_interrupts()
    if version:
        print(f"hltune {__version__}")


@app.command("list")
def list_command(*, as_json: flags.Json = False) -> None:
    """Shows the built-in benchmarks."""
    if as_json:
        _print_json(documents.benchmarks(catalog.BENCHMARKS))
    else:
        tables.print_benchmarks(Console(), catalog.BENCHMARKS)


@app.command("schedule")
def schedule_command(
    pipeline: flags.Pipeline,
    *,
    target: flags.Target = "host",
    size: flags.Size = None,
    parameters: flags.Parameters = None,
    estimates: flags.Estimates = None,
    examples: flags.Examples = None,
    images: flags.Images = None,
    autoscheduler: Annotated[str, typer.Option(help="adams2019, mullapudi2016 or li2018.")] = "adams2019",
    beam_size: flags.BeamSize = 32,
    num_passes: flags.NumPasses = None,
    max_parallelism: flags.Parallelism = None,
    weights: flags.WeightsFile = None,
    memory_limit: flags.MemoryLimit = None,
    random_dropout: Annotated[
        int, typer.Option(metavar="PERCENT", help="Chance of dropping no state at all: 100 drops none, 1 makes probes.")
    ] = 100,
    last_level_cache: Annotated[str, typer.Option(metavar="BYTES", help="Of mullapudi2016.")] = "16M",
    balance: Annotated[float, typer.Option(help="Of mullapudi2016: cost of a load relative to arithmetic.")] = 40.0,
    seed: flags.Seed = 0,
    integer_tolerance: flags.IntegerTolerance = 0,
    search_timeout: flags.SearchTimeout = flags.SEARCH_TIMEOUT_S,
    compile_timeout: flags.CompileTimeout = flags.COMPILE_TIMEOUT_S,
    run_timeout: flags.RunTimeout = flags.RUN_TIMEOUT_S,
    heap_limit: flags.HeapLimit = flags.HEAP_LIMIT,
    objective: flags.Objective = flags.OBJECTIVE,
    cache: flags.Cache = None,
    workspace: flags.WorkspaceDir = flags.WORKSPACE,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Directory for the schedule.", show_default="in the workspace")
    ] = None,
    as_json: flags.Json = False,
    debug: flags.Debug = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """Finds a schedule without tuning, runs it, verifies it and writes it."""
    threads = flags.threads(max_parallelism, target)
    adams2019 = flags.adams2019(threads, beam_size, num_passes, weights, memory_limit, random_dropout, seed)
    options = AutoscheduleOptions(
        search=flags.search_options(autoscheduler, adams2019, last_level_cache=last_level_cache, balance=balance),
        search_timeout_s=flags.seconds("--search-timeout", search_timeout),
    )
    emulator = flags.emulator_options(heap_limit, objective, cache)
    measure = flags.measure_options(
        threads,
        compile_timeout,
        run_timeout,
        integer_tolerance=integer_tolerance,
        emulator=emulator,
    )
    inputs = flags.inputs_of(images, seed)
    place = Workspace(workspace)
    for directory in {place.root, output or place.root}:
        check_writable(directory)
    with show_progress() as progress:
        progress.phase(f"loading {pipeline}")
        subject = load_subject(flags.subject(pipeline, target, size, parameters, estimates, examples), place)
        if isinstance(options.search, Adams2019Options):
            machine = identify(subject.target, measure)
            options = replace(options, search=with_default_weights(options.search, place, machine, progress))
        result = autoschedule(subject, options, workspace=place, measure=measure, inputs=inputs, progress=progress)
    files = _export_texts(subject, result.schedule, output or place.directory(subject.spec))
    if as_json:
        _print_json(documents.autoscheduled(subject, result, files))
    else:
        tables.print_autoscheduled(Console(), subject, result, files)


@app.command("tune")
def tune_command(
    pipelines: flags.Pipelines,
    *,
    minutes: Annotated[
        float | None, typer.Option(help="Wall time for all pipelines together.", show_default="5, unless limited else")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Measurements of all pipelines together.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds of each pipeline; 0 compares what is known.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over from the initial weights; keep samples.")] = False,
    discard: Annotated[bool, typer.Option("--discard", help="With --fresh: forget the samples as well.")] = False,
    freeze: Annotated[bool, typer.Option("--freeze", help="Measure without training the weights.")] = False,
    target: flags.Target = "host",
    size: flags.Size = None,
    parameters: flags.Parameters = None,
    estimates: flags.Estimates = None,
    examples: flags.Examples = None,
    images: flags.Images = None,
    beam_size: flags.BeamSize = 32,
    num_passes: flags.NumPasses = None,
    max_parallelism: flags.Parallelism = None,
    weights: flags.WeightsFile = None,
    memory_limit: flags.MemoryLimit = None,
    seed: flags.Seed = 0,
    integer_tolerance: flags.IntegerTolerance = 0,
    search_timeout: flags.SearchTimeout = flags.SEARCH_TIMEOUT_S,
    compile_timeout: flags.CompileTimeout = flags.TUNE_COMPILE_TIMEOUT_S,
    run_timeout: flags.RunTimeout = flags.RUN_TIMEOUT_S,
    heap_limit: flags.HeapLimit = flags.HEAP_LIMIT,
    objective: flags.Objective = flags.OBJECTIVE,
    cache: flags.Cache = None,
    workspace: flags.WorkspaceDir = flags.WORKSPACE,
    as_json: flags.Json = False,
    debug: flags.Debug = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """Measures candidates while the cost model learns from them; goes on where the last run stopped."""
    with interrupts.importing():  # JAX and LightGBM, which takes longer than most other commands
        from hltune.commands.tune import tune
        from hltune.report import tune as report
        from hltune.report.curve import plot_curve
        from hltune.tuning.options import Budget, TuneOptions

    threads = flags.threads(max_parallelism, target)
    unlimited = minutes is None and samples is None and rounds is None
    options = TuneOptions(
        search=flags.adams2019(threads, beam_size, num_passes, weights, memory_limit, 100, seed),
        search_timeout_s=flags.seconds("--search-timeout", search_timeout),
        budget=Budget(minutes=flags.TUNE_MINUTES if unlimited else minutes, samples=samples, rounds=rounds),
        fresh=fresh,
        discard=discard,
        freeze=freeze,
    )
    emulator = flags.emulator_options(heap_limit, objective, cache)
    measure = flags.measure_options(
        threads,
        compile_timeout,
        run_timeout,
        rounds=flags.TUNE_ROUNDS,
        turn_s=flags.TUNE_TURN_S,
        integer_tolerance=integer_tolerance,
        emulator=emulator,
    )
    inputs = flags.inputs_of(images, seed)
    place = Workspace(workspace)
    check_writable(place.root)
    with report.show_tuning() as progress:
        progress.phase(f"loading {', '.join(pipelines)}")
        subjects = [
            load_subject(flags.subject(pipeline, target, size, parameters, estimates, examples), place)
            for pipeline in pipelines
        ]
        machine = identify(subjects[0].target, measure)
        options = replace(options, search=with_default_weights(options.search, place, machine, progress))
        results = tune(subjects, options, workspace=place, measure=measure, inputs=inputs, progress=progress)
        files: list[list[Path]] = []
        for result in results:
            subject, schedule = result.subject, result.finals.winner.schedule
            assert schedule is not None
            files.append([*_export_texts(subject, schedule, place.directory(subject.spec))])
            try:
                files[-1] += plot_curve(result, place)
            except InputError as error:  # the result does not depend on its picture
                progress.note(str(error))
    if as_json:
        _print_json(report.document(results, place.samples))
    else:
        for result, paths in zip(results, files, strict=True):
            report.print_tuned(Console(), result, paths)


@app.command("pretrain")
def pretrain_command(
    *,
    batches: Annotated[int, typer.Option(help="Random programs in all, those of earlier runs included.")] = 100,
    minutes: Annotated[
        float | None, typer.Option(help="Begin no further batch after this time.", show_default="until all are done")
    ] = None,
    schedules: Annotated[int, typer.Option(help="Distinct schedules per program.")] = 16,
    from_scratch: Annotated[bool, typer.Option("--from-scratch", help="Start from random weights.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over; keep samples.")] = False,
    benchmarks: Annotated[
        bool, typer.Option("--benchmarks/--no-benchmarks", help="Judge the weights by the built-in benchmarks, too.")
    ] = True,
    use: Annotated[bool, typer.Option("--use", help="Make the weights this workspace's default.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Only say whether to pre-train or to tune.")] = False,
    pipelines: Annotated[int | None, typer.Option(min=1, help="With --plan: how many to schedule.")] = None,
    hours: Annotated[float | None, typer.Option(help="With --plan: for all of them.")] = None,
    target: flags.Target = "host",
    beam_size: flags.BeamSize = 8,
    num_passes: flags.NumPasses = 1,
    max_parallelism: flags.Parallelism = None,
    weights: flags.WeightsFile = None,
    seed: Annotated[int, typer.Option(help="Of programs and searches.")] = 0,
    compile_timeout: flags.CompileTimeout = flags.PRETRAIN_COMPILE_TIMEOUT_S,
    run_timeout: flags.RunTimeout = flags.RUN_TIMEOUT_S,
    heap_limit: flags.HeapLimit = flags.HEAP_LIMIT,
    objective: flags.Objective = flags.OBJECTIVE,
    cache: flags.Cache = None,
    workspace: flags.WorkspaceDir = flags.WORKSPACE,
    as_json: flags.Json = False,
    debug: flags.Debug = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """Trains the cost model on random programs, once per machine; goes on where the last run stopped."""
    with interrupts.importing():  # JAX, which takes longer than most other commands
        from hltune.commands.pretrain import plan_pretraining, pretrain
        from hltune.pretraining.options import PretrainOptions
        from hltune.report import pretrain as report

    threads = flags.threads(max_parallelism, target)
    options = PretrainOptions(
        search=flags.adams2019(threads, beam_size, num_passes, weights, None, 100, seed),
        batches=batches,
        minutes=minutes,
        schedules=schedules,
        from_scratch=from_scratch,
        fresh=fresh,
        benchmarks=benchmarks,
    )
    emulator = flags.emulator_options(heap_limit, objective, cache)
    measure = flags.pretrain_measure_options(threads, compile_timeout, run_timeout, emulator)
    place = Workspace(workspace)
    wanted = flags.plan_of(plan, pipelines, hours)
    with Worker() as worker:
        info = worker.run(TargetJob(target))
    if wanted is not None:
        advice = plan_pretraining(options, *wanted, target=info, workspace=place, measure=measure)
        _print_json(report.plan_document(advice)) if as_json else report.print_plan(Console(), advice)
        return
    check_writable(place.root)
    with report.show_pretraining() as progress:
        result = pretrain(options, target=info, workspace=place, measure=measure, use=use, progress=progress)
    if as_json:
        _print_json(report.document(result))
    else:
        report.print_pretrained(Console(), result)


@app.command("compare")
def compare_command(
    pipelines: flags.Pipelines,
    *,
    target: flags.Target = "host",
    size: flags.Size = None,
    parameters: flags.Parameters = None,
    estimates: flags.Estimates = None,
    examples: flags.Examples = None,
    images: flags.Images = None,
    beam_size: flags.BeamSize = 32,
    num_passes: flags.NumPasses = None,
    max_parallelism: flags.Parallelism = None,
    weights: flags.WeightsFile = None,
    memory_limit: flags.MemoryLimit = None,
    seed: flags.Seed = 0,
    rounds: Annotated[int, typer.Option(help="Turns that each schedule takes.")] = 7,
    schedules: Annotated[
        list[Path] | None, typer.Option("--schedule", metavar="FILE", help="A schedule.json to compare as well.")
    ] = None,
    integer_tolerance: flags.IntegerTolerance = 0,
    search_timeout: flags.SearchTimeout = flags.SEARCH_TIMEOUT_S,
    compile_timeout: flags.CompileTimeout = flags.COMPILE_TIMEOUT_S,
    run_timeout: flags.RunTimeout = flags.RUN_TIMEOUT_S,
    heap_limit: flags.HeapLimit = flags.HEAP_LIMIT,
    objective: flags.Objective = flags.OBJECTIVE,
    cache: flags.Cache = None,
    workspace: flags.WorkspaceDir = flags.WORKSPACE,
    as_json: flags.Json = False,
    debug: flags.Debug = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """Measures all known schedules side by side, interleaved."""
    threads = flags.threads(max_parallelism, target)
    adams2019 = flags.adams2019(threads, beam_size, num_passes, weights, memory_limit, 100, seed)
    emulator = flags.emulator_options(heap_limit, objective, cache)
    measure = flags.measure_options(
        threads,
        compile_timeout,
        run_timeout,
        rounds=rounds,
        integer_tolerance=integer_tolerance,
        emulator=emulator,
    )
    inputs = flags.inputs_of(images, seed)
    place = Workspace(workspace)
    check_writable(place.root)
    options = CompareOptions(
        adams2019=adams2019,
        search_timeout_s=flags.seconds("--search-timeout", search_timeout),
        files=[(path.name.partition(".")[0], read_schedule_file(path)) for path in schedules or ()],
    )
    subjects = [
        load_subject(flags.subject(pipeline, target, size, parameters, estimates, examples), place)
        for pipeline in pipelines
    ]
    results: list[Comparison] = []
    for subject in subjects:
        with show_progress() as progress:
            machine = identify(subject.target, measure)
            search = with_default_weights(adams2019, place, machine, progress)
            result = compare(
                subject,
                replace(options, adams2019=search),
                workspace=place,
                measure=measure,
                inputs=inputs,
                progress=progress,
            )
        if not as_json:
            tables.print_comparison(Console(), result)
        results.append(result)
    if as_json:
        _print_json(documents.comparisons(results))
    if not all(result.best is not None for result in results):
        raise typer.Exit(1)


@app.command("run")
def run_command(
    pipeline: flags.Pipeline,
    *,
    images: flags.Images = None,
    outputs: Annotated[list[Path] | None, typer.Option("-o", "--output", help="Image or .npy file to write.")] = None,
    output_sizes: Annotated[
        list[str] | None, typer.Option("--output-size", metavar="NAME=WxH", help="Size of an output.")
    ] = None,
    target: flags.Target = "host",
    size: flags.Size = None,
    parameters: flags.Parameters = None,
    estimates: flags.Estimates = None,
    examples: flags.Examples = None,
    max_parallelism: flags.Parallelism = None,
    schedule: Annotated[Path | None, typer.Option(metavar="FILE", help="A schedule.json to use instead.")] = None,
    compile_timeout: flags.CompileTimeout = flags.COMPILE_TIMEOUT_S,
    run_timeout: flags.RunTimeout = flags.RUN_TIMEOUT_S,
    workspace: flags.WorkspaceDir = flags.WORKSPACE,
    as_json: flags.Json = False,
    debug: flags.Debug = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """Applies the best known schedule to a real image."""
    measure = flags.measure_options(flags.threads(max_parallelism, target), compile_timeout, run_timeout)
    place = Workspace(workspace)
    with show_progress() as progress:
        progress.phase(f"loading {pipeline}")
        subject = load_subject(flags.subject(pipeline, target, size, parameters, estimates, examples), place)
        record = _chosen(place, subject, measure, schedule)
        progress.phase(f"compiling and running {subject.spec.name}")
        result = run(
            subject,
            record.schedule,
            inputs=flags.inputs_of(images, 0),
            outputs=tuple(outputs or ()),
            output_sizes=flags.sizes("--output-size", output_sizes),
            measure=measure,
        )
    if as_json:
        files = [str(path) for path in result.files]
        _print_json({"pipeline": subject.spec.name, "name": record.name, "files": files, "sizes": result.sizes})
    else:
        tables.print_ran(Console(), record.name, result)


@app.command("export")
def export_command(
    pipeline: flags.Pipeline,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="Directory for the files.")],
    forms: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Of json, python, cpp, object, offload, separated by commas.",
            show_default="json,python,cpp,object; offload as well for hexagon",
        ),
    ] = None,
    function_name: Annotated[
        str | None, typer.Option(help="C name of the compiled pipeline.", show_default="the pipeline's name")
    ] = None,
    target: Annotated[str, typer.Option(help="Halide target of the object code.")] = "host",
    size: flags.Size = None,
    parameters: flags.Parameters = None,
    estimates: flags.Estimates = None,
    examples: flags.Examples = None,
    max_parallelism: flags.Parallelism = None,
    schedule: Annotated[Path | None, typer.Option(metavar="FILE", help="A schedule.json to use instead.")] = None,
    heap_limit: flags.HeapLimit = flags.HEAP_LIMIT,
    objective: flags.Objective = flags.OBJECTIVE,
    cache: flags.Cache = None,
    workspace: flags.WorkspaceDir = flags.WORKSPACE,
    as_json: flags.Json = False,
    debug: flags.Debug = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """Writes the best known schedule in the forms that other programs use."""
    place = Workspace(workspace)
    on_dsp = target.startswith(HEXAGON)
    wanted = parse_forms(forms or ",".join(FORMS if on_dsp else FORMS[:-1]))
    check_writable(output)
    with show_progress() as progress:
        progress.phase(f"loading {pipeline}")
        # Schedules are known by the machine that measured them: the emulated DSP for its own, this one for all others.
        measured_on = target if on_dsp else HOST
        subject = load_subject(flags.subject(pipeline, measured_on, size, parameters, estimates, examples), place)
        emulator = flags.emulator_options(heap_limit, objective, cache)
        measure = MeasureOptions(threads=flags.threads(max_parallelism, measured_on), machine_options=emulator)
        record = _chosen(place, subject, measure, schedule)
        if target != measured_on and schedule is None:
            progress.note(f"the schedule was found for this machine; give --schedule FILE for one found for {target}")
        progress.phase(f"exporting the schedule {record.name} of {subject.spec.name}")
        options = ExportOptions(forms=wanted, directory=output, target=target, function_name=function_name)
        files = export(subject.spec, record.schedule, options)
    if as_json:
        _print_json({"pipeline": subject.spec.name, "name": record.name, "files": [str(path) for path in files]})
    else:
        tables.print_files(Console(), files)


@app.command("doctor")
def doctor_command(*, as_json: flags.Json = False) -> None:
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
        return _fail(error, arguments)
    except OSError as error:
        return _fail(HltuneError("the operating system refuses", where=error.filename, found=str(error)), arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
        if code == INTERRUPTED:
            raise KeyboardInterrupt from None
        if code == InputError.exit_code and "--json" in arguments:  # the message is on standard error already
            _print_json(documents.error(InputError("wrong usage", todo="see hltune COMMAND --help")))
        return code
    return 0


def _fail(error: HltuneError, arguments: list[str]) -> int:
    if "--debug" in arguments:
        traceback.print_exc()
        print(error.log, file=sys.stderr)
    print(f"error: {error}", file=sys.stderr)
    if "--json" in arguments:
        with contextlib.suppress(OSError):  # standard output itself may be what fails
            _print_json(documents.error(error))
    return error.exit_code


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=1), flush=True)


def _export_texts(subject: Subject, schedule: Schedule, directory: Path) -> tuple[Path, ...]:
    options = ExportOptions(forms=TEXT_FORMS, directory=directory, target=subject.target.name, function_name=None)
    return export(subject.spec, schedule, options)


def _chosen(place: Workspace, subject: Subject, measure: MeasureOptions, file: Path | None) -> Record:
    if file is None:
        return place.best(subject.spec, identify(subject.target, measure))
    return Record(
        name=file.name,
        schedule=read_schedule_file(file),
        cost=float("nan"),
        provenance=Named(name=str(file)),
    )
