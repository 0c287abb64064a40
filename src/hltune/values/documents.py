"""JSON documents as frozen values: the one place that decodes them.

A file holds ``{"format": ..., "version": ..., FIELD: ...}`` with the fields of a dataclass.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar, cast

import msgspec

from hltune.values.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A kind of file.

    Attributes:
        name: what the key ``format`` says.
        version: what the key ``version`` says.
        what: what a message calls a damaged one.
        todo: what people can do about it.
    """

    name: str
    version: int
    what: str
    todo: str

    def encode(self, document: dict[str, Any]) -> bytes:
        """The content of a file."""
        return (json.dumps({"format": self.name, "version": self.version, **document}, indent=1) + "\n").encode()

    def decode(self, data: bytes, *, where: str) -> tuple[int, dict[str, Any]]:
        """The version of a file, and its other fields.

        Raises:
            InputError: it is damaged, or of another format or version.
        """
        try:
            document = cast("dict[str, Any]", json.loads(data))
            name, version = document.pop("format"), document.pop("version")
            if name == self.name and isinstance(version, int) and version > self.version:
                raise self._newer(where, version)
            if name != self.name or version not in range(1, self.version + 1):
                raise ValueError(f"format {name!r} version {version!r}")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self.damaged(where, f"{type(error).__name__}: {error}") from None
        return version, document

    def read(self, data: bytes, kind: type[T], *, where: str) -> T:
        """The fields of a file as a dataclass.

        Raises:
            InputError: it is damaged, or of another format or version.
        """
        _, document = self.decode(data, where=where)
        try:
            return convert(document, kind)
        except InputError as error:
            raise self.damaged(where, error.found or error.what) from None

    def _newer(self, where: str, version: int) -> InputError:
        return InputError(
            "this file was written by a newer version of hltune",
            where=where,
            expected=f"{self.name} version {self.version} or less",
            found=f"version {version}",
            todo="use the newer hltune",
        )

    def damaged(self, where: str, found: str | None) -> InputError:
        """The error of a file that is not to be trusted."""
        return InputError(
            self.what, where=where, expected=f"{self.name} version {self.version}", found=found, todo=self.todo
        )


def convert(document: Any, kind: type[T]) -> T:
    """A dataclass from plain values, each checked against its annotation.

    Raises:
        InputError: keys are missing or unknown, or a value is of another type.
    """
    try:
        value = msgspec.convert(document, kind)
        if unknown := sorted(_unknown_keys(document, value)):
            raise ValueError(f"unknown keys {', '.join(unknown)}")
    except ValueError as error:
        name = getattr(kind, "__name__", str(kind))
        raise InputError(f"not a {name}", expected="the fields of one", found=str(error)) from None
    return value


def _unknown_keys(document: Any, value: object) -> Iterator[str]:
    """Keys, at any depth, that became no field."""
    if isinstance(value, tuple):
        for item, each in zip(document, cast("tuple[object, ...]", value), strict=True):
            yield from _unknown_keys(item, each)
    elif is_dataclass(value):
        known = {each.name for each in fields(value)}
        yield from document.keys() - known
        for name in known & document.keys():
            yield from _unknown_keys(document[name], getattr(value, name))
