"""From a `PipelineSpec` to a fresh `halide.Pipeline`, and back. Runs in a worker."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import halide as hl
import numpy as np
from numpy.lib.stride_tricks import as_strided

from hltune.pipeline.images import Array
from hltune.pipeline.operations import reduction_extents
from hltune.pipeline.pitches import output_strides, pitches_of, scalar_values, with_values
from hltune.pipeline.prefetches import Prefetch, take_prefetches
from hltune.pipeline.serialized import plain_name, read_pipeline
from hltune.pipeline.serialized_schedule import free_variables_of_updates
from hltune.values.errors import InputError
from hltune.values.pipeline import (
    SETTERS,
    BufferArgument,
    FuncInfo,
    Interval,
    Number,
    OutputArgument,
    OutputImage,
    PipelineSpec,
    ScalarArgument,
)


@dataclass(frozen=True, slots=True)
class Built:
    """A pipeline of this process, not yet scheduled.

    Attributes:
        funcs: Funcs by their names in `PipelineSpec.funcs`.
        arguments: the inputs in their order, for the ``compile_to`` calls; outputs follow by themselves.
    """

    pipeline: hl.Pipeline
    funcs: dict[str, hl.Func]
    arguments: list[hl.Argument]


def build(spec: PipelineSpec, base: str | None = None) -> Built:
    """Builds a pipeline with all its estimates and constraints, not yet scheduled.

    Args:
        base: `Schedule.base`; with the author's own schedule, `Built.funcs` is empty, for its names mean nothing here.

    Raises:
        InputError: the base is not the schedule that the pipeline's author wrote.
    """
    if not spec.has_base(base):
        raise InputError(
            "the schedule is the hand-written one of another version of this pipeline",
            where=spec.name,
            expected=f"base {spec.manual_hash}" if spec.manual else "a pipeline with a hand-written schedule",
            found=f"base {base}",
            todo="compare or tune this version, and use what that finds",
        )
    hlpipe = spec.hlpipe if base is None else spec.manual
    assert hlpipe is not None, "checked above"
    prefetches: tuple[Prefetch, ...] = ()
    if base is not None:
        hlpipe, prefetches, _ = take_prefetches(hlpipe, where=spec.name)
    parameters = hl.deserialize_parameters(hlpipe)
    images = {a.name: _image(a) for a in spec.buffers() if any(p.image == a.name for p in prefetches)}
    parameters |= {name: image.parameter() for name, image in images.items()}
    for argument in spec.inputs:
        parameter = parameters.get(argument.name)
        if parameter is None:  # declared, but the algorithm does not use it
            parameter = _unused_parameter(argument)
            parameters[argument.name] = parameter
        _constrain(parameter, argument)
        _set_estimate(parameter, argument)
    for argument in spec.buffers():
        _keep_promises(argument, parameters)
    constrain_outputs(parameters, spec.output_images if base is None else spec.manual_images)
    pipeline = hl.deserialize_pipeline(hlpipe, parameters)
    for func, output in zip(pipeline.outputs(), spec.outputs, strict=True):
        func.set_estimates([hl.Range(minimum, extent) for minimum, extent in output.estimate])
    _prefetch(pipeline, prefetches, images)
    infos = spec.funcs if base is None else ()
    funcs = {info.name: pipeline.get_func(index) for index, info in enumerate(infos)}
    return Built(pipeline, funcs, [parameters[argument.name]._to_argument() for argument in spec.inputs])


def _prefetch(pipeline: hl.Pipeline, prefetches: Sequence[Prefetch], images: Mapping[str, hl.ImageParam]) -> None:
    """Calls what Halide has written, but cannot read; not what `lost_prefetches` names."""
    funcs = {func.name(): func for func in all_funcs(pipeline)} if prefetches else {}
    for each in prefetches:
        if (func := funcs.get(each.func)) is None:
            continue
        stage = func if each.update is None else func.update(each.update)
        image = images.get(each.image) if each.is_input else funcs.get(each.image)
        if image is not None:
            # By name: without names, an image passes for a Func that nothing of the pipeline reads.
            what = {"image" if each.is_input else "func": image}
            loops = {"at": hl.Var(each.at), "from": hl.Var(each.from_)}
            stage.prefetch(**what, **loops, offset=each.offset, strategy=hl.PrefetchBoundStrategy(each.strategy))


def lost_prefetches(hlpipe: bytes, *, where: str) -> tuple[str, ...]:
    """Names of Funcs, some prefetches of whose schedules `build` does without: those of wrappers nobody can name."""
    data, prefetches, lost = take_prefetches(hlpipe, where=where)
    pipeline = hl.deserialize_pipeline(data, hl.deserialize_parameters(data)) if prefetches else None
    known = {func.name() for func in all_funcs(pipeline)} if pipeline else set[str]()
    unknown = (each.func for each in prefetches if each.func not in known)
    return tuple(dict.fromkeys(map(plain_name, (*lost, *unknown))))


def expression_text(expr: hl.Expr) -> str:
    """An expression as source text; the bindings print it as ``<halide.Expr of type int32: x>``."""
    found = re.fullmatch(r"<halide\.Expr of type \w+: (.*)>", str(expr), flags=re.DOTALL)
    return found[1] if found else str(expr)


def func_infos(hlpipe: bytes) -> tuple[FuncInfo, ...]:
    """The Funcs of a serialized pipeline, as in `PipelineSpec.funcs`."""
    pipeline = hl.deserialize_pipeline(hlpipe, hl.deserialize_parameters(hlpipe))
    return _func_infos(all_funcs(pipeline), hlpipe)


def all_funcs(pipeline: hl.Pipeline) -> list[hl.Func]:
    """The Funcs of a pipeline in Halide's order, those that an rfactor has made included."""
    funcs: list[hl.Func] = []
    while True:
        try:
            funcs.append(pipeline.get_func(len(funcs)))
        except hl.HalideError as error:
            if "Index value passed" not in str(error):
                raise
            return funcs


def _func_infos(funcs: Iterable[hl.Func], hlpipe: bytes) -> tuple[FuncInfo, ...]:
    extents, free = reduction_extents(hlpipe), free_variables_of_updates(hlpipe)
    return tuple(_func_info(func, extents[func.name()], free[func.name()]) for func in funcs)


def _func_info(func: hl.Func, extents: tuple[tuple[int | None, ...], ...], free: Sequence[Sequence[str]]) -> FuncInfo:
    args = [var.name() for var in func.args()]
    updates = [[rvar.name() for rvar in func.rvars(k)] for k in range(func.num_update_definitions())]
    for loops in (args, *([*rvars, *pure] for rvars, pure in zip(updates, free, strict=True))):
        _check_distinct(loops, what="loops", where=func.name())
    return FuncInfo(
        name=plain_name(func.name()),
        args=tuple(map(plain_name, args)),
        updates=tuple(tuple(map(plain_name, rvars)) for rvars in updates),
        update_args=tuple(tuple(map(plain_name, pure)) for pure in free),
        extents=extents,
    )


def _image(argument: BufferArgument) -> hl.ImageParam:
    return hl.ImageParam(halide_type(argument.dtype), len(argument.estimate), argument.name)


def _unused_parameter(argument: BufferArgument | ScalarArgument) -> hl.Parameter:
    if isinstance(argument, BufferArgument):
        return _image(argument).parameter()
    return hl.Param(halide_type(argument.dtype), argument.name).parameter()


def _constrain(parameter: hl.Parameter, argument: BufferArgument | ScalarArgument | OutputImage) -> None:
    """What the user's code promises; the serialized pipeline does not keep it for inputs."""
    if isinstance(argument, ScalarArgument):
        if argument.minimum is not None:
            parameter.set_min_value(_constant(argument.dtype, argument.minimum))
        if argument.maximum is not None:
            parameter.set_max_value(_constant(argument.dtype, argument.maximum))
        return
    if argument.alignment is not None:
        parameter.set_host_alignment(argument.alignment)
    for dimension, constraint in enumerate(argument.constraints):
        if constraint.minimum is not None:
            parameter.set_min_constraint(dimension, constraint.minimum)
        if constraint.extent is not None:
            parameter.set_extent_constraint(dimension, constraint.extent)
        parameter.set_stride_constraint(
            dimension, hl.Expr() if constraint.stride is None else hl.Expr(constraint.stride)
        )


def lost_images(images: Sequence[OutputImage], hlpipe: bytes) -> tuple[OutputImage, ...]:
    """Of these, the ones that a serialized pipeline names, so that Halide forgets what is promised when it reads it."""
    named = hl.deserialize_parameters(hlpipe)
    return tuple(image for image in images if image.name in named)


def constrain_outputs(parameters: dict[str, hl.Parameter], images: Sequence[OutputImage]) -> None:
    """The same of outputs that a serialized pipeline takes for inputs."""
    for image in images:
        _constrain(parameters[image.name], image)
    for image in images:
        _keep_promises(image, parameters)


def _keep_promises(argument: BufferArgument | OutputImage, parameters: dict[str, hl.Parameter]) -> None:
    """The constraints that are expressions; these may name other inputs, hence after all of them are there."""
    parameter = parameters[argument.name]
    for promise in argument.promises:
        value = hl.deserialize_pipeline(promise.expression, parameters).get_func(0).value()
        getattr(parameter, SETTERS[promise.what])(promise.dimension, value)


def _set_estimate(parameter: hl.Parameter, argument: BufferArgument | ScalarArgument) -> None:
    if isinstance(argument, ScalarArgument):
        parameter.set_estimate(_constant(argument.dtype, argument.estimate))
        return
    for dimension, (minimum, extent) in enumerate(argument.estimate):
        parameter.set_min_constraint_estimate(dimension, minimum)
        parameter.set_extent_constraint_estimate(dimension, extent)


def _constant(dtype: str, value: Number) -> hl.Expr:
    """The bindings take no number beyond 64 signed bits, but casting wraps around."""
    large = dtype == "uint64" and value >= 2**63
    return hl.cast(halide_type(dtype), value - 2**64 if large else value)


def buffer_of(array: Array, minima: Sequence[int]) -> hl.Buffer:
    """An image on an array's memory, whose first element has these coordinates, innermost first.

    The bindings know NumPy's ``ulonglong``, but not its equal ``uint64``. Of a dense array, NumPy makes up the strides
    of axes of one element, so these have two until Halide has got the strides.
    """
    known = array.view(np.ulonglong) if array.dtype == np.uint64 else array
    buffer = hl.Buffer(as_strided(known, tuple(extent + (extent == 1) for extent in array.shape), array.strides))
    for dimension, extent in enumerate(reversed(array.shape)):
        if extent == 1:
            buffer.crop(dimension, 0, 1)
    buffer.set_min(minima)
    return buffer


_TYPES: Mapping[str, hl.Type] = {
    "bool": hl.Bool(),
    **{f"uint{bits}": hl.UInt(bits) for bits in (8, 16, 32, 64)},
    **{f"int{bits}": hl.Int(bits) for bits in (8, 16, 32, 64)},
    **{f"float{bits}": hl.Float(bits) for bits in (16, 32, 64)},
}


def halide_type(dtype: str) -> hl.Type:
    """Halide's type for NumPy's name of it."""
    return _TYPES[dtype]


def dtype_name(kind: hl.Type, *, where: str) -> str:
    """NumPy's name for a type of Halide's.

    Raises:
        InputError: NumPy has no such type.
    """
    for name, known in _TYPES.items():
        if known == kind:
            return name
    raise InputError(
        "this element type is not supported",
        where=where,
        expected=", ".join(_TYPES),
        found=str(kind),
        todo="use one of these types; what a handle points to can only be passed as an image",
    )


def spec_of(
    name: str,
    hlpipe: bytes,
    inputs: Sequence[BufferArgument | ScalarArgument],
    output_estimates: Sequence[tuple[Interval, ...]],
    images: tuple[OutputImage, ...] = (),
) -> PipelineSpec:
    """Completes a spec with what the serialized pipeline itself tells, and what is promised of images of outputs.

    Raises:
        InputError: the schedulers' text could mean either of two Funcs or loops.
    """
    pipeline = hl.deserialize_pipeline(hlpipe, hl.deserialize_parameters(hlpipe))
    everything = all_funcs(pipeline)
    _check_distinct([func.name() for func in everything], what="Funcs", where=name)
    serialized = read_pipeline(hlpipe, where=name, images=images).outputs
    strides, scalars = output_strides(hlpipe, where=name, images=images), scalar_values(inputs)
    outputs = tuple(
        OutputArgument(
            name=plain_name(func.name()),
            dtypes=tuple(dtype_name(kind, where=f"output {func.name()}") for kind in func.types()),
            estimate=estimate,
            constraints=with_values(found.constraints, promised, scalars),
            alignment=found.alignment,
            pitches=pitches_of(promised),
        )
        for func, estimate, found, promised in zip(
            pipeline.outputs(), output_estimates, serialized, strides, strict=True
        )
    )
    _check_images(outputs, where=name)
    funcs = _func_infos(everything, hlpipe)
    return PipelineSpec(
        name=name, hlpipe=hlpipe, inputs=tuple(inputs), outputs=outputs, funcs=funcs, output_images=images
    )


def _check_images(outputs: Sequence[OutputArgument], *, where: str) -> None:
    """Elements of Tuples are called ``out_0`` and ``out_1``; raises an `InputError` if another output is, too."""
    names = [name for output in outputs for name in output.element_names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            "an element of a Tuple has the same name as another output",
            where=where,
            expected="names of outputs that are no number after the name of one with several values",
            found=", ".join(twice),
            todo="rename that output",
        )


def _check_distinct(names: Iterable[str], *, what: str, where: str) -> None:
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(plain_name(name), name)
        if other != name:
            raise InputError(
                f"two {what} have the same name in schedules, which write _ for $",
                where=where,
                expected="names that differ in more than that; Halide writes blur$1 for a second blur, r$x for x of r",
                found=" and ".join(sorted((other, name))),
                todo="rename one of them",
            )
