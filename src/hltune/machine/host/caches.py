"""The caches of this computer's cores."""

import re
from pathlib import Path

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def caches(folder: Path = _CACHES) -> tuple[int, ...]:
    """Bytes of the caches of data that a core uses, the smallest first; empty where the system does not tell."""
    sizes = [_size(each) for each in folder.glob("index*") if _text(each / "type") in ("Data", "Unified")]
    return tuple(sorted(size for size in sizes if size))


def _size(cache: Path) -> int:
    match = re.fullmatch(r"(\d+)([KMG]?)", _text(cache / "size"))
    return int(match[1]) * _UNITS.get(match[2], 1) if match else 0


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
