"""The connection to Ray: a cluster of our own or one that runs, what went wrong with it, and what its nodes do."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Generator
from typing import Any

from hltune.cluster.node import Status
from hltune.cluster.requirement import AUTO, INSTALL, LOCAL, load_ray
from hltune.values.errors import InputError

ray: Any = load_ray()
if ray is None:
    raise InputError("a cluster needs Ray, which is not installed", where="--cluster", todo=INSTALL)

RayError: type[Exception] = ray.exceptions.RayError
NAMESPACE = "hltune"
"""Where nodes can be found by name."""
_LOOPBACK = "127.0.0.1"
_STATUS_S = 10.0
_REACH_S = 5.0
_STORE_BYTES = 256 << 20
"""For values on their way, of a cluster of our own."""
_OTHER_VERSIONS = "Version mismatch"
"""So Ray begins what it says of a cluster of another Ray or Python, in several lines."""


def status(address: str) -> tuple[list[Status], int]:
    """What the nodes of all heads do at present, and how many do not answer: those that begin read Halide from disk.

    Raises:
        InputError: there is no such cluster.
    """
    with connected(address):
        names = [
            each["name"] for each in ray.util.list_named_actors(all_namespaces=True) if each["namespace"] == NAMESPACE
        ]
        asked: list[Any] = []
        for name in names:
            with contextlib.suppress(ValueError):  # it has just ended
                asked.append(ray.get_actor(name, namespace=NAMESPACE).status.remote())
        found: list[Status] = []
        silent = 0
        for each in asked:
            try:
                found.append(ray.get(each, timeout=_STATUS_S))
            except ray.exceptions.GetTimeoutError:
                silent += 1
            except RayError:  # it has just ended
                continue
        return found, silent


def brief(error: Exception) -> str:
    """What an error says, in one line: the last one where Ray tells of a traceback."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    traced = isinstance(error, ray.exceptions.RayTaskError) or getattr(error, "actor_init_failed", False)
    return lines[-1].strip() if traced else lines[0]


@contextlib.contextmanager
def connected(address: str) -> Generator[None]:
    """Connected to a cluster as long as the context lasts; an `InputError` if there is none."""
    own = connect(address)
    try:
        yield
    finally:
        if own:
            ray.shutdown()


def connect(address: str) -> bool:
    """Connects, unless somebody has; True if it is ours to end.

    Raises:
        InputError: there is no such cluster.
    """
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    handler = signal.getsignal(signal.SIGTERM)
    answers = False
    try:
        answers = _answers(address)
        if address == LOCAL:  # which has to be said: there may be another cluster on this computer
            own = {"address": "local", "_node_ip_address": _LOOPBACK, "object_store_memory": _STORE_BYTES}
            ray.init(**own, include_dashboard=False, **quiet)
            _check_loopback()
        else:
            ray.init(address=address, **quiet)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise _unreachable(address, error, answers=answers) from None
    finally:
        if threading.current_thread() is threading.main_thread():
            # Ray's own one would leave without cleaning up, and with other codes.
            signal.signal(signal.SIGTERM, handler)
    return True


def _unreachable(address: str, error: Exception, *, answers: bool) -> InputError:
    lines = [line.strip() for line in str(error).strip().splitlines()] or [type(error).__name__]
    where = f"--cluster {address}"
    if lines[0].startswith(_OTHER_VERSIONS):
        todo = "have the same versions of Ray and Python on all computers"
        return InputError("the cluster has other versions", where=where, found=" ".join(lines), todo=todo)
    todo = "start one: ray start --head; or give --cluster local, or the address that ray start has printed"
    if answers:
        todo = (
            f"somebody answers there: if it is a cluster, this computer joins first: ray start --address={address}; "
            "where Ray says that a token is missing, it needs the one of the others: docs/cluster.md"
        )
    return InputError("no cluster can be reached", where=where, found=lines[0], todo=todo)


def _check_loopback() -> None:
    """A bug if others could reach a cluster of our own: see `hltune.cluster.requirement.prepare_for`."""
    if (found := ray.util.get_node_ip_address()) != _LOOPBACK:
        ray.shutdown()
        raise AssertionError(f"Ray listens on {found}: it was imported before `prepare_for`")


def _answers(address: str) -> bool:
    """Whether somebody listens there, if it is a place; an OSError if nobody does: Ray itself would try for minutes."""
    if address in (AUTO, LOCAL) or "/" in address:
        return False
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal()):
        expected = f"{AUTO}, {LOCAL} or HOST:PORT"
        raise InputError("not an address of a cluster", where=f"--cluster {address}", expected=expected, found=address)
    socket.create_connection((host, int(port)), timeout=_REACH_S).close()
    return True
