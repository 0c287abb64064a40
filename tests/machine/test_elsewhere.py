"""Targets and identities of computers that are not this one, whatever this one can do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hltune.machine.open import caches_of, identify, open_machine, resolve, this_computer
from hltune.machine.options import MeasureOptions
from hltune.pipeline.target import HOST, TargetInfo
from hltune.runtime.worker import usable_cores
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId

ZEN5 = MachineId(cpu="Zen 5", target="x86-64-linux-avx-avx2-avx512-avx512_zen5-f16c-fma-sse41", threads=24, halide="1")
ARM = MachineId(cpu="Neoverse", target="arm-64-linux-arm_dot_prod-arm_fp16", threads=64, halide="1")


def parts(target: TargetInfo) -> set[str]:
    return set(target.name.split("-"))


@pytest.mark.parametrize("there", [ZEN5, ARM])
def test_their_code_is_the_hosts(there: MachineId) -> None:
    found = resolve("host", there)
    assert found.machine == HOST and parts(found) == set(there.target.split("-"))
    strict = resolve("host-strict_float", there)
    assert strict.machine == HOST and parts(strict) == {*there.target.split("-"), "strict_float"}


@pytest.mark.usefixtures("own_processes")
def test_vectors_are_theirs() -> None:
    assert (resolve("host", ZEN5).vector_bytes, resolve("host", ARM).vector_bytes) == (64, 16)


def test_code_for_other_processors_does_not_run_there() -> None:
    assert resolve("arm-64-linux", ZEN5).machine is None
    assert resolve("x86-64-linux-avx2-avx", ARM).machine is None
    assert resolve("x86-64-linux-sse41-avx-avx2-fma-f16c", ZEN5).machine == HOST
    weaker = replace(ZEN5, target="x86-64-linux-sse41")
    assert resolve("x86-64-linux-sse41-avx", weaker).machine is None


def test_they_are_identified_by_what_they_are() -> None:
    options = MeasureOptions(threads=4, elsewhere=ZEN5)
    target = resolve("host", ZEN5)
    assert identify(target, options) == replace(ZEN5, target=target.name, threads=4)
    assert caches_of(target, options) == ()


def test_nothing_is_executed_for_them_here() -> None:
    with pytest.raises(InputError, match="this computer does not measure for another kind") as caught:
        open_machine(resolve("host"), MeasureOptions(threads=1, elsewhere=ZEN5), workers=1)
    assert "--machine" in str(caught.value) and "Zen 5" in str(caught.value)


def test_this_computer_is_as_it_measures_with_all_its_cores() -> None:
    host = resolve("host")
    assert this_computer() == identify(host, MeasureOptions(threads=usable_cores()))
    assert resolve("host", this_computer()) == host
