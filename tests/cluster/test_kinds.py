"""Which kind of computers a user means, and which of them a run measures on; all of them are made up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hltune import __version__
from hltune.cluster.kinds import Computer, Kinds, named
from hltune.cluster.node import About
from hltune.runtime.halide_wheel import halide_version
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId

XEON = MachineId(cpu="Intel(R) Xeon(R) Gold 6230", target="x86-64-linux-avx512", threads=40, halide=halide_version())
FEW = replace(XEON, threads=8)
EPYC = replace(XEON, cpu="AMD EPYC 7", target="x86-64-linux-avx2")
LONGER = replace(EPYC, cpu="AMD EPYC 7B13")


def computers(*kinds: MachineId, hltune: str = __version__) -> list[Computer]:
    return [Computer(name=f"node{number}", kind=kind, hltune=hltune) for number, kind in enumerate(kinds)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("xeon", XEON),
        ("GOLD", XEON),
        ("AMD EPYC 7", EPYC),  # the whole name, though another one begins with it
        ("7b1", LONGER),
        (LONGER.key, LONGER),
        (LONGER.key[:8], LONGER),
    ],
)
def test_a_kind_is_named_by_a_part_of_its_name_or_the_start_of_its_key(text: str, kind: MachineId) -> None:
    assert named(text, computers(XEON, XEON, EPYC, LONGER)) == kind


@pytest.mark.parametrize("text", ["arm", "", LONGER.key[1:9]])
def test_no_kind_is_called_so(text: str) -> None:
    with pytest.raises(InputError) as caught:
        named(text, computers(XEON, XEON, EPYC))
    said = str(caught.value)
    assert "--machine: no computer of the cluster is called so" in said and f"found: {text!r}" in said
    assert f"{XEON.key} (Intel(R) Xeon(R) Gold 6230, 40 cores; 2 of them)" in said
    assert f"{EPYC.key} (AMD EPYC 7, 40 cores; 1 of them)" in said


def test_several_kinds_are_called_so() -> None:
    with pytest.raises(InputError, match="several kinds") as caught:
        named("xeon", computers(XEON, FEW, EPYC))
    assert XEON.key in str(caught.value) and FEW.key in str(caught.value) and EPYC.key not in str(caught.value)
    assert named(FEW.key[:6], computers(XEON, FEW, EPYC)) == FEW


def test_other_versions_are_told() -> None:
    old = replace(XEON, halide="20.0.0")
    with pytest.raises(InputError, match="other versions") as caught:
        named("xeon", computers(old, EPYC))
    assert "Halide 20.0.0" in str(caught.value) and f"Halide {halide_version()}" in str(caught.value)
    with pytest.raises(InputError, match=r"hltune 0\.0$|hltune 0\.0\n"):
        named("xeon", computers(XEON, hltune="0.0"))
    assert named("xeon", computers(old, XEON)) == XEON  # the others do not count


def about(machine: MachineId | None, hardware: str = "cores", *, alone: bool = True) -> About:
    return About(
        name="there",
        computer="there",
        kind=machine or XEON,
        machine=machine,
        cores=8,
        workers=8,
        halide=halide_version(),
        hltune=__version__,
        hardware=hardware,
        alone=alone,
    )


def test_only_the_machine_of_the_run_measures() -> None:
    kinds = Kinds(XEON, "cores")
    assert kinds.why_not(about(XEON)) is None and kinds.role(about(XEON)) == "measures"
    assert "another run measures" in str(kinds.why_not(about(XEON, alone=False)))
    assert "cannot run this target" in str(kinds.why_not(about(None)))
    assert "another machine: cpu AMD EPYC 7, and Intel(R)" in str(kinds.why_not(about(EPYC)))
    assert "another machine: other cores, and cores here" in str(kinds.why_not(about(XEON, "other cores")))
    assert kinds.others() == []


def test_where_it_is_wanted_is_said() -> None:
    kinds = Kinds(XEON, "cores", place="by --machine")
    assert "40 cores" not in str(kinds.why_not(about(EPYC)))
    assert str(kinds.why_not(about(XEON, "other cores"))).endswith("other cores, and cores by --machine")


def test_other_kinds_measure_for_themselves() -> None:
    kinds = Kinds(XEON, "cores", others=True)
    assert [kinds.why_not(about(each)) for each in (EPYC, XEON, LONGER, EPYC)] == [None] * 4
    assert kinds.others() == [EPYC, LONGER]
    assert kinds.role(about(EPYC)) == f"measures for its own kind of machine, {EPYC.key}"
    # Samples of the same machine, on computers that differ in what a machine's identity does not tell, do not mix.
    assert "other cores" in str(kinds.why_not(about(XEON, "other cores")))
    assert "other cores" in str(kinds.why_not(about(EPYC, "other cores")))
