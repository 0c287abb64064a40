"""Tunes a small pipeline for ever, and prints a line for each measurement that is on disk. Argument: the workspace."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hltune.commands.tune import tune
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.search.autoschedulers import BUILTIN
from hltune.tuning.options import Budget
from hltune.tuning.outlook import Expectation
from hltune.tuning.round import Round
from hltune.values.unit import Unit
from hltune.workspace.records import Workspace
from tests.loading import ready_to_fork
from tests.tuning.conftest import THREADS, load, make_options


class Lines:
    """Tells what was reported, line by line."""

    def phase(self, text: str) -> None:
        if "measuring" in text:
            print("measured", flush=True)

    def note(self, text: str) -> None:
        if "machine busy" not in text:  # which turns as short as these often seem to be
            print(f"note {text}", flush=True)

    def begin(self, pipelines: Sequence[str], *, unit: Unit, end_s: float) -> None:  # noqa: ARG002
        print("begin", flush=True)

    def expects(self, pipeline: str, expected: Expectation) -> None:
        print(f"expects {pipeline} {expected.samples_per_minute}", flush=True)

    def round_done(self, done: Round) -> None:
        print(f"round {done.number}", flush=True)


def main() -> None:
    options = replace(make_options(batch=8), budget=Budget(minutes=5))
    # Those that come with hltune are noted on machines that are unlike the one that they are for.
    options = replace(options, search=replace(options.search, weights=BUILTIN))
    measure = MeasureOptions(
        threads=THREADS, short_turn_s=0.005, least_run_timeout_s=20.0, least_compile_timeout_s=60.0
    )
    tune(
        [load("blur")],
        options,
        workspace=Workspace(Path(sys.argv[1])),
        measure=measure,
        inputs=Inputs(),
        progress=Lines(),
    )


if __name__ == "__main__":
    with ready_to_fork():
        main()
