from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hltune.pretraining.batch import Batch
from hltune.pretraining.journal import Journal, read_journal
from hltune.values.errors import Failure, InputError

TWICE = ("too cheap", "trivial", "too cheap")
JOURNAL = Journal(seed=3, schedules=16, initial_hash="ab")


def test_it_counts_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a" / "journal.json"
    assert read_journal(path) is None
    failure = Failure(stage="compile", kind="error", message="no")
    batch = Batch(number=0, name="a", measured=16, failures=(failure,), rejected=TWICE, seconds=2.0, search_s=0.5)
    one = JOURNAL.after(batch)
    two = one.after(replace(batch, number=1, measured=8, failures=(), rejected=("trivial",), seconds=1.0))
    two.write(path)
    assert read_journal(path) == two
    assert (two.batches, two.measured, two.failed, two.seconds) == (2, 24, 1, 3.0)
    assert two.rejected == {"too cheap": 2, "trivial": 2}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{", "["),
        ('"version": 1', '"version": 0'),
        ('"batches": 0', '"batches": -1'),
        ('"seed": 3', '"seed": "3"'),
        ('"rejected": {}', '"rejected": 7'),
        ('"seconds": 0.0', '"elapsed": 0.0'),
    ],
)
def test_damage_is_named(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    JOURNAL.write(path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match="damaged record of pre-training"):
        read_journal(path)
