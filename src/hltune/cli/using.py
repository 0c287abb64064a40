"""`hltune run`, `export` and `doctor`: flags to options, results to people."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hltune.cli.arguments import REQUIRED, Panel, flag
from hltune.cli.emulator import EmulatorFlags
from hltune.cli.flags import InputFlags, PipelineFlags, RunLimits, ThreadFlags
from hltune.cli.output import JsonFlags, OutputFlags
from hltune.machine.options import MeasureOptions
from hltune.runtime import interrupts
from hltune.values.errors import InputError


def _parse_output_size(text: str) -> tuple[str, tuple[int, ...]]:
    """Reads ``NAME=WxH``."""
    match = re.fullmatch(r"(\w+)=([1-9][0-9]*(?:x[1-9][0-9]*)*)", text)
    if match is None:
        raise InputError("malformed size", where=f"--output-size {text}", expected="NAME=WIDTHxHEIGHT")
    return match[1], tuple(int(extent) for extent in match[2].split("x"))


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFlags(Panel):
    """Which schedule."""

    title: ClassVar[str] = "which schedule"
    schedule: Path | None = flag(None, "A schedule.json to use instead.", metavar="FILE")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutput(OutputFlags):
    """Where images go."""

    outputs: tuple[Path, ...] = flag((), "Image or .npy file to write.", "-o", "--output")
    output_sizes: tuple[tuple[str, tuple[int, ...]], ...] = flag(
        (), "Size of an output.", "--output-size", metavar="NAME=WxH", parse=_parse_output_size
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSource(PipelineFlags):
    """What is exported, for which target."""

    target: str = flag("host", "Halide target of the object code.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOutput(OutputFlags):
    """Where files go, and which."""

    output: Path = flag(REQUIRED, "Directory for the files.", "-o", "--output")
    forms: str | None = flag(
        None,
        "Of json, python, cpp, object, offload, separated by commas.",
        "--format",
        shown="json,python,cpp,object; offload as well for hexagon",
    )
    function_name: str | None = flag(None, "C name of the compiled pipeline.", shown="the pipeline's name")


def run(
    source: PipelineFlags,
    inputs: InputFlags,
    known: KnownFlags,
    threads: ThreadFlags,
    limits: RunLimits,
    output: RunOutput,
) -> None:
    """`hltune run`."""
    with interrupts.importing():
        from hltune.commands import run as command
        from hltune.report import documents, tables
        from hltune.report.progress import show_progress

    with show_progress() as progress:
        result = command.run(
            source.subject(source.pipeline),
            command.RunOptions(
                schedule_file=known.schedule,
                outputs=output.outputs,
                output_sizes=tuple(dict(output.output_sizes).items()),
            ),
            workspace=output.place,
            measure=limits.measure(threads.threads(source.target), None),
            inputs=inputs.inputs(),
            progress=progress,
        )
    output.show(lambda: documents.ran(result), lambda console: tables.print_ran(console, result))


def export(
    source: ExportSource, known: KnownFlags, threads: ThreadFlags, emulator: EmulatorFlags, output: ExportOutput
) -> None:
    """`hltune export`."""
    with interrupts.importing():
        from hltune.commands import export as command
        from hltune.report import documents, tables
        from hltune.report.progress import show_progress

    options = command.ExportOptions(
        forms=None if output.forms is None else command.parse_forms(output.forms),
        directory=output.output,
        function_name=output.function_name,
        schedule_file=known.schedule,
    )
    with show_progress() as progress:
        result = command.export(
            source.subject(source.pipeline),
            options,
            workspace=output.place,
            measure=MeasureOptions(threads=threads.threads(source.target), machine_options=emulator.options()),
            progress=progress,
        )
    output.show(lambda: documents.exported(result), lambda console: tables.print_files(console, result.files))


def doctor(output: JsonFlags) -> int:
    """`hltune doctor`."""
    with interrupts.importing():
        from hltune.commands.doctor import examine
        from hltune.report import documents, tables

    found = examine()
    output.show(lambda: documents.findings(found), lambda console: tables.print_findings(console, found))
    return 0 if all(finding.ok for finding in found if finding.required) else 1
