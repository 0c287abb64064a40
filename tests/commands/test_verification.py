"""What people are told where outputs are hard to verify."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from hltune.commands.verification import verified_against
from hltune.machine.reference_job import Verification
from hltune.machine.tolerance import exact, measured


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
    assert verified_against(session, "camera", notes) == found
    grew, chaotic = notes
    assert grew == "camera: the inputs grew"
    assert chaotic.startswith("camera: output toned is chaotic: floats take part")
    for way in ("-i", "strict_float", "--tolerance", "--integer-tolerance"):
        assert way in chaotic
