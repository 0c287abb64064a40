"""The C++-like text of a schedule: its tokens, and how a directive is written in it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from hltune.values.directives import OUTERMOST, Directive, Rfactor
from hltune.values.errors import InputError
from hltune.values.roles import ENUMERATIONS, Role, form_of

TokenKind = Literal["name", "number", "string", "mark", "end"]

_TOKEN = r"""
    (?P<skip> \s+ | //[^\n]* | /\*.*?\*/ )
  | (?P<name> (?:ODD [A-Za-z_$]) [\w$]* )
  | (?P<number> -?\d{1,18} )
  | "(?P<string> [^"\n]* )"
  | (?P<mark> :: | [.,;=(){}\[\]] )
"""


@dataclass(frozen=True, slots=True)
class Token:
    """One word or mark; the text of the end is empty."""

    kind: TokenKind
    text: str
    line: int


class Tokens:
    """Reads tokens one by one; what is not as expected raises an `InputError`.

    Args:
        text: what a scheduler printed or a person wrote.
        names: names in use; those that are no identifiers are recognised too, as Adams2019 prints them unchanged.
    """

    def __init__(self, text: str, names: Iterable[str]) -> None:
        self._tokens = _tokenize(text, names)
        self._at = 0

    @property
    def line(self) -> int:
        """The line of the token that was read last."""
        return self._tokens[max(0, self._at - 1)].line

    def texts(self) -> set[str]:
        """The texts of all tokens."""
        return {token.text for token in self._tokens}

    def peek(self, ahead: int = 0) -> Token:
        """A token that was not read yet."""
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def skip(self, text: str) -> bool:
        """Reads the next token if it is this mark or word."""
        found = self.peek().text == text and self.peek().kind != "string"
        self._at += found
        return found

    def mark(self, *texts: str) -> str:
        """Reads one of these marks or words."""
        for text in texts:
            if self.skip(text):
                return text
        raise self.unexpected(" or ".join(map(repr, texts)))

    def marks(self, *texts: str) -> None:
        """Reads these marks and words, in this order."""
        for text in texts:
            self.mark(text)

    def name(self, what: str) -> str:
        """Reads a name; ``$`` becomes ``_`` as in all names of ours."""
        return self._word("name", what).replace("$", "_")

    def number(self, what: str) -> int:
        """Reads a whole number, which may as well be the name of a Func."""
        found = self.peek()
        named = found.kind == "name" and found.text.isascii() and found.text.isdigit()
        return int(self._word("name" if named else "number", what))

    def string(self) -> str:
        """Reads a name in quotes."""
        return self._word("string", "a name in quotes").replace("$", "_")

    def unexpected(self, expected: str) -> InputError:
        """The error that the next token is not what should stand here."""
        token = self.peek()
        self._at = min(self._at + 1, len(self._tokens))
        found = "the end of the text" if token.kind == "end" else repr(token.text)
        return InputError("the text is not a schedule", expected=expected, found=found)

    def _word(self, kind: TokenKind, what: str) -> str:
        if self.peek().kind != kind:
            raise self.unexpected(what)
        self._at += 1
        return self._tokens[self._at - 1].text


def _tokenize(text: str, names: Iterable[str]) -> list[Token]:
    odd = sorted((name for name in names if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)), key=len, reverse=True)
    alternatives = "".join(re.escape(name) + "|" for name in odd)
    pattern = re.compile(_TOKEN.replace("ODD ", alternatives), re.VERBOSE | re.DOTALL | re.ASCII)
    tokens: list[Token] = []
    line, at = 1, 0
    while at < len(text):
        match = pattern.match(text, at)
        if match is None or match.lastgroup is None:
            raise InputError(
                "the text is not a schedule",
                where=f"schedule, line {line}",
                expected="a scheduling call",
                found=repr(text[at : at + 20]),
            )
        if match.lastgroup != "skip":
            tokens.append(Token(match.lastgroup, match[match.lastgroup], line))  # pyright: ignore[reportArgumentType]
        line += match[0].count("\n")
        at = match.end()
    return [*tokens, Token("end", "", line)]


def directive_text(directive: Directive) -> str:
    """A directive as Halide prints it: ``output.split(x, x, xi, 8, TailStrategy::GuardWithIf)``."""
    form = form_of(type(directive))
    arguments = ", ".join(_argument(role, getattr(directive, name)) for name, role in form.arguments)
    made = f"{directive.intermediate} = " if isinstance(directive, Rfactor) else ""
    return f"{made}{directive.stage}.{form.call}({arguments})"


def _argument(role: Role, value: Any) -> str:
    match role:
        case Role.TAIL | Role.MEMORY | Role.POLICY:
            return f"{ENUMERATIONS[role].name}::{value}"
        case Role.LOOPS | Role.DIMS:
            return ", ".join(value)
        case Role.LEVEL if value == OUTERMOST:
            return "Var::outermost()"
        case Role.PRESERVED:
            return "{" + ", ".join(f"{{{old}, {new}}}" for old, new in value) + "}"
        case _:
            return str(value)
