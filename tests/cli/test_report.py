"""`hltune report`: one page that needs nothing else."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import pytest

from hltune.cli.main import run_command_line
from hltune.commands import report
from hltune.commands.report import Reported
from hltune.commands.tune import Tuning
from hltune.report.page import reported, under_way, write_page
from hltune.samples.reader import Reader
from hltune.tuning.rounds import TuneProgress
from hltune.values.errors import HltuneError, InputError
from hltune.values.unit import MILLISECONDS
from hltune.workspace.subject import SubjectOptions
from tests.cli.conftest import PAGE, PIPELINES, Run, explain_shortly
from tests.report.explained import FOUND, explanation
from tests.report.values import ROUNDS, SUBJECT, TUNED

BLUR = PIPELINES / "blur_function.py"
HEADINGS = ("What schedules cost", "Tuning", "What limits tuned", "Where the time goes", "The lowered programs")
VOID = {"meta", "link", "br", "img", "path", "use", "rect"}


class Page(HTMLParser):
    """Checks that tags are closed in order, and collects what people and scripts read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(autouse=True)
def short_explanations(monkeypatch: pytest.MonkeyPatch) -> None:
    explain_shortly(monkeypatch)


@pytest.fixture
def tuned(hltune: Run, tmp_path: Path, tuned_folder: Path) -> Run:
    """Runs a command where a pipeline was tuned."""
    shutil.copytree(tuned_folder, tmp_path, dirs_exist_ok=True)
    return hltune


def test_the_page_shows_what_is_known_and_asks_for_nothing(tuned: Run, tmp_path: Path) -> None:
    result = tuned("report", BLUR, "-o", "out.html", "--max-parallelism", 2, "--rounds", 2, "--json")
    assert result.code == 0, result.err
    text = (tmp_path / "out.html").read_text()
    page = Page(text)
    links = [value or "" for name, value in page.attributes if name in ("src", "href")]
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not re.search(r"url\((?!#|\"data:)|@import|https?://(?!www\.w3\.org|purl\.org|creativecommons\.org)", text)
    assert len(text) < 500_000
    words = " ".join(page.words)
    for heading in HEADINGS:
        assert heading in words
    document = result.document
    (pipeline,) = document["pipelines"]
    names = [row["name"] for row in pipeline["rows"]]
    assert {"tuned", "default"} <= set(names) and len(names) == len(set(names))
    first, *others = [row["to_best"] for row in pipeline["rows"] if row["cost"]]
    assert first == 1.0 and others == sorted(others) and pipeline["limit"] > 0
    with Reader(tmp_path / ".hltune" / "samples.sqlite") as reader:
        (row,) = (each for each in reader.statistics() if each.pipeline_name == "blur_function")
        best = reader.best(row.pipeline_hash, row.machine.key, 10)
    failed = sum(row.failed.values())
    assert len(pipeline["history"]) == row.samples - failed > 1
    assert sum(each["count"] for each in pipeline["failures"]) == failed
    assert sum(each["count"] for each in pipeline["origins"]) == len(best) > 1
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, flags=re.DOTALL)
    assert [(each["kind"], each["size"]) for each in pipeline["pictures"]] == [
        ("input", "192x128"),
        ("output", "192x128"),
        ("difference", "192x128"),
    ]
    pictures = [each.pop("src") for each in pipeline["pictures"]]
    assert pictures[2] is None and "none, all values are equal" in words
    for source, name in zip(pictures[:2], ("input", "output"), strict=True):
        assert source in links
        picture = iio.imread(b64decode(source.partition(",")[2]), extension=".jpg")
        assert picture.shape == (128, 192), name
    assert json.loads(data) == document


def test_one_of_two_pipelines_fails(hltune: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report_of_any = report.report

    def report_of(pipeline: SubjectOptions, **options: Any) -> Reported:
        known = pipeline.pipeline == str(BLUR)
        return Reported(explanation=explanation(FOUND)) if known else report_of_any(pipeline, **options)

    monkeypatch.setattr(report, "report", report_of)
    result = hltune("report", PIPELINES / "columns.py", BLUR, "-o", "out.html", "--max-parallelism", 2, "--json")
    assert result.code == 1 and "error:" in result.err
    assert len(result.document["pipelines"]) == 1 and len(result.document["failed"]) == 1
    text = (tmp_path / "out.html").read_text()
    assert "columns.py is left out" in text and "What limits tuned" in text
    alone = hltune("report", PIPELINES / "columns.py", "-o", "alone.html", "--json")
    assert alone.code == 2 and not (tmp_path / "alone.html").exists()


OWN = """
import halide as hl


def own() -> hl.Func:
    x, y = hl.vars("x y")
    image = hl.ImageParam(hl.UInt(8), 2, "image")
    rows, output = hl.Func("rows"), hl.Func("output")
    rows[x, y] = image[x, y] + image[x + 1, y]
    output[x, y] = rows[x, y] + rows[x, y + 1]
    rows.compute_root().vectorize(x)
    image.set_estimates([hl.Range(0, 65), hl.Range(0, 65)])
    output.set_estimates([hl.Range(0, 64), hl.Range(0, 64)])
    return output
"""
"""Vectors of a length that only the run tells."""


def test_the_author_s_schedule_may_fail(hltune: Run, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    flags = ("--autoscheduler", "mullapudi2016", "--max-parallelism", 2)
    assert hltune("schedule", "own.py", *flags).code == 0
    result = hltune("report", "own.py", "-o", "out.html", "--max-parallelism", 2, "--rounds", 2, "--json")
    assert result.code == 0, result.err
    (pipeline,) = result.document["pipelines"]
    assert [each["name"] for each in pipeline["schedules"]] == ["mullapudi2016", "default"]
    assert {row["name"] for row in pipeline["rows"] if row["failure"]} == {"manual"}
    assert "constant extent" in (tmp_path / "out.html").read_text()


def test_names_of_users_are_text(tmp_path: Path) -> None:
    named = replace(SUBJECT, spec=replace(SUBJECT.spec, name="a<b>"))
    result = Reported(explanation=replace(explanation(FOUND), subject=named))
    write_page(reported([result], {}, command="hltune report 'a<b>.py'"), tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text()
    assert "a<b>" in " ".join(Page(text).words) and "a<b>" not in text


def test_a_page_that_cannot_be_written_is_said_first(hltune: Run) -> None:
    result = hltune("report", BLUR, "-o", "/proc/nothing/out.html")
    assert result.code == 2 and "cannot write" in result.err


def test_tuning_leaves_a_page(tuned_folder: Path) -> None:
    text = (tuned_folder / PAGE).read_text()
    Page(text)
    assert "What limits tuned" in text and "http-equiv" not in text


def test_a_page_that_fails_in_the_end_takes_no_result_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And standard output has one document."""

    def fail(*_: object, **__: object) -> None:
        raise InputError("cannot write here", where="out.html")

    monkeypatch.setattr("hltune.commands.survivors.load_subjects", lambda *_: [TUNED.subject])
    monkeypatch.setattr("hltune.commands.tune.tune", lambda *_, **__: Tuning(results=(TUNED,), failed={}))
    monkeypatch.setattr("hltune.report.pictures.plot_curve", lambda *_: ())
    monkeypatch.setattr("hltune.cli.reporting.write_report", fail)
    words = ["tune", "median3x3", "--report", str(tmp_path / "out.html"), "--workspace", str(tmp_path / "ws")]
    for flags in (["--json"], []):
        code = run_command_line([*words, *flags])
        printed = capsys.readouterr()
        assert code == 2 and printed.err.count("error: out.html: cannot write here") == 1
        if flags:
            assert json.loads(printed.out)["pipeline"] == "blur"
        else:
            assert "the final comparison" in printed.out


def test_who_interrupts_has_a_page_of_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(pipeline: Any, **_: object) -> Reported:
        if pipeline.pipeline == "sobel":
            raise KeyboardInterrupt
        return Reported(explanation=explanation(FOUND))

    monkeypatch.setattr("hltune.commands.report.report", measured)
    with pytest.raises(KeyboardInterrupt):
        run_command_line(["report", "median3x3", "sobel", "-o", str(tmp_path / "out.html")])
    assert "Schedules of blur" in (tmp_path / "out.html").read_text()
    assert "has the 1 of 2 pipelines that were done" in capsys.readouterr().err


DONE = replace(
    ROUNDS[1],
    pipeline="a<b>",
    number=1,
    best=2e-3,
    measured=1,
    failures=(),
    search_s=30.0,
    measure_s=20.0,
    learn_s=10.0,
)


def test_a_page_of_rounds_is_read_again(tmp_path: Path) -> None:
    rounds = [DONE, replace(DONE, number=2, best=1e-3)]
    document = under_way(rounds, MILLISECONDS, command="hltune tune")
    assert document["pipelines"][0]["history"] == [[1.0, 2.0], [2.0, 1.0]]
    write_page(document, tmp_path / "out.html", refresh_s=5)
    text = (tmp_path / "out.html").read_text()
    page = Page(text)
    assert ("content", "5") in page.attributes and "a<b>" in page.words and "Tuning goes on." in page.words


@pytest.mark.parametrize("error", [KeyboardInterrupt(), HltuneError("no more"), None], ids=str)
def test_a_page_of_rounds_that_have_ended_says_so(
    error: BaseException | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do browsers read it again, if nothing takes its place."""
    path = tmp_path / "out.html"

    def tune(*_: object, progress: TuneProgress, **__: object) -> Tuning:
        progress.round_done(DONE)
        assert "Tuning goes on." in path.read_text() and "http-equiv" in path.read_text()
        if error is not None:
            raise error
        return Tuning(results=(TUNED,), failed={})

    monkeypatch.setattr("hltune.commands.survivors.load_subjects", lambda *_: [TUNED.subject])
    monkeypatch.setattr("hltune.commands.tune.tune", tune)
    monkeypatch.setattr("hltune.report.pictures.plot_curve", lambda *_: ())
    monkeypatch.setattr("hltune.cli.reporting.write_report", lambda *_, **__: {})
    words = ["tune", "median3x3", "--report", str(path), "--watch", "--workspace", str(tmp_path / "ws")]
    with pytest.raises(KeyboardInterrupt) if isinstance(error, KeyboardInterrupt) else contextlib.nullcontext():
        assert run_command_line(words) == (1 if error else 0)
    Page(path.read_text())
    assert "Tuning has ended" in path.read_text() and "http-equiv" not in path.read_text()


def test_a_page_that_leaves_pipelines_out_is_told_by_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hltune.commands.survivors.load_subjects", lambda *_: [TUNED.subject])
    monkeypatch.setattr("hltune.commands.tune.tune", lambda *_, **__: Tuning(results=(TUNED,), failed={}))
    monkeypatch.setattr("hltune.report.pictures.plot_curve", lambda *_: ())
    monkeypatch.setattr("hltune.cli.reporting.write_report", lambda *_, **__: {"failed": {"blur": {}}})
    words = ["tune", "median3x3", "--report", str(tmp_path / "out.html"), "--workspace", str(tmp_path / "ws")]
    assert run_command_line(words) == 1


def test_nothing_to_watch(hltune: Run) -> None:
    result = hltune("tune", BLUR, "--watch")
    assert result.code == 2 and "--report" in result.err
