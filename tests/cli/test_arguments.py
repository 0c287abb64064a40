"""Flags from dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hltune.cli.arguments import REQUIRED, Panel, argument, flag, parse_panels
from hltune.values.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers(Panel):
    title: ClassVar[str] = "numbers"
    count: int = flag(3, "How many.")
    share: float | None = flag(None, "Per cent: 100% is all.")
    pairs: tuple[tuple[str, str], ...] = flag((), "Pairs.", "-p", parse=lambda text: tuple(text.split("=")))


@dataclass(frozen=True, slots=True, kw_only=True)
class More(Numbers):
    count: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Files(Panel):
    title: ClassVar[str] = "files"
    names: tuple[str, ...] = argument("What.", "NAME")
    output: Path = flag(REQUIRED, "Where.", "-o", "--output")
    loud: bool = flag(False, "Loudly.")
    checks: bool = flag(True, "Check.")


def command(numbers: More, files: Files) -> None: ...


def parse(*tokens: str) -> dict[str, Any]:
    return parse_panels(command, "prog", "Does it.", tokens)


def test_options_stand_before_between_and_after_arguments() -> None:
    found = parse("-p", "a=1", "x", "--count=-2", "y", "--share", "-.5", "-o", "out", "-p", "b=-3", "z", "--loud")
    assert found["files"] == Files(names=("x", "y", "z"), output=Path("out"), loud=True)
    assert found["numbers"] == More(count=-2, share=-0.5, pairs=(("a", "1"), ("b", "-3")))


def test_what_is_not_given_has_its_default() -> None:
    found = parse("x", "-o", "out")
    assert found["numbers"] == More(count=5, share=None, pairs=())
    assert (found["files"].loud, found["files"].checks) == (False, True)
    assert not parse("x", "-o", "out", "--no-checks")["files"].checks
    assert parse("x", "-o", "out", "--count", "1", "--count", "2")["numbers"].count == 2
    assert parse("-o", "out", "--", "-x")["files"].names == ("-x",)


def test_help_shows_texts_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse("--help")
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: prog [OPTIONS] NAME...\n\nDoes it.\n\nnumbers:\n")
    assert "How many. [default: 5]" in text and "Per cent: 100% is all.\n" in text
    assert text.index("NAME  ") < text.index("--output")


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (("x", "-o", "o", "--count", "abc"), "--count: malformed value\n  expected: a whole number\n  found: 'abc'"),
        (("x", "-o", "o", "--count", "1.5"), "expected: a whole number"),
        (("x", "-o", "o", "--share", "much"), "--share: malformed value\n  expected: a number\n  found: 'much'"),
        (("x",), "-o/--output"),
        (("-o", "o"), "NAME"),
        (("x", "-o"), "-o/--output: expected one argument"),
        (("x", "-o", "o", "--cou", "1"), "unrecognized arguments: --cou"),
        (("x", "-o", "o", "--no-loud"), "unrecognized arguments: --no-loud"),
    ],
)
def test_bad_usage(tokens: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(*tokens)
    assert message in str(caught.value)
