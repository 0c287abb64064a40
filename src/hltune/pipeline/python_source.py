"""Loads a pipeline from Python: a generator class, or a function that returns Funcs.

Whatever goes wrong in the user's code becomes an error message with the user's file and line.

The bindings offer no public way to list generators, nor to build one with its parameters and inputs; hence the private
names of Halide's in this file.
"""

# pyright: reportPrivateUsage=false

import contextlib
import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin

import halide as hl
from halide import _generator_helpers as helpers

from hltune.pipeline.algorithm import Algorithm, describe_input, describe_outputs, inputs_of_constraints
from hltune.pipeline.own_output import Own
from hltune.pipeline.parameters import choose_entry, convert_parameters
from hltune.pipeline.second_build import second_build
from hltune.pipeline.source import Source
from hltune.pipeline.user_code import execute_file, user_code
from hltune.runtime.worker import Process
from hltune.values.errors import InputError

_AGAIN_S, _SLACK_S = 120.0, 60.0
"""Limit on building a generator once more, and what may take how long after that."""
_Parameters = Sequence[tuple[str, str]]
_Function = Callable[..., Any]
_Built = tuple[hl.Pipeline, list[hl.Parameter]]
"""A pipeline and its inputs."""


def load_python_file(source: Source, target: str, process: Process) -> Algorithm:
    """Runs a file and builds the generator or function that the source names.

    A generator is built a second time as it schedules itself when no autoscheduler is named.
    """

    def build() -> Algorithm:
        return replace(_build_file(source, target, manual=True)[1], own=None)

    with second_build(build, limit_s=_AGAIN_S) as manual:
        generator, algorithm = _build_file(source, target)
        if not generator:
            return algorithm
        process.enter("build with its own schedule", timeout_s=_AGAIN_S + _SLACK_S)
        return replace(algorithm, manual=manual())


def _build_file(source: Source, target: str, *, manual: bool = False) -> tuple[bool, Algorithm]:
    """What the source names in its file, and whether that is a generator."""
    file = Path(source.location)
    with user_code(file):
        module = execute_file(file)
        generators = _generators(module)
        functions = _functions(module)
        callable_now = [name for name, function in functions.items() if not _lacking(function, source.parameters)]
        choice = partial(
            choose_entry,
            [*generators, *functions],
            source.entry,
            where=source.location,
            kind="Halide generator or function that returns a Func",
        )
        name = choice(candidates=list(generators) or callable_now or list(functions))
        generator = name in generators
        if generator:
            built = _build_generator(generators[name], source.parameters, target, manual=manual)
        else:
            try:
                built = _call_function(functions[name], source.parameters)
            except _NoPipelineError:
                if source.entry is not None or not (others := [each for each in functions if each != name]):
                    raise
                # A helper may need no value where the pipeline does: that one says what it needs.
                name = choice(candidates=others)
                built = _call_function(functions[name], source.parameters)
        return generator, replace(_algorithm(*built), name=name if generator else None)


class _NoPipelineError(InputError):
    """A function returns something else."""


def load_module_function(source: Source) -> Algorithm:
    """Calls a function of an installed module."""
    spec = find_spec(source.location)
    assert spec is not None and spec.origin is not None and source.entry is not None, source
    with user_code(Path(spec.origin)):
        function = getattr(import_module(source.location), source.entry)
        return _algorithm(*_call_function(function, source.parameters))


def _algorithm(pipeline: hl.Pipeline, inputs: list[hl.Parameter]) -> Algorithm:
    return Algorithm(
        hlpipe=hl.serialize_pipeline(pipeline),
        inputs=tuple(map(describe_input, inputs)),
        output_images=describe_outputs(pipeline),
        own=Own(pipeline, inputs),
    )


def _generators(module: ModuleType) -> dict[str, str]:
    """Registered names of the generators that the module itself defines, by the names for people."""
    return {
        name.removeprefix(f"{module.__name__}."): name
        for name, kind in helpers._python_generators.items()
        if any(base.__module__ == module.__name__ for base in kind.__mro__)
    }


def _functions(module: ModuleType) -> dict[str, _Function]:
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }


def _build_generator(name: str, parameters: _Parameters, target: str, *, manual: bool) -> _Built:
    # A named autoscheduler makes using_autoscheduler() true, so that generators leave their own schedule out.
    autoscheduler = hl.AutoschedulerParams("" if manual else "hltune", {})
    context = hl.GeneratorContext(hl.Target(target), autoscheduler)
    generator: Any = helpers._create_python_generator(name, context)
    types = _parameter_types(generator)
    for key, value in convert_parameters([pair for pair in parameters if pair[0] in types], types).items():
        if key in generator._gp_dict:
            # Halide's own setter makes a list of a Type, and then rejects lists.
            generator._gp_dict[key] = hl.GeneratorParam(value)
        else:
            generator._set_generatorparam_value(key, value)
    others = [pair for pair in parameters if pair[0] not in types]
    unknown = [pair for pair in others if not isinstance(getattr(generator, pair[0], None), hl.InputScalar)]
    with _mistyped_first(unknown, types):
        pipeline = generator._build_pipeline()
    inputs = [info.name for info in generator._get_arginfos() if info.dir == hl.ArgInfoDirection.Input]
    own = [generator._get_input_parameter(name) for name in inputs]
    _check_others(others, types, own)  # only now: `configure` may add inputs
    return pipeline, own


@contextlib.contextmanager
def _mistyped_first(others: _Parameters, types: dict[str, type[Any]]) -> Generator[None]:
    """Around the user's code: a name mistyped among these explains more than what came of it."""
    try:
        yield
    except Exception:  # the user's code may raise anything; it goes on from here
        convert_parameters(others, types)
        raise


def _check_others(others: _Parameters, types: dict[str, type[Any]], inputs: Sequence[hl.Parameter]) -> None:
    """Raises an `InputError` if one of these keys, which are no parameters, is not a scalar input either."""
    scalars = {parameter.name() for parameter in inputs if not parameter.is_buffer()}
    convert_parameters([pair for pair in others if pair[0] not in scalars], types)


def _parameter_types(generator: Any) -> dict[str, type[Any]]:
    """GeneratorParams, and what inputs and outputs leave open."""
    types: dict[str, type[Any]] = {name: type(found._value) for name, found in generator._gp_dict.items()}
    for name, member in inspect.getmembers(generator.__class__, _is_input_or_output):
        element_types, dimensions = member._get_types_and_dimensions()
        types |= {} if element_types else {f"{name}.type": hl.Type}
        types |= {} if dimensions >= 0 else {f"{name}.dim": int}
    return types


def _is_input_or_output(member: object) -> bool:
    return isinstance(member, hl.InputBuffer | hl.InputScalar | hl.OutputBuffer)


def _call_function(function: _Function, parameters: _Parameters) -> _Built:
    types = _types(function, [key for key, _ in parameters])
    others = [pair for pair in parameters if pair[0] not in types]
    with _mistyped_first(others, types):
        built = _called(function, [pair for pair in parameters if pair[0] in types], types)
    _check_others(others, types, built[1])
    return built


def _called(function: _Function, parameters: _Parameters, types: dict[str, type[Any]]) -> _Built:
    arguments = convert_parameters(parameters, types)
    if lacking := _lacking(function, parameters):
        raise _needs(function, lacking, types)
    only_by_place = [each for each in _parameters(function).values() if each.kind is each.POSITIONAL_ONLY]
    places = [arguments.pop(each.name, each.default) for each in only_by_place]
    pipeline = _as_pipeline(function(*places, **arguments), function)
    found = hl.serialize_pipeline(pipeline, get_params=True)[1]
    names = [argument.name for argument in pipeline.infer_arguments()]
    for parameter in [parameter for parameter in found.values() if parameter.is_buffer()]:
        found |= inputs_of_constraints(parameter)
    return pipeline, [found[name] for name in names if name in found]


def _needs(function: _Function, lacking: Sequence[str], types: Mapping[str, type[Any]]) -> InputError:
    """Text cannot stand for a Func or an image."""
    name, code = function.__name__, function.__code__
    inputs = [key for key in lacking if inspect.isclass(types[key]) and types[key].__module__.startswith("halide")]
    inputs = [key for key in inputs if types[key] is not hl.Type]
    wrap = (
        f"write a function without these arguments that calls it, as in: def {name}_of_image(): "
        f'image = hl.ImageParam(hl.UInt(8), 2, "{(inputs or lacking)[0]}"); '
        f"return {name}(hl.BoundaryConditions.repeat_edge(image)); then name that one: FILE:{name}_of_image"
    )
    if inputs:
        kinds = ", ".join(f"{key} ({types[key].__name__})" for key in inputs)
        return InputError(
            f"function {name} takes its input as an argument: {kinds}",
            where=f"{code.co_filename}:{code.co_firstlineno}",
            expected="a function that makes its own ImageParams, with arguments that -p can give",
            todo=wrap,
        )
    todo = "pass " + " ".join(f"-p {key}=VALUE" for key in lacking)
    if any(_parameters(function)[key].annotation is inspect.Parameter.empty for key in lacking):
        todo += f"; if {lacking[0]} is a Func or an image, {wrap}"
    return InputError(f"function {name} needs a value for " + ", ".join(lacking), todo=todo)


def _as_pipeline(result: object, function: _Function) -> hl.Pipeline:
    if isinstance(result, hl.Pipeline):
        return result
    kind = type(result).__name__
    results = cast("Sequence[Any]", result) if isinstance(result, list | tuple) else [result]
    if results and all(isinstance(item, hl.Func) for item in results):
        funcs: list[hl.Func] = list(results)
        if undefined := [func.name() for func in funcs if not func.defined()]:
            raise InputError(
                f"function {function.__name__} returns a Func that is not defined: {', '.join(undefined)}",
                where=f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}",
                expected=f"a definition such as {undefined[0]}[x, y] = ...",
            )
        return hl.Pipeline(funcs)
    raise _NoPipelineError(
        f"function {function.__name__} does not return a pipeline",
        where=f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}",
        expected="a Func, a Pipeline, or a tuple of Funcs",
        found=kind,
    )


def _types(function: _Function, keys: Sequence[str]) -> dict[str, type[Any]]:
    """The types of what can be set by name; where there are ``**others``, that is all the keys that are given."""
    types = {name: _parameter_type(parameter) for name, parameter in _parameters(function).items()}
    for each in _signature(function):
        if each.kind is each.VAR_KEYWORD:
            return dict.fromkeys(keys, _parameter_type(each)) | types
    return types


def _parameters(function: _Function) -> dict[str, inspect.Parameter]:
    """The parameters of one value each, by their names."""
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {each.name: each for each in _signature(function) if each.kind not in several}


def _signature(function: _Function) -> list[inspect.Parameter]:
    """All parameters, without annotations that mean something to type checkers only."""
    names: dict[str, Any] = getattr(inspect.unwrap(function), "__globals__", {})
    return [
        parameter.replace(annotation=_evaluated(parameter.annotation, names))
        for parameter in inspect.signature(function).parameters.values()
    ]


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, names)
    except Exception:  # what was imported for type checkers, or whatever else stands there
        return inspect.Parameter.empty


def _parameter_type(parameter: inspect.Parameter) -> type[Any]:
    if parameter.annotation is not inspect.Parameter.empty:
        some = [each for each in get_args(parameter.annotation) if each is not NoneType]
        is_union = get_origin(parameter.annotation) in (UnionType, Union)
        return (
            some[0] if is_union and len(some) == 1 else parameter.annotation
        )  # of `int | None`, text can be the former
    return str if parameter.default is inspect.Parameter.empty else parameter.default.__class__


def _lacking(function: _Function, parameters: _Parameters) -> list[str]:
    """Names of the parameters that still need a value."""
    given = dict(parameters)
    return [
        name
        for name, parameter in _parameters(function).items()
        if parameter.default is inspect.Parameter.empty and name not in given
    ]
