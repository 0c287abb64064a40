"""`--cluster` changes where things are done, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hltune.samples.reader import Reader
from tests.cli.conftest import Result, Run


def test_without_ray_it_is_said_what_to_install(hltune: Run, tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError('not here')")  # in the folder that commands run in
    assert_asks_for_ray(hltune("cluster", "status", apart=True))


@pytest.mark.parametrize("command", [("tune", "--rounds", 0), ("schedule",), ("compare",)])
def test_a_command_needs_ray(hltune: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[object, ...]) -> None:
    for module in [each for each in sys.modules if each.startswith("hltune.cluster.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # the command sets it, for a process of its own
    assert_asks_for_ray(hltune(*command, "sobel", "--size", "64x64", "--cluster", "local"))


def assert_asks_for_ray(result: Result) -> None:
    assert result.code == 2 and "pip install 'hltune[cluster]'" in result.err


def test_a_cluster_that_is_not_there(hltune: Run) -> None:
    pytest.importorskip("ray")
    result = hltune("cluster", "status", "--cluster", "127.0.0.1:1", apart=True)
    assert result.code == 2 and "no cluster can be reached" in result.err and "ray start --head" in result.err


@pytest.mark.parametrize("command", [("tune", "sobel"), ("schedule", "sobel"), ("compare", "sobel"), ("pretrain",)])
def test_a_machine_is_one_of_a_cluster(hltune: Run, command: tuple[str, ...]) -> None:
    result = hltune(*command, "--machine", "epyc")
    assert result.code == 2 and "--machine epyc without --cluster" in result.err and "give --cluster" in result.err


def test_a_machine_that_no_computer_is(hltune: Run) -> None:
    pytest.importorskip("ray")
    wanted = ("--cluster", "local", "--machine", "abacus")
    result = hltune("tune", "sobel", *wanted, apart=True)
    assert result.code == 2 and "no computer of the cluster is called so" in result.err
    assert "found: 'abacus'" in result.err and " cores; 1 of them)" in result.err
    result = hltune("tune", "sobel", "--target", "hexagon", *wanted)
    assert result.code == 2 and "emulated costs the same on all computers" in result.err


@pytest.mark.alone
@pytest.mark.long
def test_tuning_goes_on_with_a_cluster_and_without(hltune: Run) -> None:
    pytest.importorskip("ray")
    arguments = ("tune", "sobel", "--size", "256x256", "--rounds", 1, "--json")
    here, there, again = (hltune(*arguments, *more) for more in ((), ("--cluster", "local"), ()))
    assert (here.code, there.code, again.code) == (0, 0, 0), there.err
    first, second, third = (each.document for each in (here, there, again))
    assert first.keys() == second.keys()
    assert first["distinct"] < second["distinct"] < third["distinct"]
    assert "2 cores: measures" in there.err or ("cores: measures" in there.err and "per minute" in there.err)


@pytest.mark.alone
@pytest.mark.long
@pytest.mark.parametrize("command", [("schedule", "--no-measure"), ("schedule",), ("compare", "--rounds", 1)])
def test_schedules_are_found_on_a_cluster(hltune: Run, command: tuple[str, ...]) -> None:
    pytest.importorskip("ray")
    result = hltune(*command, "sobel", "--size", "256x256", "--beam-size", 1, "--cluster", "local", "--json")
    assert result.code == 0, result.err
    assert "cores: measures" in result.err
    rows = result.document["schedules"] if "compare" in command else [result.document]
    measured = [each for each in rows if each["cost"] is not None]
    assert all(each["verified"] for each in measured)
    assert len(measured) >= (0 if "--no-measure" in command else 1)
    assert "no node" not in result.err and "is lost" not in result.err


@pytest.mark.alone
@pytest.mark.long
def test_pretraining_makes_the_same_batches_on_a_cluster(hltune: Run, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    arguments = ("pretrain", "--batches", 2, "--schedules", 4, "--no-benchmarks", "--json")
    measured: list[dict[str, set[str]]] = []
    for name, more in (("here", ()), ("there", ("--cluster", "local"))):
        result = hltune(*arguments, *more, "--workspace", name)
        assert result.code == 0, result.err
        with Reader(tmp_path / name / "samples.sqlite") as reader:
            (machine,) = {key for _, key in pairs(reader)}
            measured.append({pipeline: set(reader.costs(pipeline, machine)) for pipeline in reader.pipelines()})
    assert measured[0] == measured[1] and all(measured[0].values())


def pairs(reader: Reader) -> set[tuple[str, str]]:
    """Pipelines and machines with samples."""
    return {(each.pipeline_hash, each.machine.key) for each in reader.statistics()}
