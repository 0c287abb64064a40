"""Only what hltune wrote is replaced."""

import json
import zipfile
from pathlib import Path

import pytest

from hltune.commands.ours import check_bundle, check_example, check_ours, check_page
from hltune.values.directives import Schedule
from hltune.values.errors import InputError
from hltune.values.schedule_codec import to_json

FOUND = '"""A schedule found by hltune;'
ABOUT = "For blur.\n{0} Written 2026-01-02 by hltune 0.1.0 with Halide 21.0.0.\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("blur.schedule.json", '{"pipeline": "blur", "note": "compare with hltune schedule"}'),
        ("blur_schedule.py", f"# My schedule; hltune found another one.\nimport halide\nTEXT = {FOUND}"),
        ("blur.h", "// I tuned this by hand: hltune is next.\n#pragma once\n// Exported by hltune.\n"),
        ("blur.cmake", "# Written by hand, not by hltune with Halide\n"),
    ],
)
def test_a_text_that_speaks_of_hltune_is_the_users(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match="there is a file of yours"):
        check_ours([path])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("blur.schedule.json", json.dumps(to_json(Schedule()), indent=1)),
        ("blur_schedule.py", FOUND),
        ("blur_schedule.h", f"// {ABOUT.format('//')}// A schedule found by hltune. In the schedule() method"),
        ("blur.h", "// Exported by hltune.\n#ifndef HALIDE__blur_h\n"),
        ("blur.cmake", f"# {ABOUT.format('#')}"),
    ],
)
def test_what_hltune_wrote_it_replaces(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    check_ours([path])


def test_an_example_replaces_its_own_files_only(tmp_path: Path) -> None:
    script, theirs, image = (tmp_path / name for name in ("reproduce.py", "pipeline.hlpipe", "input.npy"))
    files = (theirs, image)
    check_example(script, files, sources=())
    image.write_bytes(b"an image")
    with pytest.raises(InputError, match="there is a file of yours"):
        check_example(script, files, sources=())
    script.write_text(f"# blur\n{FOUND} reads pipeline.hlpipe and 'input'")
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


def test_a_page_replaces_pages_of_ours_only(tmp_path: Path) -> None:
    source, page = tmp_path / "blur.py", tmp_path / "page.html"
    check_page(page)
    page.write_text('<!DOCTYPE html>\n<html lang="en">\n<head>\n<title>hltune: blur</title>')
    check_page(page)
    for path, text in (
        (source, "import halide as hl"),
        (page, "<!DOCTYPE html><title>My page of hltune: blur</title>"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match="there is a file of yours"):
            check_page(path)
        assert path.read_text() == text
    with pytest.raises(InputError, match="this is a folder"):
        check_page(tmp_path)
