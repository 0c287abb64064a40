from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hltune.pipeline.source import (
    Source,
    check_unique,
    parse_cxxflags,
    parse_define,
    parse_estimate,
    parse_example,
    parse_include,
    parse_parameter,
    parse_source,
)
from hltune.values.errors import InputError
from tests.pipeline.conftest import PIPELINES

BLUR = str(PIPELINES / "blur_function.py")


def parse(
    text: str, parameters: Sequence[str] = (), estimates: Sequence[str] = (), examples: Sequence[str] = ()
) -> Source:
    return parse_source(
        text,
        parameters=tuple(map(parse_parameter, parameters)),
        estimates=tuple(map(parse_estimate, estimates)),
        examples=tuple(map(parse_example, examples)),
    )


@pytest.mark.parametrize(
    ("text", "kind", "entry", "name"),
    [
        ("blur_function.py", "python", None, "blur_function"),
        ("blur_function.py:blur", "python", "blur", "blur"),
        ("blur.cpp", "cpp", None, "blur"),
        ("blur.cpp:other", "cpp", "other", "other"),
        ("blur.cpp+sums.cpp:other", "cpp", "other", "other"),
    ],
)
def test_forms(monkeypatch: pytest.MonkeyPatch, text: str, kind: str, entry: str | None, name: str) -> None:
    monkeypatch.chdir(PIPELINES)
    source = parse(text)
    assert (source.kind, source.entry, source.name) == (kind, entry, name)
    assert source.files == tuple(str(PIPELINES / file) for file in text.partition(":")[0].split("+"))


def test_everything_is_kept(tmp_path: Path) -> None:
    image = tmp_path / "a=b.png"
    image.touch()
    source = parse(BLUR, ["a=1", "b=x=y", "c="], ["in=3x4", "gain=-2.5", "on=true"], [str(image), f"in={BLUR}"])
    assert source.parameters == (("a", "1"), ("b", "x=y"), ("c", ""))
    assert source.estimates == (("in", (3, 4)), ("gain", (-2.5,)), ("on", (True,)))
    assert source.examples == ((None, str(image)), ("in", BLUR))
    assert pickle.loads(pickle.dumps(source)) == source


def test_a_name_that_is_no_text_is_spelled_out() -> None:
    source = Source(kind="python", location=os.fsdecode(b"/a/fl\xe4che.py"))
    assert source.name == "fl\\udce4che"


def test_a_module_is_called_by_its_last_name() -> None:
    assert Source(kind="module", location="hltune.suite.median3x3", entry="pipeline").name == "median3x3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "median4x4",
            "median4x4: not a pipeline\n  expected: file.py[:name], file.cpp[+other.cpp][:name] or file.hlpipe",
        ),
        ("blur.rs:blur", "not a pipeline"),
        ("blur.py", "blur.py: no such file"),
        (f"{BLUR}:", "a name must follow the colon"),
    ],
)
def test_not_a_pipeline(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert message in str(caught.value)


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "dir.py").mkdir()
    with pytest.raises(InputError, match="not a file"):
        parse(str(tmp_path / "dir.py"))


def test_hlpipe_takes_no_name(tmp_path: Path) -> None:
    file = tmp_path / "a.hlpipe"
    file.touch()
    assert parse(str(file)).kind == "hlpipe"
    with pytest.raises(InputError, match="holds one pipeline"):
        parse(f"{file}:name")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((["size"], [], []), "-p size: malformed parameter\n  expected: -p KEY=VALUE"),
        ((["=3"], [], []), "malformed parameter"),
        (([], [], ["=a.png"]), "malformed example"),
        (([], [], ["in="]), "malformed example"),
        (([], [], ["in=nothing.png"]), "--example in=nothing.png: no such file"),
    ],
)
def test_malformed_options(options: tuple[list[str], list[str], list[str]], message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(BLUR, *options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("option", "pairs", "message"),
    [
        ("-p", [("a", "1"), ("a", "2")], "-p gives a twice\n  expected: once\n  found: 1 and 2"),
        ("--estimate", [("in", (1, 2)), ("in", (3, 4))], "--estimate gives in twice"),
        ("--example", [(None, BLUR), (None, BLUR)], "--example gives the input twice"),
    ],
)
def test_nothing_is_given_twice(option: str, pairs: list[tuple[str | None, object]], message: str) -> None:
    with pytest.raises(InputError) as caught:
        check_unique(option, pairs)
    assert message in str(caught.value)
    check_unique(option, pairs[:1])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "in",
        "in=",
        "=3x4",
        "in=3x",
        "in=0x4",
        "in=3x-4",
        "in=3.5x4",
        "in=axb",
        "in=truex2",
        "gain=nan",
        "gain=1e999",
    ],
)
def test_malformed_estimates(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_estimate(text)
    assert f"--estimate {text}: malformed estimate\n  expected: NAME=WIDTHxHEIGHT" in str(caught.value)


names = st.text(st.characters(exclude_characters="=", exclude_categories=["Cs"]), min_size=1)


@given(names, st.lists(st.integers(min_value=1), min_size=1, max_size=5))
def test_extents_round_trip(name: str, extents: list[int]) -> None:
    assert parse_estimate(f"{name}={'x'.join(map(str, extents))}") == (name, tuple(extents))


@given(names, st.one_of(st.integers(), st.floats(allow_nan=False)))
def test_scalars_round_trip(name: str, value: float) -> None:
    found = parse_estimate(f"{name}={value!r}")
    assert found == (name, (value,))
    assert type(found[1][0]) is type(value)


@given(st.text())
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        name, numbers = parse_estimate(text)
    except InputError:
        return
    assert text.startswith(f"{name}=")
    assert len(numbers) == text.count("x", len(name)) + 1


def test_a_plus_sign_may_be_part_of_a_name(tmp_path: Path) -> None:
    folder = tmp_path / "c++"
    folder.mkdir()
    one, two = folder / "a+b.cpp", folder / "c.cc"
    one.touch()
    two.touch()
    assert parse(str(one)).files == (str(one),)
    assert parse(f"{one}+{two}:name").files == (str(one), str(two))


def test_flags_of_the_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "include").mkdir()
    assert parse_include("include") == f"-I{tmp_path / 'include'}"
    assert (parse_define("N"), parse_define("F(x)=(x + 1)")) == ("-DN", "-DF(x)=(x + 1)")
    assert parse_cxxflags("-O2 -DNAME='a b'") == ("-O2", "-DNAME=a b")


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (parse_include, "nowhere", "-I nowhere: no such folder"),
        (parse_define, "3=4", "-D 3=4: malformed macro"),
        (parse_cxxflags, "'open", "--cxxflags 'open: malformed flags"),
        (lambda text: parse_source(text, cxxflags=("-O2",)), BLUR, "-I, -D and --cxxflags are for C++ generators"),
    ],
)
def test_malformed_flags(read: Callable[[str], object], text: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        read(text)
    assert expected in str(caught.value)
