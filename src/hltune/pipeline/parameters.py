"""Turns the text of ``-p KEY=VALUE`` into values of the types that a generator or function declares."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import halide as hl

from hltune.pipeline.build import halide_type
from hltune.values.errors import InputError

_BOOLS = {"true": True, "1": True, "false": False, "0": False}


def convert_parameters(parameters: Sequence[tuple[str, str]], types: Mapping[str, type]) -> dict[str, Any]:
    """Converts each value to the type declared under its key.

    Raises:
        InputError: there is no such key, or the value is none of its type.
    """
    return {key: _convert(key, text, _lookup(key, types)) for key, text in parameters}


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Advice for a name that does not exist; None if nothing is like it."""
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean {close[0]}?" if close else None


def _lookup(key: str, types: Mapping[str, type]) -> type:
    if key in types:
        return types[key]
    raise InputError(
        "no such parameter",
        where=f"-p {key}",
        expected="one of " + ", ".join(f"{name} ({kind.__name__})" for name, kind in types.items())
        if types
        else "none: this pipeline has no parameters",
        found=repr(key),
        todo=nearest(key, types),
    )


def _convert(key: str, text: str, kind: type) -> Any:
    parse = _PARSERS.get(kind)
    if parse is None:
        raise InputError(
            "this parameter cannot be set from text",
            where=f"-p {key}",
            expected="a parameter of type " + ", ".join(known.__name__ for known in _PARSERS),
            found=kind.__name__,
        )
    try:
        return parse(text)
    except (ValueError, KeyError) as error:
        raise InputError(
            "the value does not fit the parameter", where=f"-p {key}={text}", expected=kind.__name__, found=repr(text)
        ) from error


# bool("False") is True, so text needs a parser of its own for each type.
_PARSERS: dict[type, Callable[[str], Any]] = {
    bool: lambda text: _BOOLS[text.lower()],
    int: int,
    float: float,
    str: str,
    hl.Type: halide_type,
}
