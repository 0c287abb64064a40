"""The commands by name, and what becomes of their errors."""

from __future__ import annotations

import contextlib
import difflib
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from hltune import __version__
from hltune.cli import pretraining, samples, scheduling, tuning, using
from hltune.cli.arguments import parse_panels
from hltune.cli.flags import print_json
from hltune.values.errors import HltuneError, InputError

COMMANDS: dict[str, Callable[..., int | None]] = {
    "list": scheduling.list_benchmarks,
    "schedule": scheduling.schedule,
    "tune": tuning.tune,
    "pretrain": pretraining.pretrain,
    "compare": scheduling.compare,
    "run": using.run,
    "export": using.export,
    "doctor": using.doctor,
    "samples stats": samples.stats,
    "samples best": samples.best,
    "samples delete": samples.delete,
    "samples export": samples.export,
    "samples import": samples.import_files,
    "programs show": pretraining.show_program,
}
GROUPS = {
    "": "Finds fast schedules for Halide pipelines.",
    "samples": "Shows, deletes, exports and imports what was measured.",
    "programs": "Shows the random programs of pre-training.",
}


def run_command_line(arguments: Sequence[str]) -> int:
    """Runs a command and returns its exit code: 0 done, 1 failed, 2 bad input or usage, 130 interrupted."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except HltuneError as error:
        return _fail(error, arguments)
    except BrokenPipeError:  # whoever read has gone, and the interpreter must not try again when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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
    name = f"{group} {words[0]}".strip()
    if name not in COMMANDS:
        known = list(_summaries(group))
        close = difflib.get_close_matches(words[0], known, n=1)
        raise InputError(
            "unknown option" if words[0].startswith("-") else "unknown command",
            where=f"hltune {group}".strip(),
            expected="one of " + ", ".join(known),
            found=repr(words[0]),
            todo=f"did you mean {close[0]}?" if close else None,
        )
    command = COMMANDS[name]
    try:
        panels = parse_panels(command, f"hltune {name}", words[1:])
    except SystemExit:  # help was shown
        return 0
    return command(**panels) or 0


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
        return {
            name.partition(" ")[2]: command.__doc__ or ""
            for name, command in COMMANDS.items()
            if name.startswith(group + " ")
        }
    commands = {name: command.__doc__ or "" for name, command in COMMANDS.items() if " " not in name}
    return commands | {name: summary for name, summary in GROUPS.items() if name}


def _fail(error: HltuneError, arguments: Sequence[str]) -> int:
    if "--debug" in arguments:
        traceback.print_exc()
        print(error.log, file=sys.stderr)
    print(f"error: {error}", file=sys.stderr)
    if "--json" in arguments:
        with contextlib.suppress(OSError):  # standard output itself may be what fails
            details = {name: getattr(error, name) for name in ("what", "where", "expected", "found", "todo")}
            print_json({"error": details, "exit_code": error.exit_code})
    return error.exit_code
