"""Schedules as JSON documents.

::

    {"format": "hltune schedule", "version": 1, "directives": [
        {"op": "split", "func": "output", "old": "y", "outer": "y", "inner": "yi", "factor": 8, "tail": "Auto"},
        {"op": "vectorize", "func": "sum", "update": 0, "var": "xi"},
        ...]}

``update`` is there if the directive is about an update definition; all other keys are the directive's fields. The
schedule that the pipeline's author wrote, where directives cannot express it, has none, but a key ``"base": SHA-256``.
A file may say under ``about`` what it is for, which does not count when it is read, see `read_written`.
"""

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from hltune.values.directives import Directive, Schedule, kinds
from hltune.values.errors import InputError
from hltune.values.roles import Stage, form_of

FORMAT = "hltune schedule"
VERSION = 1
_REMEMBERED = 8192
"""Schedules whose hashes are known: that of each is asked for from proposal to store, and takes ten times as long."""


def to_json(schedule: Schedule) -> dict[str, Any]:
    """A document of plain values that `json.dumps` takes."""
    base = {} if schedule.base is None else {"base": schedule.base}
    return {"format": FORMAT, "version": VERSION, **base, "directives": list(map(_encode, schedule.directives))}


def from_json(document: object) -> Schedule:
    """Reads what `to_json` wrote.

    Raises:
        InputError: the document is anything else; says where.
    """
    document = _dict(document, "schedule")
    _check_keys(document, {"format", "version", "directives"} | ({"base", "about"} & document.keys()), "schedule")
    for key, expected in (("format", FORMAT), ("version", VERSION)):
        if type(document[key]) is not type(expected) or document[key] != expected:
            raise InputError(
                f"this schedule has another {key}",
                where="schedule",
                expected=repr(expected),
                found=repr(document[key]),
                todo="use the version of hltune that wrote it",
            )
    found = document["directives"]
    if not isinstance(found, list):
        raise InputError("not a list", where="directives", expected="a list", found=type(found).__name__)
    items = cast("list[object]", found)
    base = document.get("base")
    if base is not None and (items or not re.fullmatch("[0-9a-f]{64}", str(base))):
        expected = "64 hexadecimal digits, and no directives"
        raise InputError("not a base", where="base", expected=expected, found=f"{base!r}, {len(items)} directives")
    directives = tuple(_decode(item, f"directives[{i}]") for i, item in enumerate(items))
    return Schedule(directives, base)


class Written(NamedTuple):
    """A schedule in a file, and hash and name of the pipeline that it says it is for; None if it does not."""

    schedule: Schedule
    made_for: str | None
    pipeline: str | None


def read_schedule_file(path: Path) -> Schedule:
    """Reads a file that holds what `to_json` wrote; see `read_written`."""
    return read_written(path).schedule


def read_written(path: Path) -> Written:
    """Reads a file that holds what `to_json` wrote, and what it says under ``about``.

    Raises:
        InputError: it cannot be read or is none.
    """
    try:
        text = path.read_text()
        if not text.strip():
            raise InputError("not a schedule: the file is empty")
        document = json.loads(text)
        schedule, about = from_json(document), document.get("about")
        return Written(schedule, _text_of(about, "hash"), _text_of(about, "pipeline"))
    except IsADirectoryError:
        raise InputError("this is a folder", where=str(path), expected="a schedule.json", todo="name a file") from None
    except OSError as error:
        raise InputError("cannot read the schedule", where=str(path), found=error.strerror) from None
    except (ValueError, RecursionError) as error:
        raise InputError("not a schedule: no JSON", where=str(path), found=str(error)) from None
    except InputError as error:
        error.where = f"{path}: {error.where}" if error.where else str(path)
        raise


def _text_of(about: Any, key: str) -> str | None:
    found = cast("dict[str, object]", about).get(key) if isinstance(about, dict) else None
    return found if isinstance(found, str) else None


@lru_cache(_REMEMBERED)
def schedule_hash(schedule: Schedule) -> str:
    """Identity of a schedule: 64 hexadecimal digits."""
    items = list(map(_encode, schedule.directives))
    items += [] if schedule.base is None else [{"base": schedule.base}]
    text = json.dumps(items, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _encode(directive: Directive) -> dict[str, Any]:
    form = form_of(type(directive))
    stage = directive.stage
    head: dict[str, Any] = {"op": form.call, "func": stage.func}
    if stage.update is not None:
        head["update"] = stage.update
    return head | {name: _lists(getattr(directive, name)) for name, _ in form.fields[1:]}


def _decode(item: object, where: str) -> Directive:
    item = _dict(item, where)
    call = item.get("op")
    if not isinstance(call, str) or call not in kinds():
        expected = "one of " + ", ".join(kinds())
        raise InputError("no such directive is known", where=where, expected=expected, found=repr(call))
    kind = kinds()[call]
    names = [name for name, _ in form_of(kind).fields[1:]]
    _check_keys(item, {"op", "func", *names} | ({"update"} & item.keys()), where)
    if "update" in item and item["update"] is None:
        raise InputError("update is null", where=where, expected="a number, or no such key", found="null")
    try:
        return kind(Stage(item["func"], item.get("update")), *(_tuples(item[name]) for name in names))
    except InputError as error:
        error.where = where
        raise


def _dict(value: object, where: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise InputError("not an object", where=where, expected="an object with keys", found=type(value).__name__)
    return cast("dict[Any, Any]", value)


def _check_keys(found: dict[Any, Any], expected: set[str], where: str) -> None:
    if found.keys() != expected:
        raise InputError(
            "keys are missing or not known",
            where=where,
            expected=", ".join(sorted(expected)),
            found=", ".join(sorted(map(str, found))) or "no keys",
        )


def _lists(value: Any) -> Any:
    return [_lists(item) for item in cast("tuple[Any, ...]", value)] if isinstance(value, tuple) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in cast("list[Any]", value)) if isinstance(value, list) else value
