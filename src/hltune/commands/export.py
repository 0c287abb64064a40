"""`hltune export`: a schedule in the forms that other programs use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from hltune.machine.hexagon.target import offload_target
from hltune.machine.open import TargetJob
from hltune.machine.options import COMPILE_ENVIRONMENT
from hltune.runtime.files import check_writable, write_text
from hltune.runtime.worker import Worker
from hltune.schedule.export import CompileJob
from hltune.schedule.source import function_suffix, to_cpp_header, to_python
from hltune.values import schedule_codec
from hltune.values.directives import Schedule
from hltune.values.errors import InputError
from hltune.values.pipeline import PipelineSpec

ExportForm = Literal["json", "python", "cpp", "object", "offload"]
FORMS: tuple[ExportForm, ...] = get_args(ExportForm)
TEXT_FORMS: tuple[ExportForm, ...] = ("json", "python", "cpp")
_COMPILED: tuple[ExportForm, ...] = ("object", "offload")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What to write, and where.

    Attributes:
        target: what the object code is for.
        function_name: C name of the compiled pipeline, if not the pipeline's own.
    """

    forms: Sequence[ExportForm]
    directory: Path
    target: str
    function_name: str | None


def export(spec: PipelineSpec, schedule: Schedule, options: ExportOptions) -> tuple[Path, ...]:
    """Writes a schedule in each form and returns the files; nothing is written if one of them is impossible.

    Raises:
        InputError: the directory cannot be written to, there is no such target, or the schedule is not for this
            pipeline.
        JobFailed: the compiler failed.
    """
    check_writable(options.directory)
    texts = [_text(form, spec, schedule, options.directory) for form in options.forms if form not in _COMPILED]
    compiled = _compile(spec, schedule, options) if set(_COMPILED) & set(options.forms) else ()
    for path, text in texts:
        write_text(path, text)
    return (*(path for path, _ in texts), *(options.directory / path.name for path in compiled))


def parse_forms(text: str) -> tuple[ExportForm, ...]:
    """Reads a comma-separated list.

    Raises:
        InputError: one of them is unknown.
    """
    known: dict[str, ExportForm] = {form: form for form in FORMS}
    words = text.split(",")
    for word in words:
        if word not in known:
            raise InputError("unknown form", where="--format", expected=", ".join(FORMS), found=repr(word))
    return tuple(known[word] for word in words)


def _text(form: ExportForm, spec: PipelineSpec, schedule: Schedule, directory: Path) -> tuple[Path, str]:
    if form == "json":
        return directory / f"{spec.name}.schedule.json", json.dumps(schedule_codec.to_json(schedule), indent=1) + "\n"
    if form == "python":
        return directory / f"{spec.name}_schedule.py", to_python(schedule, spec)
    return directory / f"{spec.name}_schedule.h", to_cpp_header(schedule, spec)


def _compile(spec: PipelineSpec, schedule: Schedule, options: ExportOptions) -> tuple[Path, ...]:
    name = options.function_name or function_suffix(spec)
    with Worker(environment=COMPILE_ENVIRONMENT) as worker:
        target = worker.run(TargetJob(options.target))
        job = CompileJob(
            spec=spec, schedule=schedule, target=target.name, directory=options.directory.absolute(), function_name=name
        )
        jobs = [job] if "object" in options.forms else []
        if "offload" in options.forms:
            jobs.append(replace(job, target=offload_target(target), function_name=f"{name}_offload", offload=True))
        return tuple(path for each in jobs for path in worker.run(each))
