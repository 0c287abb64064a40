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
"""The address of the cluster that runs here."""
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
    elif _has_token():
        os.environ.setdefault(_MODE, "token")


def _has_token() -> bool:
    if any(map(os.environ.get, _TOKENS)):
        return True
    try:
        return Path.home().joinpath(".ray", "auth_token").exists()
    except RuntimeError:  # an account without a home
        return False


def load_ray() -> Any | None:
    """The module, without types of use; None if it is not installed."""
    try:
        return import_module("ray")
    except ImportError:
        return None
