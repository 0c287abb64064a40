"""The type of images in the NumPy references: arrays of shape (height, width)."""

from __future__ import annotations

from typing import Any

import numpy as np

Image = np.ndarray[tuple[int, ...], np.dtype[Any]]
