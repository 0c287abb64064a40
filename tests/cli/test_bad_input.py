"""Bad input gets one clear message and exit code 2, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from tests.cli.conftest import PIPELINES, Run

BAD = PIPELINES / "bad"
BLUR = PIPELINES / "blur_function.py"
WEIGHTS = {
    "damaged.weights": b"junk" * 5000,
    "truncated.weights": b"\x31\x66\x77\x68\x03\0\0\0",
    "old.weights": b"\x31\x66\x77\x68\x02\0\0\0" * 10,
}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, content in WEIGHTS.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "junk.png").write_bytes(b"no image")
    iio.imwrite(tmp_path / "colour.png", np.zeros((128, 192, 3), dtype=np.uint8))
    iio.imwrite(tmp_path / "small.png", np.zeros((20, 30), dtype=np.uint8))
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "junk.hlpipe").write_bytes(b"no pipeline")
    for name in ("empty.json", "adams2019.schedule.json"):
        (tmp_path / name).write_text('{"format": "hltune schedule", "version": 1, "directives": []}')
    foreign = '{"op": "compute_root", "func": "sharpened"}'
    (tmp_path / "foreign.json").write_text(f'{{"format": "hltune schedule", "version": 1, "directives": [{foreign}]}}')
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "notes.txt").write_text("no pipeline either")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (("schedule", "median3"), ["unknown benchmark", "did you mean median3x3?"]),
        (("schedule", "none.py"), ["no such file", "none.py"]),
        (("schedule", "notes.txt"), ["not a pipeline", "file.py[:name]"]),
        (("schedule", BAD / "none.py"), ["none.py"]),
        (("schedule", BAD / "several.py"), ["several.py", "first", "second"]),
        (("schedule", BAD / "syntax_error.py"), ["syntax_error.py:3", "SyntaxError"]),
        (("schedule", BAD / "aborts.py"), ["loading failed", "SIGABRT"]),
        (("schedule", BAD / "no_estimates.py"), ["estimate", "--estimate", "--example"]),
        (("schedule", "junk.hlpipe"), ["junk.hlpipe", "Halide 21"]),
        (("schedule", "sobel", "--weights", "damaged.weights"), ["magic number", "expected: 0x68776631"]),
        (("schedule", "sobel", "--weights", "truncated.weights"), ["the file ends within"]),
        (("schedule", "sobel", "--weights", "old.weights"), ["version of the pipeline features", "expected: 3"]),
        (("schedule", "sobel", "--weights", "none.weights"), ["cannot read the weights"]),
        (
            ("schedule", "sobel", "--no-measure", "-i", "colour.png", "--tolerance", 0),
            ["--no-measure runs nothing", "found: --tolerance, -i"],
        ),
        (
            ("schedule", "sobel", "--target", "arm-64-android", "-i", "colour.png", "--tolerance", 0.01),
            ["--target arm-64-android: nothing runs", "found: --tolerance, -i"],
        ),
        (("schedule", "sobel", "-i", "a=1", "-i", "a=2"), ["-i gives a twice", "found: 1 and 2"]),
        (
            ("run", BLUR, "-i", "small.png", "-o", "a.npy", "--output-size", "b=5x5", "--output-size", "b=6x6"),
            ["--output-size gives b twice"],
        ),
        (("schedule", "sobel", "--beam-size", 0), ["--beam-size", "expected: 1 or more", "found: 0"]),
        (("schedule", "sobel", "--max-parallelism", -2), ["--max-parallelism", "expected: 1 or more"]),
        (("schedule", "sobel", "--num-passes", 0), ["--num-passes"]),
        (("schedule", "sobel", "--memory-limit", "lots"), ["--memory-limit", "lots"]),
        (("schedule", "sobel", "--search-timeout", 0), ["--search-timeout"]),
        (("schedule", "sobel", "--autoscheduler", "best"), ["unknown autoscheduler", "adams2019, mullapudi2016"]),
        (
            ("schedule", "sobel", "--autoscheduler", "li2018", "--beam-size", 7, "--random-dropout", 50),
            ["--beam-size, --random-dropout: only for adams2019", "--autoscheduler li2018"],
        ),
        (
            ("schedule", "sobel", "--autoscheduler", "li2018", "--weights", "builtin", "--memory-limit", 1),
            ["--weights, --memory-limit: only for adams2019"],
        ),
        (
            ("schedule", "sobel", "--autoscheduler", "mullapudi2016", "--num-passes", 2),
            ["--num-passes: only for adams2019", "leave --num-passes out, or give --autoscheduler adams2019"],
        ),
        (
            ("schedule", "sobel", "--autoscheduler", "li2018", "--balance", 3, "--last-level-cache", "1M"),
            ["--last-level-cache, --balance: only for mullapudi2016"],
        ),
        (
            ("schedule", "sobel", "--memory-limit", "1M", "--balance", 3),
            ["--balance: only for mullapudi2016", "--memory-limit"],
        ),
        (
            ("schedule", "sobel", "--beam-size", 1, "--random-dropout", 1, "--balance", 3),
            ["--balance: only for mullapudi2016", "--random-dropout"],
        ),
        (
            ("schedule", "sobel", "--target", "arm-64-android", "--heap-limit", "1K", "--objective", "packets+misses"),
            ["--heap-limit, --objective: only for the machine", "--target arm-64-android", "give --target hexagon"],
        ),
        (("schedule", BLUR, "--heap-limit", "1K", "--no-measure"), ["--heap-limit: only for the machine"]),
        (("compare", BLUR, "dilate3x3", "--heap-limit", "1K"), ["--heap-limit: only for the machine"]),
        (("tune", BLUR, "dilate3x3", "--heap-limit", "1K"), ["--heap-limit: only for the machine"]),
        (
            ("export", BLUR, "-o", "there", "--schedule", "empty.json", "--objective", "packets+misses"),
            ["--objective: only for the machine"],
        ),
        (("schedule", "sobel", "--size", "128x96", "--example", "small.png"), ["--size 128x96", "--example"]),
        (("compare", "dilate3x3", BLUR, "-p", "radius=2"), ["no parameters"]),
        (("compare", BLUR, BAD / "syntax_error.py", "-p", "radius=2"), ["radius", "radius_is_one"]),
        (("compare", BLUR, "dilate3x3", "--size", "128x96"), ["--size is for built-in benchmarks"]),
        (("compare", BLUR, "dilate3x3", "--target", "z80"), ["unknown target", "z80"]),
        (("compare", BAD / "syntax_error.py"), ["syntax_error.py:3", "SyntaxError"]),
        (("schedule", "sobel", "--target", "z80"), ["unknown target", "z80"]),
        (("schedule", "sobel", "--target", "hexagon-v60"), ["unknown target", "hexagon-v66"]),
        (("tune", "sobel", "--target", "hexagon", "--heap-limit", "lots"), ["--heap-limit", "'lots'"]),
        (("schedule", "sobel", "--size", "12"), ["malformed size", "1536x2560"]),
        (("schedule", "sobel", "--size", "0x0"), ["out of range", "--size", "1 to 999999 either way", "0x0"]),
        (("export", BLUR, "--format", "foo"), ["hltune export: -o is missing"]),
        (("reproduce", "", "-o", "there"), ["the start of a schedule's id is missing"]),
        (("schedule", "sobel", "-p", "a=1"), ["no parameters"]),
        (("schedule", BLUR, "--size", "64x64"), ["--size is for built-in benchmarks"]),
        (("schedule", BLUR, "-p", "radius=2"), ["radius", "radius_is_one"]),
        (("schedule", BLUR, "-i", "none.png"), ["no such image", "none.png"]),
        (("schedule", BLUR, "-i", "input=none.png"), ["no such image", "none.png"]),
        (("schedule", BLUR, "-i", "gain=abc"), ["gain is a scalar input", "a number of type float32", "'abc'"]),
        (("schedule", BLUR, "-i", "junk.png"), ["cannot read this as an image", "junk.png"]),
        (("schedule", BLUR, "-i", "colour.png"), ["expected: uint8, 2 dimensions", "3 dimensions (3 channels)"]),
        (("schedule", BLUR, "-i", "small.png"), ["too small", "expected: 192x128", "found: 30x20"]),
        (("schedule", BLUR, "-i", "mask=small.png"), ["no input 'mask'", "input"]),
        (
            ("schedule", BLUR, "-o", "file/below"),
            ["cannot write here", "file/below", "a folder", "found: a file, file"],
        ),
        (("schedule", BLUR, "--workspace", "/proc/hltune"), ["cannot write here"]),
        (("schedule", BLUR, "--example", "junk.png"), ["cannot read this as an image"]),
        (("compare", BLUR, "--workspace", "/proc/hltune"), ["cannot write here"]),
        (("compare", BLUR, "--target", "arm-64-linux"), ["does not run on this machine"]),
        (("compare", BLUR, "nonsense"), ["unknown benchmark", "nonsense"]),
        (("compare", BLUR, "--schedule", "notes.txt"), ["no JSON"]),
        (("compare", BLUR, "--schedule", "none.json"), ["no such schedule", "default"]),
        (("compare", "sobel", BLUR, "--schedule", "foreign.json"), ["another pipeline than sobel", "sharpened"]),
        (("tune", "median3"), ["unknown benchmark", "did you mean median3x3?"]),
        (("tune", BLUR, "--minutes", 0), ["--minutes", "more than 0"]),
        (("tune", BLUR, "--minutes", "nan"), ["--minutes", "more than 0"]),
        (("tune", BLUR, "--samples", 0), ["--samples", "1 or more"]),
        (("tune", BLUR, "--rounds", -1), ["--rounds", "0 or more"]),
        (("tune", BLUR, "--discard"), ["--discard", "--fresh"]),
        (("tune", BLUR, "--memory-limit", "64M"), ["--memory-limit", "hltune schedule --memory-limit"]),
        (("tune", BLUR, "--weights", "old.weights"), ["version of the pipeline features", "expected: 3"]),
        (("tune", BLUR, "--target", "arm-64-linux"), ["does not run on this machine"]),
        (("tune", BLUR, "--workspace", "/proc/hltune"), ["cannot write here"]),
        (("tune", BLUR, "-i", "small.png"), ["too small", "expected: 192x128", "found: 30x20"]),
        (("tune", BLUR, BLUR), ["two pipelines of the same name", "blur_function"]),
        (("run", BLUR, "-i", "small.png", "-o", "out.png"), ["no schedule is known", "hltune schedule"]),
        (
            ("run", BLUR, "-i", "small.png", "-o", "folder.png", "--schedule", "empty.json"),
            ["this is a folder", "folder.png", "a file to write"],
        ),
        (("tune", BLUR, "--report", "folder.png"), ["this is a folder", "folder.png"]),
        (("report", BLUR, "-o", "folder.png"), ["this is a folder", "folder.png"]),
        (("bundle", "make", BLUR, "-o", "folder.png"), ["this is a folder", "folder.png"]),
        (("export", BLUR, "-o", "there"), ["no schedule is known"]),
        (("export", BLUR, "-o", "there", "--schedule", "empty.json", "--target", "z80"), ["unknown target", "z80"]),
        (("export", BLUR, "-o", "there", "--schedule", "empty.json", "--function-name", "a-b"), ["--function-name"]),
        (("compare", BLUR, "--schedule", "adams2019.schedule.json"), ["two schedules of the same name", "adams2019"]),
        (("export", BLUR, "-o", "there", "--format", "pdf"), ["unknown form", "json, python, cpp, object"]),
    ],
)
def test_one_message_and_code_2(hltune: Run, files: Path, arguments: tuple[object, ...], texts: list[str]) -> None:
    before = {path.name for path in files.iterdir()}
    result = hltune(*arguments)
    assert result.code == 2, result.err
    assert result.out == ""
    assert result.err.count("error: ") == 1
    assert "Traceback" not in result.err
    for text in texts:
        assert text in result.err
    created = {path.name for path in files.iterdir()} - before
    assert not [path for name in created for path in (files / name).rglob("*") if path.is_file()]


def test_errors_are_documents_too(hltune: Run) -> None:
    result = hltune("schedule", "median3", "--json", apart=True)
    assert result.code == 2
    assert result.document["error"]["what"] == "unknown benchmark"
    assert result.document["exit_code"] == 2


@pytest.mark.parametrize("arguments", [("schedule",), ("paint",), ("schedule", "sobel", "--beam-size", "many"), ()])
def test_usage_errors(hltune: Run, arguments: tuple[str, ...]) -> None:
    assert hltune(*arguments).code == 2
