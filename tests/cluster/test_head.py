"""Which computers a head uses, and what it says of the others; no cluster runs."""

from __future__ import annotations

import contextlib
import io
import os
import socket
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="a cluster needs Ray: pip install 'hltune[cluster]'")

import ray
from rich.console import Console

from hltune.cluster import connection, head
from hltune.cluster.connection import connect, status
from hltune.cluster.head import Head
from hltune.cluster.machine import ClusterMachine
from hltune.cluster.outcome import NodeFailed, outcome_of
from hltune.cluster.requirement import prepare_for
from hltune.machine.alone import alone
from hltune.machine.inputs import Inputs
from hltune.report.cluster import print_status
from hltune.values.errors import HltuneError, InputError, Refused
from tests.cluster.in_process import Cluster, LanesOpener
from tests.cluster.made_up import MADE_UP
from tests.cluster.test_feeds import ANOTHER, MEASURE, SPEC, head_of, schedules

DIED = """The actor died because of an error raised in its creation task, ray::Node.__init__() (pid=7, ip=10.0.0.2)
  File "node.py", line 1, in <module>
ModuleNotFoundError: No module named 'hltune'"""


def test_a_computer_is_measured_on_as_soon_as_another_run_has_ended(
    without_ray: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head, "_LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(head, "_BACK_S", 0.2)
    monkeypatch.setattr(head, "_AGAIN_S", 0.01)
    opener, notes = LanesOpener(), list[str]()
    without_ray(opener)
    machine = MADE_UP, MEASURE
    with contextlib.ExitStack() as other:
        assert other.enter_context(alone(opener.about().computer))
        with head_of(notes) as found:
            assert found.timing() == [] and "another run measures on it" in notes[-1]
            with pytest.raises(HltuneError, match="no node of the cluster measures"):
                ClusterMachine(found, *machine).session(SPEC, Inputs())
            other.close()
            with ClusterMachine(found, *machine).session(SPEC, Inputs()) as session:
                assert len(dict(session.measure_each(schedules(3).items(), best=None))) == 3
            assert notes[-1].endswith("measures")


def test_why_a_node_does_not_measure_is_said(without_ray: Cluster) -> None:
    without_ray(
        LanesOpener(),
        LanesOpener(name="two"),
        LanesOpener(name="processor", machine=ANOTHER),
        LanesOpener(name="cores", kind_of_cores="other cores"),
        LanesOpener(name="halide", halide="20.0.0"),
        LanesOpener(name="hltune", hltune="0.0"),
    )
    notes: list[str] = []
    with head_of(notes) as found:
        assert len(found.timing()) == 2 and len(found.members()) == 4
    assert any("other cores, and cores here" in note for note in notes)
    assert any("Halide 20.0.0" in note for note in notes) and any("another machine" in note for note in notes)
    assert any("left out: hltune 0.0" in note for note in notes)


def test_where_nobody_of_the_kind_measures_it_is_said(without_ray: Cluster) -> None:
    without_ray(LanesOpener())
    notes: list[str] = []
    with (
        Head("auto", LanesOpener(), ANOTHER, notes.append, place="by --machine") as found,
        pytest.raises(HltuneError, match="no node of the cluster measures") as caught,
    ):
        ClusterMachine(found, ANOTHER, MEASURE).session(SPEC, Inputs())
    assert "cpu made up, and another by --machine" in str(caught.value)
    assert any("another machine" in note for note in notes)


def test_why_a_node_does_not_start_is_said(without_ray: Cluster) -> None:
    used, notes = without_ray(LanesOpener()), list[str]()
    used.errors["one"] = ray.exceptions.RayActorError(error_msg=DIED, actor_init_failed=True)
    with pytest.raises(HltuneError, match="no node of the cluster can be used") as caught, head_of(notes):
        pass
    why = "a node does not start on host-one: ModuleNotFoundError: No module named 'hltune'"
    assert notes == [why] and caught.value.found == why and "ray start" in str(caught.value.todo)


def refusing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> dict[str, Any]:
    """Has Ray fail; returns what it was told."""
    told: dict[str, Any] = {}

    def init(**named: Any) -> None:
        told.update(named)
        raise error

    monkeypatch.setattr(connection.ray, "init", init)
    return told


def test_a_cluster_of_our_own_is_no_other_one_that_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    told = refusing(monkeypatch, RuntimeError("no"))
    with pytest.raises(InputError, match="no cluster can be reached"):
        connect("local")
    assert told["address"] == "local"


def test_other_versions_of_ray_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    mismatch = "Version mismatch: The cluster was started with:\n    Ray: 2.60.0\nHere:\n    Ray: 2"
    refusing(monkeypatch, RuntimeError(mismatch))
    with pytest.raises(InputError, match="other versions") as caught:
        connect("auto")
    assert "Ray: 2.60.0 Here" in str(caught.value.found) and "same versions of Ray" in str(caught.value.todo)


@pytest.mark.parametrize("address", ["banana", "10.0.0.1", ":6379", "host:port"])
def test_what_is_no_address_is_said_at_once(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    told = refusing(monkeypatch, RuntimeError("Ray was asked"))
    with pytest.raises(InputError, match="not an address"):
        connect(address)
    assert not told


def test_what_a_nodes_system_refuses_is_the_nodes_fault() -> None:
    def refuse() -> None:
        raise Refused("no process", found="no room", todo="make room")

    done, error = outcome_of(refuse)
    assert not done and isinstance(error, NodeFailed) and error.found == "no room"


def test_a_token_that_is_there_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`ray start` asks for it as soon as it is there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    prepare_for("10.0.0.1:6379")
    assert "RAY_AUTH_MODE" not in os.environ
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("0" * 64)
    prepare_for("local")
    assert "RAY_AUTH_MODE" not in os.environ
    prepare_for("10.0.0.1:6379")
    assert os.environ["RAY_AUTH_MODE"] == "token"
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    prepare_for("10.0.0.1:6379")
    assert os.environ["RAY_AUTH_MODE"] == "disabled"


def test_a_computer_that_has_not_joined_is_told_how(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(monkeypatch, ConnectionError("Failed to connect to Ray cluster"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(InputError, match="no cluster can be reached") as caught:
            connect(address)
    assert f"joins first: ray start --address={address}" in str(caught.value.todo)


def test_status_says_how_many_nodes_are_silent(without_ray: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """One begins, and one ends at just this moment."""
    used = without_ray(LanesOpener())
    names = [{"name": name, "namespace": "hltune"} for name in ("ends", "begins")]

    def get_actor(name: str, namespace: str) -> Any:
        if name == "ends":
            raise ValueError(f"no actor {name} in {namespace}")
        return used.remote(scheduling_strategy=("one", False))(head.Node).remote(None)

    monkeypatch.setattr(used, "util", type("", (), {"list_named_actors": lambda **_: names}), raising=False)
    monkeypatch.setattr(used, "get_actor", get_actor, raising=False)
    used.errors["one"] = ray.exceptions.GetTimeoutError("no answer")
    assert status("auto") == ([], 1)
    console = Console(file=io.StringIO(), width=200)
    print_status(console, [], (), 1)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == "nodes that do not answer, for they begin or have too much to do: 1\n"
