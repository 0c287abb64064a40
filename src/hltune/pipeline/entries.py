"""Which of the pipelines in a file is meant."""

from collections.abc import Sequence

from hltune.pipeline.parameters import nearest
from hltune.values.errors import InputError


def choose_entry(names: Sequence[str], wanted: str | None, *, candidates: Sequence[str], where: str, kind: str) -> str:
    """The name that the user wrote, or else the only candidate.

    Args:
        names: all that can be named.
        wanted: what the user wrote.
        candidates: those of `names` that need no naming when there is just one.
        where: the file.
        kind: what the file can hold, for messages.

    Raises:
        InputError: no such name, no candidate, or several.
    """
    if wanted is not None and wanted in names:
        return wanted
    if wanted is None and len(candidates) == 1:
        return candidates[0]
    if not names:
        raise InputError("no pipeline in this file", where=where, expected=f"a {kind}")
    if wanted is None:
        raise InputError(
            "several pipelines in this file",
            where=where,
            expected="one name",
            found=", ".join(candidates),
            todo=f"name one, as in {where}:{candidates[0]}",
        )
    raise InputError(
        f"no {kind} of this name",
        where=where,
        expected="one of " + ", ".join(names),
        found=repr(wanted),
        todo=nearest(wanted, names),
    )
