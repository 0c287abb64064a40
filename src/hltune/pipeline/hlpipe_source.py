"""Loads a pipeline that somebody has serialized. The file keeps the estimates of outputs, but not those of inputs."""

from pathlib import Path

import halide as hl

from hltune.pipeline.algorithm import Algorithm, describe_input
from hltune.pipeline.serialized import read_pipeline
from hltune.pipeline.source import Source
from hltune.values.errors import InputError


def load_hlpipe_file(source: Source) -> Algorithm:
    """Reads a serialized pipeline; inputs in the order that Halide infers, images first."""
    data = Path(source.location).read_bytes()
    read_pipeline(data, where=source.location)  # Halide does not check, and a damaged file can crash it
    try:
        parameters = hl.deserialize_parameters(data)
        arguments = hl.deserialize_pipeline(data, parameters).infer_arguments()
    except hl.HalideError as error:
        raise InputError("Halide cannot read this file", where=source.location, found=str(error).strip()) from error
    scalars = {name for name, parameter in parameters.items() if not parameter.is_buffer()}
    for key, _ in source.parameters:
        if key not in scalars:
            raise InputError(
                "a .hlpipe file has no parameters but its scalar inputs",
                where=f"-p {key}",
                expected=", ".join(sorted(scalars)) or "none: this pipeline has no scalar inputs",
                todo="set other parameters where the file is made",
            )
    return Algorithm(hlpipe=data, inputs=tuple(describe_input(parameters[argument.name]) for argument in arguments))
