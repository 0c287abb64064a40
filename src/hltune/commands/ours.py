"""Files that a command is about to replace: only those that it wrote before, never one of the user's."""

import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path

from hltune.bundle.packing import MANIFEST
from hltune.values.errors import InputError

_TEXTS = frozenset({".json", ".py", ".h", ".cmake"})
_HALIDE = "#ifndef HALIDE_"
"""So Halide begins the header of a compiled pipeline."""
_BEGINNING = 4000


def check_ours(paths: Sequence[Path], *, sources: Collection[str] = ()) -> None:
    """Raises an `InputError` for a file that exists and that no earlier export wrote.

    Args:
        sources: files that the pipeline is made of.
    """
    own = {Path(source).resolve() for source in sources}
    for path in paths:
        if path.exists() and (path.resolve() in own or not _is_ours(path)):
            raise _theirs(
                path,
                "one that an earlier export wrote",
                "give another -o, or another --function-name for compiled code and --cmake",
            )


def check_bundle(path: Path) -> None:
    """Raises an `InputError` for a file that exists and is no bundle."""
    if path.exists() and not _is_bundle(path):
        raise _theirs(path, "a bundle that hltune made", "give another name by -o")


def _theirs(path: Path, ours: str, todo: str) -> InputError:
    return InputError("there is a file of yours", where=str(path), expected=f"no file, or {ours}", todo=todo)


def _is_bundle(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return MANIFEST in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def _is_ours(path: Path) -> bool:
    """It says so; of compiled code, the header beside it says that Halide wrote it."""
    text = path if path.suffix in _TEXTS else path.with_suffix(".h")
    try:
        with text.open(errors="replace") as file:
            beginning = file.read(_BEGINNING)
    except OSError:
        return False
    return "hltune" in beginning or beginning.startswith(_HALIDE)
