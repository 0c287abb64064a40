"""Checks that a spec computes what the generator computes in its own process, which knows nothing of serialization.

Both run on the same small random inputs, for which a bounds query finds the sizes; if that fails, on inputs as large as
their estimates, and then with rows that lie densely. Their operations are the same, strict, and in the order of one
thread, so their outputs are equal bit by bit.
"""

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hltune.pipeline.layout import layout_of, middle
from hltune.runtime.files import write_bytes
from hltune.values.errors import InputError
from hltune.values.pipeline import BufferArgument, OutputArgument, PipelineSpec, ScalarArgument

_SMALL = 24
"""Extents of outputs, where the generator does not fix others."""
_ALIGNMENT, _DENSE = 128, 1
"""Rows start at multiples of so many elements; some pipelines insist, and others on rows without anything between."""

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
    ways = ((True, True, _ALIGNMENT), (rooted, False, _ALIGNMENT), (False, True, _DENSE), (False, False, _DENSE))
    for small, queried, row in ways:
        sizes.write_text(_sizes(spec, small=small, queried=queried, row=row))
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


def once(
    done: Path, check: Callable[[], str | None], *, is_lasting: Callable[[str], bool] = lambda _: False
) -> str | None:
    """What a check says; one that says nothing, or would say the same again, leaves a file, and is not made again."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return done.read_text() or None
    note = check()
    if note is None or is_lasting(note):
        with contextlib.suppress(InputError):  # what cannot be remembered is checked again
            write_bytes(done, (note or "").encode())
    return note


def _check_equal(spec: PipelineSpec, different: list[int], where: str) -> None:
    if different:
        raise _differs(where, "other values in " + ", ".join(spec.output_names[number] for number in different))


def _differs(where: str, found: str) -> InputError:
    return InputError(
        "the serialized pipeline is not what the generator computes",
        where=where,
        expected="equal outputs on the same random inputs",
        found=found,
        todo="if it has a Buffer of its own (a table, a kernel), give it Halide's usual layout: buffer.copy()",
    )


def _sizes(spec: PipelineSpec, *, small: bool, queried: bool, row: int) -> str:
    lines = [f"scalar {s.name} {_bits(s)}" for s in spec.inputs if isinstance(s, ScalarArgument)]
    for output in spec.outputs:
        lines += [f"output {_shape(middle(output, _SMALL) if small else output, output.dtypes[0], row)}"]
    if not queried:
        lines += [f"image {image.name} {_shape(image, image.dtype, row)}" for image in spec.buffers()]
    return "\n".join(lines) + "\n"


def _bits(argument: ScalarArgument) -> int:
    return int.from_bytes(np.array(argument.estimate, argument.dtype).tobytes(), "little")


def _shape(argument: BufferArgument | OutputArgument, dtype: str, row: int) -> str:
    strides = layout_of(argument, dtype, row=row).strides
    words = [f"{m} {e} {s}" for (m, e), s in zip(argument.estimate, strides, strict=True)]
    return " ".join((str(len(words)), *words))
