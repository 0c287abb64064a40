"""Arguments by cyclopts: a command takes frozen dataclasses, each a panel of its help, whose fields are flags.

The ``Attributes:`` of a dataclass are the help texts of its flags, the ``Args:`` of a command those of its own.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, get_args

from cyclopts import App, CoercionError, CycloptsError, Group, MissingArgumentError, Parameter, Token

from hltune.values.errors import InputError

_PANELS = (
    "what to schedule",
    "what to learn for",
    "which samples",
    "which schedule",
    "budget",
    "plan",
    "search",
    "machine",
    "limits",
    "emulator of --target hexagon",
    "output",
)
WHAT, PRETRAINED, STORED, KNOWN, BUDGET, PLAN, SEARCH, MACHINE, LIMITS, EMULATOR, OUTPUT = (
    Group(name, sort_key=number) for number, name in enumerate(_PANELS)
)
"""The panels, in this order."""


def parsed(parse: Callable[[str], object], **settings: Any) -> Parameter:
    """A flag whose text is parsed; the settings are those of `Parameter`."""

    def convert(_kind: Any, tokens: Sequence[Token]) -> object:
        return parse(tokens[-1].value)

    return Parameter(n_tokens=1, converter=convert, **settings)


def each_parsed(parse: Callable[[str], object], **settings: Any) -> Parameter:
    """A flag that may be given again and again; each text is parsed."""

    def convert(_kind: Any, tokens: Sequence[Token]) -> tuple[object, ...]:
        return tuple(parse(token.value) for token in tokens)

    return Parameter(n_tokens=1, converter=convert, **settings)


Whole = Annotated[int, parsed(int)]
"""A whole number; cyclopts alone would round 1.5."""


def _missing(error: CycloptsError) -> str | None:
    """The option that has to be given and is not; None if that is not what is wrong."""
    if not isinstance(error, MissingArgumentError) or error.argument is None:
        return None
    given = error.keyword is not None or bool(error.argument.tokens)
    return error.argument.name if error.argument.name.startswith("-") and not given else None


def _shown(default: object) -> object:
    return None if default is False or default == () else default


def parse_arguments(
    command: Callable[..., int | None], name: str, summary: str, tokens: Sequence[str]
) -> partial[int | None]:
    """Reads what a command was given; returns its call, or that of its help.

    Raises:
        InputError: a flag is unknown, missing, lacks its value, or has one that is none.
    """
    app = App(
        name=name,
        help=summary,
        help_format="plaintext",
        help_flags=("-h", "--help"),
        version_flags=(),
        group_commands=OUTPUT,
        default_parameter=Parameter(allow_repeating=True, negative=(), show_default=_shown),
    )
    app.default(command)
    try:
        call, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
    except CoercionError as error:
        if error.argument is None or error.token is None:
            raise
        whole = int in (error.target_type, *get_args(error.target_type))
        expected = "a whole number" if whole else "a number"
        found = repr(error.token.value)
        raise InputError("malformed value", where=error.argument.name, expected=expected, found=found) from None
    except CycloptsError as error:
        missing = _missing(error)
        if missing is not None:
            raise InputError(f"{missing} is missing", where=name, todo=f"give it; see {name} --help") from None
        raise InputError(str(error).rstrip("."), where=name, todo=f"see {name} --help") from None
    return partial(call, *bound.args, **bound.kwargs)
