"""Do hltune's times hold in a program of somebody's own? ``python -m benchmarks.in_process WORKSPACE [NAMES ...]``.

Each schedule is compiled ahead of time and linked with a small C program, which calls it again and again as a user's
program would, with as many threads as hltune used. Prints both times, their ratio, page faults per call in the C
program, and whether both have the same winner. Needs a C compiler; tunes for a minute what was not tuned before.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.tool import CORES, hltune, host_subject, measured, names, this_machine, tune
from hltune.runtime.halide_wheel import include_directory
from hltune.runtime.worker import Worker
from hltune.schedule.export import CompileJob
from hltune.values.directives import Schedule
from hltune.values.pipeline import BufferArgument, OutputArgument, ScalarArgument
from hltune.values.schedule_codec import from_json, to_json
from hltune.workspace.record import TUNED
from hltune.workspace.records import Workspace
from hltune.workspace.subject import Subject

FINDERS = ("tuned", "expert", "adams2019")
ROUNDS = 10
CLOSE = 0.1

PROGRAM = """
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include "HalideRuntime.h"
#include "pipeline.h"

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static halide_buffer_t *image(int code, int bits, int dimensions, const int *bounds) {
    halide_buffer_t *image = calloc(1, sizeof *image);
    halide_dimension_t *dim = calloc(dimensions + 1, sizeof *dim);
    size_t count = 1;
    for (int d = 0; d < dimensions; d++) {
        dim[d].min = bounds[2 * d], dim[d].extent = bounds[2 * d + 1], dim[d].stride = count;
        count *= dim[d].extent;
    }
    size_t bytes = count * ((bits + 7) / 8);
    unsigned char *data = aligned_alloc(128, (bytes + 255) / 128 * 128);
    for (size_t i = 0; i < bytes; i++) data[i] = rand() >> 7;
    if (code == halide_type_float && bits == 32)
        for (size_t i = 0; i < count; i++) ((float *)data)[i] = rand() / (float)RAND_MAX;
    image->host = data, image->dimensions = dimensions, image->dim = dim;
    image->type.code = code, image->type.bits = bits, image->type.lanes = 1;
    return image;
}

int main(void) {
%(arguments)s
    double least = INFINITY, begin;
    struct rusage before, after;
    long calls = 0;
    for (int warm = 0; warm < 3; warm++) if (%(call)s) return 1;
    getrusage(RUSAGE_SELF, &before);
    for (double end = now() + 0.3; now() < end || calls < 5; calls++) {
        begin = now();
        if (%(call)s) return 1;
        if (now() - begin < least) least = now() - begin;
    }
    getrusage(RUSAGE_SELF, &after);
    printf("%%.9f %%.1f\\n", least, (after.ru_minflt - before.ru_minflt) / (double)calls);
    return 0;
}
"""
CODES = {"int": 0, "uint": 1, "float": 2}


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One schedule: seconds by hltune and by the C program, and the latter's page faults per call."""

    name: str
    ours_s: float
    theirs_s: float
    faults: float

    @property
    def ratio(self) -> float:
        return self.theirs_s / self.ours_s


def main() -> None:
    workspace = Workspace(Path(sys.argv[1]))
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        sys.exit("no C compiler: install gcc or clang")
    print(f"{CORES} threads; times in ms")
    print(f"{'':32}{'hltune':>9}{'C program':>11}{'ratio':>7}{'faults/call':>13}  same winner")
    found: list[list[Compared]] = []
    for name in names(2):
        found.append(compare(name, workspace, compiler))
        for row in found[-1]:
            times = f"{row.ours_s * 1e3:9.3f}{row.theirs_s * 1e3:11.3f}{row.ratio:7.2f}{row.faults:13.1f}"
            print(f"{name:20}{row.name:12}{times}  {same_winner(found[-1])}", flush=True)
    rows = [row for rows in found for row in rows]
    close = sum(abs(row.ratio - 1) <= CLOSE for row in rows)
    winners = sum(map(same_winner, found))
    print(f"within {CLOSE:.0%}: {close} of {len(rows)}; the same winner: {winners} of {len(found)}")


def same_winner(rows: list[Compared]) -> bool:
    """Both orders begin with the same schedule, or with one that is as fast but for a hundredth."""
    ours = min(rows, key=lambda row: row.ours_s)
    return ours.theirs_s <= 1.01 * min(row.theirs_s for row in rows)


def compare(name: str, workspace: Workspace, compiler: str) -> list[Compared]:
    subject = host_subject(name, workspace)
    if not any(record.name == TUNED for record in workspace.records(subject.spec, this_machine(subject))):
        tune(name, workspace, 1.0)
    with tempfile.TemporaryDirectory() as folder:
        document = hltune("compare", name, "--workspace", workspace.root)
        rows = {row["name"].split("-")[0]: row for row in reversed(document["schedules"]) if row["cost"]}
        schedules = {finder: schedule_of(rows[finder]) for finder in FINDERS if finder in rows}
        programs = {
            finder: build(subject, schedule, Path(folder, finder), compiler) for finder, schedule in schedules.items()
        }
        ours_s = dict.fromkeys(programs, math.inf)
        theirs_s = dict(ours_s)
        faults: dict[str, float] = {}
        for number in range(ROUNDS):  # in turns, for the machine is not the same from one minute to the next
            costs = measured(subject, schedules, rounds=3)
            for finder in sorted(programs, reverse=number % 2 == 1):
                seconds, faults[finder] = run(programs[finder])
                theirs_s[finder] = min(theirs_s[finder], seconds)
                ours_s[finder] = min(ours_s[finder], costs[finder].value)
    return [Compared(name=each, ours_s=ours_s[each], theirs_s=theirs_s[each], faults=faults[each]) for each in programs]


def schedule_of(row: Any) -> Schedule:
    return from_json({**to_json(Schedule()), "directives": row["schedule"]})


def build(subject: Subject, schedule: Schedule, folder: Path, compiler: str) -> Path:
    """The program of one schedule."""
    job = CompileJob(
        spec=subject.spec,
        schedule=schedule,
        target=subject.target.name,
        directory=folder.absolute(),
        function_name="pipeline",
        timeout_s=600,
    )
    with Worker() as worker:
        worker.run(job)
    source, program = folder / "main.c", folder / "main"
    arguments = [argument(each, number) for number, each in enumerate((*subject.spec.inputs, *subject.spec.outputs))]
    call = f"pipeline({', '.join(f'a{number}' for number in range(len(arguments)))})"
    source.write_text(PROGRAM % {"arguments": "\n".join(arguments), "call": call})
    flags = ["-O2", f"-I{include_directory()}", f"-I{folder}"]
    libraries = ["-lpthread", "-ldl", "-lm"]
    subprocess.run([compiler, *flags, source, folder / "pipeline.o", "-o", program, *libraries], check=True)
    return program


def argument(each: BufferArgument | ScalarArgument | OutputArgument, number: int) -> str:
    """Declares one argument of the call."""
    if isinstance(each, ScalarArgument):
        ctype = {"float32": "float", "float64": "double"}.get(each.dtype, f"{each.dtype}_t")
        return f"    {ctype} a{number} = {each.estimate};"
    dtype = each.dtypes[0] if isinstance(each, OutputArgument) else each.dtype
    kind = dtype.rstrip("0123456789")
    bounds = ", ".join(f"{minimum}, {extent}" for minimum, extent in each.estimate)
    image = f"image({CODES[kind]}, {dtype[len(kind) :]}, {len(each.estimate)}, (int[]){{{bounds}}})"
    return f"    halide_buffer_t *a{number} = {image};"


def run(program: Path) -> tuple[float, float]:
    """Least seconds of a call, and page faults per call."""
    environment = os.environ | {"HL_NUM_THREADS": str(CORES)}
    output = subprocess.run([program], check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    seconds, faults = output.split()
    return float(seconds), float(faults)


if __name__ == "__main__":
    main()
