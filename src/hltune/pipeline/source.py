"""Where a pipeline comes from, as the user names it: a value that any process can load.

| what the user writes                                | field        |
|-----------------------------------------------------|--------------|
| ``file.py[:name]`` ``file.cpp[:name]`` ``file.hlpipe`` | ``location``, ``entry`` |
| ``file.cpp+other.cpp[:name]``                       | ``others``, too |
| ``-I DIR`` ``-D NAME=VALUE`` ``--cxxflags "..."``   | ``cxxflags`` |
| ``-p KEY=VALUE``                                    | ``parameters`` |
| ``--estimate NAME=1536x2560``, ``--estimate NAME=3.5`` | ``estimates``  |
| ``--example [NAME=]image.png``                      | ``examples``   |
"""

import math
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hltune.values.errors import InputError, out_of_range
from hltune.values.pipeline import Number

SourceKind = Literal["module", "python", "cpp", "hlpipe"]

Parameters = tuple[tuple[str, str], ...]
"""Keys and values as the user typed them."""
Estimates = tuple[tuple[str, tuple[Number, ...]], ...]
"""Per input or output, the extents of an image, or one number for a scalar."""
Examples = tuple[tuple[str | None, str], ...]
"""Inputs, or None for the only one, and paths of images whose shapes stand for estimates."""

CPP_SUFFIXES = (".cpp", ".cc", ".cxx")
_KINDS: dict[str, SourceKind] = {".py": "python", **dict.fromkeys(CPP_SUFFIXES, "cpp"), ".hlpipe": "hlpipe"}
_TOO_LARGE = 1_000_000
"""A width, or a height."""
_FORMS = "file.py[:name], file.cpp[+other.cpp][:name] or file.hlpipe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A pipeline that has not been loaded yet.

    Attributes:
        location: absolute path of the file, or the name of an installed module.
        entry: which generator or function; None if the file has just one.
        others: further C++ files of the generator, absolute.
        cxxflags: what the compiler is told about C++ files.
    """

    kind: SourceKind
    location: str
    entry: str | None = None
    parameters: Parameters = ()
    estimates: Estimates = ()
    examples: Examples = ()
    others: tuple[str, ...] = ()
    cxxflags: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """All files that are named, the first one first."""
        return (self.location, *self.others)

    @property
    def name(self) -> str:
        """What people call the pipeline; bytes of a file's name that are no text are spelled out."""
        if self.kind == "module":
            return self.location.rpartition(".")[2]
        name = self.entry or Path(self.location).stem
        return name.encode(errors="backslashreplace").decode()


def parse_source(
    text: str,
    *,
    parameters: Parameters = (),
    estimates: Estimates = (),
    examples: Examples = (),
    cxxflags: tuple[str, ...] = (),
) -> Source:
    """Reads where the pipeline is, and adds what was read already."""
    paths, entry = _split_entry(text)
    kind = _KINDS[paths[0].suffix]
    for path in paths:
        _check_file(path, where=text)
    if kind == "hlpipe" and entry is not None:
        raise InputError("a .hlpipe file holds one pipeline", where=text, todo=f"write {paths[0]} without :{entry}")
    if kind != "cpp" and cxxflags:
        raise InputError("-I, -D and --cxxflags are for C++ generators", where=text, found=" ".join(cxxflags))
    location, *others = (str(path.absolute()) for path in paths)
    return Source(
        kind=kind,
        location=location,
        entry=entry,
        parameters=parameters,
        estimates=estimates,
        examples=examples,
        others=tuple(others),
        cxxflags=cxxflags,
    )


def parse_include(text: str) -> str:
    """Reads a folder of headers."""
    path = Path(text)
    if not path.is_dir():
        found = f"nothing there that is one: {path.absolute()}"
        raise InputError("no such folder", where=f"-I {text}", expected="a folder of headers", found=found)
    return f"-I{path.absolute()}"


def parse_define(text: str) -> str:
    """Reads ``NAME`` or ``NAME=VALUE``."""
    if not re.fullmatch(r"[A-Za-z_]\w*(\([^)]*\))?(=.*)?", text, flags=re.DOTALL):
        raise InputError("malformed macro", where=f"-D {text}", expected="-D NAME or -D NAME=VALUE")
    return f"-D{text}"


def parse_cxxflags(text: str) -> tuple[str, ...]:
    """Reads flags of the compiler, separated and quoted as in a shell."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise InputError("malformed flags", where=f"--cxxflags {text}", found=str(error)) from error


def parse_size(text: str) -> tuple[int, int]:
    """Reads ``1536x2560``."""
    match = re.fullmatch(r"(0|[1-9][0-9]{0,99})x(0|[1-9][0-9]{0,99})", text)
    if match is None:
        raise InputError("malformed size", where=f"--size {text}", expected="WIDTHxHEIGHT, for example 1536x2560")
    width, height = int(match[1]), int(match[2])
    if not (0 < width < _TOO_LARGE and 0 < height < _TOO_LARGE):
        raise out_of_range("--size", f"1 to {_TOO_LARGE - 1} either way", text)
    return width, height


def parse_estimate(text: str) -> tuple[str, tuple[Number, ...]]:
    """Reads ``NAME=1536x2560`` (extents, x first) or ``NAME=3.5``."""
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


def _split_entry(text: str) -> tuple[list[Path], str | None]:
    if Path(text).suffix in _KINDS:
        return _split_files(text), None
    head, colon, entry = text.rpartition(":")
    if not colon or Path(head).suffix not in _KINDS:
        raise InputError("not a pipeline", where=text, expected=_FORMS)
    if not entry:
        raise InputError("a name must follow the colon", where=text, expected=_FORMS)
    return _split_files(head), entry


def _split_files(text: str) -> list[Path]:
    """Splits ``file.cpp+other.cpp``; a plus sign elsewhere belongs to a name."""
    words = re.split("|".join(rf"(?<={re.escape(suffix)})\+" for suffix in CPP_SUFFIXES), text)
    return (
        [Path(text)]
        if Path(text).exists() or not all(Path(word).suffix in CPP_SUFFIXES for word in words)
        else [*map(Path, words)]
    )


def _check_file(path: Path, *, where: str) -> None:
    if not path.exists():
        raise InputError("no such file", where=where, found=f"nothing at {path.absolute()}")
    if not path.is_file():
        found = f"a directory at {path.absolute()}"
        raise InputError("not a file", where=where, expected="a regular file", found=found)


def parse_parameter(text: str) -> tuple[str, str]:
    """Reads ``KEY=VALUE``."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InputError("malformed parameter", where=f"-p {text}", expected="-p KEY=VALUE")
    return key, value


def split_named_file(text: str) -> tuple[str | None, str]:
    """Splits ``[NAME=]FILE``; a file whose own name has an equals sign goes before."""
    name, equals, file = text.partition("=")
    return (None, text) if not equals or Path(text).exists() else (name, file)


def parse_example(text: str) -> tuple[str | None, str]:
    """Reads ``image.png`` or ``NAME=image.png``."""
    name, file = split_named_file(text)
    if name == "" or not file:
        raise InputError("malformed example", where=f"--example {text}", expected="image.png or NAME=image.png")
    _check_file(Path(file), where=f"--example {text}")
    return name, str(Path(file).absolute())


def parse_number(word: str) -> Number | None:
    """Reads a number, inf or -inf among them, or true or false; None if it is neither."""
    if word in ("true", "false"):
        return word == "true"
    if re.fullmatch(r"[+-]?[0-9]+", word):
        return int(word)
    try:
        number = float(word)
    except ValueError:
        return None
    infinite = re.fullmatch(r"[+-]?inf(inity)?", word, re.IGNORECASE)  # what is too large for a float is no number
    return number if infinite or math.isfinite(number) else None


def _is_extent(number: Number | None) -> bool:
    return type(number) is int and number >= 1


def check_unique(option: str, pairs: Iterable[tuple[str | None, object]]) -> None:
    """Refuses what is given twice."""
    found: dict[str | None, object] = {}
    for key, value in pairs:
        if key in found:
            raise InputError(
                f"{option} gives {key or 'the input'} twice", expected="once", found=f"{found[key]} and {value}"
            )
        found[key] = value
