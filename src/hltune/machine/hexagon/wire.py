"""What goes into the emulated process and what comes out of it, as bytes.

All numbers are little-endian words of 32 bits, unless marked otherwise.

```
job       magic, heap limit in bytes, number of arguments, then each of them
scalar    0, value (64 bits)
buffer    1 input or 2 output, type (code | bits << 8), dimensions, size in bytes, alignment in bytes,
          (min, extent, stride)... , and for an input its bytes
result    magic, code, packets, instructions, HVX instructions, allocations, peak heap, refused allocation,
          damaged argument, message (256 bytes); then the bytes of each output
```
Rows begin at multiples of 128 bytes, as the vector unit wants it, unless the user's code fixes strides.
"""

import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hltune.pipeline.images import Array
from hltune.pipeline.layout import Layout, Stored, layout_of
from hltune.values.cost import Counters
from hltune.values.errors import HltuneError, InputError
from hltune.values.pipeline import BufferArgument, OutputArgument, PipelineSpec, ScalarArgument

_JOB_MAGIC, _RESULT_MAGIC = 0x4A544C48, 0x52544C48
_SCALAR, _INPUT, _OUTPUT = range(3)
_TYPE_CODES = {"i": 0, "u": 1, "b": 1, "f": 2}
_ROW_BYTES = 128
_RESULT = struct.Struct("<Ii7I256s")
_COUNTED = ("packets", "instructions", "hvx_instructions", "allocations", "peak_heap_bytes")
_MOST_DIMENSIONS = 8
_MOST_ARGUMENTS = 64
_MOST_IMAGE_BYTES = 2**31 - 1
_MOST_BYTES = 2**32 - 2**28
"""Of all images: what 32 bits address, less what the program and its heap need at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the harness reports of one run.

    Attributes:
        code: number of Halide's error; 0 if all went well.
        message: text of the first error.
        refused_bytes: size of an allocation that the heap limit did not allow; 0 if there was none.
        damaged: number of the first argument that was written to beyond its ends, from 1; 0 if there is none.
        outputs: as in `hltune.machine.inputs`.
        padding_intact: whether nothing was written between the elements of outputs, such as behind their rows.
    """

    code: int
    message: str
    counters: Counters
    refused_bytes: int
    damaged: int
    outputs: tuple[Array, ...]
    padding_intact: bool


def _header(kind: int, layout: Layout, argument: BufferArgument | OutputArgument) -> bytes:
    """A buffer in a job, up to its bytes."""
    code = _TYPE_CODES[layout.dtype.kind] | layout.bits << 8
    words = [kind, code, len(argument.estimate), layout.size * layout.dtype.itemsize, argument.alignment or 1]
    for (minimum, extent), stride in zip(argument.estimate, layout.strides, strict=True):
        words += [minimum, extent, stride]
    return struct.pack(f"<{len(words)}i", *words)


def check_fits(spec: PipelineSpec) -> None:
    """Raises an `InputError` if the harness or the memory of the DSP has no room for the arguments."""
    arguments = [*((a.name, _layout(a.dtype, a)) for a in spec.buffers())]
    arguments += zip(spec.output_names, (layout for _, layout in _output_layouts(spec)), strict=True)
    if (count := len(arguments) + sum(isinstance(each, ScalarArgument) for each in spec.inputs)) > _MOST_ARGUMENTS:
        raise InputError(
            "too many arguments for the Hexagon harness",
            where=spec.name,
            expected=f"{_MOST_ARGUMENTS} inputs and outputs or fewer",
            found=str(count),
            todo="schedule for another --target, or put several images into one of more dimensions",
        )
    sizes = {name: layout.size * layout.dtype.itemsize for name, layout in arguments}
    if max(sizes.values(), default=0) > _MOST_IMAGE_BYTES or sum(sizes.values()) > _MOST_BYTES:
        raise InputError(
            "the images do not fit into the memory that the DSP can address",
            where=spec.name,
            expected=f"{_MOST_IMAGE_BYTES} bytes or fewer for each image, and {_MOST_BYTES} for all",
            found=", ".join(f"{name} has {size}" for name, size in sizes.items()),
            todo="schedule for a smaller size: --estimate NAME=WIDTHxHEIGHT, or --size of a built-in benchmark",
        )


def encode_job(spec: PipelineSpec, values: Sequence[Array | float], *, heap_limit_bytes: int) -> bytes:
    """A job for the harness: the inputs in their order, and what the pipeline may allocate at a time."""
    outputs = _output_layouts(spec)
    parts = [struct.pack("<3I", _JOB_MAGIC, heap_limit_bytes, len(values) + len(outputs))]
    for argument, value in zip(spec.inputs, values, strict=True):
        if isinstance(argument, ScalarArgument):
            number = np.array(value, dtype=argument.dtype).tobytes()
            parts.append(struct.pack("<I", _SCALAR) + number.ljust(8, b"\0"))
        else:
            layout = _layout(argument.dtype, argument)
            parts.append(_header(_INPUT, layout, argument) + layout.filled(value))
    parts += [_header(_OUTPUT, layout, output) for output, layout in outputs]
    return b"".join(parts)


def decode_result(data: bytes, spec: PipelineSpec) -> Result:
    """What the harness wrote; an `HltuneError` if that is not a result."""
    layouts = [layout for _, layout in _output_layouts(spec)]
    sizes = [layout.size * layout.dtype.itemsize for layout in layouts]
    size = _RESULT.size + sum(sizes)
    if len(data) != size or struct.unpack_from("<I", data)[0] != _RESULT_MAGIC:
        raise HltuneError(
            "the emulated process did not write a result",
            where=spec.name,
            expected=f"{size} bytes",
            found=f"{len(data)} bytes",
        )
    _, code, *counts, refused, damaged, text = _RESULT.unpack_from(data)
    ends = itertools.accumulate(sizes, initial=_RESULT.size)
    raw = [np.frombuffer(data, np.uint8, count, start).copy() for count, start in zip(sizes, ends, strict=False)]
    memories = [Stored(layout, each.view(layout.dtype)) for layout, each in zip(layouts, raw, strict=True)]
    return Result(
        code=code,
        message=text.split(b"\0")[0].decode(errors="replace"),
        counters=Counters(**dict(zip(_COUNTED, counts, strict=True))),
        refused_bytes=refused,
        damaged=damaged,
        outputs=tuple(memory.array for memory in memories),
        padding_intact=all(memory.gaps_intact() for memory in memories),
    )


def _output_layouts(spec: PipelineSpec) -> list[tuple[OutputArgument, Layout]]:
    return [(output, _layout(dtype, output)) for output in spec.outputs for dtype in output.dtypes]


def _layout(dtype: str, argument: BufferArgument | OutputArgument) -> Layout:
    if len(argument.estimate) > _MOST_DIMENSIONS:
        raise HltuneError(
            "too many dimensions for the Hexagon harness",
            where=argument.name,
            expected=f"{_MOST_DIMENSIONS} or fewer",
            found=str(len(argument.estimate)),
        )
    return layout_of(argument, dtype, row=_ROW_BYTES // np.dtype(dtype).itemsize)
