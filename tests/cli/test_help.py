"""Help is instant, and shows every flag in its panel."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from typing import get_type_hints

import pytest

from hltune.cli.main import COMMANDS, GROUPS, run_command_line

HEAVY = ("numpy", "halide", "jax", "lightgbm", "matplotlib", "imageio")
FOR_ONE_COMMAND = ("cyclopts", "rich")
PANELS = {
    "list": {"output"},
    "schedule": {"what to schedule", "search", "machine", "limits", "emulator of --target hexagon", "output"},
    "tune": {"what to schedule", "budget", "search", "machine", "limits", "emulator of --target hexagon", "output"},
    "pretrain": {
        "what to learn for",
        "budget",
        "plan",
        "search",
        "machine",
        "limits",
        "emulator of --target hexagon",
        "output",
    },
    "compare": {"what to schedule", "search", "machine", "limits", "emulator of --target hexagon", "output"},
    "run": {"what to schedule", "which schedule", "machine", "limits", "output"},
    "export": {"what to schedule", "which schedule", "machine", "limits", "emulator of --target hexagon", "output"},
    "explain": {"what to schedule", "machine", "limits", "emulator of --target hexagon", "output"},
    "report": {"what to schedule", "machine", "limits", "emulator of --target hexagon", "output"},
    "bundle make": {"what to schedule", "which samples", "search", "limits", "output"},
    "bundle read": {"which samples", "output"},
    "bundle best": {"which samples", "output"},
    "reproduce": {"which samples", "output"},
    "reduce": {"which samples", "limits", "emulator of --target hexagon", "output"},
    "doctor": {"output"},
    "samples stats": {"output"},
    "samples best": {"which samples", "output"},
    "samples failures": {"which samples", "output"},
    "samples delete": {"which samples", "output"},
    "samples featurize": {"which samples", "output"},
    "samples export": {"which samples", "output"},
    "samples import": {"which samples", "output"},
    "cluster status": {"machine", "output"},
    "programs show": {"output"},
}
FLAGS = {
    "list": "--json",
    "schedule": "--target --size -p -I -D --cxxflags --estimate --example -i --input --autoscheduler --beam-size "
    "--num-passes --max-parallelism --weights --memory-limit --random-dropout --last-level-cache "
    "--balance --seed --tolerance --integer-tolerance --measure --no-measure --search-timeout "
    "--compile-timeout --run-timeout --heap-limit --objective --cache --cluster --machine --workspace -o --output "
    "--json --debug",
    "tune": "--minutes --samples --rounds --until-done --fresh --discard --freeze --keep --only --target --size -p -I "
    "-D --cxxflags --estimate --example -i --input --beam-size --num-passes --max-parallelism --weights "
    "--seed --tolerance --integer-tolerance --search-timeout --compile-timeout "
    "--run-timeout --heap-limit --objective --cache --cluster --machine --report --watch --workspace --json --debug",
    "pretrain": "--batches --minutes --schedules --from-scratch --fresh --benchmarks --no-benchmarks --use --plan "
    "--pipelines --hours --target --beam-size --num-passes --max-parallelism --weights --seed "
    "--compile-timeout --run-timeout --heap-limit --objective --cache --cluster --machine --workspace --json --debug",
    "compare": "--target --size -p -I -D --cxxflags --estimate --example -i --input --beam-size --num-passes "
    "--max-parallelism --weights --memory-limit --seed --rounds --schedule --tolerance "
    "--integer-tolerance --search-timeout --compile-timeout --run-timeout --heap-limit --objective "
    "--cache --cluster --machine --workspace --json --debug",
    "run": "-i --input -o --output --output-size --target --size -p -I -D --cxxflags --estimate --example "
    "--max-parallelism --schedule --compile-timeout --run-timeout --workspace --json --debug",
    "export": "-o --output --format --function-name --cmake --target --size -p -I -D --cxxflags --estimate --example "
    "--max-parallelism --schedule --compile-timeout --run-timeout --heap-limit --objective --cache --workspace "
    "--json --debug",
    "explain": "--target --size -p -I -D --cxxflags --estimate --example -i --input --schedule --against --try "
    "--max-parallelism --rounds --tolerance --integer-tolerance --compile-timeout --run-timeout --heap-limit "
    "--objective --cache --workspace --json --debug",
    "report": "-o --output --open --target --size -p -I -D --cxxflags --estimate --example -i --input --against "
    "--max-parallelism --rounds --tolerance --integer-tolerance --compile-timeout --run-timeout --heap-limit "
    "--objective --cache --workspace --json --debug",
    "bundle make": "--target --size -p -I -D --cxxflags --estimate --example -i --input --device --beam-size "
    "--num-passes --max-parallelism --weights --seed --tolerance --integer-tolerance --search-timeout "
    "--compile-timeout --run-timeout -n --candidates -o --output --workspace --json --debug",
    "bundle read": "--bundle --workspace --json --debug",
    "bundle best": "--workspace --json --debug",
    "reproduce": "--pipeline --machine -i --input --seed -o --output --workspace --json --debug",
    "reduce": "--pipeline --machine --minutes -i --input --seed -o --output --tolerance --integer-tolerance "
    "--compile-timeout --run-timeout --heap-limit --objective --cache --workspace --json --debug",
    "doctor": "--json",
    "samples stats": "--workspace --json --debug",
    "samples best": "--machine --count --workspace --json --debug",
    "samples failures": "--machine --workspace --json --debug",
    "samples delete": "--machine --workspace --json --debug",
    "samples featurize": "--machine --workspace --json --debug",
    "samples export": "-o --output --machine --workspace --json --debug",
    "samples import": "--target --max-parallelism --workspace --json --debug",
    "cluster status": "--cluster --json --debug",
    "programs show": "--stages -o --picture --json --debug",
}
DEFAULTS = {
    "schedule": ["32", "5; 1 when the beam is 1", "100", "16M", "40.0", "60.0", "20.0", "100.0", "256M", "packets"],
    "tune": [
        "5, unless limited else",
        "cores; 1 for hexagon",
        "pre-training's, or hltune's",
        "20.0",
        "100.0",
        "1M:8:128",
        ".hltune",
    ],
    "pretrain": ["100", "16", "8", "1", "10.0", "20.0", "until all are done"],
    "compare": ["9", "60.0"],
    "export": ["json,python,cpp,object; offload as well for hexagon", "the pipeline's name"],
    "bundle make": ["64", "the only one", "20.0"],
    "samples best": ["10", "the only one"],
    "reproduce": ["the only one", "that of its tuning, or 0"],
    "reduce": ["the only one", "5.0", "that of its tuning, or 0"],
}


def help_of(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "200")
    assert run_command_line([*name.split(), "--help"]) == 0
    return capsys.readouterr().out


HELP = [("--help",), ("samples", "--help"), ("--version",), *((*name.split(), "--help") for name in COMMANDS)]
EACH_IN_A_FORK = f"""
import io, json, os, sys
from hltune.cli.main import run_command_line

for arguments in {HELP}:
    if os.fork() == 0:
        sys.stdout = io.StringIO()
        code = run_command_line(arguments)
        print(json.dumps([code, *sys.modules]), file=sys.__stdout__, flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def imported() -> dict[tuple[str, ...], tuple[int, set[str]]]:
    """Exit codes, and all modules that are there afterwards, by arguments."""
    command = [sys.executable, "-c", EACH_IN_A_FORK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {arguments: (code, {*modules}) for arguments, (code, *modules) in zip(HELP, found, strict=True)}


@pytest.mark.parametrize("arguments", HELP)
def test_help_imports_nothing_heavy(
    arguments: tuple[str, ...], imported: dict[tuple[str, ...], tuple[int, set[str]]]
) -> None:
    heavy = HEAVY if " ".join(arguments[:-1]) in COMMANDS else (*HEAVY, *FOR_ONE_COMMAND)
    code, modules = imported[arguments]
    assert code == 0 and not modules & {*heavy}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_is_in_a_panel(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = help_of(name, capsys, monkeypatch)
    assert text.startswith(f"Usage: hltune {name} ")
    assert COMMANDS[name].summary in text
    assert set(re.findall(r"^╭─ (.*?) ─*╮$", text, re.MULTILINE)) == PANELS[name]
    lines = re.findall(r"^│ [* ] *(-.*?)  +(\S.*?) *│$|^│ (-.*?)  +(\S.*?) *│$", text, re.MULTILINE)
    shown = re.findall(r"(?:^|\s)(--?[a-zA-Z][a-z-]*)", " ".join(line[0] or line[2] for line in lines))
    assert sorted(shown) == sorted([*FLAGS[name].split(), "-h", "--help"])
    assert all((line[1] or line[3])[0] != "[" for line in lines), "a flag has no help but its default"


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_are_shown(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = help_of(name, capsys, monkeypatch)
    for default in DEFAULTS[name]:
        assert f"[default: {default}]" in text


def test_brackets_of_values_are_no_markup(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(each in help_of("run", capsys, monkeypatch) for each in ("[NAME=]IMAGE", "[NAME=]FILE", "NAME[=VALUE]"))


@pytest.mark.parametrize("name", COMMANDS)
def test_panels_of_a_command_share_no_field(name: str) -> None:
    hints = get_type_hints(COMMANDS[name].load())
    panels = [panel for key, panel in hints.items() if key != "return" and is_dataclass(panel)]
    names = [each.name for panel in panels for each in fields(panel)]
    assert len(names) == len(set(names)) > 0


def test_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    for group in GROUPS:
        assert run_command_line([group, "--help"] if group else ["--help"]) == 0
        asked = capsys.readouterr().out
        assert GROUPS[group] in asked
        assert run_command_line([group] if group else []) == 2
        assert capsys.readouterr().out == asked
    assert run_command_line(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name.partition(' ')[0]} " in text for name in COMMANDS)
