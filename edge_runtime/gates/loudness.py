"""How loud a stream is, and the noise that it is loud against."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

FLOOR_DBFS = -120.0
LEVEL_SECONDS = 0.5
PARTS_PER_BLOCK = 4  # so short that gaps within speech show the noise

# The noise is the quietest part of the last seconds [1]_: it follows a fall at once, a rise after
# as long, and speech has a gap in every such stretch.
MEMORY_SECONDS = 8.0
GROUPS = 8  # the memory is forgotten an eighth at a time
ABOVE_NOISE = 10.0**0.6  # in power: 6 dB
QUIET_POWER = 10.0**-6.5  # -65 dB; what is below is never judged


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
        self._powers: deque[float] = deque(maxlen=self._n_levels)
        self._quietest: deque[float] = deque(maxlen=GROUPS)
        self._blocks_in_group = 0

    def push(self, blocks: NDArray[np.float32]) -> list[bool]:
        """Measure blocks, (n_blocks, block_length), at least one.

        Returns
        -------
        list of bool
            For each block, whether some part of it stands out from the noise.
        """
        parts = blocks.reshape(len(blocks), PARTS_PER_BLOCK, -1)
        # Twice the mean square: a sine of amplitude one is 0 dB.
        powers = 2.0 * np.einsum("bps,bps->bp", parts, parts) / parts.shape[2]
        heard = [self._stands_out(of_block) for of_block in powers.tolist()]
        self.level_dbfs = _dbfs(sum(self._powers) / len(self._powers))
        self.noise_dbfs = _dbfs(min(self._quietest))
        return heard

    def _stands_out(self, powers: list[float]) -> bool:
        """Take note of a block, given the power of each of its parts."""
        self._powers.append(sum(powers) / len(powers))
        quietest = min(powers)
        if self._blocks_in_group == 0:
            self._quietest.append(quietest)
        elif quietest < self._quietest[-1]:
            self._quietest[-1] = quietest
        self._blocks_in_group = (self._blocks_in_group + 1) % self._group_blocks
        return max(powers) > max(QUIET_POWER, ABOVE_NOISE * min(self._quietest))


def _dbfs(power: float) -> float:
    return max(FLOOR_DBFS, 10.0 * math.log10(power)) if power > 0.0 else FLOOR_DBFS
