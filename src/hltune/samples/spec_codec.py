"""A pipeline's arguments and loops as JSON text; together with the hlpipe bytes they make a `PipelineSpec`.

::

    {"inputs": [{"kind": "buffer", "name": "in", "dtype": "uint8", "estimate": [[0, 64], [0, 48]]},
                {"kind": "scalar", "name": "k", "dtype": "int32", "estimate": 3}],
     "outputs": [{"name": "out", "dtypes": ["uint8"], "estimate": [[0, 64], [0, 48]]}],
     "funcs": [{"name": "out", "args": ["x", "y"], "updates": [], "update_args": []}]}
"""

import json
from dataclasses import asdict
from typing import Any

from hltune.values.documents import convert
from hltune.values.pipeline import BufferArgument, FuncInfo, OutputArgument, PipelineSpec, ScalarArgument


def encode_spec(spec: PipelineSpec) -> str:
    """All of a pipeline but its name and its hlpipe bytes."""
    document = {
        "inputs": [_encode_input(argument) for argument in spec.inputs],
        "outputs": [asdict(output) for output in spec.outputs],
        "funcs": [asdict(func) for func in spec.funcs],
    }
    return json.dumps(document)


def decode_spec(text: str, *, name: str, hlpipe: bytes) -> PipelineSpec:
    """The inverse of `encode_spec`.

    Raises:
        ValueError, KeyError, TypeError, InputError: the text is anything else.
    """
    document = json.loads(text)
    return PipelineSpec(
        name=name,
        hlpipe=hlpipe,
        inputs=tuple(_decode_input(item) for item in document["inputs"]),
        outputs=convert(document["outputs"], tuple[OutputArgument, ...]),
        funcs=convert(document["funcs"], tuple[FuncInfo, ...]),
    )


def _encode_input(argument: BufferArgument | ScalarArgument) -> dict[str, Any]:
    kind = "buffer" if isinstance(argument, BufferArgument) else "scalar"
    return {"kind": kind} | asdict(argument)


def _decode_input(item: dict[str, Any]) -> BufferArgument | ScalarArgument:
    kinds = {"buffer": BufferArgument, "scalar": ScalarArgument}
    return convert(item, kinds[item.pop("kind")])
