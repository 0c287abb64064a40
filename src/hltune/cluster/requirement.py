"""Ray, which only a cluster needs."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

INSTALL = "pip install 'hltune[cluster]'"
LOCAL = "local"
"""The address of a cluster of this computer alone."""


def prepare_for(address: str) -> None:
    """Has Ray, which reads that when it is imported, listen on the loopback interface only if nobody else is to join.

    Source: `ENABLE_RAY_CLUSTER` of Ray, which otherwise takes a public address in place of 127.0.0.1.
    """
    if address == LOCAL:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"


def load_ray() -> Any | None:
    """The module, without types of use; None if it is not installed."""
    try:
        return import_module("ray")
    except ImportError:
        return None
