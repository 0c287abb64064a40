"""Loads a pipeline from Python: a generator class, or a function that returns Funcs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import halide as hl
from halide import _generator_helpers as helpers

from hltune.errors import InputError
from hltune.pipeline.algorithm import Algorithm
from hltune.pipeline.entries import choose_entry
from hltune.pipeline.inputs import describe_input
from hltune.pipeline.parameters import convert_parameters
from hltune.pipeline.source import Source
from hltune.pipeline.user_code import execute_file, import_installed, user_code

AUTOSCHEDULER = hl.AutoschedulerParams("hltune", {})
"""Tells generators that they are scheduled automatically, so that they leave their own schedule out."""

_Parameters = Sequence[tuple[str, str]]
_Function = Callable[..., Any]


def load_python_file(source: Source, target: str) -> Algorithm:
    """Runs a file and builds the generator or function that the source names.

    Raises:
        InputError: the file, the name or the parameters are at fault.
    """
    file = Path(source.location)
    with user_code(file):
        module = execute_file(file)
        generators = _generators(module)
        functions = _functions(module)
        callable_now = [name for name, function in functions.items() if not _lacking(function, source.parameters)]
        name = choose_entry(
            [*generators, *functions],
            source.entry,
            candidates=list(generators) or callable_now or list(functions),
            where=source.location,
            kind="Halide generator or function that returns a Func",
        )
        if name in generators:
            return _build_generator(generators[name], source.parameters, target)
        return _call_function(functions[name], source.parameters)


def load_module_function(source: Source) -> Algorithm:
    """Calls a function of an installed module.

    Raises:
        InputError: the function or the parameters are at fault.
    """
    spec = find_spec(source.location)
    assert spec is not None and spec.origin is not None and source.entry is not None, source
    with user_code(Path(spec.origin)):
        return _call_function(getattr(import_installed(source.location), source.entry), source.parameters)


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


def _build_generator(name: str, parameters: _Parameters, target: str) -> Algorithm:
    generator = hl._create_python_generator(name, hl.GeneratorContext(hl.Target(target), AUTOSCHEDULER))
    for key, value in convert_parameters(parameters, _parameter_types(generator)).items():
        if key in generator._gp_dict:
            # Halide's own setter makes a list of a Type, and then rejects lists.
            generator._gp_dict[key] = hl.GeneratorParam(value)
        else:
            generator._set_generatorparam_value(key, value)
    pipeline = generator._build_pipeline()
    inputs = [info.name for info in generator._get_arginfos() if info.dir == hl.ArgInfoDirection.Input]
    hlpipe = hl.serialize_pipeline(pipeline)
    return Algorithm(
        hlpipe=hlpipe, inputs=tuple(describe_input(generator._get_input_parameter(name)) for name in inputs)
    )


def _parameter_types(generator: hl.Generator) -> dict[str, type]:
    """GeneratorParams, and what inputs and outputs leave open."""
    types = {name: type(parameter._value) for name, parameter in generator._gp_dict.items()}
    kind = type(generator)
    for name in dir(kind):
        member = getattr(kind, name)
        if isinstance(member, hl.InputBuffer | hl.InputScalar | hl.OutputBuffer):
            element_types, dimensions = member._get_types_and_dimensions()
            types |= {} if element_types else {f"{name}.type": hl.Type}
            types |= {} if dimensions >= 0 else {f"{name}.dim": int}
    return types


def _call_function(function: _Function, parameters: _Parameters) -> Algorithm:
    signature = inspect.signature(function, eval_str=True)
    types = {name: _parameter_type(parameter) for name, parameter in signature.parameters.items()}
    arguments = convert_parameters(parameters, types)
    if lacking := _lacking(function, parameters):
        raise InputError(
            f"function {function.__name__} needs a value for " + ", ".join(lacking),
            todo="pass " + " ".join(f"-p {name}=VALUE" for name in lacking),
        )
    pipeline = _as_pipeline(function(**arguments), function)
    hlpipe, found = hl.serialize_pipeline(pipeline, get_params=True)
    names = [argument.name for argument in pipeline.infer_arguments()]
    return Algorithm(hlpipe=hlpipe, inputs=tuple(describe_input(found[name]) for name in names))


def _as_pipeline(result: Any, function: _Function) -> hl.Pipeline:
    if isinstance(result, hl.Pipeline):
        return result
    if isinstance(result, hl.Func):
        return hl.Pipeline(result)
    if isinstance(result, list | tuple) and result and all(isinstance(item, hl.Func) for item in result):
        return hl.Pipeline(list(result))
    raise InputError(
        f"function {function.__name__} does not return a pipeline",
        where=f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}",
        expected="a Func, a Pipeline, or a tuple of Funcs",
        found=type(result).__name__,
    )


def _parameter_type(parameter: inspect.Parameter) -> type:
    if parameter.annotation is not inspect.Parameter.empty:
        return parameter.annotation
    return str if parameter.default is inspect.Parameter.empty else type(parameter.default)


def _lacking(function: _Function, parameters: _Parameters) -> list[str]:
    """Names of the parameters that still need a value."""
    given = dict(parameters)
    return [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and name not in given
    ]
