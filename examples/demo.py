"""The demo: cleans a noisy photograph with a median filter that hltune schedules.

Usage: python examples/demo.py OUTPUT_DIRECTORY
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import skimage.color
import skimage.data
import skimage.transform
import skimage.util


def main() -> None:
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    noisy, filtered, workspace = directory / "noisy.png", directory / "filtered.png", directory / "workspace"
    write_noisy_photo(noisy)
    here = ["--example", str(noisy), "--workspace", str(workspace)]
    hltune("schedule", "median3x3", "-i", str(noisy), "-o", str(directory), *here)
    hltune("compare", "median3x3", "-i", str(noisy), *here)
    hltune("run", "median3x3", "-i", str(noisy), "-o", str(filtered), *here)
    print(f"\nLook at {noisy} and {filtered}. The schedule that was found:")
    for path in sorted(directory.glob("*schedule*")):
        print(f"  {path}")


def write_noisy_photo(path: Path) -> None:
    """A portrait in the public domain, enlarged so that there is something to time, with one pixel in ten broken."""
    grey = skimage.color.rgb2gray(skimage.data.astronaut())
    large = skimage.transform.resize(grey, (2048, 2048), order=3)
    noisy = skimage.util.random_noise(np.clip(large, 0, 1), mode="s&p", amount=0.1, rng=1)
    iio.imwrite(path, skimage.util.img_as_ubyte(noisy))


def hltune(*arguments: str) -> None:
    command = ["hltune", *arguments]
    print(f"\n$ {shlex.join(command)}", flush=True)
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
