"""The commands by name, and what becomes of their errors."""

import contextlib
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from hltune import __version__
from hltune.runtime import streams
from hltune.values.errors import HltuneError, InputError, did_you_mean


@dataclass(frozen=True, slots=True)
class Command:
    """A command, not imported yet: people who ask for help should not wait.

    Attributes:
        module: where its function is, in this package.
        function: takes flags and returns an exit code, or None for 0.
    """

    module: str
    function: str
    summary: str

    def load(self) -> Callable[..., int | None]:
        """Imports its function."""
        return getattr(import_module(f"hltune.cli.{self.module}"), self.function)


COMMANDS = {
    "list": Command("scheduling", "list_benchmarks", "Shows the built-in benchmarks."),
    "schedule": Command(
        "scheduling", "schedule", "Finds a schedule without tuning, runs it, verifies it and writes it."
    ),
    "tune": Command(
        "tuning",
        "tune",
        "Measures candidates while the cost model learns from them; goes on where the last run stopped.",
    ),
    "pretrain": Command(
        "pretraining",
        "pretrain",
        "Trains the cost model on random programs, once per machine; goes on where the last run stopped.",
    ),
    "compare": Command("scheduling", "compare", "Measures all known schedules side by side, interleaved."),
    "explain": Command("explaining", "explain", "Shows where the time of a schedule goes, and what limits it."),
    "run": Command("using", "run", "Applies the best known schedule to a real image."),
    "export": Command("using", "export", "Writes the best known schedule in the forms that other programs use."),
    "report": Command("reporting", "report", "Writes one page of HTML: costs, tuning, what limits the best schedule."),
    "bundle make": Command("bundling", "make", "Packs compiled candidates for a device that is elsewhere."),
    "bundle read": Command("bundling", "read", "Reads what a bundle measured there, and keeps the best schedule."),
    "bundle best": Command("bundling", "best", "Shows the best schedules of devices that bundles came back from."),
    "reproduce": Command(
        "explaining", "reproduce", "Writes files that run a measured schedule with Halide and NumPy alone."
    ),
    "reduce": Command("explaining", "reduce", "Leaves out of a failing schedule what the failure does not need."),
    "doctor": Command("using", "doctor", "Shows what is installed, what is missing and how to get it."),
    "samples stats": Command("samples", "stats", "Counts samples per pipeline and machine."),
    "samples best": Command("samples", "best", "Shows the fastest schedules of a pipeline."),
    "samples failures": Command("samples", "failures", "Shows why schedules of a pipeline failed."),
    "samples delete": Command("samples", "delete", "Deletes the samples of a pipeline, without asking."),
    "samples featurize": Command(
        "samples", "featurize", "Lowers what was measured, and keeps features of the programs."
    ),
    "samples export": Command("samples", "export", "Writes .sample files for Halide's adams2019_retrain_cost_model."),
    "samples import": Command("samples", "import_files", "Reads .sample files that were measured on this machine."),
    "cluster status": Command("clustering", "cluster_status", "Shows the nodes of a cluster, and what each does."),
    "programs show": Command("pretraining", "show_program", "Prints a program and draws its stages."),
}
GROUPS = {
    "": "Finds fast schedules for Halide pipelines.",
    "bundle": "Measures candidates where hltune is not: on a phone, a board, behind an air gap.",
    "samples": "Shows, deletes, exports and imports what was measured.",
    "cluster": "Shows the computers that runs with --cluster use.",
    "programs": "Shows the random programs of pre-training.",
}


def run_command_line(arguments: Sequence[str]) -> int:
    """Runs a command and returns its exit code: 0 done, 1 failed, 2 bad input or usage, 130 interrupted."""
    if callable(reconfigure := getattr(sys.stdout, "reconfigure", None)):
        reconfigure(errors="backslashreplace")  # a file's name may be no text
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except HltuneError as error:
        return _fail(error, arguments)
    except BrokenPipeError:
        streams.give_up(sys.stdout)
        return HltuneError.exit_code
    except OSError as error:
        return _fail(HltuneError("the operating system refuses", where=error.filename, found=str(error)), arguments)
    return code


def _run(arguments: Sequence[str]) -> int:
    group = arguments[0] if arguments and arguments[0] in GROUPS else ""
    words = arguments[1:] if group else arguments
    if not words or words[0] in ("--help", "-h"):
        print(_help(group))
        return 0 if words else InputError.exit_code
    if words[0] == "--version" and not group:
        print(f"hltune {__version__}")
        return 0
    known = _summaries(group)
    if words[0] not in known:
        raise InputError(
            "unknown option" if words[0].startswith("-") else "unknown command",
            where=f"hltune {group}".strip(),
            expected="one of " + ", ".join(known),
            found=repr(words[0]),
            todo=did_you_mean(words[0], known),
        )
    return _call(f"{group} {words[0]}".strip(), words[1:])


def _call(name: str, tokens: Sequence[str]) -> int:
    from hltune.cli.arguments import parse_arguments

    call = parse_arguments(COMMANDS[name].load(), f"hltune {name}", COMMANDS[name].summary, tokens)
    return call() or 0


def _help(group: str) -> str:
    summaries = _summaries(group)
    width = max(map(len, summaries))
    lines = [f"usage: {' '.join(filter(None, ('hltune', group)))} COMMAND [OPTIONS] ...", "", GROUPS[group], ""]
    lines += ["commands:", *(f"  {name:{width}}  {summary}" for name, summary in summaries.items()), ""]
    lines += ["options:", "  -h, --help  Show this message, or that of a command, and exit."]
    return "\n".join(lines if group else [*lines, "  --version   Show the version and exit."])


def _summaries(group: str) -> dict[str, str]:
    """What each command of a group does, groups of commands included."""
    if group:
        return {name.partition(" ")[2]: each.summary for name, each in COMMANDS.items() if name.startswith(f"{group} ")}
    commands = {name: each.summary for name, each in COMMANDS.items() if " " not in name}
    return commands | {name: summary for name, summary in GROUPS.items() if name}


def _fail(error: HltuneError, arguments: Sequence[str]) -> int:
    if "--debug" in arguments:
        traceback.print_exc()
        print(error.log, file=sys.stderr)
    from hltune.cli.output import print_error, print_json

    print_error(error)
    if "--json" in arguments:
        with contextlib.suppress(OSError):  # standard output itself may be what fails
            print_json({"error": error.document(), "exit_code": error.exit_code})
    return error.exit_code
