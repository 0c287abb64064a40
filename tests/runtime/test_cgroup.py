"""Limits of control groups, of which all that a process is part of count."""

import math
from pathlib import Path

import pytest

from hltune.runtime.cgroup import core_limit, memory_limit_bytes
from hltune.runtime.worker import parent


def test_the_tightest_limit_counts(tmp_path: Path) -> None:
    own, root = tmp_path / "own", tmp_path / "root"
    (root / "pods" / "one").mkdir(parents=True)
    own.write_text("0::/pods/one\n")
    assert (core_limit(own, root), memory_limit_bytes(own, root)) == (math.inf, math.inf)
    (root / "pods" / "one" / "cpu.max").write_text("max 100000\n")
    (root / "pods" / "cpu.max").write_text("850000 100000\n")
    (root / "pods" / "one" / "memory.max").write_text("1048576\n")
    (root / "pods" / "memory.max").write_text("max\n")
    assert (core_limit(own, root), memory_limit_bytes(own, root)) == (8.5, 1048576)
    assert core_limit(tmp_path / "none", root) == math.inf


@pytest.mark.parametrize("group", ["pods/one", ""], ids=["on the computer", "in a container"])
@pytest.mark.parametrize(
    ("said", "cpu", "memory"),
    [
        ("4:memory:/pods/one\n3:cpu,cpuacct:/pods/one\n1:name=systemd:/pods/one", "cpu,cpuacct", "memory"),
        ("4:memory:/pods/one\n2:cpuacct:/elsewhere\n1:cpu:/pods/one\n0::/", "cpu", "memory"),
        ("3:cpu,cpuacct:/pods/one\n0::/pods/one", "cpu", "unified"),
    ],
    ids=["version 1", "alone", "both versions"],
)
def test_each_controller_may_have_groups_of_its_own(
    tmp_path: Path, said: str, cpu: str, memory: str, group: str
) -> None:
    own, root = tmp_path / "own", tmp_path / "root"
    own.write_text(f"{said}\n")
    assert (core_limit(own, root), memory_limit_bytes(own, root)) == (math.inf, math.inf)
    cores, bytes_ = root / cpu / group, root / memory / group
    for folder in (cores, bytes_):
        folder.mkdir(parents=True)
    (cores / "cpu.cfs_period_us").write_text("100000\n")
    (cores / "cpu.cfs_quota_us").write_text("-1\n")
    assert core_limit(own, root) == math.inf
    (cores / "cpu.cfs_quota_us").write_text("250000\n")
    (bytes_ / ("memory.max" if memory == "unified" else "memory.limit_in_bytes")).write_text("1048576\n")
    assert (core_limit(own, root), memory_limit_bytes(own, root)) == (2.5, 1048576)


def test_what_may_not_be_used_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent.os, "sched_getaffinity", lambda _: range(62))
    monkeypatch.setattr(parent, "core_limit", lambda: 7.5)
    monkeypatch.setattr(parent, "memory_limit_bytes", lambda: 2**30)
    assert (parent.usable_cores(), parent.physical_memory_bytes(), parent.usable_workers()) == (7, 2**30, 1)
