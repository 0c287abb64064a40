"""The flags of the emulated DSP."""

import re
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from cyclopts import Parameter

from hltune.cli.arguments import EMULATOR, parsed
from hltune.cli.flags import mebibytes, parse_bytes
from hltune.machine.hexagon.options import CacheModel, EmulatorOptions
from hltune.pipeline.source import parse_number
from hltune.values.errors import InputError

_DEFAULTS = EmulatorOptions()
_MISS_WEIGHT = 20.0
_CACHE = "1M:8:128"


def _parse_cache(text: str) -> tuple[int, int, int]:
    """Reads SIZE:WAYS:LINE."""
    parts = [parse_bytes("--cache", part) for part in text.split(":")]
    if len(parts) != 3:
        raise InputError(
            "malformed cache", where="--cache", expected="SIZE:WAYS:LINE, such as 1M:8:128", found=repr(text)
        )
    return parts[0], parts[1], parts[2]


def _parse_objective(text: str) -> float | None:
    """Reads how many packets a missed line costs; None if misses are not counted."""
    match = re.fullmatch(r"packets(\+(?:([0-9.]+)\*)?misses)?", text)
    if match is None:
        raise InputError(
            "unknown objective",
            where="--objective",
            expected="packets, packets+misses or packets+20*misses",
            found=repr(text),
        )
    if match[1] is None or match[2] is None:
        return None if match[1] is None else _MISS_WEIGHT
    number = parse_number(match[2])
    if number is None:
        raise InputError("malformed weight", where="--objective", expected="a number", found=repr(match[2]))
    return float(number)


@Parameter(name="*", group=EMULATOR)
@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorFlags:
    """What the emulator allows and counts.

    Attributes:
        heap_limit: Heap that a schedule may use at a time in the emulator, such as 64M.
        objective: What the emulator counts: packets, or packets+20*misses with a simulated cache; packets+misses is 20.
        cache: Cache of packets+misses: bytes, lines of a set, bytes of a line.
    """

    heap_limit: Annotated[
        int, parsed(partial(parse_bytes, "--heap-limit"), metavar="BYTES", show_default=mebibytes)
    ] = _DEFAULTS.heap_limit_bytes
    objective: Annotated[float | None, parsed(_parse_objective, metavar="STR", show_default="packets")] = None
    cache: Annotated[
        tuple[int, int, int] | None, parsed(_parse_cache, metavar="SIZE:WAYS:LINE", show_default=_CACHE)
    ] = None

    def options(self) -> EmulatorOptions | None:
        """How to run in an emulator; None unless something was asked for."""
        cache = None
        if self.objective is not None:
            size, ways, line = self.cache or _parse_cache(_CACHE)
            cache = CacheModel(miss_weight=self.objective, size_bytes=size, ways=ways, line_bytes=line)
        elif self.cache is not None:
            raise InputError(
                "a cache that nobody counts misses of",
                where="--cache",
                found=":".join(map(str, self.cache)),
                todo="give --objective packets+misses as well",
            )
        options = EmulatorOptions(heap_limit_bytes=self.heap_limit, cache=cache)
        return None if options == _DEFAULTS else options
