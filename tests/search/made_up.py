"""Pipelines of which only the Funcs are told."""

from __future__ import annotations

from hltune.values.pipeline import FuncInfo, OutputArgument, PipelineSpec


def pipeline(*funcs: FuncInfo, outputs: tuple[str, ...] = ()) -> PipelineSpec:
    """One that returns the last of its Funcs, unless told."""
    returned = tuple(
        OutputArgument(name=name, dtypes=("float32",), estimate=()) for name in outputs or (funcs[-1].name,)
    )
    return PipelineSpec(name="made up", hlpipe=b"", inputs=(), outputs=returned, funcs=funcs)
