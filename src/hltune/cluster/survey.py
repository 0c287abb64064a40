"""Asks the computers of a cluster what they are, before anything runs on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hltune.cluster import kinds
from hltune.cluster.connection import RayError, brief, connected, ray
from hltune.cluster.head import START_S, on_node
from hltune.cluster.kinds import Computer
from hltune.cluster.requirement import LOCAL
from hltune.values.errors import HltuneError


def survey(address: str, note: Callable[[str], None]) -> list[Computer]:
    """All computers of a cluster that answer; the others are told in notes.

    Raises:
        InputError: there is no such cluster.
        HltuneError: none of its computers answers.
    """
    if address == LOCAL:
        return [kinds.describe()]
    with connected(address):
        asked = [_ask(each["NodeID"]) for each in ray.nodes() if each["Alive"]]
        ready, silent = ray.wait(asked, num_returns=len(asked), timeout=START_S)
        notes = [f"a computer of the cluster does not say within {START_S:g} s what it is" for _ in silent]
        found: list[Computer] = []
        for each in ready:
            try:
                found.append(ray.get(each))
            except RayError as error:
                notes.append(f"a computer of the cluster does not say what it is: {brief(error)}")
    for each in notes:
        note(each)
    if not found:
        raise HltuneError("no computer of the cluster answers", where=f"--cluster {address}")
    return found


def _ask(ray_id: str) -> Any:
    return ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=on_node(ray_id))(kinds.describe).remote()
