"""C functions that are no part of Halide are refused, and those of its runtime are known."""

from __future__ import annotations

import halide as hl
import pytest

from hltune.pipeline.foreign import check_all_is_halide, effect_notes
from hltune.pipeline.operations import c_functions
from hltune.pipeline.serialized import SerializedPipeline, read_pipeline
from hltune.values.errors import InputError

UNARY = """
abs acos acosh asin asinh atan atanh ceil cos cosh erf exp fast_exp fast_cos fast_inverse fast_inverse_sqrt fast_log
fast_sin floor is_finite is_inf is_nan log round sin sinh sqrt tan tanh trunc
"""
BINARY = ("atan2", "pow", "hypot", "fast_pow", "max", "min")
FLOATS = (hl.Float(16), hl.Float(32), hl.Float(64))


def everything(kind: hl.Type) -> bytes:
    """A pipeline that calls all of Halide's functions that there are for a type."""
    x, func = hl.Var("x"), hl.Func("f")
    value = hl.cast(kind, x)
    calls = [(getattr(hl, name), (value,)) for name in UNARY.split()]
    calls += [(getattr(hl, name), (value, value + 1)) for name in BINARY]
    found: list[hl.Expr] = [value % (value + 1)]
    for call, arguments in calls:
        try:
            found.append(call(*arguments))
        except hl.HalideError:  # some are for float32 alone
            assert kind != hl.Float(32), call
    func[x] = hl.Tuple(found)
    return hl.serialize_pipeline(hl.Pipeline(func))


@pytest.mark.parametrize("kind", FLOATS, ids=str)
def test_the_functions_of_halides_runtime_are_no_others(kind: hl.Type) -> None:
    hlpipe = everything(kind)
    called = c_functions(hlpipe)
    assert len(called) > 15
    check_all_is_halide(read_pipeline(hlpipe, where="here"), called, where="here")


def test_funcs_have_the_names_that_all_else_calls_them_by() -> None:
    """Halide's second blur is blur$1; in loop nests and schedules it is blur_1."""
    found = SerializedPipeline(outputs=(), extern=(("blur$1", "filter"),), traced=("blur$1", "edge$2"))
    assert effect_notes(found, ())[0].startswith("blur_1, edge_2 is traced")
    with pytest.raises(InputError, match="stage blur_1 is extern"):
        check_all_is_halide(found, (), where="here")


@pytest.mark.parametrize("name", ["tone_f32", "my_sqrt_f32", "sqrt", "sqrt_f32_fast", "curve_f64"])
def test_others_are_whatever_their_names_end_with(name: str) -> None:
    found = read_pipeline(everything(hl.Float(32)), where="here")
    with pytest.raises(InputError, match=f"the C function {name} is called"):
        check_all_is_halide(found, ["sqrt_f32", name], where="here")
