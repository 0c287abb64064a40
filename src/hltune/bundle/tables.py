"""The tables of a bundle as C source: arguments, candidates and limits; `runner/runner.h` says what they mean."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from hltune.bundle.expected import Expected
from hltune.bundle.manifest import Entry
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.machine.portable import drawn, initial_state
from hltune.pipeline.layout import layout_of
from hltune.values.errors import InputError
from hltune.values.pipeline import BufferArgument, OutputArgument, PipelineSpec, ScalarArgument

FINALISTS = 8
"""How many of the best are measured once more at the end."""
_MOST_DIMENSIONS, _MOST_ARGUMENTS = 8, 64
_CODES = {"i": "SIGNED", "u": "UNSIGNED", "b": "UNSIGNED", "f": "FLOAT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """All that goes into them.

    Attributes:
        spec: the pipeline, with inputs as large as they have to be.
        images: files of the bundle by the inputs whose data they are.
        expected: one per expected output, each with its file.
    """

    bundle_id: str
    spec: PipelineSpec
    inputs: Inputs
    images: dict[str, str]
    expected: tuple[tuple[str, Expected], ...]
    entries: tuple[Entry, ...]
    measure: MeasureOptions

    def source(self) -> str:
        """C source.

        Raises:
            InputError: the pipeline has more arguments or dimensions than the runner knows.
        """
        outputs = [(output, dtype) for output in self.spec.outputs for dtype in output.dtypes]
        levels = [line for number, (_, each) in enumerate(self.expected) for line in _levels(number, each)]
        pairs = enumerate(zip(outputs, self.expected, strict=True))
        arguments = [
            *(
                self._scalar(each) if isinstance(each, ScalarArgument) else self._input(each)
                for each in self.spec.inputs
            ),
            *(_output(number, *output, *expected) for number, (output, expected) in pairs),
        ]
        if len(arguments) > _MOST_ARGUMENTS:
            raise _too_many("arguments", self.spec.name, _MOST_ARGUMENTS, len(arguments))
        lines = [
            '#include "runner.h"',
            f"const char bundle_id[] = {json.dumps(self.bundle_id)};",
            f"const struct limits limits = {{{_fields(self._limits())}}};",
            *levels,
            f"const struct argument arguments[] = {{\n{_lines(arguments)}}};",
            f"const int argument_count = {len(arguments)};",
            *(f"int {each.function}_argv(void **);" for each in self.entries),
            f"const struct candidate candidates[] = {{\n{_lines(map(_candidate, self.entries))}}};",
            f"const int candidate_count = {len(self.entries)};",
        ]
        return "\n".join(lines) + "\n"

    def _limits(self) -> dict[str, object]:
        measure = self.measure
        return {
            "threads": measure.threads,
            "turns": measure.short_turns,
            "finalists": FINALISTS,
            "turn_s": measure.turn_s,
            "sample_s": measure.sample_s,
            "prune_ratio": measure.prune_ratio,
            "abort_ratio": measure.abort_ratio,
            "least_run_timeout_s": measure.least_run_timeout_s,
            "run_timeout_s": measure.run_timeout_s,
            "verify_timeout_s": measure.verify_timeout_s,
        }

    def _scalar(self, argument: ScalarArgument) -> dict[str, object]:
        data = np.array(self.inputs.scalar(argument), dtype=argument.dtype).tobytes().ljust(8, b"\0")
        word = int.from_bytes(data, "little")
        return {"name": json.dumps(argument.name), "kind": "SCALAR", "scalar": f"{word}u"}

    def _input(self, argument: BufferArgument) -> dict[str, object]:
        fields = _buffer(argument, argument.dtype, "INPUT")
        if (file := self.images.get(argument.name)) is not None:
            return {**fields, "file": json.dumps(file)}
        bits, low = drawn(argument.dtype)
        state = f"{initial_state(argument.name, self.inputs.seed)}u"
        return {
            **fields,
            "seed": state,
            "drawn_bits": bits,
            "low": f"{low + 1} - 1" if low < 0 else low,  # the least of 64 bits is no literal
        }


def _buffer(argument: BufferArgument | OutputArgument, dtype: str, kind: str) -> dict[str, object]:
    layout = layout_of(argument, dtype)
    if len(argument.estimate) > _MOST_DIMENSIONS:
        raise _too_many("dimensions", argument.name, _MOST_DIMENSIONS, len(argument.estimate))
    dimensions = [
        f"{{{minimum}, {extent}, {stride}, 0}}"
        for (minimum, extent), stride in zip(argument.estimate, layout.strides, strict=True)
    ]
    return {
        "name": json.dumps(argument.name),
        "kind": kind,
        "code": _CODES[layout.dtype.kind],
        "bits": layout.bits,
        "dimensions": len(dimensions),
        "dim": f"{{{', '.join(dimensions) or '{0, 0, 0, 0}'}}}",
        "size": f"{layout.size}u",
        "alignment": argument.alignment or 1,
    }


def _output(number: int, argument: OutputArgument, dtype: str, file: str, expected: Expected) -> dict[str, object]:
    return {
        **_buffer(argument, dtype, "OUTPUT"),
        "file": json.dumps(file),
        "exact": int(expected.exact),
        "hash": f"{expected.hash}u",
        "samples": f"{expected.samples}u",
        "near_zero": repr(expected.near_zero),
        "levels": len(expected.levels),
        "level": f"levels_{number}",
        "allowed": f"allowed_{number}",
    }


def _levels(number: int, expected: Expected) -> tuple[str, str]:
    levels = ", ".join(map(repr, expected.levels))
    allowed = ", ".join(map(str, chain.from_iterable(expected.allowed)))
    return (
        f"static const double levels_{number}[] = {{{levels}}};",
        f"static const uint64_t allowed_{number}[] = {{{allowed}}};",
    )


def _candidate(entry: Entry) -> dict[str, object]:
    return {"number": entry.number, "schedule": json.dumps(entry.short_hash), "run": f"{entry.function}_argv"}


def _fields(values: dict[str, object]) -> str:
    return ", ".join(f".{name} = {value}" for name, value in values.items())


def _lines(rows: Iterable[dict[str, object]] | Sequence[dict[str, object]]) -> str:
    return "".join(f"    {{{_fields(row)}}},\n" for row in rows)


def _too_many(what: str, where: str, most: int, found: int) -> InputError:
    return InputError(f"too many {what} for a bundle", where=where, expected=f"{most} or fewer", found=str(found))
