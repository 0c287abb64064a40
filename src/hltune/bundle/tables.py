"""The tables of a bundle as C source: arguments, candidates and limits; `runner/runner.h` says what they mean."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, starmap

import numpy as np

from hltune.bundle.expected import Expected, Setting
from hltune.bundle.manifest import Entry
from hltune.machine.options import MeasureOptions
from hltune.machine.portable import drawn, initial_state
from hltune.pipeline.layout import layout_of
from hltune.values.cost import REPEATED
from hltune.values.errors import InputError
from hltune.values.pipeline import BufferArgument, OutputArgument, PipelineSpec, ScalarArgument

FINALISTS = 8
"""How many of the best are measured once more at the end."""
_MOST_DIMENSIONS, _MOST_ARGUMENTS = 8, 64
_CODES = {"i": "SIGNED", "u": "UNSIGNED", "b": "UNSIGNED", "f": "FLOAT"}


def check_size(spec: PipelineSpec) -> None:
    """Raises an `InputError` for a pipeline with more arguments or dimensions than the runner knows."""
    if (count := _arguments(spec)) > _MOST_ARGUMENTS:
        raise _too_many("arguments", spec.name, _MOST_ARGUMENTS, count)
    for each in (*spec.buffers(), *spec.outputs):
        if len(each.estimate) > _MOST_DIMENSIONS:
            raise _too_many("dimensions", each.name, _MOST_DIMENSIONS, len(each.estimate))


def _arguments(spec: PipelineSpec) -> int:
    return len(spec.inputs) + sum(len(each.dtypes) for each in spec.outputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """A setting with its files of the bundle.

    Attributes:
        images: by the inputs whose data they are.
        samples: one per expected output.
    """

    setting: Setting
    images: dict[str, str]
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """All that goes into them.

    Attributes:
        spec: the pipeline, with inputs as large as they have to be.
        settings: candidates are timed on the first one, and verified on all.
    """

    bundle_id: str
    spec: PipelineSpec
    settings: tuple[Filed, ...]
    entries: tuple[Entry, ...]
    measure: MeasureOptions

    def source(self) -> str:
        """C source."""
        lines = [
            '#include "runner.h"',
            f"const char bundle_id[] = {json.dumps(self.bundle_id)};",
            f"const struct limits limits = {{{_fields(self._limits())}}};",
            *chain.from_iterable(starmap(self._setting, enumerate(self.settings))),
            f"const struct setting settings[] = {{\n{_lines(starmap(_setting, enumerate(self.settings)))}}};",
            f"const int setting_count = {len(self.settings)};",
            f"const int argument_count = {_arguments(self.spec)};",
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
            "repeated": REPEATED,
            "prune_ratio": measure.prune_ratio,
            "abort_ratio": measure.abort_ratio,
            "least_run_timeout_s": measure.least_run_timeout_s,
            "run_timeout_s": measure.run_timeout_s,
            "verify_timeout_s": measure.verify_timeout_s,
        }

    def _setting(self, place: int, filed: Filed) -> Iterator[str]:
        """Lines that define the arguments of a setting."""
        outputs = [
            {**_buffer(output, dtype, "OUTPUT"), "name": json.dumps(name)}
            for output in self.spec.outputs
            for name, dtype in zip(output.element_names, output.dtypes, strict=True)
        ]
        arguments = [_input(each, filed) for each in self.spec.inputs]
        expected = zip(outputs, filed.samples, filed.setting.expected, strict=True)
        for number, (output, file, each) in enumerate(expected):
            yield from _levels(f"{place}_{number}", each)
            arguments.append({**output, **_checked(f"{place}_{number}", file, each)})
        yield f"static const struct argument arguments_{place}[] = {{\n{_lines(arguments)}}};"


def _setting(place: int, filed: Filed) -> dict[str, object]:
    stages = {"run": json.dumps(filed.setting.run), "verify": json.dumps(filed.setting.verify)}
    return {**stages, "arguments": f"arguments_{place}"}


def _input(argument: BufferArgument | ScalarArgument, filed: Filed) -> dict[str, object]:
    inputs = filed.setting.inputs
    if isinstance(argument, ScalarArgument):
        data = np.array(inputs.scalar(argument), dtype=argument.dtype).tobytes().ljust(8, b"\0")
        word = int.from_bytes(data, "little")
        return {"name": json.dumps(argument.name), "kind": "SCALAR", "scalar": f"{word}u"}
    fields = _buffer(argument, argument.dtype, "INPUT")
    if (file := filed.images.get(argument.name)) is not None:
        return {**fields, "file": json.dumps(file)}
    bits, low = drawn(argument.dtype)
    return {
        **fields,
        "seed": f"{initial_state(argument.name, inputs.seed)}u",
        "drawn_bits": bits,
        "low": f"{low + 1} - 1" if low < 0 else low,  # the least of 64 bits is no literal
    }


def _buffer(argument: BufferArgument | OutputArgument, dtype: str, kind: str) -> dict[str, object]:
    layout = layout_of(argument, dtype)
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


def _checked(name: str, file: str, expected: Expected) -> dict[str, object]:
    return {
        "file": json.dumps(file),
        "exact": int(expected.exact),
        "hash": f"{expected.hash}u",
        "blank": f"{expected.blank}u",
        "samples": f"{expected.samples}u",
        "near_zero": repr(expected.near_zero),
        "levels": len(expected.levels),
        "level": f"levels_{name}",
        "allowed": f"allowed_{name}",
    }


def _levels(name: str, expected: Expected) -> tuple[str, str]:
    levels = ", ".join(map(repr, expected.levels))
    allowed = ", ".join(map(str, chain.from_iterable(expected.allowed)))
    return (
        f"static const double levels_{name}[] = {{{levels}}};",
        f"static const uint64_t allowed_{name}[] = {{{allowed}}};",
    )


def _candidate(entry: Entry) -> dict[str, object]:
    return {"number": entry.number, "schedule": json.dumps(entry.short_hash), "run": f"{entry.function}_argv"}


def _fields(values: dict[str, object]) -> str:
    return ", ".join(f".{name} = {value}" for name, value in values.items())


def _lines(rows: Iterable[dict[str, object]] | Sequence[dict[str, object]]) -> str:
    return "".join(f"    {{{_fields(row)}}},\n" for row in rows)


def _too_many(what: str, where: str, most: int, found: int) -> InputError:
    return InputError(f"too many {what} for a bundle", where=where, expected=f"{most} or fewer", found=str(found))
