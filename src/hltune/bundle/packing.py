"""The file of a bundle: the runner, or what it is built of on the device, with its data and how to run it."""

from __future__ import annotations

import contextlib
import platform
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from hltune.bundle.compilers import FLAGS, Compiler, family
from hltune.bundle.expected import Expected
from hltune.bundle.manifest import Manifest
from hltune.runtime.files import cannot_write, part_of
from hltune.schedule.export import libraries

SOURCES = Path(__file__).with_name("runner")
"""C sources."""
MANIFEST = "manifest.json"

_README = """Bundle {id}: {count} schedules of {name} for {target}, made by hltune.

Unpack this on the device, and there: sh run.sh
It measures all of them on {threads} threads and writes results.json. Stop it whenever you like, it goes on where it
stopped. Then take results.json back, and where the bundle was made: hltune bundle read results.json
{notes}{build}"""
_ANDROID = "on Android, unpack it under /data/local/tmp: no program runs from /sdcard"
_SHARED = "run needs the C library of the system where this was made, {libc}, or a newer one"
_BUILD = """
No C compiler for this device was there when the bundle was made. So run.sh first builds the runner from the objects
here, with cc, which has to be on the device, or with the compiler that the variable CC names.
"""
_RUN = """#!/bin/sh
# Measures all candidates of this bundle; goes on where it stopped.
cd "$(dirname "$0")" || exit 1
{prepare}
exec ./run
"""
_CHMOD = "[ -x run ] || chmod +x run || exit 1"


def build_line(objects: Sequence[str], target: str) -> str:
    """What builds the runner on the device."""
    sources = " ".join(sorted(path.name for path in SOURCES.glob("*.c")))
    files = " ".join(objects)
    command = f"${{CC:-cc}} {' '.join(FLAGS)} {sources} tables.c {files} -o run {' '.join(libraries(target))}"
    return f"[ -x run ] || {command} || exit 1"


def write_texts(directory: Path, manifest: Manifest, compiler: Compiler | None, *, objects: Sequence[str]) -> None:
    """Writes all files of text; without a compiler, the runner is built of these objects on the device."""
    readme = _README.format(
        id=manifest.id,
        count=len(manifest.entries),
        name=manifest.spec.name,
        target=manifest.target,
        threads=manifest.threads,
        notes="".join(f"\nNote: {note}.\n" for note in device_notes(manifest.target, compiler)),
        build="" if compiler else _BUILD,
    )
    (directory / "README.txt").write_text(readme)
    (directory / "run.sh").write_text(_RUN.format(prepare=_CHMOD if compiler else build_line(objects, manifest.target)))
    (directory / MANIFEST).write_bytes(manifest.encode())


def device_notes(target: str, compiler: Compiler | None) -> Iterator[str]:
    """Where the runner runs, and what it needs there."""
    if family(target).endswith("-android"):
        yield _ANDROID
    if compiler is not None and not compiler.static:
        yield _SHARED.format(libc=" ".join(platform.libc_ver()))


def write_expected(directory: Path, number: int, expected: Expected, *, suffix: str) -> str:
    """Writes positions and values of samples; returns the file's name."""
    name = f"output{number}{suffix}.bin"
    (directory / name).write_bytes(expected.positions + expected.values)
    return name


def pack(files: Sequence[Path], output: Path) -> None:
    """Writes the bundle, whole or not at all.

    Raises:
        InputError: the place cannot be written to.
    """
    part = part_of(output)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
            for path in files:
                archive.write(path, path.name)
        part.replace(output)
    except OSError as error:
        raise cannot_write(output, error) from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def read_manifest(path: Path) -> bytes:
    """The manifest in a bundle, or in a file of its own; an `OSError` or `KeyError` if there is none."""
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.read(MANIFEST)
