"""What the user chooses in a file: one of its pipelines, and parameters of the types that this declares."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import halide as hl

from hltune.pipeline.build import halide_type
from hltune.values.errors import InputError, did_you_mean

_BOOLS = {"true": True, "1": True, "false": False, "0": False}


def choose_entry(names: Sequence[str], wanted: str | None, *, candidates: Sequence[str], where: str, kind: str) -> str:
    """The name that the user wrote, or else the only candidate.

    Args:
        names: all that can be named.
        wanted: what the user wrote.
        candidates: those of `names` that need no naming when there is just one.
        where: the file.
        kind: what the file can hold, for messages."""
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
        todo=did_you_mean(wanted, names),
    )


def convert_parameters(parameters: Sequence[tuple[str, str]], types: Mapping[str, type]) -> dict[str, Any]:
    """Converts the values of ``-p KEY=VALUE`` to the types declared under their keys."""
    return {key: _convert(key, text, _lookup(key, types)) for key, text in parameters}


def _lookup(key: str, types: Mapping[str, type]) -> type:
    if key in types:
        return types[key]
    raise no_such_parameter(key, {name: f"{name} ({_name(kind)})" for name, kind in types.items()}, of="pipeline")


def no_such_parameter(key: str, known: Mapping[str, str], *, of: str) -> InputError:
    """The error of a key that names none of the parameters; these are known by what messages say of them."""
    return InputError(
        "no such parameter",
        where=f"-p {key}",
        expected="one of " + ", ".join(known.values()) if known else f"none: this {of} has no parameters",
        found=repr(key),
        todo=did_you_mean(key, known),
    )


def _convert(key: str, text: str, kind: type) -> Any:
    parse = _PARSERS.get(kind)
    if parse is None:
        raise InputError(
            "this parameter cannot be set from text",
            where=f"-p {key}",
            expected="a parameter of type " + ", ".join(known.__name__ for known in _PARSERS),
            found=_name(kind),
        )
    try:
        return parse(text)
    except (ValueError, KeyError) as error:
        raise InputError(
            "the value does not fit the parameter", where=f"-p {key}={text}", expected=_name(kind), found=repr(text)
        ) from error


def _name(kind: type) -> str:
    """An annotation need not be a class."""
    return getattr(kind, "__name__", str(kind))


# bool("False") is True, so text needs a parser of its own for each type.
_PARSERS: dict[type, Callable[[str], Any]] = {
    bool: lambda text: _BOOLS[text.lower()],
    int: int,
    float: float,
    str: str,
    hl.Type: halide_type,
}
