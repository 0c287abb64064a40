"""Results that are damaged, partial or foreign: named, and the rest counts."""

from __future__ import annotations

import dataclasses
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hltune.bundle.manifest import Entry, Manifest
from hltune.bundle.results import bundle_of, checksum, read_results, start_of_checks
from hltune.commands import bundle_results
from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost
from hltune.values.directives import ComputeRoot, Schedule
from hltune.values.errors import Failure, InputError
from hltune.values.pipeline import FuncInfo, OutputArgument, PipelineSpec
from hltune.values.provenance import Named
from hltune.values.roles import Stage
from hltune.values.sample import PipelineRecord
from hltune.workspace.records import Workspace

SPEC = PipelineSpec(
    name="out",
    hlpipe=b"bytes",
    inputs=(),
    outputs=(OutputArgument(name="out", dtypes=("uint8",), estimate=((0, 4),)),),
    funcs=(FuncInfo(name="out", args=("x",), updates=(), update_args=()),),
)
SCHEDULES = (Schedule(), Schedule((ComputeRoot(Stage("out")),)))
MANIFEST = Manifest(
    spec=SPEC,
    target="arm-64-linux",
    threads=4,
    halide="21.0.0",
    number=3,
    inputs=(),
    outputs=("out: equal",),
    entries=tuple(
        Entry(number=number, name=None, candidate=Candidate(schedule=schedule, provenance=Named(name="x")))
        for number, schedule in enumerate(SCHEDULES)
    ),
)
DEVICE = '"device":{"cpu":"Cortex-A72","board":"Pi","cores":4,"threads":4,"libc":"other","kernel":"Linux 6"}'
BUNDLE = MANIFEST.id
HASHES = tuple(each.short_hash for each in MANIFEST.entries)


def with_check(text: str, start: int) -> bytes:
    return text.encode() + f',"check":"{checksum(text.encode(), start):016x}"}}\n'.encode()


def header(bundle: str = BUNDLE, device: str = DEVICE, version: int = 2) -> bytes:
    text = f'{{"format":"hltune bundle results","version":{version},"bundle":"{bundle}",{device},"started_s":1.5'
    return with_check(text, checksum(bundle.encode()))


def checked(text: str, device: str = DEVICE, version: int = 2) -> bytes:
    return with_check(text, start_of_checks(header(device=device, version=version), BUNDLE, version))


def line(
    number: int = 0,
    *,
    hashed: str | None = None,
    seconds: object = 0.25,
    at_s: float = 2.5,
    device: str = DEVICE,
    version: int = 2,
    pass_number: int = 1,
) -> bytes:
    schedule = HASHES[number % 2] if hashed is None else hashed
    return checked(
        f'{{"candidate":{number},"schedule":"{schedule}","pass":{pass_number},"at_s":{at_s},"turns_s":[[{seconds},0.5]],'
        f'"best_s":{seconds},"pruned":false',
        device,
        version,
    )


FAILED = checked(
    f'{{"candidate":1,"schedule":"{HASHES[1]}","pass":1,"at_s":3.5,'
    '"failed":{"stage":"run","kind":"crash","message":"it died"}'
)


def test_a_manifest_is_what_it_was() -> None:
    assert Manifest.decode(MANIFEST.encode(), where="m") == MANIFEST
    with pytest.raises(InputError, match="manifest of a bundle"):
        Manifest.decode(MANIFEST.encode().replace(b"arm-64", b"arm-32"), where="m")
    with pytest.raises(InputError, match="manifest of a bundle"):
        Manifest.decode(b"{", where="m")


def test_a_damaged_bundle_is_named(tmp_path: Path) -> None:
    bundle, results = tmp_path / "b.zip", tmp_path / "results.json"
    results.write_bytes(header() + line())
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", MANIFEST.encode())
    whole = bundle.read_bytes()
    begin = 30 + len("manifest.json")  # what is packed follows the header and the name
    for damage in (b"\xff", b"\x00"):
        bundle.write_bytes(whole[:begin] + damage * 9 + whole[begin + 9 :])
        with pytest.raises(InputError, match="cannot read the bundle") as caught:
            bundle_results.read(results, bundle, workspace=Workspace(tmp_path / "ws"), progress=Silent())
        assert caught.value.where == str(bundle) and caught.value.found


def test_bundles_keep_their_names_from_version_to_version() -> None:
    """One is measured for days, and its results carry the name."""
    assert MANIFEST.id == "532a0890bdce"


def test_the_seed_of_a_bundle_is_in_its_manifest() -> None:
    """Those of older bundles have none, and their names stay."""
    seeded = dataclasses.replace(MANIFEST, seed=7)
    assert Manifest.decode(seeded.encode(), where="m") == seeded and seeded.id != MANIFEST.id
    assert b"seed" not in MANIFEST.encode() and Manifest.decode(MANIFEST.encode(), where="m").seed is None


def test_times_on_what_people_gave_are_those_of_another_machine() -> None:
    other = dataclasses.replace(MANIFEST, given="radius=1")
    assert Manifest.decode(other.encode(), where="m") == other and other.id != MANIFEST.id
    device = read_results(header() + line(), MANIFEST, where="f").device
    usual, machine = device.machine(MANIFEST), device.machine(other)
    assert machine.given == "radius=1" and machine.key != usual.key
    assert machine.conditions.startswith(usual.conditions)


def test_the_bundle_is_hashed_once_whatever_there_is_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """That takes as long as the bundle is large, and there may be thousands of lines."""
    bundle_id, asked = MANIFEST.id, list[Manifest]()
    monkeypatch.setattr(Manifest, "id", property(lambda manifest: asked.append(manifest) or bundle_id))
    data = header() + b"".join(line(number % 2, at_s=float(number)) for number in range(50))
    results = read_results(data, MANIFEST, where="f")
    assert (len(results.measured), results.problems) == (50, []) and len(asked) == 1


def test_what_is_good() -> None:
    data = header() + line() + FAILED
    assert bundle_of(data, where="f") == MANIFEST.id
    results = read_results(data, MANIFEST, where="f")
    assert (results.problems, results.unfinished) == ([], False)
    one, other = results.measured
    assert isinstance(one.measurement, Cost) and one.measurement.turns == ((0.25, 0.5),) and one.at_s == 2.5
    assert other.measurement == Failure(stage="run", kind="crash", message="it died")
    machine = results.device.machine(MANIFEST)
    assert (machine.cpu, machine.target, machine.threads) == ("Cortex-A72, Pi", "arm-64-linux", 4)
    assert machine.conditions == "bundle runner 1, cores: 4, C library: other"


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (line(seconds=-0.25), "bad times"),
        (line(seconds="NaN"), "bad times"),
        (line(seconds=0), "bad times"),
        (line(seconds="Infinity"), "bad times"),
        (line(seconds='"fast"'), "bad times"),
        (line().replace(b"0.25", b"0.15"), "the line was changed"),
        (line(hashed="0123456789ab"), "has another schedule"),
        (line(7), "no such candidate"),
        (line(at_s=-3.0), "bad time of measurement"),
        (line(at_s=int("1" + 400 * "0")), "the line is damaged"),
        (line(at_s=1e300), "bad time of measurement"),
        (line(seconds="1" + 400 * "0"), "bad times"),
        (line(hashed="\\ud800"), "the line is damaged"),
        (b"[" * 200_000 + b"\n", "the line is damaged"),
        (b'{"candidate":' * 200_000 + b"\n", "the line is damaged"),
        (b"\xff\xfe\n", "the line is damaged"),
        (b"[1, 2]\n", "the line is damaged"),
        (b"\n", "the line is damaged"),
        (FAILED, "the line is there twice"),
        (checked(FAILED.decode().partition(',"check"')[0].replace("crash", "laziness")), "not a Failure"),
        (header("abcdefabcdef"), "another file of results begins here"),
    ],
)
def test_a_bad_line_is_named_and_the_others_count(bad: bytes, what: str) -> None:
    results = read_results(header() + FAILED + bad, MANIFEST, where="f")
    assert [each.measurement for each in results.measured] == [Failure(stage="run", kind="crash", message="it died")]
    (problem,) = results.problems
    assert problem.line == 3 and what in problem.what
    assert all((problem.expected, problem.found, problem.todo)) and len(str(problem)) < 500


def test_what_does_not_repeat_is_named() -> None:
    first, other = line(seconds=0.25), line(1, seconds=0.25, at_s=3.5)
    for seconds, refuted in ((0.2, []), (0.29, []), (0.5, [2.5])):
        again = line(seconds=seconds, at_s=4.5, pass_number=2)
        results = read_results(header() + first + other + again, MANIFEST, where="f")
        assert ([each.at_s for each in results.refuted], results.problems) == (refuted, [])
    failed = checked(FAILED.decode().partition(',"check"')[0].replace('"pass":1', '"pass":2'))
    for outcome, refuted in ((FAILED, []), (failed, [3.5])):
        results = read_results(header() + first + other + outcome, MANIFEST, where="f")
        assert ([each.at_s for each in results.refuted], results.problems) == (refuted, [])


def test_a_half_written_line_is_tolerated() -> None:
    results = read_results(header() + FAILED + line()[:40], MANIFEST, where="f")
    assert (len(results.measured), results.problems, results.unfinished) == (1, [], True)


@pytest.mark.parametrize("version", [1, 2])
def test_what_follows_a_torn_line_may_be_of_another_device(version: int) -> None:
    """Files of two devices in one: the first of them was switched off in the middle of a line."""
    phone = DEVICE.replace("Pi", "Phone")
    first = header(version=version) + line(version=version) + line(at_s=3.5, version=version)[:40]
    other = header(device=phone, version=version) + line(at_s=9.5, device=phone, version=version)
    results = read_results(first + other, MANIFEST, where="f")
    assert [each.at_s for each in results.measured] == [2.5]
    assert ["another file of results begins here" in each.what for each in results.problems] == [True]
    again = header(version=version) + line(at_s=9.5, version=version)
    results = read_results(first + again, MANIFEST, where="f")
    assert [each.at_s for each in results.measured] == [2.5, 9.5]
    assert [each.what for each in results.problems] == ["the line is damaged"]


def test_lines_of_another_device_do_not_count() -> None:
    other = line(at_s=9.5, device=DEVICE.replace("Pi", "Phone"))
    results = read_results(header() + line() + other, MANIFEST, where="f")
    assert [each.at_s for each in results.measured] == [2.5]
    assert "of another bundle or device" in results.problems[0].what


def test_results_of_older_runners_are_read() -> None:
    results = read_results(header(version=1) + line(version=1), MANIFEST, where="f")
    assert ([each.at_s for each in results.measured], results.problems) == ([2.5], [])


def test_a_second_run_on_the_same_device_counts_too() -> None:
    again = line(at_s=9.5)
    results = read_results(header() + line() + header() + again, MANIFEST, where="f")
    assert ([each.at_s for each in results.measured], results.problems) == ([2.5, 9.5], [])
    updated = header(device=DEVICE.replace("Linux 6", "Linux 7"))
    results = read_results(header() + line() + updated + again, MANIFEST, where="f")
    assert ([each.at_s for each in results.measured], results.problems) == ([2.5, 9.5], [])
    foreign = header(device=DEVICE.replace("Pi", "Phone"))
    results = read_results(header() + line() + foreign + again, MANIFEST, where="f")
    assert [each.at_s for each in results.measured] == [2.5]
    assert "another file" in results.problems[0].what


@pytest.mark.parametrize(
    "data", [b"", b"x", b"{}", b'{"format":"hltune bundle","version":1}\n', b'"a"\n', b"\x00\xff", b"[" * 200_000]
)
def test_what_is_no_results_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="no file of results"):
        bundle_of(data, where="f")


@pytest.mark.parametrize("bundle", ["a**b", "../../a", "a\\u0000b", "", "a" * 5000, MANIFEST.id[:-1]])
def test_what_is_no_id_is_never_looked_for(bundle: str) -> None:
    with pytest.raises(InputError, match="no file of results"):
        bundle_of(header(bundle), where="f")


LINES = tuple(each.decode("latin-1") for each in (header(), line(), FAILED, line(at_s=4.5)))
PIECES = st.text(max_size=3) | st.sampled_from(
    ["[" * 3000, "1" + "0" * 400, "NaN", "null", "true", "\\ud800", "{}", "[[1]]", '"', ",", "}", "e999", "-", "\n"]
)


@st.composite
def edited(draw: st.DrawFn) -> bytes:
    """A file of results after edits, some of them by somebody who knows how checks are made."""
    lines = list[bytes]()
    for text in LINES:
        body, check, digits = text.removesuffix("\n").rpartition(',"check":"')
        for _ in range(draw(st.integers(0, 2))):
            begin = draw(st.integers(0, len(body)))
            end = draw(st.integers(begin, min(len(body), begin + 12)))
            body = body[:begin] + draw(PIECES) + body[end:]
        made = checked(body) if lines else with_check(body, checksum(BUNDLE.encode()))
        lines.append(made if draw(st.booleans()) else f"{body}{check}{digits}\n".encode())
    order = draw(st.lists(st.integers(1, len(lines) - 1), max_size=5))
    data = lines[0] + b"".join(lines[number] for number in order)
    return data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data


@settings(max_examples=300, deadline=None)
@given(edited())
def test_whatever_was_edited_ends_in_a_report(data: bytes) -> None:
    """Each line is a measurement or a problem, and what is kept can be stored."""
    try:
        bundle_of(data, where="f")
        results = read_results(data, MANIFEST, where="f")
    except InputError as error:
        str(error).encode()
        return
    lines = data.split(b"\n")[1:-1]
    foreign = any("another file" in each.what for each in results.problems)
    runs = sum(each.startswith(b'{"format"') for each in lines)
    assert foreign or len(results.measured) + len(results.problems) + runs == len(lines)
    machine = results.device.machine(MANIFEST)
    kept = [bundle_results.as_sample(each, MANIFEST, machine) for each in results.measured]
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder) / "samples.sqlite", progress=Silent(), wait_s=0) as store,
    ):
        store.add_pipeline(PipelineRecord.of(SPEC))
        store.add_all(kept)
        store.best(SPEC.content_hash, machine.key, 9)


def test_results_of_another_bundle_or_an_unknown_device_are_refused() -> None:
    other = dataclasses.replace(MANIFEST, number=4)
    with pytest.raises(InputError, match="results of another bundle"):
        read_results(header() + line(), other, where="f")
    with pytest.raises(InputError, match="the first line was changed"):
        read_results(header().replace(b"Pi", b"Po") + line(), MANIFEST, where="f")
    with pytest.raises(InputError, match="not a Device"):
        read_results(header(device='"device":{}') + line(), MANIFEST, where="f")
