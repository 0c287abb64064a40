"""The type of images in the NumPy references: arrays of shape (height, width)."""

from typing import Any

import numpy as np

Image = np.ndarray[tuple[int, ...], np.dtype[Any]]
