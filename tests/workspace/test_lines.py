"""Files of lines of JSON."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hltune.values.errors import InputError
from hltune.workspace.lines import add_line, read_lines
from hltune.workspace.tunings import TuningCommand

FIRST = TuningCommand(command="hltune tune 'a b.py'", seed=0, began_s=1.5, hltune="0.1.0")
SECOND = replace(FIRST, seed=7, began_s=3.0)


def test_they_are_kept_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "tunings.jsonl"
    assert [*read_lines(path, TuningCommand)] == []
    add_line(path, FIRST)
    add_line(path, SECOND)
    assert [*read_lines(path, TuningCommand)] == [FIRST, SECOND]


def test_half_a_line_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "tunings.jsonl"
    add_line(path, FIRST)
    whole = path.read_bytes()
    path.write_bytes(whole + b"[1]\n{}\n\xff\n" + whole.replace(b"1.5", b"null") + whole[:20])
    add_line(path, SECOND)
    assert [*read_lines(path, TuningCommand)] == [FIRST, SECOND]


def test_what_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError):
        add_line(tmp_path / "file" / "tunings.jsonl", FIRST)
