"""Only what hltune wrote is replaced."""

import zipfile
from pathlib import Path

import pytest

from hltune.commands.ours import check_bundle, check_example
from hltune.values.errors import InputError


def test_an_example_replaces_its_own_files_only(tmp_path: Path) -> None:
    script, theirs, image = (tmp_path / name for name in ("reproduce.py", "pipeline.hlpipe", "input.npy"))
    files = (theirs, image)
    check_example(script, files, sources=())
    image.write_bytes(b"an image")
    with pytest.raises(InputError, match="there is a file of yours"):
        check_example(script, files, sources=())
    script.write_text("# hltune: reads pipeline.hlpipe and 'input'")
    check_example(script, files, sources=())
    with pytest.raises(InputError, match="there is a file of yours"):  # what it is made from
        check_example(script, files, sources=(tmp_path / "." / "input.npy",))
    script.write_text("# mine")
    with pytest.raises(InputError, match="there is a file of yours"):
        check_example(script, (), sources=())


def test_a_bundle_replaces_bundles_only(tmp_path: Path) -> None:
    check_bundle(tmp_path / "new.zip")
    photo, other, bundle = (tmp_path / name for name in ("photo.png", "other.zip", "bundle.zip"))
    photo.write_bytes(b"\x89PNG")
    for path, name in ((other, "thesis.txt"), (bundle, "manifest.json")):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, "{}")
    check_bundle(bundle)
    for path in (photo, other):
        with pytest.raises(InputError, match="there is a file of yours") as caught:
            check_bundle(path)
        assert caught.value.where == str(path) and "-o" in str(caught.value.todo)
