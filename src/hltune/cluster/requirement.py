"""Ray, which only a cluster needs."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

INSTALL = "pip install 'hltune[cluster]'"
LOCAL = "local"
"""The address of a cluster of this computer alone."""


AUTO = "auto"
"""The one that runs here."""
_MODE = "RAY_AUTH_MODE"
_TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


def prepare_for(address: str) -> None:
    """Tells Ray, which reads that when it is imported, whom to listen to and what to show.

    A cluster of our own listens on the loopback interface only. Source: `ENABLE_RAY_CLUSTER` of Ray, which otherwise
    takes a public address in place of 127.0.0.1. Any other one may ask for the token of this computer: `ray start` does
    so as soon as there is one, and whoever connects shows it only if told to. Those that ask for none do not mind.
    """
    if address == LOCAL:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    elif any(name in os.environ for name in _TOKENS) or Path.home().joinpath(".ray", "auth_token").exists():
        os.environ.setdefault(_MODE, "token")


def load_ray() -> Any | None:
    """The module, without types of use; None if it is not installed."""
    try:
        return import_module("ray")
    except ImportError:
        return None
