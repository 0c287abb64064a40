"""Where results go: documents for scripts, text for people."""

import contextlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from cyclopts import Parameter

from hltune.cli.arguments import OUTPUT
from hltune.values.errors import HltuneError

if TYPE_CHECKING:
    from rich.console import Console

    from hltune.workspace.records import Workspace

P = ParamSpec("P")


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFlags:
    """How the result is shown.

    Attributes:
        json: One JSON document on standard output.
    """

    json: bool = False

    def show(
        self,
        document: Callable[P, Mapping[str, Any]],
        text: Callable[Concatenate["Console", P], None],
        *result: P.args,
        **more: P.kwargs,
    ) -> None:
        """Prints the result for scripts or for people."""
        if self.json:
            print_json(document(*result, **more))
        else:
            from rich.console import Console

            text(Console(), *result, **more)


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFlags(JsonFlags):
    """Where work is kept, and how the result is shown.

    Attributes:
        workspace: Where schedules and caches are kept.
        debug: Show the traceback of an error.
    """

    workspace: Path = Path(".hltune")
    debug: bool = False

    @property
    def place(self) -> "Workspace":
        """The workspace."""
        from hltune.workspace.records import Workspace

        return Workspace(self.workspace)


def print_error(error: HltuneError) -> None:
    """Says on standard error what went wrong."""
    with contextlib.suppress(OSError):  # the exit code says so, too
        print(f"error: {error}", file=sys.stderr)


def print_json(document: Mapping[str, Any]) -> None:
    """Prints the one document of ``--json``."""
    print(json.dumps(document, indent=1), flush=True)
