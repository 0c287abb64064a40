"""What a C++ compiler or linker complains of, and which flag helps."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from hltune.pipeline.source import CPP_SUFFIXES, Source
from hltune.runtime.halide_wheel import halide_version
from hltune.values.errors import NO_ROOM, InputError

_SHOWN_ERRORS = 3
_REGISTERS = re.compile(r"\bHALIDE_REGISTER_GENERATOR|\bRegisterGenerator\b")
_MAIN = re.compile(r"^\s*(?:auto|int|extern\s.*)\s+main\s*\(", re.MULTILINE)
_KILLED = re.compile(r"fatal error: Killed signal terminated program|unable to execute command: Killed")
"""What GCC and Clang say where memory has run out."""
_FOLDERS = ("", "*/", "*/*/", "../", "../*/")
"""Where a header may lie, from the folder of the source."""


def rejected(source: Source, log: str, command: str) -> InputError:
    """The error of a source that does not compile or link."""
    lines = log.splitlines()
    errors = [line for line in lines if _is_error(line)] or lines
    advice = next((text for advise in _ADVICE if (text := advise(source, log))), None)
    return InputError(
        "the C++ compiler rejects the file:\n" + "\n".join(errors[:_SHOWN_ERRORS]),
        where="+".join(source.files),
        todo=advice or f"make it compile with {command} against halide {halide_version()}",
    )


def refusal(log: str) -> str | None:
    """What the system has done to a compiler, which says nothing of the file; None if it was nothing."""
    return next((line for line in log.splitlines() if NO_ROOM in line or _KILLED.search(line)), None)


def is_program(source: Source) -> bool:
    """True if the files are a program of their own, and register no generator."""
    return has_main(source) and not any(map(_REGISTERS.search, _texts(source)))


def has_main(source: Source) -> bool:
    """True if one of the files defines a ``main()``."""
    return any(map(_MAIN.search, _texts(source)))


def _texts(source: Source) -> list[str]:
    return [Path(file).read_text(errors="replace") for file in source.files]


def no_generator(source: Source) -> str:
    """What to do about a file that holds no generator."""
    if is_program(source):
        return (
            "it is a program with its own main(), which hltune does not run: name the file of the generator, or put "
            "the Funcs into one (a class with HALIDE_REGISTER_GENERATOR, or a Python function that returns the output)"
        )
    return "register one with HALIDE_REGISTER_GENERATOR; name all files of a generator as in gen.cpp+helper.cpp"


def _is_error(line: str) -> bool:
    return any(mark in line for mark in ("error: ", "undefined reference", "undefined symbol", "multiple definition"))


def _program(source: Source, _log: str) -> str | None:
    return no_generator(source) if is_program(source) else None


def _header(source: Source, log: str) -> str | None:
    found = re.search(r"fatal error: '?([^':]+)'?(?:: No such file| file not found)", log)
    if found is None or Path(found[1]).is_absolute():
        return None
    header = found[1]
    if header.endswith(".stub.h"):
        generator = header.removesuffix(".stub.h").rpartition("/")[2]
        return (
            f"{header} is made from generator {generator}: name its file, too, as in "
            f"{_with(source, generator + '.cpp')}; or give the folder that holds the header by -I DIR"
        )
    folder = next(_folders_of(header, Path(source.location).parent), None)
    return f"give the folder that holds {header} by -I {folder or 'DIR'}"


def _with(source: Source, file: str) -> str:
    return "+".join((*(Path(path).name for path in source.files), file))


def _folders_of(header: str, start: Path) -> Iterator[Path]:
    for pattern in _FOLDERS:
        for file in islice(start.glob(pattern + header), 1):
            yield Path(str(file).removesuffix(header)).resolve()


def _macro(_source: Source, log: str) -> str | None:
    undeclared = re.search(
        r"error: (?:use of undeclared identifier )?'([A-Z][A-Z0-9_]+)'(?: was not declared.*)?$", log, re.M
    )
    if undeclared is not None:
        return f"if {undeclared[1]} is a macro that your build defines, give it by -D {undeclared[1]}=VALUE"
    if re.search(r"error: #error|error: \"|static assertion failed", log) is None:
        return None
    return "give the macros that your build defines by -D NAME=VALUE"


def _symbol(source: Source, log: str) -> str | None:
    found = re.search(r"undefined reference to [`']([^']+)'|undefined symbol: (.+)", log)
    if found is None:
        return None
    symbol: str = found[1] or found[2]
    return (
        f"name the file that defines {symbol}, too, as in {_with(source, _file_of(symbol, source) or 'OTHER.cpp')}; "
        'libraries by --cxxflags "-L DIR -l NAME"'
    )


def _file_of(symbol: str, source: Source) -> str | None:
    """A C++ file beside the source that seems to define a function."""
    name = re.search(r"(\w+)\(", symbol)
    definition = re.compile(rf"\b{name[1]}\s*\([^;{{}}]*\)\s*(?:const\s*)?\{{" if name else r"(?!)")
    beside = (path for path in sorted(Path(source.location).parent.glob("*.c*")) if path.suffix in CPP_SUFFIXES)
    return next((path.name for path in beside if definition.search(path.read_text(errors="replace"))), None)


_ADVICE: Sequence[Callable[[Source, str], str | None]] = (_program, _header, _symbol, _macro)
