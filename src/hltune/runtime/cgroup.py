"""What a container, a batch system or systemd lets this process have of the computer's cores and memory.

A process may see all cores, and be stopped for the rest of each period when it has used its share of them: Kubernetes
does that, unless a pod is of the class Guaranteed and cores are its own.

Source: control groups of Linux, version 2: ``cpu.max`` has microseconds per period, or ``max``; ``memory.max`` bytes.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator
from pathlib import Path

_OWN = Path("/proc/self/cgroup")
_ROOT = Path("/sys/fs/cgroup")


def core_limit(own: Path = _OWN, root: Path = _ROOT) -> float:
    """So many cores' time, which need not be whole; infinite without a limit."""
    limits = (each.split() for each in _said("cpu.max", own, root))
    return min((int(each[0]) / int(each[1]) for each in limits if each[0] != "max"), default=math.inf)


def memory_limit_bytes(own: Path = _OWN, root: Path = _ROOT) -> float:
    """Bytes of memory; infinite without a limit."""
    return min((int(each) for each in _said("memory.max", own, root) if each != "max"), default=math.inf)


def _said(name: str, own: Path, root: Path) -> Generator[str]:
    """What a file says in this process's group and in those that it is part of; nothing where there are none."""
    with contextlib.suppress(OSError):
        for line in own.read_text().splitlines():
            number, _, group = line.split(":", 2)
            if number == "0":  # version 2
                place = root / group.lstrip("/")
                for folder in (place, *place.parents):
                    with contextlib.suppress(OSError):
                        yield (folder / name).read_text().strip()
