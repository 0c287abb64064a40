"""Where a pipeline comes from, as the user names it: a value that any process can load.

| what the user writes                                | field        |
|-----------------------------------------------------|--------------|
| ``file.py[:name]`` ``file.cpp[:name]`` ``file.hlpipe`` | ``location``, ``entry`` |
| ``-p KEY=VALUE``                                    | ``parameters`` |
| ``--estimate NAME=1536x2560``, ``--estimate NAME=3.5`` | ``estimates``  |
| ``--example [NAME=]image.png``                      | ``examples``   |
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from hltune.values.errors import InputError
from hltune.values.pipeline import Number

SourceKind = Literal["module", "python", "cpp", "hlpipe"]

K = TypeVar("K")
V = TypeVar("V")

_KINDS: dict[str, SourceKind] = {".py": "python", ".cpp": "cpp", ".hlpipe": "hlpipe"}
_FORMS = "file.py[:name], file.cpp[:name] or file.hlpipe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A pipeline that has not been loaded yet.

    Attributes:
        location: absolute path of the file, or the name of an installed module.
        entry: which generator or function; None if the file has just one.
        parameters: keys and values as the user typed them.
        estimates: per input or output, the extents of an image, or one number for a scalar.
        examples: paths of images whose shapes stand for estimates, with the input that each is for.
    """

    kind: SourceKind
    location: str
    entry: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    estimates: tuple[tuple[str, tuple[Number, ...]], ...] = ()
    examples: tuple[tuple[str | None, str], ...] = ()

    @property
    def name(self) -> str:
        """What people call the pipeline."""
        if self.kind == "module":
            return self.location.rpartition(".")[2]
        return self.entry or Path(self.location).stem


def parse_source(text: str, *, parameters: Sequence[str], estimates: Sequence[str], examples: Sequence[str]) -> Source:
    """Reads what the user wrote on the command line.

    Raises:
        InputError: a file does not exist, or an option is malformed.
    """
    path, entry = _split_entry(text)
    kind = _KINDS[path.suffix]
    _check_file(path, where=text)
    if kind == "hlpipe" and entry is not None:
        raise InputError("a .hlpipe file holds one pipeline", where=text, todo=f"write {path} without :{entry}")
    return Source(
        kind=kind,
        location=str(path.absolute()),
        entry=entry,
        parameters=_unique("-p", (_parse_parameter(text) for text in parameters)),
        estimates=_unique("--estimate", (parse_estimate(text) for text in estimates)),
        examples=parse_examples(examples),
    )


def parse_examples(texts: Sequence[str]) -> tuple[tuple[str | None, str], ...]:
    """Reads each ``image.png`` or ``NAME=image.png``.

    Raises:
        InputError: one of them is malformed, given twice, or no file.
    """
    return _unique("--example", (_parse_example(text) for text in texts))


def parse_estimate(text: str) -> tuple[str, tuple[Number, ...]]:
    """Reads ``NAME=1536x2560`` (extents, x first) or ``NAME=3.5``.

    Raises:
        InputError: it is neither.
    """
    name, equals, value = text.partition("=")
    words = value.split("x")
    numbers = tuple(parse_number(word) for word in words)
    if not name or not equals or None in numbers or (len(numbers) > 1 and not all(map(_is_extent, numbers))):
        raise InputError(
            "malformed estimate",
            where=f"--estimate {text}",
            expected="NAME=WIDTHxHEIGHT with whole numbers from 1, or NAME=VALUE for a scalar",
        )
    return name, tuple(number for number in numbers if number is not None)


def _split_entry(text: str) -> tuple[Path, str | None]:
    if Path(text).suffix in _KINDS:
        return Path(text), None
    head, colon, entry = text.rpartition(":")
    if not colon or Path(head).suffix not in _KINDS:
        raise InputError("not a pipeline", where=text, expected=_FORMS)
    if not entry:
        raise InputError("a name must follow the colon", where=text, expected=_FORMS)
    return Path(head), entry


def _check_file(path: Path, *, where: str) -> None:
    if not path.exists():
        raise InputError("no such file", where=where, found=f"nothing at {path.absolute()}")
    if not path.is_file():
        raise InputError(
            "not a file", where=where, expected="a regular file", found=f"a directory at {path.absolute()}"
        )


def _parse_parameter(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InputError("malformed parameter", where=f"-p {text}", expected="-p KEY=VALUE")
    return key, value


def split_named_file(text: str) -> tuple[str | None, str]:
    """Splits ``[NAME=]FILE``; a file whose own name has an equals sign goes before."""
    name, equals, file = text.partition("=")
    return (None, text) if not equals or Path(text).exists() else (name, file)


def _parse_example(text: str) -> tuple[str | None, str]:
    name, file = split_named_file(text)
    if name == "" or not file:
        raise InputError("malformed example", where=f"--example {text}", expected="image.png or NAME=image.png")
    _check_file(Path(file), where=f"--example {text}")
    return name, str(Path(file).absolute())


def parse_number(word: str) -> Number | None:
    """Reads a number, or true or false; None if it is neither."""
    if word in ("true", "false"):
        return word == "true"
    if re.fullmatch(r"[+-]?[0-9]+", word):
        return int(word)
    try:
        number = float(word)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _is_extent(number: Number | None) -> bool:
    return type(number) is int and number >= 1


def _unique(option: str, pairs: Iterator[tuple[K, V]]) -> tuple[tuple[K, V], ...]:
    found: dict[K, V] = {}
    for key, value in pairs:
        if key in found:
            raise InputError(
                f"{option} gives {key or 'the input'} twice", expected="once", found=f"{found[key]} and {value}"
            )
        found[key] = value
    return tuple(found.items())
