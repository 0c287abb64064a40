"""What a bundle's runner wrote on the device: a line that says where, then a line for each measurement.

::

    {"format": "hltune bundle results", "version": 2, "bundle": "ID", "device": {"cpu": ..., "board": ..., "cores": 8,
     "threads": 4, "libc": "glibc", "kernel": "Linux 6.1 aarch64"}, "started_s": 1.7e9, "check": "16 digits"}
    {"candidate": 3, "schedule": "12 digits", "pass": 1, "at_s": 1.7e9, "turns_s": [[0.0020, 0.0021], ...],
     "best_s": 0.0020, "pruned": false, "check": ...}
    {"candidate": 4, "schedule": ..., "pass": 1, "at_s": ..., "failed": {"stage": ..., "kind": ..., "message": ...},
     "check": ...}

A turn is its repeats, sorted; of more than eleven it is the least, the nine deciles and the largest, whose quantiles
are those of all. ``best_s`` is the lower decile of all turns.

``check`` is FNV-1a of the bundle's id, of the first line up to the kernel, and of what stands before it in the line (in
the first one itself only of the id and that), so that a line that somebody changed, or that belongs to another bundle
or device, is known. Whatever is wrong with a line, the others count. In version 1, which runners of bundles write that
are older, no check depends on the device.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from hltune.bundle.manifest import Entry, Manifest
from hltune.values.cost import REPEATED, Cost, Measurement
from hltune.values.documents import convert
from hltune.values.errors import Failure, InputError
from hltune.values.machine_id import MachineId
from hltune.values.unit import MILLISECONDS

CONDITIONS = "bundle runner 1"
"""Beginning of the conditions of every machine that a bundle was measured on; counts what may change costs."""
_FORMAT = "hltune bundle results"
_VERSIONS = (1, 2)
_BEGINNING = b'{"format"'
"""Of a first line."""
_ID = re.compile(r"[0-9a-f]{12}")
_CHECK = re.compile(rb',"check":"([0-9a-f]{16})"}$')
_LATEST_S = 2.0**32
"""No clock is later than the year 2106."""
_AGAIN = "run the bundle again on the device: what is missing here is measured once more"
_COPY = "copy the file again from the device; do not edit it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Where a bundle ran.

    Attributes:
        cpu: model of the processor, or the kinds of its cores.
        board: what the system calls the whole; empty if it says nothing.
        cores: all, those that sleep included; of bundles that are older, those that the run was allowed to use.
        libc: whose functions the runner used.
    """

    cpu: str
    board: str
    cores: int
    threads: int
    libc: str
    kernel: str

    def __post_init__(self) -> None:
        if not (0 < self.cores < 2**16 and 0 < self.threads < 2**16):
            raise ValueError(f"cores: {self.cores}, threads: {self.threads}")

    def machine(self, manifest: Manifest) -> MachineId:
        """The identity of its measurements. The kernel is no part of it, for it is updated now and then."""
        return MachineId(
            cpu=", ".join(filter(None, (self.cpu, self.board))),
            target=manifest.target,
            threads=self.threads,
            halide=manifest.halide,
            conditions=f"{CONDITIONS}, cores: {self.cores}, C library: {self.libc}",
        ).with_given(manifest.given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a line, which does not count."""

    line: int
    what: str
    expected: str
    found: str
    todo: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}; expected: {self.expected}; found: {self.found}; to do: {self.todo}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A good line.

    Attributes:
        pass_number: 1 in the first pass over all candidates; more where it was measured once more.
    """

    entry: Entry
    measurement: Measurement
    pass_number: int
    at_s: float


@dataclass(slots=True, kw_only=True)
class Results:
    """All that a file says.

    Attributes:
        unfinished: the last line was not written to its end.
    """

    device: Device
    measured: list[Measured] = field(default_factory=list[Measured])
    problems: list[Problem] = field(default_factory=list[Problem])
    unfinished: bool = False

    @property
    def refuted(self) -> list[Measured]:
        """Costs of the first pass that no later one repeats: of a lucky moment, or of what fails later."""
        again = dict[int, float]()
        for each in self.measured:
            if each.pass_number > 1:
                cost = each.measurement.value if isinstance(each.measurement, Cost) else math.inf
                again[each.entry.number] = min(again.get(each.entry.number, math.inf), cost)
        return [
            each
            for each in self.measured
            if each.pass_number == 1
            and isinstance(each.measurement, Cost)
            and each.measurement.value < REPEATED * again.get(each.entry.number, 0.0)
        ]


def bundle_of(data: bytes, *, where: str) -> str:
    """The id of the bundle that a file of results belongs to.

    Raises:
        InputError: it does not begin as results do.
    """
    return str(_header(data, where)["bundle"])


def read_results(data: bytes, manifest: Manifest, *, where: str) -> Results:
    """Reads results of a bundle; what is damaged is named, and the rest counts.

    Raises:
        InputError: the first line, which says on what device, is damaged, or of another bundle.
    """
    header = _header(data, where)
    bundle_id = manifest.id  # a hash of all that is in it, which takes a while
    if header["bundle"] != bundle_id:
        raise InputError(
            "these are results of another bundle",
            where=where,
            expected=f"bundle {bundle_id}",
            found=f"bundle {header['bundle']}",
            todo="give the bundle that was run on the device by --bundle FILE",
        )
    first, *lines = data.split(b"\n")
    if not _intact(first, checksum(bundle_id.encode())):
        raise InputError(
            "the first line was changed, and nobody knows on what device this was measured",
            where=f"{where}: line 1",
            expected="the line as the runner wrote it",
            found=_excerpt(first),
            todo=_COPY,
        )
    results = Results(device=_device(header, where))
    unfinished = lines.pop() if lines else b""
    reader = _Reader(bundle_id, {each.number: each for each in manifest.entries}, first, header["version"], results)
    for number, line in enumerate(lines, start=2):
        if not reader.take(number, line):
            break
    results.unfinished = bool(unfinished)
    return results


def checksum(text: bytes, total: int = 0xCBF29CE484222325) -> int:
    """FNV-1a, which goes on from what came before."""
    for byte in text:
        total = (total ^ byte) * 0x100000001B3 % 2**64
    return total


def start_of_checks(first: bytes, bundle_id: str, version: int) -> int:
    """What the checks of all lines after the first one begin with."""
    return checksum(_place(first) if version > 1 else b"", checksum(bundle_id.encode()))


def _intact(line: bytes, start: int) -> bool:
    found = _CHECK.search(line)
    return found is not None and int(found[1], 16) == checksum(line[: found.start()], start)


def _header(data: bytes, where: str) -> dict[str, Any]:
    first = data.partition(b"\n")[0]
    try:
        header = _decoded(first)
        if header["format"] != _FORMAT or header["version"] not in _VERSIONS:
            raise ValueError(f"format {header['format']!r} version {header['version']!r}")
        if not _ID.fullmatch(header["bundle"]):  # it becomes a file's name
            raise ValueError(f"bundle {header['bundle']!r}")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "this is no file of results",
            where=f"{where}: line 1",
            expected=f'a line that begins with {{"format":"{_FORMAT}","version":2,',
            found=_why(first, error),
            todo="give the file results.json that the bundle's runner wrote on the device",
        ) from None
    return header


def _device(header: dict[str, Any], where: str) -> Device:
    try:
        return convert(header.get("device"), Device)
    except InputError as error:
        error.where, error.todo = f"{where}: line 1", "use the version of hltune that made the bundle"
        raise


@dataclass(slots=True)
class _Reader:
    """Takes lines after the first one."""

    bundle_id: str
    entries: Mapping[int, Entry]
    first: bytes
    version: int
    results: Results
    seen: dict[bytes, int] = field(default_factory=dict[bytes, int])
    start: int = field(init=False)

    def __post_init__(self) -> None:
        self.start = start_of_checks(self.first, self.bundle_id, self.version)

    def take(self, number: int, line: bytes) -> bool:
        """Adds what a line says; False if none of those after it can be trusted."""
        torn, begins, rest = line.partition(_BEGINNING)
        if begins and not self._next_run(number, begins + rest):
            return False
        if begins and not torn:
            return True
        if (before := self.seen.setdefault(line, number)) != number:
            self._problem(number, "the line is there twice", "each line once", f"the same as line {before}", "nothing")
            return True
        try:
            measured = self._measured(line)
        except InputError as error:
            self._problem(number, error.what, error.expected or "", error.found or "", error.todo or _AGAIN)
        else:
            self.results.measured.append(measured)
        return True

    def _next_run(self, number: int, line: bytes) -> bool:
        """Two files in one: of the same bundle on the same device that is as good as one."""
        same = _intact(line, checksum(self.bundle_id.encode())) and _place(line) == _place(self.first)
        if not same:
            expected, todo = "results of one bundle and one device", "give what begins here as a file of its own"
            self._problem(number, "another file of results begins here", expected, _excerpt(line), todo)
        return same

    def _problem(self, number: int, what: str, expected: str, found: str, todo: str) -> None:
        self.results.problems.append(Problem(line=number, what=what, expected=expected, found=found, todo=todo))

    def _measured(self, line: bytes) -> Measured:
        try:
            document = _decoded(line)
            candidate, schedule, at_s = document["candidate"], document["schedule"], float(document["at_s"])
            pass_number = int(document["pass"])
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            what, expected = "the line is damaged", "a line as the runner writes it"
            raise InputError(what, expected=expected, found=_why(line, error), todo=_AGAIN) from None
        entry = self.entries.get(candidate) if isinstance(candidate, int) else None
        if entry is None:
            expected, found = f"one of {len(self.entries)}", _clipped(repr(candidate))
            raise InputError("there is no such candidate", expected=expected, found=found, todo=_COPY)
        if schedule != entry.short_hash:
            what = f"candidate {candidate} has another schedule"
            raise InputError(what, expected=entry.short_hash, found=_clipped(repr(schedule)), todo=_COPY)
        measurement = _measurement(document)
        if not _intact(line, self.start):
            what, expected = "the line was changed, or is of another bundle or device", "a checksum that fits"
            raise InputError(what, expected=expected, found=_excerpt(line), todo=_COPY)
        if not 0 <= at_s < _LATEST_S:
            raise InputError("bad time of measurement", expected="seconds since 1970", found=str(at_s), todo=_COPY)
        return Measured(entry=entry, measurement=measurement, pass_number=pass_number, at_s=at_s)


def _measurement(document: dict[str, Any]) -> Measurement:
    """A cost or a failure; an `InputError` if it is neither."""
    if "failed" in document:
        return convert(document["failed"], Failure)
    turns = document.get("turns_s")
    pruned = document.get("pruned") is True
    try:
        return Cost(unit=MILLISECONDS, turns=tuple(tuple(map(float, turn)) for turn in turns or ()), pruned=pruned)
    except (TypeError, ValueError, OverflowError) as error:
        found = f"{_clipped(repr(turns))} ({error})"
        raise InputError("bad times", expected="lists of seconds", found=found, todo=_COPY) from None
    except InputError:
        expected = "positive, finite seconds"
        raise InputError("bad times", expected=expected, found=_clipped(repr(turns)), todo=_COPY) from None


def _place(line: bytes) -> bytes:
    """A first line up to the kernel, which may be updated between two runs, and to when the run began."""
    return line.partition(b',"kernel"')[0]


def _decoded(line: bytes) -> dict[str, Any]:
    """A line's document; a `ValueError` for what is none, is nested without end, or has half characters."""
    try:
        document = cast("dict[str, Any]", json.loads(line))
        json.dumps(document, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("lists in lists without end") from None
    return document


def _why(line: bytes, error: Exception) -> str:
    return f"{_excerpt(line)} ({type(error).__name__}: {_clipped(str(error))})"


def _excerpt(line: bytes) -> str:
    return repr(_clipped(line[:400].decode(errors="replace")))


def _clipped(text: str) -> str:
    return text[:80] + "..." if len(text) > 80 else text
