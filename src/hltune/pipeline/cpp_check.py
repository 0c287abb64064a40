"""Checks that a spec computes what the generator computes in its own process, which knows nothing of serialization.

Both run on the same small random inputs, for which a bounds query finds the sizes; if that fails, on inputs as large as
their estimates. Their operations are the same, and strict, so their outputs are equal bit by bit.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hltune.values.errors import InputError
from hltune.values.pipeline import Constraints, Interval, PipelineSpec, ScalarArgument

_SMALL = 24
"""Extents of outputs, where the generator does not fix others."""
_ALIGNMENT = 128
"""Rows start at multiples of so many elements; some pipelines insist."""

Run = Callable[[Path, str], dict[str, Any]]
"""Runs both pipelines, given the file of sizes and how many Funcs to compute at root; returns what the driver writes.

Raises:
    InputError: it took too long.
"""


def check_same(run: Run, spec: PipelineSpec, *, where: str, rooted: bool, directory: Path) -> str | None:
    """Compares the outputs; returns why they could not be compared, or None.

    Args:
        rooted: every Func is computed at root, because nothing is scheduled.

    Raises:
        InputError: they differ.
    """
    sizes, problem = directory / "sizes", None
    for small, queried in ((True, True), (rooted, False)):
        sizes.write_text(_sizes(spec, small=small, queried=queried))
        try:
            fields = run(sizes, str(len(spec.funcs) if rooted else 0))
        except InputError as error:
            problem = str(error)
            break
        if "error" not in fields:
            return _check_equal(spec, fields["different"], where)
        problem = fields["error"].strip()
        if fields["running"] == "other":
            raise _differs(where, f"it fails: {problem}")
    return f"outputs could not be compared with those of the generator's own process: {problem}"


def digest(spec: PipelineSpec, *words: str) -> str:
    """Names a check."""
    parts = (spec.hlpipe, spec.manual, spec.inputs, spec.outputs, words)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _check_equal(spec: PipelineSpec, different: list[int], where: str) -> None:
    names = [output.name for output in spec.outputs for _ in output.dtypes]
    if different:
        raise _differs(where, "other values in " + ", ".join(names[number] for number in different))


def _differs(where: str, found: str) -> InputError:
    return InputError(
        "the serialized pipeline is not what the generator computes",
        where=where,
        expected="equal outputs on the same random inputs",
        found=found,
        todo="if it has a Buffer of its own (a table, a kernel), give it Halide's usual layout: buffer.copy()",
    )


def _sizes(spec: PipelineSpec, *, small: bool, queried: bool) -> str:
    lines = [f"scalar {s.name} {_bits(s)}" for s in spec.inputs if isinstance(s, ScalarArgument)]
    for output in spec.outputs:
        region = _middle(output.estimate, output.constraints) if small else output.estimate
        lines += [f"output {_shape(region, output.constraints)}"]
    if not queried:
        lines += [f"image {i.name} {_shape(i.estimate, i.constraints)}" for i in spec.buffers()]
    return "\n".join(lines) + "\n"


def _bits(argument: ScalarArgument) -> int:
    return int.from_bytes(np.array(argument.estimate, argument.dtype).tobytes(), "little")


def _middle(estimate: tuple[Interval, ...], constraints: Constraints) -> tuple[Interval, ...]:
    fixed = [(c.minimum, c.extent) != (None, None) for c in constraints] or [False] * len(estimate)
    return tuple(
        (m, e) if fix else (m + max(0, e - _SMALL) // 2, min(e, _SMALL))
        for (m, e), fix in zip(estimate, fixed, strict=True)
    )


def _shape(intervals: tuple[Interval, ...], constraints: Constraints) -> str:
    extents = [extent for _, extent in intervals]
    words = [f"{m} {e} {s}" for (m, e), s in zip(intervals, _strides(extents, constraints), strict=True)]
    return " ".join((str(len(intervals)), *words))


def _strides(extents: list[int], constraints: Constraints) -> Iterator[int]:
    """Those that the generator fixes; the other dimensions lie outside of them, one around the other."""
    given = [c.stride for c in constraints] or [None if dimension else 1 for dimension in range(len(extents))]
    size = max((s * e for s, e in zip(given, extents, strict=True) if s is not None), default=1)
    for stride, extent in zip(given, extents, strict=True):
        if stride is not None:
            yield stride
        else:
            free = 1 if size == 1 else -(-size // _ALIGNMENT) * _ALIGNMENT
            yield free
            size = free * extent
