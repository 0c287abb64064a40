"""Only what hltune wrote is replaced."""

import zipfile
from pathlib import Path

import pytest

from hltune.commands.ours import check_bundle
from hltune.values.errors import InputError


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
