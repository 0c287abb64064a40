"""Flags from dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from cyclopts import Parameter

from hltune.cli.arguments import OUTPUT, SEARCH, Whole, each_parsed, parse_arguments, parsed
from hltune.values.errors import InputError


def pair(text: str) -> tuple[str, ...]:
    return tuple(text.split("="))


@Parameter(name="*", group=SEARCH)
@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Numbers.

    Attributes:
        count: How many.
        share: Per cent: 100% is [all].
        pairs: Pairs.
        pair: One pair.
    """

    count: Whole = 3
    share: Annotated[float | None, Parameter(show_default="half")] = None
    pairs: Annotated[tuple[tuple[str, ...], ...], each_parsed(pair), Parameter(name="-p")] = ()
    pair: Annotated[tuple[str, ...], parsed(pair)] = ()


@Parameter(name="*", group=SEARCH)
@dataclass(frozen=True, slots=True, kw_only=True)
class More(Numbers):
    """More."""

    count: Whole = 5


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Files.

    Attributes:
        output: Where.
        loud: Loudly.
        checks: Check.
    """

    output: Annotated[Path, Parameter(name=("-o", "--output"))]
    loud: bool = False
    checks: Annotated[bool, Parameter(negative="--no-checks")] = True


def parse(*tokens: str) -> Any:
    given: list[Any] = []

    def command(
        *names: Annotated[str, Parameter(group=SEARCH, required=True, help="What.")],
        numbers: More = More(),
        files: Files,
    ) -> None:
        given.append((names, numbers, files))

    parse_arguments(command, "prog", "Does it.", tokens)()
    return given[0] if given else None


def test_options_stand_before_between_and_after_arguments() -> None:
    names, numbers, files = parse(
        "-p", "a=1", "x", "--count=-2", "y", "--share", "-.5", "-o", "out", "-p", "b=-3", "--pair", "c=d", "z", "--loud"
    )
    assert names == ("x", "y", "z")
    assert files == Files(output=Path("out"), loud=True)
    assert numbers == More(count=-2, share=-0.5, pairs=(("a", "1"), ("b", "-3")), pair=("c", "d"))


def test_what_is_not_given_has_its_default() -> None:
    _, numbers, files = parse("x", "-o", "out")
    assert numbers == More(count=5, share=None, pairs=(), pair=())
    assert (files.loud, files.checks) == (False, True)
    assert not parse("x", "-o", "out", "--no-checks")[2].checks
    assert parse("x", "-o", "out", "--count", "1", "--count", "2")[1].count == 2
    assert parse("x", "-o", "out", "--pair", "1", "--pair", "2=3")[1].pair == ("2", "3")
    assert parse("-o", "out", "--", "-x")[0] == ("-x",)


def test_help_shows_texts_and_defaults(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert parse("--help") is None
    text = capsys.readouterr().out
    assert text.startswith("Usage: prog -o PATH [OPTIONS] NAMES...\n\nDoes it.\n\n╭─ search ─")
    assert "How many. [default: 5]" in text and "Per cent: 100% is [all]. [default: half]" in text
    assert "Pairs.  " in text and "Loudly.  " in text
    assert text.index("NAMES  ") < text.index("--count") < text.index("─ output ─") < text.index("--output")


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (("x", "-o", "o", "--count", "abc"), "--count: malformed value\n  expected: a whole number\n  found: 'abc'"),
        (("x", "-o", "o", "--count", "1.5"), "expected: a whole number"),
        (("x", "-o", "o", "--share", "much"), "--share: malformed value\n  expected: a number\n  found: 'much'"),
        (("x",), "prog: Parameter -o requires an argument\n"),
        (("-o", "o"), "NAMES"),
        (("x", "-o"), "-o requires an argument"),
        (("x", "-o", "o", "--cou", "1"), "Unknown option: --cou"),
        (("x", "-o", "o", "--no-loud"), "Unknown option: --no-loud"),
    ],
)
def test_bad_usage(tokens: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(*tokens)
    assert message in str(caught.value)
