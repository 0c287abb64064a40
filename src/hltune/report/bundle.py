"""What people and scripts see of bundles."""

from collections.abc import Iterable
from dataclasses import asdict

from rich.console import Console

from hltune.bundle.packing import build_line
from hltune.commands.bundle import Made
from hltune.commands.bundle_results import Best, Read
from hltune.report.documents import directives, machine_fields, reason_fields, verification
from hltune.report.layout import Document, numbers, plain_table, print_lines, print_verification
from hltune.report.samples import ID_DIGITS, origin_text
from hltune.runtime.c_compilers import INSTALL_COMPILER
from hltune.samples.results import Ranked
from hltune.values.provenance import to_json
from hltune.values.unit import MILLISECONDS


def made(result: Made) -> Document:
    """Result of `hltune bundle make`."""
    manifest = result.manifest
    return {
        "bundle": manifest.id,
        "number": manifest.number,
        "pipeline": manifest.spec.name,
        "target": manifest.target,
        "threads": manifest.threads,
        "file": str(result.file),
        "compiler": result.compiler,
        "candidates": len(manifest.entries),
        "known": [each.name for each in manifest.entries if each.name is not None],
        "left_out": [reason_fields(each) for each in result.left_out],
        "device": result.device and machine_fields(result.device),
        "measured": result.measured,
        "inputs": list(manifest.inputs),
        "outputs": list(manifest.outputs),
        "verification": verification(result.verification),
    }


def read(result: Read) -> Document:
    """Result of `hltune bundle read`."""
    keys = ("bundle", "kernel", "good", "added", "refuted", "missing", "candidates", "unfinished")
    return {
        **{key: getattr(result, key) for key in keys},
        "failures": [reason_fields(each) for each in result.reasons],
        "problems": [asdict(each) for each in result.problems],
        **_best(result.best),
    }


def best(rows: Iterable[Best]) -> Document:
    """Result of `hltune bundle best`."""
    return {"devices": [_best(row) for row in rows]}


def _best(row: Best) -> Document:
    return {
        "pipeline": row.pipeline,
        "machine": machine_fields(row.machine),
        "measured": row.measured,
        "best": [_ranked(each) for each in row.ranked],
        "files": [str(path) for path in row.files],
    }


def _ranked(row: Ranked) -> Document:
    return {
        "hash": row.schedule_hash,
        "ms": 1e3 * row.cost,
        "measurements": row.measurements,
        "bundle_number": row.round,
        "search": to_json(row.provenance),
        "schedule": row.schedule and directives(row.schedule),
    }


def print_made(console: Console, result: Made) -> None:
    """Result of `hltune bundle make`."""
    manifest = result.manifest
    known = ", ".join(each.name for each in manifest.entries if each.name is not None)
    print_lines(
        console,
        f"{result.file}: bundle {manifest.id}, {len(manifest.entries)} candidates of {manifest.spec.name}"
        + (f", known ones among them: {known}" if known else ""),
        f"for {manifest.target}, threads: {manifest.threads}",
    )
    if result.device is not None:
        print_lines(console, f"chosen by {result.measured} schedules that were measured on {result.device.cpu}")
    print_lines(console, *(f"left out, {each}" for each in result.left_out))
    print_verification(console, verification(result.verification))
    if result.compiler is None:
        print_lines(
            console,
            "no C compiler for this target is here, so run.sh builds the runner on the device, with its cc; "
            f"to have it built here: {INSTALL_COMPILER}",
            f"what it builds with: {build_line(['*.o'], manifest.target)}",
        )
    print_lines(console, "unpack it on the device, and there: sh run.sh", "then: hltune bundle read results.json")


def print_read(console: Console, result: Read) -> None:
    """Result of `hltune bundle read`."""
    row = result.best
    print_lines(
        console,
        f"bundle {result.bundle} on {row.machine.cpu} ({row.machine.conditions}; {result.kernel})",
        f"{result.good} measurements, {result.added} of them new; {result.missing} of {result.candidates} candidates "
        "have no result" + (", for the run was interrupted" if result.unfinished else ""),
    )
    if result.refuted:
        print_lines(console, f"costs that did not repeat, and so do not count: {result.refuted}")
    print_lines(console, *(f"failed: {each}" for each in result.reasons))
    if result.problems:
        print_lines(console, f"{len(result.problems)} lines do not count, see the notes")
    _print_best(console, row)


def print_best(console: Console, rows: Iterable[Best]) -> None:
    """Result of `hltune bundle best`."""
    shown = False
    for row in rows:
        shown = True
        print_lines(
            console, f"{row.pipeline} on {row.machine.cpu} ({row.machine.conditions}), {row.measured} schedules"
        )
        _print_best(console, row)
    if not shown:
        print_lines(console, "no bundle has come back yet; hltune bundle read results.json reads one")


def _print_best(console: Console, row: Best) -> None:
    if not row.ranked:
        print_lines(console, "every schedule has failed there" if row.measured else "nothing was measured there yet")
        return
    table = plain_table(*numbers("time/ms", "measured", "bundle"), "schedule", "comes from")
    for each in row.ranked:
        counts = (MILLISECONDS.text(each.cost), str(each.measurements), str(each.round))
        table.add_row(*counts, each.schedule_hash[:ID_DIGITS], origin_text(each.provenance))
    console.print(table)
    print_lines(console, *row.files)
    for file in row.files[:1]:
        print_lines(console, f"compiled: hltune export PIPELINE --target {row.machine.target} --schedule {file} -o DIR")
