"""How a CMake project gets a scheduled pipeline: by building its generator, or by linking what was compiled for it."""

from __future__ import annotations

import os.path
import re
import shlex
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hltune.pipeline.cpp_build import RENAMED_MAIN
from hltune.pipeline.cpp_errors import has_main
from hltune.pipeline.source import Source
from hltune.runtime.halide_wheel import CMAKE_VERSION
from hltune.schedule.export import libraries, suffixes
from hltune.schedule.source import HEADER_ENDING

_GENERATOR = """\
# Builds the library {name} with the generator {entry}{applies}.
# In a CMakeLists.txt:
#     find_package(Halide REQUIRED)  # of the wheel: cmake -DCMAKE_PREFIX_PATH=.../site-packages/halide/lib64/cmake
#                                    # It wants CMake {version} or newer.
#     include({directory}/{name}.cmake)
#     target_link_libraries(PROGRAM PRIVATE {name})
include_guard(GLOBAL)
add_halide_generator({name}.generator SOURCES {sources} LINK_LIBRARIES Halide::Tools)
{header}{main}{flags}add_halide_library({name} FROM {name}.generator GENERATOR {entry}
    TARGETS {target} PARAMS {parameters})
"""
_HEADER = """\
# In a folder of its own the header goes before all others of its name, and nothing else of this folder does but the
# headers that hltune has written for other generators: one source may apply several.
configure_file("${{CMAKE_CURRENT_LIST_DIR}}/{path}" "${{CMAKE_CURRENT_BINARY_DIR}}/{name}.schedule/{header}" COPYONLY)
target_include_directories({name}.generator BEFORE PRIVATE "${{CMAKE_CURRENT_BINARY_DIR}}/{name}.schedule")
block()
    file(GLOB others CONFIGURE_DEPENDS "${{CMAKE_CURRENT_LIST_DIR}}/*{ending}")
    list(REMOVE_ITEM others "${{CMAKE_CURRENT_LIST_DIR}}/{header}")
    foreach(other IN LISTS others)
        file(STRINGS "${{other}}" written REGEX "^// A schedule found by hltune" LIMIT_COUNT 1)
        if(written)
            configure_file("${{other}}" "${{CMAKE_CURRENT_BINARY_DIR}}/{name}.schedule" COPYONLY)
        endif()
    endforeach()
endblock()
"""
_MAIN = """\
# The files are a program of their own as well, whose main() is not the generator's.
target_compile_definitions({name}.generator PRIVATE {renamed})
"""
_COMPILED = """\
# The library {name}, as it was compiled with its schedule for {target}. In a CMakeLists.txt:
#     include({directory}/{name}.cmake)
#     target_link_libraries(PROGRAM PRIVATE {name})
include_guard(GLOBAL)
add_library({name} STATIC IMPORTED GLOBAL)
set_target_properties({name} PROPERTIES
    IMPORTED_LOCATION "${{CMAKE_CURRENT_LIST_DIR}}/{name}{suffix}"
    INTERFACE_INCLUDE_DIRECTORIES "${{CMAKE_CURRENT_LIST_DIR}}"
    INTERFACE_LINK_LIBRARIES "{libraries}")
"""

_PATHS = frozenset({"-isystem", "-iquote", "-idirafter", "-include", "-imacros", "-isysroot"})
_PAIRS = _PATHS | {"-x", "-Xclang", "-Xpreprocessor", "-mllvm", "--param"}
"""Flags of the compiler whose value is a word of its own, and those of them that name a file or a folder."""


def for_generator(
    source: Source,
    *,
    scalars: Collection[str],
    name: str,
    entry: str,
    header: Path | None,
    target: str,
    directory: Path,
    about: Sequence[str] = (),
) -> str:
    """A file that builds a C++ generator and its library.

    Args:
        scalars: the inputs that are no images: what the source gives these is no parameter of the generator.
        name: of the library and of its C function.
        entry: name under which the generator is registered.
        header: file with the schedule, from the directory on; None if the generator has that itself.
        directory: where the file will be; the generator's files are named relative to it.
        about: lines to begin with, as comments.
    """
    flags = _Flags.of(source.cxxflags)
    folders = [_below(directory, Path(folder)) for folder in flags.library_folders]
    lines = {
        "target_include_directories": [_below(directory, Path(each)) for each in flags.includes],
        "target_compile_options": [_option(words, directory) for words in flags.compiler],
        "target_link_directories": folders,
        "target_link_libraries": [_quoted(flag) for flag in flags.linker],
    }
    return _comments(about) + _GENERATOR.format(
        name=name,
        entry=entry,
        applies="" if header is None else f", whose schedule() has to apply {header.name}",
        target=target,
        directory=directory.absolute().name,
        sources=" ".join(_below(directory, Path(file)) for file in source.files),
        version=".".join(map(str, CMAKE_VERSION)),
        header=""
        if header is None
        else _HEADER.format(path=header.as_posix(), header=header.name, name=name, ending=HEADER_ENDING),
        main=_MAIN.format(name=name, renamed=RENAMED_MAIN) if has_main(source) else "",
        flags="".join(
            f"{line}({name}.generator PRIVATE {' '.join(words)})\n" for line, words in lines.items() if words
        ),
        parameters=" ".join(_quoted(f"{key}={value}") for key, value in source.parameters if key not in scalars),
    )


def found_first(source: Source, header: Path) -> Path | None:
    """Another header that the generator's ``#include "..."`` finds, wherever the exported one stands in the path.

    Beside the file, in folders of ``-iquote``, and by names that say the folder.

    Args:
        header: the exported one.
    """
    flags = _Flags.of(source.cxxflags)
    quotes = [Path(words[1]) for words in flags.compiler if words[0] == "-iquote"]
    named = re.compile(rf'^\s*#\s*include\s*[<"]([^">]+/{re.escape(header.name)})[">]', re.MULTILINE)
    for file in map(Path, source.files):
        folders = [file.parent, *quotes]
        candidates = [folder / header.name for folder in folders]
        for name in named.findall(file.read_text(errors="replace")):
            candidates += [folder / name for folder in (*folders, *map(Path, flags.includes))]
        for found in candidates:
            if found.is_file() and found.resolve() != header.resolve():
                return found
    return None


def names_header(source: Source, header: Path) -> bool:
    """Does one of the generator's files, or a flag, name the exported header? Headers of the author's are not read."""
    texts = (Path(file).read_text(errors="replace") for file in source.files)
    return any(header.name in text for text in (*texts, *source.cxxflags))


def for_compiled(*, name: str, target: str, directory: Path, about: Sequence[str] = ()) -> str:
    """A file that imports a static library beside it, with its header.

    Args:
        name: of the library and of its C function.
        target: what it was compiled for, a Halide target.
        directory: where the files are.
        about: lines to begin with, as comments.
    """
    _, suffix, _ = suffixes(target)
    return _comments(about) + _COMPILED.format(
        name=name,
        target=target,
        directory=directory.absolute().name,
        suffix=suffix,
        libraries=";".join(libraries(target)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flags:
    """The compiler's flags, as CMake wants them: libraries stand behind what needs them, and folders on their own.

    Attributes:
        compiler: the other flags, each with its value, if that is a word of its own.
    """

    includes: tuple[str, ...]
    library_folders: tuple[str, ...]
    linker: tuple[str, ...]
    compiler: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, flags: Iterable[str]) -> _Flags:
        """Sorts flags; the value of one letter may be a word of its own."""
        found: dict[str, list[str]] = {"-I": [], "-L": [], "-l": [], "-Wl,": []}
        compiler: list[tuple[str, ...]] = []
        words = iter(flags)
        for word in words:
            mark = next((mark for mark in found if word.startswith(mark)), None)
            if mark is not None:
                found[mark].append(word.removeprefix(mark) or next(words, ""))
            elif word in ("-D", "-U"):
                compiler.append((word + next(words, ""),))
            else:
                compiler.append((word, next(words, "")) if word in _PAIRS else (word,))
        linker = [*(f"-l{name}" for name in found["-l"]), *(f"-Wl,{flag}" for flag in found["-Wl,"])]
        return cls(
            includes=tuple(found["-I"]),
            library_folders=tuple(found["-L"]),
            linker=tuple(linker),
            compiler=tuple(compiler),
        )


def _comments(lines: Iterable[str]) -> str:
    return "".join(f"# {line}\n" for line in lines)


def _option(words: Sequence[str], directory: Path) -> str:
    """A flag of the compiler; of pairs, CMake would leave out the first words of all but one."""
    flag, *values = words
    if not values:
        return _quoted(flag)
    if flag in _PATHS and Path(values[0]).exists():
        return f'"SHELL:{flag} \\"{_relative(directory, Path(values[0]))}\\""'
    return _quoted(f"SHELL:{shlex.join(words)}")


def _below(directory: Path, file: Path) -> str:
    """The path of a file, as CMake finds it from the directory."""
    return f'"{_relative(directory, file)}"'


def _relative(directory: Path, file: Path) -> str:
    relative = Path(os.path.relpath(file, directory.absolute())).as_posix()
    return f"${{CMAKE_CURRENT_LIST_DIR}}/{_escaped(relative)}"


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    for mark in '\\"$;':
        text = text.replace(mark, "\\" + mark)
    return text
