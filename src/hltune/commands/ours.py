"""Files that a command is about to replace: only those that it wrote before, never one of the user's."""

import re
import zipfile
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from hltune.bundle.packing import MANIFEST
from hltune.runtime.files import check_file
from hltune.values.errors import InputError

_MARKS = {
    ".json": r'\{\s*"format": "hltune schedule"',
    ".py": r'(#.*\n)*"""A schedule found by hltune;',
    ".h": r"(//.*\n)*?// (Exported by hltune\.$|A schedule found by hltune\. In )",
    ".cmake": r"(#.*\n)*?# Written \S+ by hltune \S+ with Halide ",
}
"""How the texts begin that hltune writes; other comments may come first."""
_VERSION = re.compile(r'(?:, version |"hash": ")([0-9a-f]{12,})')
"""What they say of the pipeline: the beginning of its hash, or all of it."""
_PAGE = re.compile(r"<!DOCTYPE html>\s.*?<title>hltune: ", re.DOTALL)
_BEGINNING = 100_000
_ELSEWHERE = "give another -o"


def check_ours(paths: Sequence[Path], *, sources: Collection[str] = (), todo: str = _ELSEWHERE) -> None:
    """Raises an `InputError` for a file that exists and that no earlier export wrote.

    Args:
        sources: files that the pipeline is made of.
        todo: what to do about it.
    """
    own = _resolved(sources)
    for path in paths:
        if path.exists() and (path.resolve() in own or not _is_ours(path)):
            raise _theirs(path, "one that an earlier export wrote", todo)


def is_of_another_version(path: Path, content_hash: str) -> bool:
    """A file that an earlier export wrote says that it is for another version of the pipeline."""
    said = _VERSION.search(_beginning(path))
    return said is not None and not content_hash.startswith(said[1])


def check_example(script: Path, others: Iterable[Path], *, sources: Iterable[Path]) -> None:
    """Raises an `InputError` for a file that exists and that belongs to no script of an earlier `reproduce`.

    Args:
        script: what runs the example.
        others: the files that the script reads.
        sources: files that the example is made from.
    """
    check_ours([script], todo=_ELSEWHERE)
    text = script.read_text(errors="replace") if script.exists() else ""
    own = _resolved(sources)
    for path in others:
        named = path.name in text or repr(path.stem) in text  # an array goes by the name of its input
        if path.exists() and (path.resolve() in own or not named):
            raise _theirs(path, f"one that an earlier {script.name} reads", _ELSEWHERE)


def check_bundle(path: Path) -> None:
    """Raises an `InputError` for a file that exists and is no bundle."""
    if path.exists() and not _is_bundle(path):
        raise _theirs(path, "a bundle that hltune made", "give another name by -o")


def check_page(path: Path) -> None:
    """Raises an `InputError` for a file that cannot be written, and for one that exists and is no page of ours."""
    check_file(path)
    if path.exists() and not _PAGE.match(_beginning(path)):
        raise _theirs(path, "a page that hltune wrote", "give another FILE")


def _resolved(paths: Iterable[str | Path]) -> set[Path]:
    return {Path(path).resolve() for path in paths}


def _theirs(path: Path, ours: str, todo: str) -> InputError:
    return InputError("there is a file of yours", where=str(path), expected=f"no file, or {ours}", todo=todo)


def _is_bundle(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return MANIFEST in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def _is_ours(path: Path) -> bool:
    """It says so; of compiled code, the header beside it does."""
    text = path if path.suffix in _MARKS else path.with_suffix(".h")
    return re.match(_MARKS[text.suffix], _beginning(text), re.MULTILINE) is not None


def _beginning(path: Path) -> str:
    """What a file begins with; nothing if it cannot be read."""
    try:
        with path.open(errors="replace") as file:
            return file.read(_BEGINNING)
    except OSError:
        return ""
