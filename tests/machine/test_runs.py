"""What was run for the expected outputs is kept on disk, and takes no memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hltune.machine.runs import Folders, Ran
from hltune.machine.sensitivity import Variant
from hltune.values.directives import Schedule

VARIANT = Variant(name="as it is", target="host", schedule=Schedule())


@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (4, 3)])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "float32"])
def test_outputs_come_back_without_being_copied(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    folders = Folders(tmp_path)
    output = np.ones(shape, dtype)
    folders.begin(VARIANT.name)
    folders.save(Ran(variant=VARIANT, outputs=(output,), compile_s=1.0, run_s=2.0))
    ran = folders.load(VARIANT, 1)
    assert ran is not None and (ran.compile_s, ran.run_s) == (1.0, 2.0)
    (loaded,) = ran.outputs
    folders.remove([VARIANT.name])
    assert type(loaded) is np.ndarray and loaded.dtype == output.dtype and np.array_equal(loaded, output)
    assert loaded.shape == shape and not loaded.flags.writeable
