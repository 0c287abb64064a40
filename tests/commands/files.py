"""Files that tests of commands name."""

from __future__ import annotations

import json
from pathlib import Path

from hltune.values import schedule_codec
from hltune.values.directives import Schedule


def written(path: Path, schedule: Schedule) -> str:
    """The path of a schedule in a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(schedule_codec.to_json(schedule)))
    return str(path)
