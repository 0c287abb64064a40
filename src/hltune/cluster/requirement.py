"""Ray, which only a cluster needs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

INSTALL = "pip install 'hltune[cluster]'"


def load_ray() -> Any | None:
    """The module, without types of use; None if it is not installed."""
    try:
        return import_module("ray")
    except ImportError:
        return None
