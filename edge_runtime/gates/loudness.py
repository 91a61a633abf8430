"""How loud a stream is, and the noise that it is loud against."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FLOOR_DBFS = -120.0
LEVEL_SECONDS = 0.5
PARTS_PER_BLOCK = 4  # so short that gaps within speech show the noise

# The noise is the quietest part of the last seconds [1]_: it follows a fall at once, a rise after
# as long, and speech has a gap in every such stretch.
MEMORY_SECONDS = 8.0
GROUPS = 8  # the memory is forgotten an eighth at a time
ABOVE_NOISE_DB = 6.0
QUIET_DBFS = -65.0  # what is below is never judged


class Loudness:
    """Measures blocks of a stream: the level, the noise, and whether a block stands out from it.

    Parameters
    ----------
    block_length : int
        Samples in a block, a multiple of 4.
    sample_rate : int
        Samples per second.

    Attributes
    ----------
    level_dbfs : float
        Level of about the newest half second relative to a full-scale sine, at least -120.
    noise_dbfs : float
        Level of the quietest 32 ms or so in the last 8 s, at least -120.

    References
    ----------
    .. [1] R. Martin, "Noise power spectral density estimation based on optimal smoothing and
       minimum statistics", IEEE Trans. Speech and Audio Processing 9(5), 2001; here of the level
       alone.
    """

    def __init__(self, block_length: int, sample_rate: int) -> None:
        blocks_per_second = sample_rate / block_length
        self._n_levels = max(1, round(LEVEL_SECONDS * blocks_per_second))
        self._group_blocks = max(1, round(MEMORY_SECONDS / GROUPS * blocks_per_second))
        self.reset()

    def reset(self) -> None:
        """Forget all blocks."""
        self.level_dbfs = self.noise_dbfs = FLOOR_DBFS
        self._powers: list[float] = []
        self._quietest: list[float] = []
        self._blocks_in_group = 0

    def push(self, block: NDArray[np.float32]) -> bool:
        """Measure a block, (block_length,).

        Returns
        -------
        bool
            Whether some part of it stands out from the noise.
        """
        parts = block.reshape(PARTS_PER_BLOCK, -1)
        # Twice the mean square: a sine of amplitude one is 0 dB.
        powers = (2.0 * np.einsum("ps,ps->p", parts, parts) / parts.shape[1]).tolist()
        self._powers = [*self._powers[1 - self._n_levels :], sum(powers) / len(powers)]
        self.level_dbfs = _dbfs(sum(self._powers) / len(self._powers))
        self._note_quietest(min(powers))
        self.noise_dbfs = _dbfs(min(self._quietest))
        return _dbfs(max(powers)) > max(QUIET_DBFS, self.noise_dbfs + ABOVE_NOISE_DB)

    def _note_quietest(self, power: float) -> None:
        if self._blocks_in_group == 0:
            self._quietest = [*self._quietest[1 - GROUPS :], power]
        self._quietest[-1] = min(self._quietest[-1], power)
        self._blocks_in_group = (self._blocks_in_group + 1) % self._group_blocks


def _dbfs(power: float) -> float:
    return max(FLOOR_DBFS, 10.0 * math.log10(power)) if power > 0.0 else FLOOR_DBFS
