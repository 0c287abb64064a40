"""Is an output the right one, and what is it checked against?

Each output has its `Tolerance`, which lies beside the expected outputs in their directory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from pathlib import Path

import numpy as np

from hltune.machine.distances import far_ones
from hltune.machine.options import MeasureOptions
from hltune.machine.tolerance import FLOAT_TOLERANCE, Tolerance, amount, exact, limited
from hltune.pipeline.images import Array
from hltune.pipeline.layout import blank
from hltune.runtime.worker import Process
from hltune.values.documents import convert
from hltune.values.errors import UNWRITTEN, Failure

_RUN_RATIO, COMPILE_RATIO = 10.0, 5.0
_LEAST_RUN_S, _LEAST_COMPILE_S = 2.0, 10.0
"""What runs or compiles so many times longer than another one, and longer than this, is stopped."""
_SLOWER_RATIO, _SLOWER_S = 2.0, 5.0
"""So is what runs so many times longer and so many seconds more, for it would be run several times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What outputs are checked against, and how exactly.

    Attributes:
        reference: the schedule that computed what is expected, by name.
        confirmed_by: what computed the same: another schedule, or NumPy; None if nothing did.
        outputs: one per expected output.
        notes: what people should know before they trust it.
        compile_s: how long compiling the reference took.
        run_s: how long the first run of the fastest schedule took that may compute what is expected.
    """

    reference: str
    confirmed_by: str | None
    outputs: tuple[Tolerance, ...]
    notes: tuple[str, ...] = ()
    compile_s: float = math.inf
    run_s: float = math.inf

    def limited(self, options: MeasureOptions) -> MeasureOptions:
        """The options for a schedule that is hardly a good one: it may take some times as long as others."""
        return limited_by(options, self.compile_s, self.run_s, COMPILE_RATIO)


def limited_by(options: MeasureOptions, compile_s: float, run_s: float, compile_ratio: float) -> MeasureOptions:
    """The options for what may take some times as long as this to compile and to run."""
    longest_s = min(_RUN_RATIO * run_s, _SLOWER_RATIO * run_s + _SLOWER_S)
    return replace(
        options,
        run_timeout_s=min(options.run_timeout_s, max(_LEAST_RUN_S, longest_s)),
        compile_timeout_s=min(options.compile_timeout_s, max(_LEAST_COMPILE_S, compile_ratio * compile_s)),
    )


def verify(process: Process, found: Sequence[Array], reference: Path | None, options: MeasureOptions) -> Failure | None:
    """Compares outputs with the expected ones in a directory, if there is one; in a worker."""
    if reference is None:
        return None
    process.enter("verify", timeout_s=options.verify_timeout_s)
    expected = [np.load(output_path(reference, number)) for number in range(len(found))]
    tolerances = read_tolerances(reference)
    text = unwritten(found, expected, tolerances) or differences(found, expected, tolerances)
    return Failure(stage="verify", kind="wrong output", message=text) if text else None


def output_path(directory: Path, number: int) -> Path:
    """The file of an expected output."""
    return directory / f"output{number}.npy"


def read_tolerances(directory: Path) -> tuple[Tolerance, ...]:
    """The tolerances of all expected outputs."""
    return tuple(convert(each, Tolerance) for each in json.loads(_tolerance_path(directory).read_bytes()))


def write_tolerances(directory: Path, tolerances: Sequence[Tolerance]) -> None:
    """What `read_tolerances` reads."""
    _tolerance_path(directory).write_text(json.dumps([asdict(each) for each in tolerances]))


def _tolerance_path(directory: Path) -> Path:
    return directory / "tolerances.json"


def differences(found: Sequence[Array], expected: Sequence[Array], tolerances: Sequence[Tolerance]) -> str | None:
    """Says how the first wrong one of a pipeline's outputs differs from the expected one, or None."""
    texts = (difference(*each) for each in zip(found, expected, tolerances, strict=True))
    return next((text for text in texts if text), None)


def difference(found: Array, expected: Array, tolerance: Tolerance) -> str | None:
    """Says how an output differs from the expected one, or None when it does not.

    Both have the same shape and element type. NaN and infinities have to be at the same places.
    """
    level = tolerance.broken(found, expected)
    if level is None:
        return None
    count, position = 0, ()
    for places, _ in far_ones(found, expected, tolerance.near_zero, level):
        position = position if count else tuple(map(int, places[0]))
        count += len(places)
    place, allowed = _place(position, tolerance), tolerance.allowed[tolerance.levels.index(level)][0]
    what = "differ" if level == 0 else f"are off by more than {amount(level, expected)}"
    limit = "" if not allowed else f" and {allowed} may" if count > allowed else " and too many of them in one row"
    text = (
        f"wrong output {tolerance.output}: {count} of {found.size} values {what}{limit}, the first at ({place}): "
        f"expected {expected[position]}, found {found[position]}"
    )
    return f"{text}; {tolerance.advice}" if tolerance.advice else text


def _place(position: Sequence[int], tolerance: Tolerance) -> str:
    """An element of an array by the coordinates of the output; NumPy's last axis is Halide's first dimension."""
    pairs = zip_longest(reversed(position), tolerance.origin, fillvalue=0)
    return ", ".join(str(index + start) for index, start in pairs)


def unwritten(found: Sequence[Array], expected: Sequence[Array], tolerances: Sequence[Tolerance]) -> str | None:
    """Says of the first output with floats that nobody has written how many these are, or None.

    They are no numbers, as what is expected there may be, too.
    """
    for ours, wanted, tolerance in zip(found, expected, tolerances, strict=True):
        left = blank(ours)
        if left.any() and (left := left & ~blank(wanted)).any():
            first = _place(tuple(map(int, np.argwhere(left)[0])), tolerance)
            count = f"{np.count_nonzero(left)} of {ours.size}"
            return f"wrong output {tolerance.output}: {count} {UNWRITTEN}, the first at ({first})"
    return None


def usual(output: str, expected: Array, tolerance: float | None = None) -> Tolerance:
    """What outputs may differ by that nothing was measured of: integers are exact, floats have the least tolerance."""
    if expected.dtype.kind != "f":
        return exact(output, expected)
    most = FLOAT_TOLERANCE[expected.dtype.itemsize] if tolerance is None else tolerance
    return limited(output, expected, most, text=f"a relative {most:.1g}", reason="floats take part")
