"""Which pipeline a name or the start of an id means."""

from __future__ import annotations

import pytest

from hltune.commands.samples import chosen_pipeline
from hltune.values.errors import InputError

KNOWN = {
    "fe" + "0" * 62: "blur",
    "ab12cd" + "0" * 58: "f",
    "ab12ce" + "0" * 58: "g",
    "c" * 64: "twice",
    "d" * 64: "twice",
}


def choose(text: str) -> str:
    return KNOWN[chosen_pipeline(KNOWN, text, what="samples of this pipeline", where="samples.sqlite")]


def test_a_name_is_a_name_though_ids_begin_with_it() -> None:
    assert [choose(text) for text in ("f", "blur", "ab12cd", "ab12ce000")] == ["f", "blur", "f", "g"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("fe", "there are no samples of this pipeline"),
        ("ab12c", "there are no samples"),
        ("a", "there are no samples"),
        ("", "there are no samples"),
        ("twice", "several pipelines have this name"),
    ],
)
def test_few_letters_are_no_id(text: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        choose(text)
