"""Tuned built-in benchmarks against OpenCV with as many threads: ``python -m benchmarks.opencv WORKSPACE [MINUTES]``.

Takes the tuned schedules from the workspace, tuning first where there are none. Times turn and turn about; outputs are
compared, too. conv3x3a16 and conv3x3a32 are the same filter with different accumulators; OpenCV has one filter2D.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import cv2  # pyright: ignore[reportMissingImports]  # of the extra `bench`
import halide as hl
import numpy as np

from benchmarks.tool import CORES, host_subject, minutes, this_machine, tune
from hltune.machine.host.jobs import time_calls
from hltune.machine.options import MeasureOptions
from hltune.pipeline.build import build
from hltune.schedule.apply import apply_schedule
from hltune.suite.catalog import FILTERS
from hltune.workspace.record import TUNED
from hltune.workspace.records import Workspace
from hltune.workspace.subject import Subject

TURNS = 15
TURN_S = 0.1
SAMPLE_S = 0.002
BORDER = cv2.BORDER_REPLICATE
MASK = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=np.int8)


def filter2d(image: np.ndarray, out: np.ndarray) -> object:
    return cv2.filter2D(image, cv2.CV_8U, MASK.astype(np.float32) / 16, out, borderType=BORDER)


def sobel(image: np.ndarray, out: np.ndarray) -> object:
    gx = cv2.Sobel(image, cv2.CV_16S, 1, 0, borderType=BORDER)
    gy = cv2.Sobel(image, cv2.CV_16S, 0, 1, borderType=BORDER)
    return cv2.add(cv2.convertScaleAbs(gx), cv2.convertScaleAbs(gy), out)


THEIRS: dict[str, Callable[[np.ndarray, np.ndarray], object]] = {
    "median3x3": lambda image, out: cv2.medianBlur(image, 3, out),
    "dilate3x3": lambda image, out: cv2.dilate(image, np.ones((3, 3), np.uint8), out, borderType=BORDER),
    "gaussian5x5": lambda image, out: cv2.GaussianBlur(image, (5, 5), 0, out, borderType=BORDER),
    "conv3x3a16": filter2d,
    "conv3x3a32": filter2d,
    "sobel": sobel,
}


def main() -> None:
    workspace = Workspace(Path(sys.argv[1]))
    os.environ.update(MeasureOptions(threads=CORES).environment)
    cv2.setNumThreads(CORES)
    print(f"{CORES} threads; OpenCV {cv2.__version__}")
    print(f"{'':12}{'tuned/ms':>10}{'OpenCV/ms':>11}{'ratio':>7}  largest difference of the outputs")
    ratios = [compare(benchmark.name, workspace) for benchmark in FILTERS]
    print(f"OpenCV takes, geometric mean: {statistics.geometric_mean(ratios):.2f} times as long")


def compare(name: str, workspace: Workspace) -> float:
    subject = host_subject(name, workspace)
    records = workspace.records(subject.spec, this_machine(subject))
    if not any(record.name == TUNED for record in records):
        tune(name, workspace, minutes(2))
    height, width = (extent for _, extent in reversed(subject.spec.outputs[0].estimate))
    image = np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)
    ours, theirs = np.empty_like(image), np.empty_like(image)
    calls = {"tuned": compiled(subject, workspace, image, ours), "OpenCV": lambda: THEIRS[name](image, theirs)}
    times_s: dict[str, list[float]] = {key: [] for key in calls}
    for turn in range(TURNS):
        for key in sorted(calls, reverse=turn % 2 == 1):
            times_s[key].append(min(time_calls(calls[key], turn_s=TURN_S, sample_s=SAMPLE_S)))
    ratio = statistics.median(b / a for a, b in zip(times_s["tuned"], times_s["OpenCV"], strict=True))
    difference = int(np.abs(ours.astype(int) - theirs).max())
    milliseconds = (min(values) * 1e3 for values in times_s.values())
    print(f"{name:12}{next(milliseconds):10.3f}{next(milliseconds):11.3f}{ratio:7.2f}  {difference}", flush=True)
    return ratio


def compiled(subject: Subject, workspace: Workspace, image: np.ndarray, output: np.ndarray) -> Callable[[], object]:
    """The tuned schedule as a call, in this process."""
    built = build(subject.spec)
    apply_schedule(built, subject.spec, workspace.best(subject.spec, this_machine(subject)).schedule)
    function = built.pipeline.compile_to_callable(built.arguments, hl.Target(subject.target.name))
    arrays = {"input": image, "mask": MASK}
    buffers = [hl.Buffer(arrays[argument.name]) for argument in subject.spec.inputs] + [hl.Buffer(output)]
    return lambda: function(*buffers)


if __name__ == "__main__":
    main()
