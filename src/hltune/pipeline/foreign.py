"""What of an algorithm is more than values that Halide computes: C functions, printed lines, files."""

import re
from collections.abc import Collection

from hltune.pipeline.serialized import SerializedPipeline, plain_name
from hltune.values.errors import InputError

_PRINT = "halide_print"
_MATHS = """
abs acos acosh asin asinh atan atan2 atanh ceil cos cosh exp fast_inverse fast_inverse_sqrt floor inf is_finite is_inf
is_nan log maxval minval nan neg_inf pow round sin sinh sqrt tan tanh trunc
"""
_HALIDES = re.compile(rf"halide_\w+|({'|'.join(_MATHS.split())})_(f16|f32|f64|bf16)")
"""C functions that come with Halide's runtime: ``sqrt_f32``."""


def check_all_is_halide(found: SerializedPipeline, called: Collection[str], *, where: str) -> None:
    """Refuses what Halide does not compile.

    Args:
        called: the C functions that expressions call.

    Raises:
        InputError: a C function computes a stage, or takes part in one.
    """
    if found.extern:
        name, function = plain_name(found.extern[0][0]), found.extern[0][1]
        raise InputError(
            f"stage {name} is extern: the C function {function} computes it",
            where=where,
            expected="stages that Halide compiles, for the others cannot run here",
            todo=f"write {name} in Halide, or end the pipeline before it and begin another behind it, "
            "with an input image in its place",
        )
    if foreign := sorted(name for name in called if not _HALIDES.fullmatch(name)):
        raise InputError(
            f"the C function {foreign[0]} is called",
            where=where,
            expected="expressions that Halide compiles, for other code is not here when schedules are measured",
            found=", ".join(foreign),
            todo=f"write {foreign[0]} in Halide, or read its values from a table: an input image",
        )


def effect_notes(found: SerializedPipeline, called: Collection[str]) -> list[str]:
    """Warnings of what was left in from debugging, and takes time whenever the pipeline runs."""
    effects = {
        "traced (trace_loads, trace_stores or trace_realizations)": found.traced,
        "written to a file (debug_to_file)": found.dumped,
    }
    notes = [
        f"{', '.join(map(plain_name, names))} is {what}: times include that, so leave it out"
        for what, names in effects.items()
        if names
    ]
    if _PRINT in called:
        notes.append("values are printed (print or print_when): times include that, so leave it out")
    return notes
