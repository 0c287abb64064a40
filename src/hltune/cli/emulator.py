"""The flags of the emulated DSP."""

import re
from dataclasses import dataclass
from typing import ClassVar

from hltune.cli.arguments import Panel, default_of, flag
from hltune.cli.flags import parse_bytes
from hltune.machine.hexagon.options import CacheModel, EmulatorOptions
from hltune.pipeline.source import parse_number
from hltune.values.errors import InputError

_MISS_WEIGHT = 20.0
_DEFAULT_CACHE = "1M:8:128"
_HEAP_MIB = default_of(EmulatorOptions, "heap_limit_bytes") >> 20


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


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorFlags(Panel):
    """What the emulator allows and counts."""

    title: ClassVar[str] = "emulator of --target hexagon"
    heap_limit: int = flag(
        default_of(EmulatorOptions, "heap_limit_bytes"),
        "Heap that a schedule may use at a time in the emulator, such as 64M.",
        metavar="BYTES",
        parse=lambda text: parse_bytes("--heap-limit", text),
        shown=f"{_HEAP_MIB}M",
    )
    objective: float | None = flag(
        None,
        "Of the emulator: packets, or packets+20*misses with a simulated cache; packets+misses is 20.",
        metavar="<str>",
        parse=_parse_objective,
        shown="packets",
    )
    cache: tuple[int, int, int] | None = flag(
        None,
        "Cache of packets+misses: bytes, lines of a set, bytes of a line.",
        metavar="SIZE:WAYS:LINE",
        parse=_parse_cache,
        shown=_DEFAULT_CACHE,
    )

    def options(self) -> EmulatorOptions | None:
        """How to run in an emulator; None unless something was asked for."""
        options = self._options()
        return None if options == EmulatorOptions() else options

    def _options(self) -> EmulatorOptions:
        if self.objective is None:
            if self.cache is not None:
                raise InputError(
                    "a cache that nobody counts misses of",
                    where="--cache",
                    found=":".join(map(str, self.cache)),
                    todo="give --objective packets+misses as well",
                )
            return EmulatorOptions(heap_limit_bytes=self.heap_limit)
        size, ways, line = self.cache or _parse_cache(_DEFAULT_CACHE)
        cache = CacheModel(miss_weight=self.objective, size_bytes=size, ways=ways, line_bytes=line)
        return EmulatorOptions(heap_limit_bytes=self.heap_limit, cache=cache)
