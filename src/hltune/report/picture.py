"""Pictures that come out the same every time."""

import contextlib
import io
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from hltune.runtime.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@contextlib.contextmanager
def drawn(*paths: Path, size: tuple[float, float]) -> Generator["Axes"]:
    """Axes to draw on, so many inches large; then written to files, in the forms that their names end in."""
    # Slow to import, and nobody else needs it.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Names are no formulas: two $ in one would make it mathematics.
    with mpl.rc_context({"svg.hashsalt": "hltune", "font.size": 9, "text.parse_math": False}):
        figure = Figure(figsize=size, layout="constrained")
        yield figure.subplots()
        for path in paths:
            picture = io.BytesIO()
            figure.savefig(picture, format=path.suffix[1:], dpi=150)
            write_bytes(path, picture.getvalue())
