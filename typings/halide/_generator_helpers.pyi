"""The registry of Python generators, as far as hltune uses it."""

from typing import Any

from halide import GeneratorContext

_python_generators: dict[str, type]

def _create_python_generator(name: str, context: GeneratorContext) -> Any: ...
