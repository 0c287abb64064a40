"""What a model sees of a lowered program; what the columns mean is said in `hltune.lowered.features`.

| symbol | what                                     |
|--------|------------------------------------------|
| K      | bodies: stores to one buffer, same loops   |
| F      | features of a body                       |
| G      | features of the whole program            |
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hltune.values.errors import InputError

_FLOAT = np.dtype("<f4")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProgramFeatures:
    """Features of a lowered program: counts and sizes, up to 1e14 and more.

    Attributes:
        bodies: [K, F].
        whole: [G].
        program_hash: the same for schedules that come to the same program.
    """

    bodies: NDArray[np.float64]
    whole: NDArray[np.float64]
    program_hash: str

    def encode(self) -> bytes:
        """Both arrays as compressed float32, little-endian."""
        return zlib.compress(np.concatenate([self.whole, self.bodies.ravel()]).astype(_FLOAT).tobytes())

    @classmethod
    def decode(cls, data: bytes, *, program_hash: str, columns: int, whole: int) -> Self:
        """The inverse of `encode`, for F and G.

        Raises:
            InputError: the data is damaged, or has another size.
        """
        try:
            numbers = np.frombuffer(zlib.decompress(data), _FLOAT).astype(np.float64)
        except (zlib.error, ValueError) as error:
            raise InputError(
                "features of a program are damaged", expected="compressed float32", found=str(error)
            ) from None
        rows, rest = divmod(len(numbers) - whole, columns)
        if rows < 0 or rest:
            raise InputError(
                "features of a program are damaged",
                expected=f"{whole} numbers and a multiple of {columns}",
                found=f"{len(numbers)} numbers",
            )
        return cls(bodies=numbers[whole:].reshape(rows, columns), whole=numbers[:whole], program_hash=program_hash)
