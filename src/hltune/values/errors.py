"""One exception tree; every message says what, where, expected, found and what to do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from hltune.values.limits import limit_flag, reached_s, with_flag

FailureKind = Literal["error", "crash", "timeout", "memory", "wrong output"]
START, INPUTS = "start", "inputs"
"""Stages before anything that is particular to a job."""
KILLED = "was killed (SIGKILL), as the system does where memory runs out"
"""What the message of a process says that neither ended itself nor exceeded a limit of ours."""
ENDED = "was told to end by another process"
"""The same of one that could have ended in its own way, as where a system is short of memory or shuts down."""
NO_ROOM = "No space left on device"
"""What the system, compilers and linkers say of a full disk."""
DISPUTED = "a vectorised schedule computes other integers than a scalar one"
"""What the message of a wrong output says where that tells more of the inputs than of the schedule."""
WROTE_BEYOND, UNWRITTEN = "wrote beyond the ends of", "values are not written"
"""What the message of a wrong output says where no tolerance makes it a right one."""
NO_FUNCTION = "the target has no such function"
"""What the message of a link says that fails whatever the schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a job produced no result: a value that can be stored, printed and compared.

    Attributes:
        stage: the step that failed, for example ``Adams2019 search``, ``compile`` or ``run``.
        kind: how it failed.
        message: one line for people.
        log: the last lines that the failing process printed.
    """

    stage: str
    kind: FailureKind
    message: str
    log: str = ""

    @classmethod
    def of(cls, stage: str, error: Exception) -> "Failure":
        """What an error says; some of LLVM's reach us without a word."""
        text = str(error).strip()
        return cls(stage=stage, kind="error", message="Halide gives no reason" if text in ("", "Error:") else text)

    @property
    def is_wrong(self) -> bool:
        """The schedule works, and what it computes is not what the pipeline says."""
        return self.kind == "wrong output"

    @property
    def is_disputed(self) -> bool:
        """It is wrong on these inputs, on which right schedules are so as well."""
        return self.is_wrong and DISPUTED in self.message

    @property
    def is_wrong_by_any(self) -> bool:
        """It is wrong whatever outputs may differ by."""
        return self.is_wrong and any(each in self.message for each in (WROTE_BEYOND, UNWRITTEN))

    @property
    def earlier(self) -> "Failure":
        """The same wrong output, as people are told of it where it is not measured again."""
        return replace(self, message=f"wrong output in an earlier measurement: {self.message}")

    @property
    def by_chance(self) -> bool:
        """What it was to do may work when nothing else runs: it was killed or told to end, or never began."""
        return self.stage in (START, INPUTS) or self.message.startswith((KILLED, ENDED))

    @property
    def for_want_of_room(self) -> bool:
        """A disk was full, which says nothing of what was to run."""
        return NO_ROOM in self.message or NO_ROOM in self.log

    @property
    def lacks_function(self) -> bool:
        """The pipeline calls what the target does not have, so that no schedule helps."""
        return NO_FUNCTION in self.message

    @property
    def flag(self) -> str | None:
        """The command line's flag for the limit that was reached; None if it was none, or one that is fixed."""
        return limit_flag(self.stage, self.message)

    def below(self, limits: Mapping[str, float]) -> bool:
        """It took too long for a limit that is higher today; limits are seconds, by flag."""
        seconds, flag = reached_s(self.stage, self.message), self.flag
        return seconds is not None and flag is not None and seconds < limits.get(flag, 0.0)

    @property
    def text(self) -> str:
        """The message as people and scripts see it."""
        return with_flag(self.message, self.flag)

    def __str__(self) -> str:
        return f"{self.stage}: {self.text}"


class HltuneError(Exception):
    """Base of all errors that hltune raises on purpose."""

    exit_code = 1
    log = ""
    """What the process printed in which it happened, if that was another one."""

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        todo: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.expected = expected
        self.found = found
        self.todo = todo

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        for label, value in (("expected", self.expected), ("found", self.found), ("to do", self.todo)):
            if value is not None:
                lines.append(f"  {label}: {value}")
        return "\n".join(lines)

    @property
    def blames_flag(self) -> bool:
        """It is where a flag of the command line is, and not in a pipeline."""
        return self.where is not None and self.where.startswith("-")

    def document(self) -> dict[str, str | None]:
        """The same for scripts."""
        return {name: getattr(self, name) for name in ("what", "where", "expected", "found", "todo")}

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors cross process borders; the default only carries `args`.
        details = {"where": self.where, "expected": self.expected, "found": self.found, "todo": self.todo}
        return _rebuild, (type(self), self.what, details)


def _rebuild(cls: type[HltuneError], what: str, details: dict[str, str | None]) -> HltuneError:
    return cls(what, **details)


class InputError(HltuneError):
    """What the user gave cannot be used: a file, an option, a pipeline, an image."""

    exit_code = 2


class Refused(HltuneError):
    """The system has no process or no room for what is to run: that says something of this computer alone."""

    @classmethod
    def by_system(cls, found: str) -> "Refused":
        """The error, with what the system says."""
        return cls(
            "the system refuses what a process needs that searches, compiles or measures",
            found=found,
            todo="end other programs, or make room for temporary files (TMPDIR)",
        )


class NothingRuns(HltuneError):
    """No schedule of a pipeline compiles and ends in time: that says something of the pipeline, not of the machine."""


def out_of_range(option: str, expected: str, found: object) -> InputError:
    """The error of an option whose value is not among those that make sense."""
    return InputError("option out of range", where=option, expected=expected, found=str(found))


def did_you_mean(name: str, names: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Advice for a name that does not exist; None if nothing is like it."""
    import difflib  # only loaded for this message

    close = difflib.get_close_matches(name, list(names), n=1, cutoff=cutoff)
    return f"did you mean {close[0]}?" if close else None


class JobFailed(HltuneError):
    """A job in a worker ended without a result."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.log = failure.log

    def __reduce__(self) -> tuple[Any, ...]:
        return JobFailed, (self.failure,)
