"""What processors are called: those of two kinds must not be taken for one."""

from __future__ import annotations

from pathlib import Path

from hltune.machine.host.cpu import described, server

_INTEL = "processor\t: 0\nmodel name\t: Some Xeon @ 2.10GHz\n\nprocessor\t: 1\nmodel name\t: Some Xeon @ 2.10GHz\n"


def arm(*parts: str) -> str:
    cores = (f"processor\t: 0\nCPU implementer\t: 0x41\nCPU variant\t: 0x3\nCPU part\t: {each}\n" for each in parts)
    return "\n".join(cores)


def test_the_model_by_its_name() -> None:
    assert described(_INTEL) == "Some Xeon @ 2.10GHz"


def test_arm_cores_by_their_numbers() -> None:
    assert described(arm("0xd0c", "0xd0c")) == "0x41/0xd0c"
    assert described(arm("0xd05", "0xd05", "0xd0b")) == "0x41/0xd05 0x41/0xd0b"
    assert described(arm("0xd03") + "\nHardware\t: BCM2711\n") == "BCM2711, 0x41/0xd03"


def test_nothing_is_known() -> None:
    assert described("") == ""


def test_servers_with_the_same_cores_are_told_apart(tmp_path: Path) -> None:
    """AWS Graviton2 and Ampere Altra are both Neoverse N1."""
    (tmp_path / "sys_vendor").write_text("Amazon EC2\n")
    (tmp_path / "product_name").write_text("m6g.4xlarge\n")
    assert server(arm("0xd0c"), tmp_path) == ", Amazon EC2 m6g.4xlarge"
    assert server(arm("0xd0c"), tmp_path / "none") == ""
    assert server(arm("0xd03") + "\nHardware\t: BCM2711\n", tmp_path) == server(_INTEL, tmp_path) == ""
