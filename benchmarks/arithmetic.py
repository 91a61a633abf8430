"""Counts the arithmetic of the features from their definition alone.

What is needed is told apart from what is done, where dense products multiply zeros. An addition
or a multiplication is one operation, so a multiply-accumulate is two. Logarithms and square roots
are counted each as one and told apart, since what one costs differs from machine to machine.
Comparisons, conversions between types and the movement of data count nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.features import BANDS_PER_BLOCK, MEL_KINDS, SPECTRUM_KINDS, FeatureConfig

# The kinds of features whose arithmetic is counted here.
COUNTED_KINDS = MEL_KINDS | {"rms", "zcr"}


@dataclass(frozen=True)
class Arithmetic:
    """Operations by part of a computation.

    Attributes
    ----------
    needed : dict of str to int
        Additions and multiplications that the definition asks for.
    done : dict of str to int
        Those that are really done: as many, but for products with zeros.
    functions : dict of str to int
        Logarithms and square roots.
    uncounted : tuple of str
        Parts that this module has no count of.
    """

    needed: dict[str, int]
    done: dict[str, int]
    functions: dict[str, int]
    uncounted: tuple[str, ...] = ()

    @property
    def macs(self) -> int:
        """What is needed, as multiply-accumulates of two operations."""
        return sum(self.needed.values()) // 2

    def times(self, number: int) -> Arithmetic:
        """The same computation that often."""
        needed, done, functions = (
            {part: count * number for part, count in counts.items()}
            for counts in (self.needed, self.done, self.functions)
        )
        return Arithmetic(needed, done, functions, self.uncounted)


def real_fft(size: int) -> int:
    """Operations of a Fourier transform of real numbers: ``2.5 n log2 n``.

    Parameters
    ----------
    size : int
        Number of real samples, n >= 2.

    Returns
    -------
    int
        By convention; the count of a good algorithm at a power of two is a little lower.

    References
    ----------
    .. [1] M. Frigo, S. G. Johnson, "The design and implementation of FFTW3", Proc. IEEE 93(2),
       2005, section V: ``5 n log2 n`` for complex transforms, half of that for real ones.

    Examples
    --------
    >>> real_fft(512)
    11520
    """
    return round(2.5 * size * math.log2(size))


def dense_blocks(filter_bank: NDArray[np.float32], bands_per_block: int) -> int:
    """Weights of a filter bank, zeros included, that is multiplied in blocks of bands.

    Parameters
    ----------
    filter_bank : ndarray of float32, shape (n_bands, n_bins)
        The filters; none is empty.
    bands_per_block : int
        Each block spans the bins from the first to the last that one of its bands uses.

    Returns
    -------
    int
        The weights of all blocks.
    """
    weights = 0
    for first in range(0, len(filter_bank), bands_per_block):
        bands = filter_bank[first : first + bands_per_block]
        used = np.flatnonzero(bands.any(axis=0))
        weights += len(bands) * int(used[-1] - used[0] + 1)
    return weights


def of_frame(config: FeatureConfig) -> Arithmetic:
    """Count what one new frame of features takes.

    Parameters
    ----------
    config : FeatureConfig
        The feature definition.

    Returns
    -------
    Arithmetic
        With L samples in a frame, a hop of H, an FFT of N samples and B = N / 2 + 1 bins, M mel
        bands and K cepstral coefficients:

        - pre-emphasis: 2 H;
        - window: L, of a rectangular one none;
        - FFT: see `real_fft`, at N;
        - power: 3 B, one more for each bin where it is over N;
        - mel bands: 2 for each weight above zero; done: 2 for each of the blocks';
        - level: M - 1 additions; done: 2 M, as a product;
        - logarithm: M + 1, and for decibels as many multiplications;
        - DCT: 2 M K.

        Of the magnitude B square roots, of "rms" 2 L operations and one root, of "zcr" L.
    """
    needed: dict[str, int] = {}
    done: dict[str, int] = {}
    functions: Counter[str] = Counter()
    if config.pre_emphasis:
        needed["pre-emphasis"] = done["pre-emphasis"] = 2 * config.hop_length
    kinds = set(config.kinds)
    if SPECTRUM_KINDS & kinds:
        n_bins = config.fft_size // 2 + 1
        needed["window"] = 0 if config.window == "rectangular" else config.frame_length
        done["window"] = config.frame_length
        needed["FFT"] = done["FFT"] = real_fft(config.fft_size)
        scaling = n_bins if config.spectrum == "power_over_n" else 0
        needed["power"] = done["power"] = 3 * n_bins + scaling
    if MEL_KINDS & kinds:
        _count_mel(config, needed, done, functions)
    if "rms" in kinds:
        needed["rms"] = done["rms"] = 2 * config.frame_length
        functions["square roots"] += 1
    if "zcr" in kinds:
        needed["zcr"] = done["zcr"] = config.frame_length
    uncounted = tuple(kind for kind in config.kinds if kind not in COUNTED_KINDS)
    return Arithmetic(needed, done, dict(functions), uncounted)


def _count_mel(
    config: FeatureConfig, needed: dict[str, int], done: dict[str, int], functions: Counter[str]
) -> None:
    bank = config.filter_bank()
    n_mels = config.n_mels
    needed["mel bands"] = 2 * int(np.count_nonzero(bank))
    done["mel bands"] = 2 * dense_blocks(bank, BANDS_PER_BLOCK)
    needed["level"], done["level"] = n_mels - 1, 2 * n_mels
    n_logarithms = n_mels + 1
    if "mfcc" in config.kinds:
        needed["DCT"] = done["DCT"] = 2 * n_mels * config.n_mfcc
        if config.first_coefficient == "log_energy":
            needed["level"] += config.fft_size // 2
            done["level"] += config.fft_size // 2
            n_logarithms += 1
    if config.log == "db":
        needed["decibels"] = done["decibels"] = n_logarithms
    functions["logarithms"] = n_logarithms
    if config.spectrum == "magnitude":
        functions["square roots"] += config.fft_size // 2 + 1


def of_window(config: FeatureConfig, window_frames: int) -> Arithmetic:
    """Count what one window of frames takes before the model reads it.

    Parameters
    ----------
    config : FeatureConfig
        The feature definition.
    window_frames : int
        Number of frames, T.

    Returns
    -------
    Arithmetic
        With D values in a frame: one operation for each value that the level is subtracted from;
        mean subtraction 2 T D; deltas over r frames on either side ``(3 r + 1) T D`` for each
        order; the mean over time T D; standardisation 2 for each value that the model reads.
    """
    values = window_frames * config.frame_dim
    counts: dict[str, int] = {}
    if config.level == "peak":
        carriers = config.n_mels if "log_mel" in config.kinds else 0
        carriers += "mfcc" in config.kinds and config.first_coefficient != "none"
        counts["level"] = window_frames * carriers
    if config.mean_subtraction:
        counts["mean"] = 2 * values
    if config.delta_order:
        counts["deltas"] = config.delta_order * (3 * config.delta_reach + 1) * values
    n_read = window_frames * config.feature_dim
    if config.pool == "mean":
        counts["pool"] = n_read
        n_read = config.feature_dim
    counts["standardisation"] = 2 * n_read
    return Arithmetic(counts, dict(counts), {})
