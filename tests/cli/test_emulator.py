"""The flags of the emulator become options, or say what is wrong with them."""

from __future__ import annotations

import pytest

from hltune.cli.arguments import parse_arguments
from hltune.cli.emulator import EmulatorFlags
from hltune.machine.hexagon.options import CacheModel, EmulatorOptions
from hltune.values.errors import InputError


def options(*tokens: str) -> EmulatorOptions | None:
    """What a command would get."""
    found: list[EmulatorOptions | None] = []

    def command(emulator: EmulatorFlags = EmulatorFlags()) -> int:  # noqa: B008 - frozen
        found.append(emulator.options())
        return 0

    parse_arguments(command, "hltune x", "Does x.", tokens)()
    (option,) = found
    return option


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ((), None),
        (("--heap-limit", "256M", "--objective", "packets"), None),
        (("--heap-limit", "64M"), EmulatorOptions(heap_limit_bytes=2**26)),
        (
            ("--objective", "packets+misses"),
            EmulatorOptions(cache=CacheModel(miss_weight=20, size_bytes=2**20, ways=8, line_bytes=128)),
        ),
        (
            ("--objective=packets+3.5*misses", "--cache=64K:4:64"),
            EmulatorOptions(cache=CacheModel(miss_weight=3.5, size_bytes=2**16, ways=4, line_bytes=64)),
        ),
    ],
)
def test_flags_become_options(tokens: tuple[str, ...], expected: EmulatorOptions | None) -> None:
    assert options(*tokens) == expected


@pytest.mark.parametrize(
    ("tokens", "where", "text"),
    [
        (("--heap-limit", "lots"), "--heap-limit", "malformed size"),
        (("--heap-limit", "2G"), "--heap-limit", "out of range"),
        (("--objective", "cycles"), "--objective", "unknown objective"),
        (("--objective", "packets+1.2.3*misses"), "--objective", "malformed weight"),
        (("--objective", "packets+0*misses"), "--objective, --cache", "no such cache"),
        (("--cache", "1M:8:128"), "--cache", "nobody counts misses of"),
        (("--objective", "packets+misses", "--cache", "1M:8"), "--cache", "malformed cache"),
        (("--objective", "packets+misses", "--cache", "1000:8:128"), "--objective, --cache", "no such cache"),
    ],
)
def test_what_is_wrong_is_named(tokens: tuple[str, ...], where: str, text: str) -> None:
    with pytest.raises(InputError) as caught:
        options(*tokens)
    assert caught.value.where == where
    assert text in str(caught.value)
