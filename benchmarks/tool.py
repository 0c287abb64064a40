"""What the benchmarks share: their arguments, hltune and themselves in other processes, schedules side by side."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hltune.commands.place import open_session
from hltune.machine import speedup as turns
from hltune.machine.inputs import Inputs
from hltune.machine.open import identify
from hltune.machine.options import MeasureOptions
from hltune.machine.speedup import Speedup
from hltune.runtime.progress import Silent
from hltune.suite.catalog import FILTERS
from hltune.values.cost import Cost
from hltune.values.directives import Schedule
from hltune.values.machine_id import MachineId
from hltune.workspace.records import Workspace
from hltune.workspace.subject import Subject, SubjectOptions, load_subject

CORES = len(os.sched_getaffinity(0))
KNOWN = ("expert", "simple", "adams2019", "mullapudi2016", "default")
MIB = 2**20


def hltune(*words: object) -> Any:
    """The document that a command writes."""
    return json_of("hltune", *words, "--json")


def tune(pipeline: str, workspace: Workspace, minutes: float | None, *flags: str) -> Any:
    """The document of a tuning, and as ``wall_s`` what it took from start to end. Without minutes, flags limit it."""
    limit = () if minutes is None else ("--minutes", minutes)
    began_s = time.monotonic()
    document = hltune("tune", pipeline, *limit, "--workspace", workspace.root, *flags)
    return {**document, "wall_s": time.monotonic() - began_s}


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """The document that an earlier run has left in a file, or else what is made now, for a later one."""
    if not path.exists():
        document = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
    return json.loads(path.read_text())


def json_of(module: str, *words: object) -> Any:
    """What a module writes that runs in a fresh process; a benchmark calls itself like this to be measured alone."""
    command = [sys.executable, "-m", module, *map(str, words)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def spent(began_s: float) -> dict[str, float]:
    """The seconds since then, and the memory that this process has needed."""
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": time.perf_counter() - began_s, "peak_bytes": peak_bytes}


def minutes(at: int) -> float:
    """The argument at this place; 4 if there is none."""
    return float(sys.argv[at]) if len(sys.argv) > at else 4.0


def names(at: int) -> list[str]:
    """The arguments from this place on; all built-in benchmarks if there are none."""
    return sys.argv[at:] or [benchmark.name for benchmark in FILTERS]


def host_subject(pipeline: str, workspace: Workspace) -> Subject:
    return load_subject(SubjectOptions(pipeline=pipeline, target="host"), workspace)


def this_machine(subject: Subject) -> MachineId:
    return identify(subject.target, MeasureOptions(threads=CORES))


def measured(subject: Subject, schedules: dict[str, Schedule], *, rounds: int) -> dict[str, Cost]:
    """The costs of those that do not fail, measured interleaved."""
    with open_session(subject, MeasureOptions(threads=CORES, turns=rounds), Inputs(), None, Silent()) as session:
        return {name: cost for name, cost in session.measure(schedules).items() if isinstance(cost, Cost)}


def speedup(slower: Cost, faster: Cost) -> Speedup:
    found = turns.speedup(slower, faster)
    assert found is not None
    return found


def said(found: Speedup) -> str:
    return f"{found.value:.3f} (95% interval {found.low:.3f} to {found.high:.3f})"
