"""Do all commands of the README still do the same? ``python -m tests.recorded record FOLDER [--hltune PATH]``.

Runs them by their command line in an empty folder and leaves a JSON file per command: exit code, document or text,
messages, files written. What differs from run to run of the same code becomes a placeholder like ``<number>``: times
and all that follows from them, and what tuning finds. Then ``python -m tests.recorded compare OLD NEW`` prints
what two such folders say differently, and exits with 1 if there is anything. Takes about five minutes.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import halide as hl
import imageio.v3 as iio
import numpy as np

from tests.recorded.commands import CPP_BLUR, HEXAGON, PYTHON_BLUR, SCRIPT, SHARPEN

TIMED = {
    *("cost", "cost_s", "spread", "limit", "best", "median", "slowest", "beam", "beam_s", "speedup", "search_s"),
    *("measure_s", "learn_s", "seconds", "seconds_of_all_runs", "samples_per_minute", "programs", "pair_accuracy"),
    *("regret_at_1", "regret_at_8", "r2"),
}
"""Keys of numbers that are times or follow from them; where packets are counted, `COUNTED` are exact."""
COUNTED = {"cost", "spread", "limit"}
FOUND = {
    *("searches", "known", "reused", "held_out", "failed", "measurements", "predicted_ms", "files", "added", "samples"),
    *("schedules", "network_pair_accuracy", "trees_pair_accuracy"),
}
"""Keys of numbers that depend on which schedules tuning happened to find."""
HASHES = {"weights_hash", "state_hash"}
RATIO = dict.fromkeys(("value", "low", "high", "turns", "pruned"), "<number>")
SCORER = {"pair_accuracy": "<number>", "regret_at_1": "<number>", "r2": "<number>"}
BY_CHANCE: dict[str, Any] = {
    "to_runner_up": RATIO,
    "to_baseline": RATIO,
    "chooser": "<text>",
    "failure": "<text>",
    "scorers": {"network": SCORER, "trees": SCORER},
}
"""Keys of what is there or not where tuning is at work, and its form if it is."""
LEARNED = ("tuned", "adams2019+weights")
"""Beginnings of the names of schedules that follow from measurements."""
MEASURING = {"schedule", "run", "compare", "tune", "pretrain", "samples"}


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the list; ``tuned`` if what it says depends on schedules that tuning found."""

    line: str
    tuned: bool

    @property
    def words(self) -> list[str]:
        return shlex.split(self.line)

    @property
    def slug(self) -> str:
        return re.sub(r"[^\w.+]+", "-", self.line).strip("-")[:150]

    @property
    def timed(self) -> bool:
        """Texts contain times."""
        exact = "hexagon" in self.line and not self.tuned and self.words[0] == "compare"
        return self.words[0] in MEASURING and not exact

    @property
    def by_time(self) -> bool:
        """Rows of tables stand in the order of times."""
        return self.timed and self.words[0] in ("compare", "tune")


@dataclass(frozen=True, slots=True)
class Places:
    """Where the commands run, and which ones."""

    folder: Path
    hltune: Path

    def run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"}
        call = [str(self.hltune), *words]
        return subprocess.run(call, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def hide(self, text: str) -> str:
        """Text without folders, dates and the hashes and versions of what tuning found."""
        for path, name in ((self.folder, "<folder>"), (self.hltune.parents[1], "<venv>")):
            text = text.replace(str(path), name)
        text = re.sub(r"/tmp/hltune-\w+", "<temporary>", text)
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>", text)
        text = re.sub(r"(\btuned-|\+weights-)[0-9a-f]{8}\b|\b((?:latest|best)-)\d{5}\b", r"\1\2<version>", text)
        return re.sub(r"-[0-9a-f]{24}\.sample", "-<hash>.sample", text)


def main() -> None:
    parser = argparse.ArgumentParser(description="Records what all commands do, and compares two such recordings.")
    actions = parser.add_subparsers(dest="action", required=True)
    recording = actions.add_parser("record")
    recording.add_argument("folder", type=Path)
    recording.add_argument("--hltune", type=Path, default=Path(sys.executable).with_name("hltune"))
    comparing = actions.add_parser("compare")
    comparing.add_argument("old", type=Path)
    comparing.add_argument("new", type=Path)
    arguments = parser.parse_args()
    if arguments.action == "compare":
        sys.exit(compare(arguments.old, arguments.new))
    arguments.folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="commands-") as folder:
        record(arguments.folder, Places(Path(folder).resolve(), arguments.hltune.absolute()))


def record(target: Path, places: Places) -> None:
    write_inputs(places.folder)
    used: list[str] = []
    for command in commands(SCRIPT + HEXAGON if on_dsp(places) else SCRIPT):
        start_s = time.monotonic()
        document = examine(places, command)
        used.append(command.slug)
        name = f"{command.slug}.{used.count(command.slug)}.json"
        (target / name).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        print(f"{time.monotonic() - start_s:5.1f} s, exit code {document['exit_code']}: {command.line}", flush=True)


def commands(script: str) -> Iterator[Command]:
    for line in script.strip().splitlines():
        if line and not line.startswith("#"):
            yield Command(line.removeprefix("~ "), line.startswith("~"))


def on_dsp(places: Places) -> bool:
    findings = json.loads(places.run(["doctor", "--json"]).stdout)["findings"]
    return all(finding["ok"] for finding in findings if finding["name"].startswith("Hexagon"))


def write_inputs(folder: Path) -> None:
    """What the commands read."""
    texts = {"filters.py": SHARPEN, "blur_generator.py": PYTHON_BLUR, "blur_generator.cpp": CPP_BLUR}
    texts |= {"notes.txt": "no pipeline\n", "junk.weights": "junk" * 5000}
    for name, text in texts.items():
        (folder / name).write_text(text)
    random = np.random.default_rng(0)
    for name, shape in (("in.png", (256, 256)), ("large.png", (300, 400))):
        iio.imwrite(folder / name, random.integers(0, 256, shape, dtype=np.uint8))
    definitions: dict[str, Any] = {}
    exec(SHARPEN, definitions)
    hl.serialize_pipeline(hl.Pipeline(definitions["sharpen"]()), str(folder / "sharpen.hlpipe"))


def examine(places: Places, command: Command) -> dict[str, Any]:
    """Runs a command and describes what it did, without what happens to differ from run to run."""
    before = snapshot(places.folder)
    done = places.run(command.words)
    after = snapshot(places.folder)
    try:
        output: Any = normal(json.loads(places.hide(done.stdout)), command.tuned)
    except ValueError:
        output = lines(places.hide(done.stdout), command)
    written = sorted(path for path, state in after.items() if before.get(path) != state)
    messages = places.hide(done.stderr)
    return {
        "command": command.line,
        "exit_code": done.returncode,
        "output": output,
        "messages": messages.splitlines() if done.returncode else lines(messages, command),
        "files": {places.hide(str(path)): content(places, path, command.tuned) for path in written},
    }


def snapshot(folder: Path) -> dict[Path, tuple[int, int]]:
    """The files that matter: neither caches nor what SQLite and its lock leave."""
    found: dict[Path, tuple[int, int]] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and not re.search(r"(^|/)(cache|__pycache__)/|-(wal|shm)$|\.lock$", str(name)):
            found[name] = (path.stat().st_mtime_ns, path.stat().st_size)
    return found


def content(places: Places, path: Path, tuned: bool) -> Any:
    """What a file says, where it says the same every time."""
    data = (places.folder / path).read_bytes()
    exported = path.name.endswith((".schedule.json", ".py", "_schedule.h"))
    if (tuned and exported) or path.stem == "tuning":
        return "<content>"
    if path.suffix == ".json":
        return normal(json.loads(places.hide(data.decode())), tuned or path.name.startswith(LEARNED))
    if path.suffix in (".py", ".h"):
        return places.hide(data.decode()).splitlines()
    return hashlib.sha256(data).hexdigest() if path.suffix in (".png", ".npy", ".o", ".a") else "<content>"


def lines(text: str, command: Command) -> list[str]:
    """Lines of a text without times; what stands in their order is sorted."""
    if not command.timed:
        return text.splitlines()
    text = re.sub(r"(?<=: |, )([\w/ ]+) [^ ,\n]+(?=,.* time left|$)", r"\1 <value>", text) if "round" in text else text
    text = re.sub(r"(?<![\w.])\d[\d,]*(\.\d+|%|:\d\d)(?![\w.])|\d+(?= repeats)", "<number>", text)
    text = re.sub(r"(?<=\S) {2,}", "  ", re.sub(r" +$", "", text, flags=re.MULTILINE))
    if command.tuned:
        text = re.sub(r"\b\d+(?= (failed|per minute|distinct|known|added|files|samples))", "<number>", text)
        text = re.sub(r"(winner  )[^,]+|(costs  ).*|(failed: ).*", r"\1\2\3<text>", text)
    if not command.by_time:
        return text.splitlines()
    return sorted({line for line in text.splitlines() if not (command.tuned and line.startswith("tuned-"))})


def normal(value: Any, tuned: bool, counted: bool = False) -> Any:
    """A document without what differs from run to run.

    Args:
        value: the document or a part of it.
        tuned: it is about schedules that tuning found.
        counted: costs are exact.
    """
    if isinstance(value, list):
        return [normal(each, tuned, counted) for each in value]
    if not isinstance(value, dict):
        return value
    counted = str(value.get("unit", "packets" if counted else "")).startswith("packets")
    tuned = tuned and str(value.get("name", "tuned")).startswith(LEARNED)
    result = {key: entry(key, each, tuned, counted) for key, each in value.items()}
    if "search" in value:
        result |= {"hash": "<hash>", "search": "<search>", "round": "<number>"}
    return result


def entry(key: str, value: Any, tuned: bool, counted: bool) -> Any:
    """One value of a document."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    exact = counted and not tuned and key in COUNTED
    if key in HASHES and value:
        return "<hash>"
    if number and not exact and (key in TIMED or (tuned and key in FOUND)):
        return "<number>"
    if not tuned:
        rows = normal(value, tuned, counted)
        return sorted(rows, key=json.dumps) if key in ("schedules", "finalists") and isinstance(value, list) else rows
    return entry_of_tuned(key, value, counted)


def entry_of_tuned(key: str, value: Any, counted: bool) -> Any:
    """One value of a document about schedules that tuning found."""
    if key in BY_CHANCE and (not value or shape(value) == BY_CHANCE[key]):
        return {"by chance": BY_CHANCE[key]}
    inner = normal(value, True, counted)
    rows = value if isinstance(value, list) else []
    if key in ("schedule", "directives") and rows and all({"op", "func"} <= set(row) for row in rows):
        return "<directives>"
    if key == "counters":
        return dict.fromkeys(value, "<number>")
    if key == "best" and isinstance(value, dict):
        return {**normal({**value, "name": "tuned"}, True, counted), "name": "<text>"}
    if key == "finalists":  # how many of them tuning found, and in which order
        return sorted({json.dumps(row): row for row in inner}.values(), key=json.dumps)
    if key == "schedules" and rows:
        return sorted(inner, key=json.dumps)
    if key == "origin" and isinstance(value, str):
        return "<text>"
    return {("cost", True): "<number>", ("failed", False): "<counts>"}.get((key, value is None), inner)


def shape(value: Any) -> Any:
    """The keys and types of a part of a document."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    return "<text>" if isinstance(value, str) else "<number>"


def compare(old: Path, new: Path) -> int:
    """Prints what differs, command by command; 1 if anything does."""
    names = sorted({path.name for folder in (old, new) for path in folder.glob("*.json")})
    different = 0
    for name in names:
        texts = [(folder / name).read_text().splitlines() if (folder / name).exists() else [] for folder in (old, new)]
        if texts[0] != texts[1]:
            different += 1
            print(*difflib.unified_diff(*texts, str(old / name), str(new / name), lineterm=""), sep="\n")
    print(f"{different} of {len(names)} commands differ")
    return 1 if different or not names else 0


if __name__ == "__main__":
    main()
