"""A scheduled pipeline as compiled code: object file, static library and C header. Runs in a worker."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hltune.runtime.files import move_into
from hltune.runtime.worker import Process
from hltune.schedule.c_library import is_taken
from hltune.schedule.languages import C_RESERVED
from hltune.values.directives import ComputeAt, ComputeRoot, Schedule
from hltune.values.errors import HltuneError, InputError
from hltune.values.pipeline import PipelineSpec

if TYPE_CHECKING:
    import halide as hl

_MARK = "// Exported by hltune.\n"
"""First line of a header, so that the next export knows what it may replace."""
_PARAMETER = re.compile(r"(?<=[ *])\w+(?=[,)])", re.ASCII)
"""The name of one, in a declaration."""


def suffixes(target: str) -> tuple[str, str, str]:
    """Of an object, a static library and a header for a target."""
    return (".obj", ".lib", ".h") if "windows" in target.split("-") else (".o", ".a", ".h")


def libraries(target: str) -> tuple[str, ...]:
    """What programs are linked with that call compiled code for a target, behind it."""
    words = target.split("-")
    if "windows" in words:
        return ()
    if "noos" in words or "qurt" in words:
        return ("-lm",)
    return ("-ldl", "-lm", "-llog") if "android" in words else ("-lpthread", "-ldl", "-lm")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileJob:
    """Compiles ahead of time; the header says that it is hltune's.

    The files appear under their names when all are complete; their suffixes follow the operating system of the target.

    Attributes:
        target: a target string of Halide's, such as ``host`` or ``arm-64-android``.
        offload: the outputs are computed by the Hexagon DSP that the target has beside its processor.
        directory: where the files go; absolute, made if it is missing.
        function_name: the C function, and the files without their suffixes.
        timeout_s: limit on compiling.
        about: lines of comments for the header.
    """

    spec: PipelineSpec
    schedule: Schedule
    target: str
    directory: Path
    function_name: str
    timeout_s: float
    offload: bool = False
    about: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if is_taken(self.function_name) or not re.fullmatch(r"[A-Za-z]\w*", self.function_name, re.ASCII):
            raise InputError(
                "this cannot be the name of your C function",
                where="--function-name",
                expected="a letter, then letters, digits and underscores; no keyword of C or C++, nor what functions"
                " and headers of C, or of Halide, are called",
                found=repr(self.function_name),
            )
        if not self.directory.is_absolute():
            raise InputError(
                "the directory is not absolute", expected="a path from the root", found=str(self.directory)
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Of the files: object, static library, header."""
        return tuple(self.function_name + suffix for suffix in suffixes(self.target))

    def run(self, process: Process) -> tuple[Path, ...]:
        """Writes the files and returns their paths: object, static library, header.

        Raises:
            InputError: the target or the schedule cannot be used, or files cannot be written there.
            HltuneError: Halide cannot compile this for the target.
        """
        process.enter("compile for export", timeout_s=self.timeout_s)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=process.scratch) as scratch:
                # Halide makes the header's include guard from the path that it is given: a name alone says the same
                # every time.
                with contextlib.chdir(scratch):
                    names = self._compile()
                return move_into(self.directory, (Path(scratch, name) for name in names))
        except OSError as error:
            raise InputError("cannot write the compiled files", where=str(self.directory), found=str(error)) from error

    def _compile(self) -> list[str]:
        """Compiles into the current folder; returns the names of the files."""
        import halide as hl

        from hltune.schedule.apply import scheduled

        built, funcs = scheduled(self.spec, self.schedule)
        if self.offload:
            offload(built.pipeline, self.schedule, funcs)
        try:
            target = hl.Target(self.target)
        except hl.HalideError as error:
            raise InputError(
                "Halide does not know this target", expected="for example host", found=self.target
            ) from error
        kinds = [hl.OutputFileType.object, hl.OutputFileType.static_library, hl.OutputFileType.c_header]
        outputs: dict[hl.OutputFileType, str] = dict(zip(kinds, self.names, strict=True))
        try:
            built.pipeline.compile_to(outputs, built.arguments, self.function_name, target)
        except hl.HalideError as error:
            raise HltuneError(
                "Halide cannot compile this", where=f"{self.spec.name} for {self.target}", found=str(error).strip()
            ) from error
        header = Path(self.names[2])
        about = "".join(f"// {line}\n" for line in self.about)
        declared = _with_truths(with_legal_names(header.read_text(), self.function_name))
        header.write_text(f"{_MARK}{about}{declared}", encoding="utf-8", errors="backslashreplace")
        return list(self.names)


def with_legal_names(header: str, function: str) -> str:
    """A header in which this function has parameters of legal names: Halide's may begin with digits, or be alike."""
    taken: set[str] = set()

    def legal(found: re.Match[str]) -> str:
        name = first = f"_{found[0]}" if found[0][0].isdigit() else found[0]
        number = 1
        while name in taken | C_RESERVED:
            number += 1
            name = f"{first}_{number}"
        taken.add(name)
        return name

    declared = rf"^int {re.escape(function)}\(.*\)"
    return re.sub(declared, lambda line: _PARAMETER.sub(legal, line[0]), header, flags=re.MULTILINE)


def _with_truths(header: str) -> str:
    """A header that C takes where a scalar is a bool, too: before C23, that is no type unless a header says so."""
    known = "#ifndef __cplusplus\n#include <stdbool.h>\n#endif\n"
    return re.sub(r"^#include <stdint\.h>\n", lambda line: f"{line[0]}{known}", header, count=1, flags=re.MULTILINE)


def offload(pipeline: hl.Pipeline, schedule: Schedule, funcs: Mapping[str, hl.Func]) -> None:
    """Has the DSP do all that runs outside of all other loops: every stage of the outputs, and of Funcs at root.

    Of the author's own schedule nobody knows which Funcs are at root; those stay on the processor.

    Args:
        funcs: by the names that they have in the schedule.
    """
    places = {each.stage.func: each for each in schedule.directives if isinstance(each, ComputeAt | ComputeRoot)}
    outermost = [funcs[name] for name, each in places.items() if isinstance(each, ComputeRoot)]
    for func in {func.name(): func for func in (*outermost, *pipeline.outputs())}.values():
        stages: list[Any] = [func, *map(func.update, range(func.num_update_definitions()))]
        for stage in stages:
            stage.hexagon()
