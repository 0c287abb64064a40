"""`hltune programs`: flags to random programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hltune.cli import flags
from hltune.programs.job import ProgramJob
from hltune.report import programs as report
from hltune.runtime.worker import Worker

app = typer.Typer(help="Shows the random programs of pre-training.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Shows the random programs of pre-training."""


@app.command("show")
def show_command(
    seed: Annotated[int, typer.Argument(help="Number of the program; `program-SEED` in the store.")],
    *,
    stages: Annotated[int | None, typer.Option(help="Stages to put together.", show_default="drawn")] = None,
    picture: Annotated[
        Path | None, typer.Option("-o", "--picture", metavar="FILE", help="Draw the stages as .svg or .png.")
    ] = None,
    as_json: flags.Json = False,
    debug: flags.Debug = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """Prints a program and draws its stages."""
    job = ProgramJob(seed=seed, stages=stages)
    if picture is not None:
        report.check_picture(picture)
    with Worker(preload=("halide",)) as worker:
        program = worker.run(job)
    if picture is not None:
        report.plot_program(program, picture)
    if as_json:
        print(json.dumps(report.document(program), indent=2))
    else:
        report.print_program(Console(), program)
