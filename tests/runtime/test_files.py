"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hltune.bundle.packing import pack
from hltune.machine.run_image import image_part, write_all
from hltune.runtime.files import ScratchFolder, move_into, write_bytes


def _write(path: Path, data: bytes) -> None:
    write_bytes(path, data)


def _pack(path: Path, data: bytes) -> None:
    file = path.with_name("packed")
    file.write_bytes(data)
    pack([file], path)


def _image(path: Path, data: bytes) -> None:
    write_all([path], [np.frombuffer(data, np.uint8)], [image_part(path)])


@pytest.mark.parametrize("write", [_write, _pack, _image])
def test_processes_of_the_same_number_do_not_write_to_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, bytes], None]
) -> None:
    """As there are in several containers: what the second one writes meanwhile does not end up in the first one's."""
    path, replace = tmp_path / "file.npy", Path.replace
    parts: list[Path] = []

    def interrupted(part: Path, target: Path) -> Path:
        parts.append(part)
        if len(parts) == 1:
            write(path, b"other")
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    before = os.umask(0o027)
    try:
        write(path, b"first")
    finally:
        os.umask(before)
    monkeypatch.undo()
    assert b"first" in path.read_bytes() or write is _pack
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert write is _image or not any(each.match("*.npy") for each in parts)  # nobody takes them for whole
    assert len(set(parts)) == 2 and {each.name for each in tmp_path.iterdir()} <= {"file.npy", "packed"}


_HOLDER = """
import sys, time
from hltune.runtime.files import ScratchFolder
folder = ScratchFolder()
print(folder.name, flush=True)
time.sleep(600)
"""


def test_what_a_killed_process_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER], stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    ) as holder:
        assert holder.stdout is not None
        theirs = Path(holder.stdout.readline().strip())
        (theirs / "output0.npy").write_bytes(b"large")
        with ScratchFolder() as ours:
            with ScratchFolder():
                assert theirs.exists() and Path(ours).exists()
            holder.kill()
            holder.wait()
            with ScratchFolder():
                assert not theirs.exists() and Path(ours).exists()
    assert not list(tmp_path.iterdir())


def test_files_are_moved_from_other_file_systems_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, to = tmp_path / "source", tmp_path / "to"
    for folder in (source, to, killed := to / ".hltune-scratch-killed_1", theirs := to / "my-hltune-scratch-12345678"):
        folder.mkdir()
    (killed / ".lock").touch()
    (theirs / ".lock").touch()
    (program := source / "program").write_text("new")
    program.chmod(0o755)
    (to / "program").write_text("old")
    rename = os.rename

    def renamed(old: str, new: str) -> None:
        if source in Path(old).parents:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(old, new)

    monkeypatch.setattr(os, "rename", renamed)
    assert move_into(to, [program]) == (to / "program",)
    assert (to / "program").read_text() == "new" and os.access(to / "program", os.X_OK)
    assert {*source.iterdir(), *to.iterdir()} == {theirs, to / "program"}


def test_emptying_removes_all_but_the_lock(tmp_path: Path) -> None:
    scratch = ScratchFolder(tmp_path)
    folder = Path(scratch.name)
    (folder / "inner").mkdir()
    (folder / "inner" / "file").touch()
    (folder / "link").symlink_to(tmp_path)
    scratch.empty()
    with ScratchFolder(tmp_path):
        assert [path.name for path in folder.iterdir()] == [".lock"]
    shutil.rmtree(folder)  # as those do who tidy up temporary files
    scratch.empty()
    assert not list(folder.iterdir())
    scratch.cleanup()
    assert not list(tmp_path.iterdir())
