"""Which flag of the command line sets the limit that a message is about."""

import re

LATE = "took longer than its limit"
HEAP = "would exceed the heap limit"
"""What the messages say."""

_RUNS = {"timing": 2.0}
"""How many times what the flag says, at least, the limit of a stage is."""
_REACHED = re.compile(rf"{LATE} of (\S+) s")
_GIVEN_UP = re.compile(r"took longer than (?:its limit of )?(\S+) s\b")
_FLAGS = {
    "compile": "--compile-timeout",
    "compile for export": "--compile-timeout",
    "run": "--run-timeout",
    "run on smooth inputs": "--run-timeout",
    "timing": "--run-timeout",
    "counting allocations": "--run-timeout",
    "bounds query": "--run-timeout",
    "NumPy reference": "--run-timeout",
}
"""By stage, beside the searches; the limits of others are fixed."""


def limit_flag(stage: str, message: str) -> str | None:
    """The flag; None if the message is about something else, or nobody can change the limit."""
    if HEAP in message:
        return "--heap-limit"
    return timeout_flag(stage) if LATE in message else None


def timeout_flag(stage: str) -> str | None:
    """The flag that sets how long a stage may take; None if nobody can change that."""
    return "--search-timeout" if stage.endswith("search") else _FLAGS.get(stage)


def reached_s(stage: str, message: str) -> float | None:
    """At most what the flag said when a message says that a limit was reached, in seconds; None if it says nothing."""
    found = _REACHED.search(message)
    return None if found is None else float(found[1]) / _RUNS.get(stage, 1.0)


def given_up_s(message: str) -> float | None:
    """After how many seconds something was given up, whoever set that limit; None if the message says nothing of it."""
    found = _GIVEN_UP.match(message)
    return None if found is None else float(found[1])


def with_flag(text: str, flag: str | None) -> str:
    """A message that names the flag, if there is one."""
    return text if flag is None else f"{text} ({flag})"
