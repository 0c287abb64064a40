"""What people are told where outputs are hard to verify."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from hltune.commands.verification import further_schedules, verified_against
from hltune.machine.inputs import real_data
from hltune.machine.tolerance import exact, measured
from hltune.machine.verify import Verification
from hltune.values.directives import ComputeRoot, Schedule
from hltune.values.pipeline import BufferArgument, PipelineSpec, ScalarArgument
from hltune.values.roles import Stage

IMAGE = BufferArgument(name="raw", dtype="uint8", estimate=((0, 96), (0, 64)))
GAIN = ScalarArgument(name="gain", dtype="float32", estimate=1.0)


class Notes(list[str]):
    """Somebody who listens."""

    def phase(self, text: str) -> None: ...

    def note(self, text: str) -> None:
        self.append(text)


def test_a_chaotic_output_names_the_ways_out() -> None:
    expected, other = np.random.default_rng(0).integers(0, 256, (2, 64, 96), dtype=np.uint8)
    wild, plain = measured("toned", expected, [("again", other)]), exact("raw", expected)
    assert wild.chaotic and not plain.chaotic
    found = Verification(reference="a", confirmed_by="b", outputs=(wild, plain), notes=("the inputs grew",))
    session: Any = SimpleNamespace(verification=found)
    notes = Notes()
    spec = PipelineSpec(name="camera", hlpipe=b"", inputs=(IMAGE, GAIN), outputs=(), funcs=())
    assert verified_against(session, spec, notes) == found
    grew, chaotic = notes
    assert grew == "camera: the inputs grew"
    assert chaotic.startswith("camera: output toned is chaotic: floats take part")
    for way in ("real data with -i raw=FILE,", "strict_float", "--tolerance", "--integer-tolerance"):
        assert way in chaotic


def test_what_was_written_by_hand_is_not_searched() -> None:
    written = {"expert": Schedule((ComputeRoot(Stage("a")),))}
    subject: Any = SimpleNamespace(spec=None, target=SimpleNamespace(name="host"), hand_written=written)
    assert further_schedules(subject, 2)() == written


def test_real_data_is_asked_for_by_the_names_of_the_inputs() -> None:
    def asked(*inputs: BufferArgument | ScalarArgument) -> str:
        return real_data(PipelineSpec(name="p", hlpipe=b"", inputs=inputs, outputs=(), funcs=()))

    assert asked(IMAGE, GAIN, replace(IMAGE, name="mask")) == "real data with -i raw=FILE -i mask=FILE"
    assert asked(GAIN) == "real data with -i gain=VALUE"
