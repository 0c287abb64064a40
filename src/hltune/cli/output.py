"""Where results go: documents for scripts, text for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hltune.cli.arguments import Panel, flag

if TYPE_CHECKING:
    from rich.console import Console

    from hltune.workspace.records import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFlags(Panel):
    """How the result is shown."""

    title: ClassVar[str] = "output"
    json: bool = flag(False, "One JSON document on standard output.")

    def show(self, document: Callable[[], Mapping[str, Any]], text: Callable[[Console], None]) -> None:
        """Prints the result for scripts or for people."""
        if self.json:
            print_json(document())
        else:
            from rich.console import Console

            text(Console())


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFlags(JsonFlags):
    """Where work is kept, and how the result is shown."""

    workspace: Path = flag(Path(".hltune"), "Where schedules and caches are kept.")
    debug: bool = flag(False, "Show the traceback of an error.")

    @property
    def place(self) -> Workspace:
        """The workspace."""
        from hltune.workspace.records import Workspace

        return Workspace(self.workspace)


def print_json(document: Mapping[str, Any]) -> None:
    """Prints the one document of ``--json``."""
    print(json.dumps(document, indent=1), flush=True)
