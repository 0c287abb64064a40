"""What was run for the expected outputs, kept on disk.

Each run has a folder in the session's directory; so a job that died with one of them is followed by one that goes on
with the next.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hltune.machine.sensitivity import Variant
from hltune.machine.verify import output_path
from hltune.pipeline.images import Array
from hltune.values.errors import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A variant that was run, and its outputs."""

    variant: Variant
    outputs: tuple[Array, ...]
    compile_s: float
    run_s: float

    @property
    def seconds(self) -> float:
        """The whole of it."""
        return self.compile_s + self.run_s


@dataclass(frozen=True)
class Folders:
    """What was run, by name, on disk."""

    directory: Path

    def begin(self, name: str) -> None:
        """Notes what is run now, and makes its folder."""
        (self.directory / "running").write_text(name)
        (self.directory / name).mkdir(exist_ok=True)

    def running(self) -> str | None:
        """What was begun last, unless it came to an end."""
        path = self.directory / "running"
        name = path.read_text() if path.exists() else ""
        return name or None

    def end(self) -> None:
        """What was begun last came to an end."""
        (self.directory / "running").write_text("")

    def fail(self, name: str, failure: Failure) -> None:
        """Notes that it is of no use, in place of what it left."""
        self.remove([name])
        (self.directory / name).mkdir(exist_ok=True)
        fields = {"stage": failure.stage, "kind": failure.kind, "message": failure.message}
        (self.directory / name / "failed.json").write_text(json.dumps(fields))

    def failure(self, name: str) -> Failure | None:
        """Why it is of no use, if it is not."""
        path = self.directory / name / "failed.json"
        return Failure(**json.loads(path.read_text())) if path.exists() else None

    def save(self, ran: Ran) -> None:
        """Keeps outputs and times."""
        folder = self.directory / ran.variant.name
        for number, output in enumerate(ran.outputs):
            np.save(output_path(folder, number), output)
        (folder / "seconds.json").write_text(json.dumps([ran.compile_s, ran.run_s]))

    def load(self, variant: Variant, outputs: int) -> Ran | None:
        """What was kept of a variant, if it was run; outputs are read from the disk as they are looked at."""
        folder = self.directory / variant.name
        if not (folder / "seconds.json").exists():
            return None
        compile_s, run_s = json.loads((folder / "seconds.json").read_text())
        # So many variants of a large output are more than the memory of a small computer.
        arrays = (np.load(output_path(folder, number), mmap_mode="r") for number in range(outputs))
        return Ran(variant=variant, outputs=tuple(map(np.asarray, arrays)), compile_s=compile_s, run_s=run_s)

    def believe(self, ran: Ran) -> None:
        """What this run computed is expected: its outputs lie in the directory itself now, and take no room twice."""
        for number in range(len(ran.outputs)):
            output_path(self.directory / ran.variant.name, number).replace(output_path(self.directory, number))

    def remove(self, names: Sequence[str]) -> None:
        """Nobody will ask for them again."""
        for name in names:
            shutil.rmtree(self.directory / name, ignore_errors=True)
