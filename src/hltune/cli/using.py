"""`hltune run`, `export` and `doctor`: flags to options, results to people."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hltune.cli.arguments import LIMITS, OUTPUT, WHAT, each_parsed
from hltune.cli.emulator import EmulatorFlags
from hltune.cli.flags import ImageFlags, Known, Output, Pipeline, RunLimits, Seconds, SourceFlags, ThreadFlags
from hltune.cli.output import JsonFlags, OutputFlags
from hltune.pipeline.source import check_unique
from hltune.runtime import interrupts
from hltune.values.errors import InputError


def _parse_output_size(text: str) -> tuple[str, tuple[int, ...]]:
    """Reads ``NAME=WxH``."""
    match = re.fullmatch(r"(\w+)=([1-9][0-9]*(?:x[1-9][0-9]*)*)", text)
    if match is None:
        raise InputError("malformed size", where=f"--output-size {text}", expected="NAME=WIDTHxHEIGHT")
    return match[1], tuple(int(extent) for extent in match[2].split("x"))


def _parse_output(text: str) -> tuple[str | None, Path]:
    """Reads ``out.png`` or ``NAME=out.png``."""
    match = re.fullmatch(r"(?:([\w.$]+)=)?(.+)", text)
    if match is None:
        raise InputError("malformed output", where=f"-o {text}", expected="out.png or NAME=out.png")
    return match[1], Path(match[2])


@Parameter(name="*", group=WHAT)
@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSource(SourceFlags):
    """What is exported, for which target."""

    target: Annotated[str, Parameter(help="Halide target of the object code.")] = "host"


@Parameter(name="*", group=LIMITS)
@dataclass(frozen=True, slots=True, kw_only=True)
class ExportLimits(RunLimits):
    """How long it may take, where nobody waits in a loop: some schedules are compiled for minutes.

    Attributes:
        compile_timeout: Limit on each compilation.
    """

    compile_timeout: Seconds = 600.0


def run(
    pipeline: Pipeline,
    /,
    *,
    source: ImageFlags = ImageFlags(),
    schedule: Known = None,
    threads: ThreadFlags = ThreadFlags(),
    limits: RunLimits = RunLimits(),
    files: Annotated[
        tuple[tuple[str | None, Path], ...],
        each_parsed(_parse_output, name=("-o", "--output"), group=OUTPUT, metavar="[NAME=]FILE"),
    ] = (),
    sizes: Annotated[
        tuple[tuple[str, tuple[int, ...]], ...],
        each_parsed(_parse_output_size, name="--output-size", group=OUTPUT, metavar="NAME=WxH"),
    ] = (),
    output: OutputFlags = OutputFlags(),
) -> None:
    """`hltune run`.

    Args:
        files: Image or .npy file to write, for the output of this name or for the next one.
        sizes: Size of an output.
    """
    with interrupts.importing():
        from hltune.commands import run as command
        from hltune.report import documents, tables
        from hltune.report.progress import show_progress

    check_unique("--output-size", sizes)
    with show_progress() as progress:
        result = command.run(
            source.subject(pipeline),
            schedule=schedule,
            outputs=files,
            output_sizes=sizes,
            workspace=output.place,
            measure=limits.measure(threads.threads(source.target), None),
            inputs=source.inputs(),
            progress=progress,
        )
    output.show(documents.ran, tables.print_ran, result)


def export(
    pipeline: Pipeline,
    /,
    *,
    source: ExportSource = ExportSource(),
    schedule: Known = None,
    threads: ThreadFlags = ThreadFlags(),
    limits: ExportLimits = ExportLimits(),
    emulator: EmulatorFlags = EmulatorFlags(),
    directory: Annotated[Path, Output, Parameter(group=OUTPUT)],
    forms: Annotated[
        str | None,
        Parameter(name="--format", group=OUTPUT, show_default="json,python,cpp,object; offload as well for hexagon"),
    ] = None,
    function_name: Annotated[str | None, Parameter(group=OUTPUT, show_default="the pipeline's name")] = None,
    cmake: Annotated[bool, Parameter(negative="", group=OUTPUT)] = False,
    output: OutputFlags = OutputFlags(),
) -> None:
    """`hltune export`.

    Args:
        directory: Directory for the files.
        forms: Some of json, python, cpp, object, offload, separated by commas.
        function_name: what files, functions in source and the compiled one are called.
        cmake: Write a file for CMake: it builds a C++ generator, or, with --format object, links the compiled pipeline.
    """
    with interrupts.importing():
        from hltune.commands import export as command
        from hltune.report import documents
        from hltune.report.layout import print_lines
        from hltune.report.progress import show_progress

    with show_progress() as progress:
        result = command.export(
            source.subject(pipeline),
            forms=None if forms is None else command.parse_forms(forms),
            directory=directory,
            function_name=function_name,
            cmake=cmake,
            schedule=schedule,
            workspace=output.place,
            measure=limits.measure(threads.threads(source.target), emulator.options()),
            progress=progress,
        )
    output.show(documents.exported, lambda console, result: print_lines(console, *result.files), result)


def doctor(*, output: JsonFlags = JsonFlags()) -> int:
    """`hltune doctor`."""
    with interrupts.importing():
        from hltune.commands.doctor import examine
        from hltune.report import documents, tables

    found = examine()
    output.show(documents.findings, tables.print_findings, found)
    return 0 if all(finding.ok for finding in found if finding.required) else 1
