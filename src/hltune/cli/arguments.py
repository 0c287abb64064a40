"""Flags from dataclasses: a command takes panels, each class is a panel of its help, and each field is a flag."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from functools import partial
from typing import Any, ClassVar, NoReturn, cast, get_args, get_origin, get_type_hints

from hltune.values.errors import InputError

REQUIRED: Any = MISSING
"""Default of a flag that has to be given."""
_FLAG = "flag"
_NO_OPTION = "\0"
"""Marks what follows ``--``, which argparse forgets between its two passes; no word of a command line contains it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Flags that belong together; panels of one title are shown as one."""

    title: ClassVar[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flag:
    """What the command line knows of a field.

    Attributes:
        names: as the user writes them; empty if the field's name is the only one.
        parse: makes the value of the text; None if the field's type says how.
        shown: default in the help, where its value would not say it.
    """

    help: str
    names: tuple[str, ...] = ()
    parse: Callable[[str], Any] | None = None
    metavar: str | None = None
    shown: str | None = None
    positional: bool = False


def flag(
    default: Any,
    help: str,
    *names: str,
    parse: Callable[[str], Any] | None = None,
    metavar: str | None = None,
    shown: str | None = None,
) -> Any:
    """A field that is a flag; a tuple may be given again and again."""
    made = _Flag(help=help, names=names, parse=parse, metavar=metavar, shown=shown)
    return field(default=default, metadata={_FLAG: made})


def argument(help: str, metavar: str) -> Any:
    """A field that is given without a flag; a tuple takes one or more."""
    return field(metadata={_FLAG: _Flag(help=help, metavar=metavar, positional=True)})


def default_of(options: type, name: str) -> Any:
    """Default of a field of an option dataclass."""
    return next(each.default for each in fields(options) if each.name == name)


def parse_panels(command: Callable[..., object], name: str, summary: str, tokens: Sequence[str]) -> dict[str, Panel]:
    """Reads what a command was given, as its parameters.

    Raises:
        InputError: a flag is unknown, lacks its value, or has one that is none.
        SystemExit: help was asked for, and shown.
    """
    panels: dict[str, type[Panel]] = {key: kind for key, kind in get_type_hints(command).items() if key != "return"}
    end = tokens.index("--") if "--" in tokens else len(tokens)
    marked = [*tokens[:end], *(_NO_OPTION + token for token in tokens[end + 1 :])]
    values = vars(_parser(name, summary, list(panels.values())).parse_intermixed_args(marked))
    for key, value in values.items():
        values[key] = tuple(cast(list[Any], value)) if isinstance(value, list) else value
    return {key: kind(**{each.name: values[each.name] for each in fields(kind)}) for key, kind in panels.items()}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(message.replace(_NO_OPTION, ""), where=self.prog, todo=f"see {self.prog} --help")


def _parser(name: str, summary: str, panels: Sequence[type[Panel]]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=name,
        description=summary,
        formatter_class=partial(argparse.HelpFormatter, max_help_position=32),
        allow_abbrev=False,
        add_help=False,
    )
    groups = {title: parser.add_argument_group(title) for title in dict.fromkeys(panel.title for panel in panels)}
    usage = [name, "[OPTIONS]"]
    for panel in panels:
        hints = get_type_hints(panel)
        for each in sorted(fields(panel), key=lambda each: not _flag_of(panel, each.name).positional):
            added = _add(groups[panel.title].add_argument, each, hints[each.name], _flag_of(panel, each.name))
            if not added.option_strings:
                usage.append(f"{added.metavar}{'...' if added.nargs else ''}")
    groups[panels[-1].title].add_argument("-h", "--help", action="help", help="Show this message and exit.")
    parser.usage = " ".join(usage)
    return parser


def _flag_of(panel: type[Panel], name: str) -> _Flag:
    """What is known of a field; a class that changes a default only leaves the rest to the class that it is made of."""
    known = (kind.__dataclass_fields__.get(name) for kind in panel.__mro__ if is_dataclass(kind))
    return next(each.metadata[_FLAG] for each in known if each is not None and _FLAG in each.metadata)


def _add(add: Callable[..., argparse.Action], each: Field[Any], hint: Any, made: _Flag) -> argparse.Action:
    kind = next((kind for kind in get_args(hint) if kind not in (type(None), Ellipsis)), hint)
    many = get_origin(hint) is tuple
    option = made.names[-1] if made.names else "--" + each.name.replace("_", "-")
    help = made.help.replace("%", "%%")
    if kind is bool:
        action = argparse.BooleanOptionalAction if each.default else "store_true"
        return add(option, dest=each.name, action=action, default=each.default, help=help)
    shown = made.shown or ("" if each.default in (None, (), MISSING) else str(each.default))
    settings: dict[str, Any] = {
        "type": _converter(made.metavar or option if made.positional else option, kind, made.parse),
        "metavar": made.metavar or f"<{kind.__name__.lower()}>",
        "help": f"{help} [default: {shown}]" if shown else help,
    }
    if made.positional:
        return add(each.name, nargs="+" if many else None, **settings)
    return add(
        *(made.names or (option,)),
        dest=each.name,
        action="append" if many else "store",
        default=[] if many else each.default,
        required=each.default is MISSING,
        **settings,
    )


def _converter(option: str, kind: type, parse: Callable[[str], Any] | None) -> Callable[[str], Any]:
    def convert(word: str) -> Any:
        text = word.removeprefix(_NO_OPTION)
        try:
            return (parse or kind)(text)
        except ValueError:
            expected = {int: "a whole number", float: "a number"}.get(kind)
            raise InputError("malformed value", where=option, expected=expected, found=repr(text)) from None

    return convert
