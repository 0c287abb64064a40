"""Results and errors on their way back to the head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hltune.values.errors import HltuneError, Refused

Outcome = tuple[bool, Any]
"""Whether it is a result, or an error to raise: Ray would wrap the error."""


class NodeFailed(HltuneError):
    """What went wrong with a node, and may not with another one: its disk is full, or it cannot start a process."""


def outcome_of(call: Callable[[], Any]) -> Outcome:
    """Errors of ours are values, for whoever asked raises them; others are told as text, and end nothing."""
    try:
        return True, call()
    except Refused as error:
        return False, NodeFailed(error.what, where="a node of the cluster", found=error.found, todo=error.todo)
    except HltuneError as error:
        return False, error
    except Exception as error:
        return False, NodeFailed(f"{type(error).__name__}: {error}", where="a node of the cluster")


def result_of(outcome: Outcome) -> Any:
    """The result, or raises the error."""
    done, value = outcome
    if not done:
        raise value
    return value
