"""What failed is found again, and made smaller."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hltune.commands import reduce as command
from hltune.runtime.files import cannot_write
from hltune.values.directives import Schedule, Unroll
from hltune.values.errors import Failure
from tests.cli.conftest import Run
from tests.cli.stored import BLUR, FAILURE, ODD, WORKS, alone, image_of, store, stored

REFUSED = "output.split(y, y, yi, 8).parallel(y).unroll(yi).vectorize(x);"
"""Halide vectorises no loop whose extent is no constant."""


@pytest.fixture
def failed(tmp_path: Path) -> str:
    """A store with a schedule that fails; its id."""
    return store(tmp_path, str(BLUR), REFUSED, FAILURE)


def test_a_failure_is_reduced_to_what_it_needs(hltune: Run, failed: str, tmp_path: Path) -> None:
    listed = hltune("samples", "failures", "blur_function", "--json").document["failures"]
    assert [each["hash"] for each in listed] == [failed]
    result = hltune("reduce", failed[:10], "-o", "left", "--json")
    assert result.code == 0, result.err
    document = result.document
    assert document["complete"] and document["directives_before"] == 4
    assert document["directives"] == 1
    assert document["failure"]["stage"] == "compile"
    run = alone(tmp_path / "left")
    assert run.returncode == 1 and "HalideError" in run.stderr and "Traceback" not in run.stderr
    assert "it fails in this step, as it did when it was measured: compile: " in run.stderr


def late(limit_s: float, stage: str = "compile") -> Failure:
    """What was measured of a schedule that takes too long."""
    return Failure(stage=stage, kind="timeout", message=f"took longer than {limit_s:g} s, 3 times as long as others")


@pytest.mark.parametrize(
    ("asked_s", "limit_s", "taken_s", "said", "not_said"),
    [
        (9, 3.0, 5.0, ("give the limit that it was measured with, --compile-timeout 3",), "busy"),
        (
            9,
            8.0,
            5.0,
            ("that computer was busy", "or see what makes it slow with a --compile-timeout below"),
            "give the",
        ),
        (
            9,
            8.0,
            1.5,
            ("nothing: where it took longer than 8 s, that computer was busy, or is another one",),
            "--compile-timeout",
        ),
        (9, 1.2, 1.5, ("try again when nothing else runs",), "--compile-timeout"),
    ],
)
def test_what_does_not_take_too_long_here_is_told_what_can_work(
    hltune: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked_s: float,
    limit_s: float,
    taken_s: float,
    said: tuple[str, ...],
    not_said: str,
) -> None:
    """A simple schedule takes a second."""
    monkeypatch.setattr(command, "stage_clock", lambda *_: lambda each, _: taken_s if each.directives else 1.0)
    monkeypatch.setattr(command, "every_func_at_root", lambda _: Schedule())
    identifier = store(tmp_path, str(BLUR), "output.parallel(y);", late(limit_s))
    refused = hltune("reduce", identifier, "--compile-timeout", asked_s)
    told = " ".join(refused.err.split())
    assert refused.code == 1 and "this schedule does not fail here" in told and "found: compiled in " in told
    _, todo = told.split("to do: ")
    assert all(each in todo for each in said) and not_said not in todo


def timed(*_: object) -> Callable[[Schedule, float], float | Failure]:
    """Times as if each loop that is unrolled took a minute to compile."""

    def clock(schedule: Schedule, limit_s: float) -> float | Failure:
        seconds = 60.0 if any(isinstance(each, Unroll) for each in schedule.directives) else 0.5
        return late(limit_s) if seconds > limit_s else seconds

    return clock


@pytest.mark.parametrize("flags", [("--compile-timeout", 3), ()])
def test_what_takes_too_long_is_reduced(
    hltune: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[object, ...]
) -> None:
    """By the limit that it was measured with, if the user gives none."""
    monkeypatch.setattr(command, "stage_clock", timed)
    identifier = store(tmp_path, str(BLUR), "output.split(x, x, xi, 4).unroll(xi).parallel(y);", late(3.0))
    result = hltune("reduce", identifier, *flags, "-o", "left", "--json")
    assert result.code == 0, result.err
    document = result.document
    assert document["failure"]["message"] == "took longer than its limit of 3 s (--compile-timeout)"
    assert 0 < document["directives"] < document["directives_before"]
    assert "GIVEN_UP = ('compile', 3.0)" in (tmp_path / "left/reproduce.py").read_text()


def test_what_works_is_not_reduced(hltune: Run, tmp_path: Path) -> None:
    works = store(tmp_path, str(BLUR), "output.parallel(y);")
    refused = hltune("reduce", works)
    assert refused.code == 2 and "this schedule works" in refused.err


@pytest.mark.parametrize("changes", [{"stage": "run"}, {"kind": "crash"}])
def test_another_failure_is_not_reduced(hltune: Run, tmp_path: Path, changes: dict[str, str]) -> None:
    refused = hltune("reduce", store(tmp_path, str(BLUR), REFUSED, replace(FAILURE, **changes)))
    assert refused.code == 1 and "this schedule fails otherwise here" in refused.err


def test_another_reason_is_said(hltune: Run, tmp_path: Path) -> None:
    again = hltune("reduce", store(tmp_path, str(BLUR), REFUSED, replace(FAILURE, message="too late")), "--json")
    assert again.code == 0
    told = " ".join(again.err.split())
    assert "it fails for another reason here: compile: " in told and "so: compile: too late" in told


def test_what_failed_may_have_worked_since(hltune: Run, failed: str, tmp_path: Path) -> None:
    assert store(tmp_path, str(BLUR), REFUSED, WORKS) == failed
    assert store(tmp_path, str(BLUR), REFUSED, WORKS, on=lambda machine: replace(machine, threads=1)) == failed
    result = hltune("reduce", failed, "--json")
    assert result.code == 0, result.err
    assert result.document["directives"] == 1
    assert result.document["machine"] == stored_on(tmp_path, failed)


def stored_on(folder: Path, identifier: str) -> str:
    """The key of the machine of two threads."""
    return replace(stored(folder, identifier)[1], threads=2).key


def test_only_pipelines_on_which_it_failed_count(hltune: Run, failed: str, tmp_path: Path) -> None:
    other = store(tmp_path, f"{ODD}:short", "output.parallel(y);")
    refused = hltune("reduce", failed, "--pipeline", "short")
    assert other != failed and refused.code == 2
    assert "there are no failures of this schedule of this pipeline" in refused.err and "blur_function" in refused.err


def test_where_it_failed_is_said_if_that_is_not_clear(hltune: Run, failed: str, tmp_path: Path) -> None:
    store(tmp_path, str(BLUR), REFUSED, FAILURE, on=lambda machine: replace(machine, threads=1))
    refused = hltune("reduce", failed)
    assert refused.code == 2 and "which machine is not clear" in refused.err and "--machine with one of" in refused.err
    key = stored_on(tmp_path, failed)
    assert hltune("reduce", failed, "--machine", key[:8], "--json").document["machine"] == key
    wrong = hltune("reduce", failed, "--machine", "ffff")
    assert wrong.code == 2 and "there are no failures of this schedule on this machine" in wrong.err


def test_a_failure_is_reduced_on_the_users_images(hltune: Run, failed: str, tmp_path: Path) -> None:
    np.save(tmp_path / "tiny.npy", np.zeros((2, 2), np.uint8))
    refused = hltune("reduce", failed, "-i", "tiny.npy")
    assert refused.code == 2 and "the image is too small for input" in refused.err
    np.save(tmp_path / "large.npy", np.full((2000, 2000), 7, np.uint8))
    result = hltune("reduce", failed, "-i", "large.npy", "-o", "left", "--json")
    assert result.code == 0, result.err
    assert "it was measured with the usual data" in " ".join(result.err.split())
    assert (image_of(tmp_path / "left") == 7).all()


def test_unknown_ids_are_answered(hltune: Run, failed: str) -> None:
    assert failed
    result = hltune("reduce", "ffffffffffffffff", "--json")
    assert result.code == 2
    assert "no schedule in the store has this id" in json.loads(result.out)["error"]["what"]


def test_where_nothing_can_be_written_nothing_is_tried(
    hltune: Run, failed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "open_session", None)
    (tmp_path / "taken").write_text("a file")
    result = hltune("reduce", failed, "-o", "taken")
    assert result.code == 2 and "taken: cannot write here" in result.err


def interrupted(schedule: Schedule, _funcs: object, holds: Callable[[Schedule], bool], *, end_s: float) -> Schedule:
    """Finds something smaller, and then something that works, before somebody presses Ctrl-C."""
    assert end_s
    assert holds(replace(schedule, directives=schedule.directives[1:]))
    assert not holds(Schedule())
    raise KeyboardInterrupt


def test_who_interrupts_has_what_was_found(hltune: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "reduced", interrupted)
    identifier = store(tmp_path, str(BLUR), "output.parallel(y).vectorize(x);", FAILURE)
    result = hltune("reduce", identifier, "-o", "left", "--json")
    assert result.code == 130, result.err
    document = result.document
    assert (document["complete"], document["tried"], document["directives"]) == (False, 2, 1)
    assert document["interrupted"]
    assert "directives that are left: 1; try 1 failed in the same way; try 2 has 0" in result.err
    run = alone(tmp_path / "left")
    assert run.returncode != 0 and "HalideError" in run.stderr


def test_what_cannot_be_written_is_printed(
    hltune: Run, failed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise cannot_write(tmp_path, OSError(28, "No space left on device"))

    monkeypatch.setattr(command, "write_example", full)
    result = hltune("reduce", failed, "-o", "left")
    told = " ".join(result.err.split())
    assert result.code == 2 and "No space left on device" in told
    assert "what is left was found, but could not be kept: {" in told and '"vectorize"' in told
