"""The README works as written."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cli.conftest import Run

README = Path(__file__).parents[2] / "README.md"


def test_the_function_that_is_all_it_takes(hltune: Run, tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(blocks) == 1
    (tmp_path / "filters.py").write_text(blocks[0])
    result = hltune("schedule", "filters.py:sharpen", "-p", "amount=2", "--autoscheduler", "mullapudi2016", "--json")
    assert result.code == 0, result.err
    assert (result.document["pipeline"], result.document["verified"]) == ("sharpen", True)


def test_commands_and_flags_exist(hltune: Run) -> None:
    text = README.read_text()
    commands = set(re.findall(r"^hltune (\w+)", text, flags=re.MULTILINE))
    assert commands == {
        "list",
        "schedule",
        "tune",
        "compare",
        "explain",
        "report",
        "bundle",
        "reproduce",
        "reduce",
        "run",
        "export",
        "samples",
        "doctor",
        "pretrain",
        "programs",
        "cluster",
    }
    for group in ("bundle", "cluster", "samples", "programs"):
        commands |= {f"{group} {name}" for name in re.findall(rf"^hltune {group} (\w+)", text, flags=re.MULTILINE)}
    known = "".join(hltune(*command.split(), "--help").out for command in commands)
    flags = set(re.findall(r"--[a-z][a-z-]+", text))
    assert {flag for flag in flags if flag not in known} == set()
