"""What a container, a batch system or systemd lets this process have of the computer's cores and memory.

A process may see all cores, and be stopped for the rest of each period when it has used its share of them: Kubernetes
does that, unless a pod is of the class Guaranteed and cores are its own.

Source: control groups of Linux. Version 2: ``cpu.max`` has microseconds per period, or ``max``; ``memory.max`` bytes.
Version 1, where each controller has groups of its own: ``cpu.cfs_quota_us``, or -1, per ``cpu.cfs_period_us``;
``memory.limit_in_bytes``. A computer may have some controllers of the one and some of the other.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator
from pathlib import Path

_OWN = Path("/proc/self/cgroup")
_ROOT = Path("/sys/fs/cgroup")
_UNLIMITED = ("max", "-1")


def core_limit(own: Path = _OWN, root: Path = _ROOT) -> float:
    """So many cores' time, which need not be whole; infinite without a limit."""
    return min(map(_cores, _folders("cpu", own, root)), default=math.inf)


def memory_limit_bytes(own: Path = _OWN, root: Path = _ROOT) -> float:
    """Bytes of memory; infinite without a limit."""
    return min(map(_bytes, _folders("memory", own, root)), default=math.inf)


def _cores(folder: Path) -> float:
    match _words(folder, "cpu.max") or [*_words(folder, "cpu.cfs_quota_us"), *_words(folder, "cpu.cfs_period_us")]:
        case [quota, period] if quota not in _UNLIMITED:
            return int(quota) / int(period)
        case _:
            return math.inf


def _bytes(folder: Path) -> float:
    match _words(folder, "memory.max") or _words(folder, "memory.limit_in_bytes"):
        case [limit] if limit not in _UNLIMITED:
            return int(limit)
        case _:
            return math.inf


def _words(folder: Path, name: str) -> list[str]:
    """What a file says; nothing if there is none."""
    try:
        return (folder / name).read_text().split()
    except OSError:
        return []


def _folders(controller: str, own: Path, root: Path) -> Generator[Path]:
    """This process's groups and those that they are part of, some of which may not be there.

    A container of version 1 sees its own group as the root, and is told what it is called outside.
    """
    with contextlib.suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            for mount in (root / controllers, root / (controller if controllers else "unified")):
                place = mount / group.lstrip("/")
                yield from (place, *place.parents)
