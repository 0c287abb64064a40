"""Flags from dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from cyclopts import Parameter

from hltune.cli.arguments import OUTPUT, SEARCH, Whole, each_parsed, parse_arguments, parsed
from hltune.cli.main import COMMANDS
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
        (("x",), "prog: -o is missing\n"),
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


GIVEN = {
    "list": "--json",
    "schedule": "x --beam-size 3 --last-level-cache 3M --cache 1M:2:64 --target hexagon --cluster auto --machine epyc "
    "-o out",
    "tune": "x y --keep a --only b -I . -D d=1 --cxxflags -O2 --minutes 3 --until-done "
    "--compile-timeout 4 --heap-limit 3M -p a=b --estimate c=3x4 --cluster local --machine 3f2a "
    "--report out.html --watch",
    "pretrain": "--batches 3 --no-benchmarks --beam-size 4 --run-timeout 3 --objective packets --use "
    "--cluster auto --machine epyc --debug",
    "compare": "x y --schedule a --schedule b --rounds 4 --integer-tolerance 1 --seed 3 --cluster auto --machine epyc",
    "run": "x --output-size a=3x4 -o a -o b --max-parallelism 3 --run-timeout 3 --workspace w",
    "export": "x --size 3x4 --cmake --format json --output out --compile-timeout 9 --heap-limit 3M --max-parallelism 3",
    "explain": "x --schedule a --against b --try --rounds 3 --max-parallelism 2 --tolerance 0.1",
    "report": "x y --against expert --rounds 3 -o out.html --open --max-parallelism 2",
    "bundle make": "x --target arm-64-android -n 32 --device k --beam-size 3 -o b.zip --run-timeout 3 --tolerance 0.1",
    "bundle read": "results.json --bundle b.zip --workspace w",
    "bundle best": "--workspace w",
    "reproduce": "5d1f0c -o out -i radius=9 --machine k",
    "reduce": "5d1f0c --machine k --minutes 2 -i radius=9 --seed 3 -o out --run-timeout 3",
    "doctor": "--json",
    "samples stats": "--workspace w",
    "samples best": "x --count 3 --machine k",
    "samples failures": "x --machine k",
    "samples delete": "x --machine k",
    "samples featurize": "--machine k",
    "samples export": "x -o out --machine k",
    "samples import": "x y --max-parallelism 3 --target hexagon",
    "cluster status": "--cluster 10.0.0.1:6379 --json",
    "programs show": "3 --stages 4 --picture x.svg --debug",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_reads_its_flags(name: str) -> None:
    words = GIVEN[name].split()
    call = parse_arguments(COMMANDS[name].load(), name, "", words)
    assert call.func is COMMANDS[name].load()
    with pytest.raises(InputError, match="Unknown option: --nonsense"):
        parse_arguments(COMMANDS[name].load(), name, "", [*words, "--nonsense"])


def test_a_command_is_called_with_what_was_read() -> None:
    call = parse_arguments(COMMANDS["export"].load(), "export", "", GIVEN["export"].split())
    assert (call.args, call.keywords["directory"], call.keywords["forms"]) == (("x",), Path("out"), "json")
    assert (call.keywords["source"].size, call.keywords["emulator"].heap_limit) == ((3, 4), 3 << 20)


def test_outputs_and_scalars_may_be_named() -> None:
    words = ["x", "-i", "radius=9", "-i", "gain=-0.5", "-o", "histogram=hist.npy", "-o", "out.png"]
    call = parse_arguments(COMMANDS["run"].load(), "run", "", words)
    assert call.keywords["files"] == (("histogram", Path("hist.npy")), (None, Path("out.png")))
    assert call.keywords["source"].inputs().scalars == (("radius", 9), ("gain", -0.5))
