"""A pipeline whose identity has changed since earlier versions says so until something is kept of it again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hltune.values.pipeline import BufferArgument, Constraint
from hltune.workspace.records import Workspace
from tests.report.values import SUBJECT


def test_it_is_named_once(tmp_path: Path) -> None:
    workspace, plain = Workspace(tmp_path), SUBJECT.spec
    image = BufferArgument(name="image", dtype="uint8", estimate=((0, 8), (0, 8)))
    plain = replace(plain, inputs=(image,))
    assert plain.former_hash == plain.content_hash
    promising = replace(plain, inputs=(replace(image, constraints=(Constraint(), Constraint(stride=16))),))
    assert promising.former_hash == plain.content_hash != promising.content_hash
    assert workspace.left_behind(promising) is None
    workspace.directory(plain).mkdir()
    assert workspace.left_behind(promising) == workspace.directory(plain)
    assert workspace.left_behind(plain) is None
    workspace.directory(promising).mkdir()
    assert workspace.left_behind(promising) is None
