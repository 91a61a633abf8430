"""Sample rate conversion of a stream."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError

QUALITY = "HQ"  # soxr's 20 bit recipe: flat to 0.91 of the new band


class Resampler:
    """Converts a stream of mono samples from one rate to another, chunk by chunk.

    The output is aligned with the input (no added delay in the samples' positions); what the
    filter still holds back comes with `finish`. Equal rates pass through unchanged.

    Parameters
    ----------
    source_rate, target_rate : int
        Samples per second, ``source_rate >= target_rate``.
    name : str
        What is being read, for messages.

    Raises
    ------
    SerEdgeError
        When the source rate is the lower one, or the soxr package is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> resampler = Resampler(16000, 16000, "speech.wav")
    >>> resampler.push(np.ones(3, dtype=np.float32)).tolist(), len(resampler.finish())
    ([1.0, 1.0, 1.0], 0)
    """

    def __init__(self, source_rate: int, target_rate: int, name: str) -> None:
        if source_rate < target_rate:
            raise SerEdgeError(
                f"{name}: is sampled at {source_rate} Hz but the model needs {target_rate} Hz; "
                f"the band above {source_rate / 2:g} Hz is missing and resampling cannot restore "
                f"it: record at {target_rate} Hz or more"
            )
        self._stream = None
        if source_rate != target_rate:
            self._stream = _open_soxr(source_rate, target_rate, name)

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next samples and give those of the new rate that are ready.

        Parameters
        ----------
        samples : ndarray of float32, shape (n_samples,)
            Mono samples at the source rate.

        Returns
        -------
        ndarray of float32, shape (m_samples,)
            Mono samples at the target rate, m_samples >= 0.
        """
        return samples if self._stream is None else self._convert(samples, last=False)

    def finish(self) -> NDArray[np.float32]:
        """End the stream and give the samples that were still held back.

        Returns
        -------
        ndarray of float32, shape (m_samples,)
            Mono samples at the target rate, m_samples >= 0.
        """
        rest = np.empty(0, dtype=np.float32)
        return rest if self._stream is None else self._convert(rest, last=True)

    def _convert(self, samples: NDArray[np.float32], last: bool) -> NDArray[np.float32]:
        assert self._stream is not None
        return np.asarray(self._stream.resample_chunk(samples, last=last), dtype=np.float32)


def _open_soxr(source_rate: int, target_rate: int, name: str) -> Any:
    try:
        import soxr
    except ImportError as error:
        raise SerEdgeError(
            f"{name}: is sampled at {source_rate} Hz; converting it to {target_rate} Hz needs the "
            "soxr package: pip install 'ser-edge[audio]'"
        ) from error
    return soxr.ResampleStream(source_rate, target_rate, 1, dtype="float32", quality=QUALITY)
