"""Writes directives in the syntax that `parse` reads and Halide's own schedulers print."""

from typing import Any

from hltune.values.directives import Directive, Rfactor
from hltune.values.roles import Role, form_of


def directive_text(directive: Directive) -> str:
    """One directive, for example ``output.split(x, x, xi, 8, TailStrategy::GuardWithIf)``."""
    form = form_of(type(directive))
    arguments = ", ".join(_argument(role, getattr(directive, name)) for name, role in form.arguments)
    made = f"{directive.intermediate} = " if isinstance(directive, Rfactor) else ""
    return f"{made}{directive.stage}.{form.call}({arguments})"


def _argument(role: Role, value: Any) -> str:
    match role:
        case Role.TAIL:
            return f"TailStrategy::{value}"
        case Role.MEMORY:
            return f"MemoryType::{value}"
        case Role.LOOPS | Role.DIMS:
            return ", ".join(value)
        case Role.PRESERVED:
            return "{" + ", ".join(f"{{{old}, {new}}}" for old, new in value) + "}"
        case _:
            return str(value)
