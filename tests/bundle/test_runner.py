"""What a bundle's runner does on a device, which is this machine: it is built by run.sh from objects, as there."""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import struct
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hltune.bundle.compilers import find_compiler
from hltune.bundle.results import Measured, Results, checksum, read_results, start_of_checks
from hltune.commands import bundle_results
from hltune.machine.inputs import Inputs, arrays_of, smooth
from hltune.machine.task import SMOOTH
from hltune.pipeline.layout import layout_of
from hltune.pipeline.operations import takes_signs
from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from hltune.values.cost import Cost
from hltune.values.directives import Parallel, Schedule
from hltune.values.errors import Failure
from hltune.values.pipeline import BufferArgument
from hltune.workspace.records import Workspace
from tests.bundle.conftest import PIPELINES, Bundle, made_of, unpacked

INTERPRETER = 3
"""Type of the segment that names the loader of shared libraries; static programs have none."""

BAD = """
#include <string.h>
static int run(void **arguments) { return %s_argv(arguments); }
int wrong_whole(void **arguments) {
    int code = run(arguments);
    ((int64_t *)((struct buffer *)arguments[%d])->host)[777] += STEP;
    return code;
}
int wrong_float(void **arguments) {
    int code = run(arguments);
    ((float *)((struct buffer *)arguments[%d])->host)[777] *= 1.01f;
    return code;
}
int leaves_one(void **arguments) { /* of the floats, as it was */
    int code = run(arguments);
    memset((float *)((struct buffer *)arguments[%d])->host + 777, 0xff, sizeof(float));
    return code;
}
int reads_heap(void **arguments) { /* where there were zeros, or what it wrote the last time, that would be right */
    int code = run(arguments);
    float *memory = malloc(100000);
    ((float *)((struct buffer *)arguments[%d])->host)[777] += memory[12500];
    free(memory);
    return code;
}
int wrong_once(void **arguments) { /* the second call of a process is that on smooth inputs */
    static int calls;
    return ++calls == 2 ? wrong_whole(arguments) : run(arguments);
}
int crashes(void **arguments) { (void)arguments; *(volatile int *)8 = 1; return 0; }
int loops(void **arguments) { (void)arguments; for (volatile int k = 0;; k++) { } }
int leaves(void **arguments) { (void)arguments; exit(7); }
extern int getppid(void), kill(int, int);
int kills(void **arguments) { (void)arguments; kill(getppid(), 9); return 0; }
"""

PAUSES = """
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int pauses(void **arguments) {
    FILE *told = fopen("paused", "r");
    if (!told) {
        told = fopen("paused.new", "w");
        fprintf(told, "%%d", (int)getppid());
        fclose(told);
        kill(getppid(), SIGSTOP);
        rename("paused.new", "paused");
        for (;;) { pause(); }
    }
    fclose(told);
    return %s_argv(arguments);
}
"""

NEEDS_THREADS = """
#include <dirent.h>
int {function}_argv(void **);
int needs_threads(void **arguments) {{
    int code = {function}_argv(arguments), entries = 0;
    DIR *tasks = opendir("/proc/self/task");
    while (tasks && readdir(tasks)) {{
        entries++;
    }}
    if (!tasks || closedir(tasks) || entries < 4) {{ /* the folder and its parent, and two threads */
        exit(9);
    }}
    return code;
}}
"""

LUCKY = """
#include <stdio.h>
extern int usleep(unsigned);
int {function}_argv(void **);
int slow(void **arguments) {{
    usleep(1500);
    return {function}_argv(arguments);
}}
int lucky(void **arguments) {{
    int number, pass = 0;
    FILE *running = fopen("running", "r");
    if (fscanf(running, "%d %d", &number, &pass) == 2 && pass > 1) {{
        usleep(6000);
    }}
    fclose(running);
    return {function}_argv(arguments);
}}
"""

HANGS_UP = """
#include <signal.h>
#include <unistd.h>
int is_hung_up_on(void **arguments) {
    kill(0, SIGHUP);
    return %s_argv(arguments);
}
"""

ASKS_MALLOC = """
#include <stdlib.h>
int asks_malloc(void **arguments) {{
    static int calls;
    if (++calls == {checked} + 1) {{ /* the first one that is timed; all before it are checked */
        size_t *memory = malloc(300000); /* less than what distances of all samples take */
        if (!memory || !(memory[-1] & 2)) {{ /* glibc's mark of what is mapped */
            exit(9);
        }}
        memory[299] = 1;
        free(memory);
    }}
    return {function}_argv(arguments);
}}
"""

SOMETIMES_FAST = """
extern int usleep(unsigned);
int sometimes_fast(void **arguments) {
    static int calls;
    if (++calls %% 12) {
        usleep(3000);
    }
    return %s_argv(arguments);
}
"""


def segments(program: bytes) -> list[int]:
    """Types of the segments of an ELF file of 64 bits."""
    (begin,) = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    return [struct.unpack_from("<I", program, begin + size * number)[0] for number in range(count)]


def parallel_place(bundle: Bundle) -> int:
    """Of the first candidate that uses the thread pool."""
    return next(
        place
        for place, each in enumerate(bundle.manifest.entries)
        if any(isinstance(directive, Parallel) for directive in each.candidate.schedule.directives)
    )


def bad(bundle: Bundle, *, step: int = 5) -> str:
    whole = len(bundle.manifest.spec.inputs)
    return f"#define STEP {step}\n" + BAD % (bundle.manifest.entries[0].function, whole, *[whole + 1] * 3)


def read(bundle: Bundle) -> Results:
    return read_results(bundle.results.read_bytes(), bundle.manifest, where="results.json")


def failures(results: Results) -> dict[int, Failure]:
    return {each.entry.number: each.measurement for each in results.measured if isinstance(each.measurement, Failure)}


def test_all_candidates_run_and_are_right(bundle: Bundle) -> None:
    """Which says that NumPy and the runner make the same inputs, of every type."""
    code, out = bundle.run()
    assert code == 0, out
    results = read(bundle)
    assert results.problems == [] and not results.unfinished
    assert failures(results) == {}
    numbers = [each.entry.number for each in results.measured]
    assert set(numbers) == {each.number for each in bundle.manifest.entries}
    assert len(numbers) == 2 * len(set(numbers))  # all are among the finalists
    assert re.findall(r"\[(.*), once more\]", out) == [f"{number} of 6" for number in range(1, 7)]
    first = results.measured[0].measurement
    assert isinstance(first, Cost) and len(first.turns) == 3
    lines = [json.loads(text) for text in bundle.results.read_text().splitlines()[1:]]
    for each in lines:
        assert all(turn == sorted(turn) and 1 <= len(turn) <= 11 for turn in each["turns_s"])
        assert each["best_s"] == pytest.approx(np.quantile(np.concatenate(each["turns_s"]), 0.1), rel=1e-6)
    assert any(len(turn) == 11 for each in lines for turn in each["turns_s"])
    before = bundle.results.read_bytes()
    assert bundle.run()[0] == 0 and bundle.results.read_bytes() == before


def test_a_static_runner_measures_on_all_threads(bundle: Bundle) -> None:
    """Halide's runtime has its thread pool and all else that it wants of the C library."""
    compiler = find_compiler(bundle.manifest.target)
    assert compiler is not None
    if not compiler.static:
        pytest.skip("this system has no C library for static programs")
    place = parallel_place(bundle)
    entry = bundle.manifest.entries[place]
    bundle.spoil({place: "needs_threads"}, NEEDS_THREADS.format(function=entry.function))
    program = bundle.folder / "run"
    compiler.link(sorted(bundle.folder.glob("*.c")), sorted(bundle.folder.glob("*.o")), program)
    assert 1 in segments(program.read_bytes()) and INTERPRETER not in segments(program.read_bytes())
    code, out = bundle.run()
    assert code == 0, out
    results = read(bundle)
    assert failures(results) == {} and len(results.measured) == 2 * len(bundle.numbers)


def test_one_lucky_call_in_many_does_not_count(bundle: Bundle) -> None:
    bundle.spoil({0: "sometimes_fast"}, SOMETIMES_FAST % bundle.manifest.entries[0].function)
    code, out = bundle.run()
    assert code == 0, out
    first = json.loads(bundle.results.read_text().splitlines()[1])
    assert min(map(min, first["turns_s"])) < 0.003 <= max(map(max, first["turns_s"]))
    assert first["best_s"] > 0.0015


def test_what_is_bad_is_named_and_does_not_disturb_the_others(bundle: Bundle) -> None:
    bundle.spoil({1: "wrong_whole", 2: "wrong_float", 3: "crashes", 4: "loops", 5: "leaves"}, bad(bundle))
    code, out = bundle.run()
    assert code == 0, out
    found = failures(read(bundle))
    assert sorted(found) == bundle.numbers[1:]
    whole, part, crash, loop, left = (found[number] for number in bundle.numbers[1:])
    kinds = ["wrong output", "wrong output", "crash", "timeout", "crash"]
    assert [each.kind for each in (whole, part, crash, loop, left)] == kinds
    assert "the first at (9, 3): expected " in whole.message  # 777 = 3 * 256 + 9
    assert "the first at (9, 3): expected " in part.message
    assert whole.message.startswith("wrong output output_0: ") and part.message.startswith("wrong output output_1: ")
    assert "Segmentation fault" in crash.message
    assert loop.stage == "run" and "took longer than" in loop.message
    assert "status 7" in left.message
    assert "failed in verify" in out and "[1 of 1, once more]" in out


def test_what_nobody_wrote_shows_in_outputs_and_in_what_is_read_of_the_heap(bundle: Bundle) -> None:
    bundle.spoil({1: "leaves_one", 2: "reads_heap"}, bad(bundle))
    code, out = bundle.run()
    assert code == 0, out
    found = failures(read(bundle))
    assert sorted(found) == bundle.numbers[1:3]
    left, heap = (found[number] for number in bundle.numbers[1:3])
    assert left.message == "wrong output output_1: 1 of 49152 values are not written" and left.is_wrong_by_any
    assert heap.is_wrong and "the first at (9, 3): expected " in heap.message


def test_integers_have_to_be_exact(exact_bundle: Bundle) -> None:
    exact_bundle.spoil({1: "wrong_whole"}, bad(exact_bundle, step=1))
    code, out = exact_bundle.run()
    assert code == 0, out
    found = failures(read(exact_bundle))
    assert list(found) == exact_bundle.numbers[1:]
    message = found[exact_bundle.numbers[1]].message
    assert "1 of 49152 sampled values differ, the first at (9, 3): expected " in message
    assert "hash" in exact_bundle.manifest.outputs[0]


def test_what_was_wrong_once_is_never_the_best(exact_bundle: Bundle) -> None:
    """A race may show in the last pass only."""
    assert exact_bundle.run()[0] == 0
    first = bundle_results.read(exact_bundle.results, None, workspace=exact_bundle.workspace, progress=Silent()).best
    assert len(first.ranked) == len(exact_bundle.numbers) == 2
    racy = next(each for each in exact_bundle.manifest.entries if each.candidate.schedule == first.ranked[0].schedule)
    text = (
        f'{{"candidate":{racy.number},"schedule":"{racy.short_hash}","pass":2,"at_s":{time.time()},'
        '"failed":{"stage":"verify","kind":"wrong output","message":"3 values differ"}'
    )
    with exact_bundle.results.open("a") as file:
        line = exact_bundle.results.read_bytes().partition(b"\n")[0]
        start = start_of_checks(line, exact_bundle.manifest.id, version=2)
        file.write(f'{text},"check":"{checksum(text.encode(), start):016x}"}}\n')
    read = bundle_results.read(exact_bundle.results, None, workspace=exact_bundle.workspace, progress=Silent())
    assert (read.problems, read.best.measured, read.best.ranked) == ((), 2, first.ranked[1:])
    records = exact_bundle.workspace.records(exact_bundle.manifest.spec, read.best.machine)
    assert [each.schedule for each in records] == [first.ranked[1].schedule]


def test_what_was_wrong_on_other_data_is_not_the_best_either(exact_bundle: Bundle) -> None:
    assert exact_bundle.run()[0] == 0
    workspace = exact_bundle.workspace
    first = bundle_results.read(exact_bundle.results, None, workspace=workspace, progress=Silent()).best
    racy = next(each for each in exact_bundle.manifest.entries if each.candidate.schedule == first.ranked[0].schedule)
    wrong = Failure(stage="verify", kind="wrong output", message="3 values differ")
    with Store(workspace.samples, progress=Silent(), wait_s=0) as store:
        seen = Measured(entry=racy, measurement=wrong, pass_number=1, at_s=time.time())
        elsewhere = first.machine.with_given("input=0123abcd")
        store.add(bundle_results.as_sample(seen, exact_bundle.manifest, elsewhere))
    (best,) = (
        each
        for each in bundle_results.best(workspace=workspace, progress=Silent())
        if each.machine.key == first.machine.key
    )
    assert best.ranked == first.ranked[1:]


def test_what_was_lucky_once_is_not_the_best(bundle: Bundle) -> None:
    """And whoever is then, was measured once more."""
    function = bundle.manifest.entries[0].function
    bundle.spoil({0: "lucky", **dict.fromkeys(range(1, 6), "slow")}, LUCKY.format(function=function))
    tables = (bundle.folder / "tables.c").read_text()
    (bundle.folder / "tables.c").write_text(tables.replace(".finalists = 8", ".finalists = 1"))
    code, out = bundle.run()
    assert code == 0, out
    whole, (lucky, *_) = bundle.results.read_bytes(), bundle.manifest.entries
    assert bundle.run()[0] == 0 and bundle.results.read_bytes() == whole
    before = bundle.folder / "before.json"
    before.write_bytes(b"".join(whole.splitlines(keepends=True)[: 1 + len(bundle.numbers)]))

    def best(path: Path, name: str) -> bundle_results.Best:
        workspace = Workspace(bundle.folder / name)
        return bundle_results.read(path, bundle.file, workspace=workspace, progress=Silent()).best

    assert best(before, "twice").ranked[0].schedule == lucky.candidate.schedule
    done = best(bundle.results, "twice")
    assert best(bundle.results, "twice").ranked == done.ranked == best(bundle.results, "once").ranked
    assert done.ranked[0].schedule != lucky.candidate.schedule and done.ranked[0].measurements == 2
    assert done.measured == len(bundle.numbers)


def test_an_interrupted_run_goes_on(bundle: Bundle) -> None:
    bundle.spoil({2: "loops"}, bad(bundle))
    running = bundle.start()
    wait_for(bundle.folder / "running", f"{bundle.numbers[2]} ")
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=30)
    assert running.returncode == 130, out
    assert "goes on" in out
    assert not (bundle.folder / "running").exists()
    assert [each.entry.number for each in read(bundle).measured] == bundle.numbers[:2]
    half = b'{"candidate":2,"schedule":"'
    with bundle.results.open("ab") as file:
        file.write(half)  # the power fails
    assert read(bundle).unfinished
    code, out = bundle.run()
    assert code == 0 and half + b"{" not in bundle.results.read_bytes(), out
    results = read(bundle)
    assert results.problems == [] and not results.unfinished
    assert failures(results)[bundle.numbers[2]].kind == "timeout"
    assert {each.entry.number for each in results.measured} == set(bundle.numbers)


def test_a_run_under_nohup_outlives_its_terminal(bundle: Bundle) -> None:
    """Which hangs up on the whole group of processes: the runner and the candidate's."""
    bundle.spoil({1: "is_hung_up_on"}, HANGS_UP % bundle.manifest.entries[0].function)
    with bundle.start(ignored=signal.SIGHUP) as running:
        out, _ = running.communicate(timeout=60)
    assert running.returncode == 0 and failures(read(bundle)) == {}, out
    assert len(read(bundle).measured) == 2 * len(bundle.numbers)


def test_checks_leave_malloc_as_it_is_in_a_fresh_process(bundle: Bundle) -> None:
    """Which maps large buffers until one of that size was given back."""
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("this system has another malloc")
    place = next(k for k, each in enumerate(bundle.manifest.entries) if each.candidate.schedule == Schedule())
    function = bundle.manifest.entries[place].function
    bundle.spoil({place: "asks_malloc"}, ASKS_MALLOC.format(checked=2, function=function))
    for _ in range(2):  # afresh, and when it goes on after many results
        code, out = bundle.run()
        assert code == 0 and failures(read(bundle)) == {}, out
        first, *lines = bundle.results.read_bytes().splitlines(keepends=True)
        others = [each for each in lines if bundle.manifest.entries[place].short_hash.encode() not in each]
        bundle.results.write_bytes(first + b"".join(others * (1 + 200_000 // sum(map(len, others)))))


def test_a_failure_stays_one_when_the_run_goes_on(bundle: Bundle) -> None:
    """Whatever the line after it says."""
    bundle.spoil({1: "crashes"}, bad(bundle))
    assert bundle.run()[0] == 0
    lines = bundle.results.read_bytes().splitlines(keepends=True)
    first_pass = lines[: 1 + len(bundle.numbers)]
    assert b'"failed"' in first_pass[2] and b'"best_s"' in first_pass[3]
    bundle.results.write_bytes(b"".join(first_pass))
    code, out = bundle.run()
    assert code == 0, out
    measured = [each.entry.number for each in read(bundle).measured]
    good = [number for number in bundle.numbers if number != bundle.numbers[1]]
    assert measured[: len(bundle.numbers)] == bundle.numbers and sorted(measured[len(bundle.numbers) :]) == good


def test_what_takes_the_run_down_has_two_tries(bundle: Bundle) -> None:
    bundle.spoil({1: "kills"}, bad(bundle))
    for _ in range(2):
        code, _ = bundle.run()
        assert code == -signal.SIGKILL
        assert [each.entry.number for each in read(bundle).measured] == bundle.numbers[:1]
    code, out = bundle.run()
    assert code == 0, out
    found = failures(read(bundle))
    assert list(found) == bundle.numbers[1:2]
    (failure,) = found.values()
    assert (failure.kind, "died 2 times" in failure.message) == ("crash", True)


def test_another_bundle_in_the_same_folder_says_nothing_of_this_one(bundle: Bundle) -> None:
    """It was under way when the device died; its results were moved, and it has numbers of its own."""
    for before in (f"{bundle.numbers[1]} 1 2 0123456789ab\n", f"{bundle.numbers[1]} 1 2\n"):
        (bundle.folder / "running").write_text(before)
        code, out = bundle.run()
        assert code == 0 and "was running when" not in out, out
        assert failures(read(bundle)) == {}
        bundle.results.unlink()


def test_a_damaged_bundle_is_no_candidates_fault(bundle: Bundle) -> None:
    (expected,) = [each for each in bundle.folder.glob("*.bin") if each.stat().st_size > 4000][-1:]
    whole = expected.read_bytes()
    for rest in (whole[:-8], None):
        expected.unlink() if rest is None else expected.write_bytes(rest)
        code, out = bundle.run()
        assert code == 3 and f"{expected.name}: cannot be read, or is too short" in out and "unpack" in out, out
        assert read(bundle).measured == []
    expected.write_bytes(whole)
    code, out = bundle.run()
    assert code == 0 and failures(read(bundle)) == {}, out


def test_what_was_stopped_for_a_while_begins_anew(bundle: Bundle) -> None:
    """Its limit of a second and a half, or less, went on meanwhile."""
    bundle.spoil({1: "pauses"}, PAUSES % bundle.manifest.entries[0].function)
    with bundle.start() as running:
        wait_for(bundle.folder / "paused", "")
        time.sleep(1.8)
        os.kill(int((bundle.folder / "paused").read_text()), signal.SIGCONT)
        out, _ = running.communicate(timeout=60)
    assert running.returncode == 0 and failures(read(bundle)) == {}, out


@pytest.mark.usefixtures("ran_before")
def test_a_full_disk_is_no_candidates_fault(bundle: Bundle) -> None:
    bundle.results.unlink()
    full = "trap '' XFSZ; ulimit -f 2; exec ./run"  # so many blocks of at most 1 KiB
    for _ in range(3):
        done = subprocess.run(["sh", "-c", full], cwd=bundle.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 2 and "make room on this disk" in done.stderr, done
        assert "was running when the last run ended" not in done.stdout
    code, out = bundle.run()
    assert code == 0, out
    results = read(bundle)
    assert (failures(results), results.problems, len(results.measured)) == ({}, [], 12)


@pytest.mark.usefixtures("ran_before")
def test_a_run_goes_on_after_an_update_of_the_kernel(bundle: Bundle) -> None:
    first, *lines = bundle.results.read_bytes().splitlines(keepends=True)
    before, kernel, after = first.rpartition(b',"check"')[0].partition(b',"kernel":"Linux ')
    older = before + kernel + b"older " + after
    written = older + f',"check":"{checksum(older, checksum(bundle.manifest.id.encode())):016x}"}}\n'.encode()
    bundle.results.write_bytes(written + b"".join(lines[:3]))
    code, out = bundle.run()
    assert code == 0, out
    assert bundle.results.read_bytes().startswith(written + b"".join(lines[:3]))
    assert {each.entry.number for each in read(bundle).measured} == set(bundle.numbers)


@pytest.mark.usefixtures("ran_before")
def test_results_of_another_bundle_are_not_continued(bundle: Bundle) -> None:
    data = bundle.results.read_bytes()
    of_device = "another bundle or device: its"
    for old, new, what in (
        (bundle.manifest.id.encode(), b"0123456789ab", f'{of_device} bundle is "0123456789ab", expected: "'),
        (b'"cores"', b'"core5"', f"{of_device} cores is , expected: "),
        (b'"threads":2', b'"threads":22', f"{of_device} threads is 22, expected: 2"),
        (b'"cpu":"', b'"cpu":"A \\", b\\\\', f"{of_device} cpu is "),
        (b'"started_s":', b'"started_s":1', "its first line was changed"),
    ):
        other = data.replace(old, new)
        bundle.results.write_bytes(other)
        code, out = bundle.run()
        assert code == 2 and what in out, out
        assert bundle.results.read_bytes() == other


@pytest.mark.usefixtures("ran_before")
def test_a_run_goes_on_when_cores_sleep(bundle: Bundle) -> None:
    """Whose kinds are not in the list, and which it may not use."""
    cores = os.sched_getaffinity(0)
    if len(cores) < 2:
        pytest.skip("there is one core")
    before = read(bundle).device
    first, *lines = bundle.results.read_bytes().splitlines(keepends=True)
    assert before.cores >= len(cores)
    text = first.rpartition(b',"check"')[0].replace(b'","board"', b' 0x41/0xd09","board"')
    text += f',"check":"{checksum(text, checksum(bundle.manifest.id.encode())):016x}"}}\n'.encode()
    for whole, expected in (
        (first + b"".join(lines[:3]), before),
        (text, replace(before, cpu=f"{before.cpu} 0x41/0xd09")),
    ):
        bundle.results.write_bytes(whole)
        os.sched_setaffinity(0, {min(cores)})
        try:
            code, out = bundle.run()
        finally:
            os.sched_setaffinity(0, cores)
        assert code == 0 and f"this run may use 1 of {before.cores} cores" in out, out
        results = read(bundle)
        assert bundle.results.read_bytes().startswith(whole) and results.problems == []
        assert results.device == expected
        assert {each.entry.number for each in results.measured} == set(bundle.numbers)


def test_what_is_wrong_on_smooth_inputs_alone_is_wrong(bundle: Bundle) -> None:
    bundle.spoil({1: "wrong_once"}, bad(bundle))
    code, out = bundle.run()
    assert code == 0, out
    ((number, failure),) = failures(read(bundle)).items()
    assert number == bundle.numbers[1]
    assert (failure.stage, failure.kind) == (SMOOTH, "wrong output")


def test_smooth_inputs_are_those_of_other_machines(bundle: Bundle) -> None:
    spec = bundle.manifest.spec
    arrays = arrays_of(spec, smooth(Inputs(), signed=takes_signs(spec)))
    first = spec.inputs[0]
    assert isinstance(first, BufferArgument) and isinstance(arrays[0], np.ndarray)
    memory = layout_of(first, first.dtype).filled(arrays[0])
    assert (bundle.folder / "input0-1.bin").read_bytes() == bytes(memory)
    assert not (bundle.folder / "input0.bin").exists()


def test_the_manifest_says_what_was_checked(bundle: Bundle) -> None:
    manifest = json.loads((bundle.folder / "manifest.json").read_text())
    assert (manifest["id"], manifest["seed"]) == (bundle.manifest.id, 1)
    assert manifest["inputs"][0].startswith("a: splitmix64 from state ")
    whole, parts, smooth_whole, smooth_parts = manifest["outputs"]
    assert ": equal, hash " in whole and "49152 samples" in parts
    assert ", to verify on smooth inputs: hash " in smooth_whole and smooth_parts.endswith(": 49152 samples")
    assert whole[-16:] != smooth_whole[-16:]
    assert {"default"} < {each["name"] for each in manifest["candidates"]}


def test_the_alignment_of_an_output(tmp_path: Path) -> None:
    aligned = made_of(tmp_path, PIPELINES / "layouts.py", "aligned", 1)
    code, out = unpacked(aligned, tmp_path / "device").run()
    assert code == 0 and "failed" not in out, out


def wait_for(path: Path, beginning: str) -> None:
    end_s = time.monotonic() + 60
    while not (path.exists() and path.read_text().startswith(beginning)):
        assert time.monotonic() < end_s
        time.sleep(0.02)
