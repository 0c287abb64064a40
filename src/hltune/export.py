"""`hltune export`: a schedule in the forms that other programs use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from hltune.errors import InputError
from hltune.pipeline.spec import PipelineSpec
from hltune.schedule import codec
from hltune.schedule.directives import Schedule
from hltune.schedule.export import CompileJob
from hltune.schedule.source import to_cpp_header, to_python
from hltune.worker import Worker
from hltune.workspace import check_writable, write_text

Form = Literal["json", "python", "cpp", "object"]
FORMS: tuple[Form, ...] = get_args(Form)
TEXT_FORMS: tuple[Form, ...] = ("json", "python", "cpp")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What to write, and where.

    Attributes:
        target: a full Halide target string for the object code.
        function_name: C name of the compiled pipeline.
    """

    forms: Sequence[Form]
    directory: Path
    target: str
    function_name: str


def export(spec: PipelineSpec, schedule: Schedule, options: ExportOptions) -> tuple[Path, ...]:
    """Writes a schedule in each form and returns the files.

    Raises:
        InputError: the directory cannot be written to, or the schedule is not for this pipeline.
        JobFailed: the compiler failed.
    """
    check_writable(options.directory)
    files: list[Path] = []
    for form in options.forms:
        if form == "object":
            files += _compile(spec, schedule, options)
        else:
            path, text = _text(form, spec, schedule, options.directory)
            write_text(path, text)
            files.append(path)
    return tuple(files)


def parse_forms(text: str) -> tuple[Form, ...]:
    """Reads a comma-separated list.

    Raises:
        InputError: one of them is unknown.
    """
    known: dict[str, Form] = {form: form for form in FORMS}
    words = text.split(",")
    for word in words:
        if word not in known:
            raise InputError("unknown form", where="--format", expected=", ".join(FORMS), found=repr(word))
    return tuple(known[word] for word in words)


def _text(form: Form, spec: PipelineSpec, schedule: Schedule, directory: Path) -> tuple[Path, str]:
    if form == "json":
        return directory / f"{spec.name}.schedule.json", json.dumps(codec.to_json(schedule), indent=1) + "\n"
    if form == "python":
        return directory / f"{spec.name}_schedule.py", to_python(schedule, spec)
    return directory / f"{spec.name}_schedule.h", to_cpp_header(schedule, spec)


def _compile(spec: PipelineSpec, schedule: Schedule, options: ExportOptions) -> tuple[Path, ...]:
    job = CompileJob(
        spec=spec,
        schedule=schedule,
        target=options.target,
        directory=options.directory.absolute(),
        function_name=options.function_name,
    )
    with Worker(environment={"HL_PERMIT_FAILED_UNROLL": "1"}) as worker:
        return worker.run(job, timeout_s=60)
