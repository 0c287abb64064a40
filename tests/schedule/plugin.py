"""Jobs that let Halide's own autoschedulers schedule a pipeline, beside our replay of what they printed."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hltune.runtime.halide_wheel import plugin_path
from hltune.runtime.worker import Process
from hltune.schedule.parse import parse_schedule
from hltune.values.directives import Schedule
from hltune.values.pipeline import PipelineSpec

ENVIRONMENT = {"HL_PERMIT_FAILED_UNROLL": "1"}
ADAMS: str = "Adams2019"
SEARCHES: list[tuple[str, dict[str, str]]] = [
    (ADAMS, {"parallelism": "2", "beam_size": "8"}),
    ("Mullapudi2016", {}),
    ("Li2018", {"parallelism": "2"}),
]


def probe(seed: int) -> tuple[str, dict[str, str]]:
    """A random probe of Adams2019."""
    return ADAMS, {"parallelism": "2", "beam_size": "1", "random_dropout": "1", "random_dropout_seed": str(seed)}


@dataclass(frozen=True, slots=True)
class MakeSpec:
    """Builds one of the pipelines."""

    name: str

    def run(self, process: Process) -> PipelineSpec:  # noqa: ARG002
        from tests.schedule.pipelines import PIPELINES

        return PIPELINES[self.name]()


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a plugin printed, and what Halide makes of the pipeline that it scheduled itself and of our replays."""

    text: str
    schedule: Schedule
    plugin: str
    replay: str
    python: str


@dataclass(frozen=True, slots=True)
class SearchAndReplay:
    """Lets a plugin schedule, replays what it printed, and lowers both."""

    spec: PipelineSpec
    autoscheduler: str
    parameters: dict[str, str]
    lower: bool = True

    def run(self, process: Process) -> Replayed:  # noqa: ARG002
        import halide as hl

        from hltune.pipeline.build import build
        from hltune.schedule.apply import apply_schedule
        from hltune.schedule.source import to_python

        hl.load_plugin(str(plugin_path(self.autoscheduler)))
        built = build(self.spec)
        parameters = hl.AutoschedulerParams(self.autoscheduler, self.parameters)
        text = built.pipeline.apply_autoscheduler(hl.get_host_target(), parameters).schedule_source
        schedule = parse_schedule(text, self.spec.funcs)
        if not self.lower:
            return Replayed(text, schedule, "", "", "")
        plugin = lowered(built)
        built = build(self.spec)
        apply_schedule(built, self.spec, schedule)
        replay = lowered(built)
        built = build(self.spec)
        module: dict[str, Callable[[hl.Pipeline], None]] = {}
        exec(compile(to_python(schedule, self.spec), "schedule.py", "exec"), module)
        module["apply_schedule"](built.pipeline)
        return Replayed(text, schedule, plugin, replay, lowered(built))


@dataclass(frozen=True, slots=True)
class HalideLoopNest:
    """What Halide itself prints of the loop nest of a schedule."""

    spec: PipelineSpec
    schedule: Schedule

    def run(self, process: Process) -> str:  # noqa: ARG002
        from hltune.pipeline.build import build
        from hltune.schedule.apply import apply_schedule

        built = build(self.spec)
        apply_schedule(built, self.spec, self.schedule)
        with tempfile.TemporaryFile() as file:
            saved = os.dup(2)
            os.dup2(file.fileno(), 2)
            try:
                built.pipeline.print_loop_nest()
            finally:
                os.dup2(saved, 2)
                os.close(saved)
            file.seek(0)
            return file.read().decode()


@dataclass(frozen=True, slots=True)
class Lower:
    """Lowers a pipeline with a schedule."""

    spec: PipelineSpec
    schedule: Schedule

    def run(self, process: Process) -> str:  # noqa: ARG002
        from hltune.pipeline.build import build
        from hltune.schedule.apply import apply_schedule

        built = build(self.spec)
        apply_schedule(built, self.spec, self.schedule)
        return lowered(built)


@dataclass(frozen=True, slots=True)
class RunSchedule:
    """Runs a schedule on arrays, which have Halide's dimensions reversed; the output is bytes of this shape."""

    spec: PipelineSpec
    schedule: Schedule
    inputs: tuple[np.ndarray, ...]
    shape: tuple[int, ...]

    def run(self, process: Process) -> np.ndarray:  # noqa: ARG002
        import halide as hl

        from hltune.pipeline.build import build
        from hltune.schedule.apply import apply_schedule

        built = build(self.spec)
        apply_schedule(built, self.spec, self.schedule)
        output = np.zeros(self.shape, dtype=np.uint8)
        call = built.pipeline.compile_to_callable(built.arguments, hl.get_host_target())
        call(*(hl.Buffer(array) for array in self.inputs), hl.Buffer(output))
        return output


def lowered(built) -> str:
    """The statement that Halide lowers a pipeline to, with the names normalised that count up in a process."""
    import halide as hl

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "f.stmt"
        built.pipeline.compile_to({hl.OutputFileType.stmt: str(path)}, built.arguments, "f", hl.get_host_target())
        return normalised(path.read_text())


def normalised(statement: str) -> str:
    """Renames consistently every name that Halide made unique with a number."""
    numbers: dict[str, dict[str, str]] = {}
    counted = re.compile(r"\$\d+|__\d+|_\d+(?=[_.]s\d+[_.])|(?<![A-Za-z0-9$])[rtv]\d+(?:_(?!_\d))?(?![A-Za-z0-9])")

    def rename(match: re.Match[str]) -> str:
        name = match[0]
        base = re.sub(r"_+", "_", counted.sub("", name).replace("$", "_"))
        known = numbers.setdefault(base, {})
        return base + known.setdefault(name, f"#{len(known)}")

    return re.sub(r"[A-Za-z_][\w$.]*", rename, statement)
