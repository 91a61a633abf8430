"""The mel filter bank and the DCT are those of the reference libraries."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.mel import dct_matrix, hz_to_mel, lifter_weights, mel_filter_bank, mel_to_hz

librosa = pytest.importorskip("librosa", reason="librosa is the reference")
psf = pytest.importorskip("python_speech_features", reason="it is the reference")
scipy_fft = pytest.importorskip("scipy.fft", reason="scipy is the reference")

SCALES = st.sampled_from(["slaney", "htk"])
FREQUENCIES = st.lists(st.floats(0.0, 96000.0), min_size=1, max_size=50).map(np.array)


@given(FREQUENCIES, SCALES)
def test_mel_scale_is_librosas_and_inverts(hz: np.ndarray, scale: str) -> None:
    mel = hz_to_mel(hz, scale)
    np.testing.assert_allclose(mel, librosa.hz_to_mel(hz, htk=scale == "htk"), rtol=1e-12)
    np.testing.assert_allclose(mel_to_hz(mel, scale), hz, rtol=1e-9, atol=1e-9)


@given(FREQUENCIES, SCALES)
def test_mel_scale_keeps_the_order_of_frequencies(hz: np.ndarray, scale: str) -> None:
    assert np.all(np.diff(hz_to_mel(np.sort(hz), scale)) >= 0.0)


@settings(max_examples=60)
@given(
    sample_rate=st.sampled_from([8000, 16000, 22050, 48000]),
    fft_size=st.sampled_from([256, 512, 1000, 2048]),
    n_mels=st.integers(1, 128),
    fmin=st.floats(0.0, 1000.0),
    span=st.floats(0.1, 1.0),
    scale=SCALES,
    norm=st.sampled_from(["slaney", "none"]),
)
def test_filter_bank_is_librosas(
    sample_rate: int,
    fft_size: int,
    n_mels: int,
    fmin: float,
    span: float,
    scale: str,
    norm: str,
) -> None:
    fmax = fmin + span * (sample_rate / 2 - fmin)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa's, about bands without a bin
        wanted = librosa.filters.mel(
            sr=sample_rate,
            n_fft=fft_size,
            n_mels=n_mels,
            fmin=fmin,
            fmax=fmax,
            htk=scale == "htk",
            norm=None if norm == "none" else norm,
            dtype=np.float64,
        )
    got = mel_filter_bank(sample_rate, fft_size, n_mels, fmin, fmax, scale, norm)
    assert got.dtype == np.float32
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("n_mels", "fft_size"), [(26, 512), (40, 1024), (80, 512)])
def test_filters_with_binned_edges_are_those_of_python_speech_features(
    n_mels: int, fft_size: int
) -> None:
    wanted = psf.get_filterbanks(n_mels, fft_size, 16000, 0, 8000)
    got = mel_filter_bank(16000, fft_size, n_mels, 0.0, 8000.0, "htk", "none", "bins")
    np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_cached_matrices_cannot_be_changed_by_one_user_for_all() -> None:
    for matrix in (mel_filter_bank(16000, 512, 20, 0.0, 8000.0), dct_matrix(20, 10)):
        with pytest.raises(ValueError, match="read-only"):
            matrix[0, 0] = 1.0


@given(st.integers(1, 128), st.data())
def test_dct_is_scipys_orthonormal_type_2(n_mels: int, data: st.DataObject) -> None:
    n_mfcc = data.draw(st.integers(1, n_mels))
    log_mel = np.random.default_rng(n_mels).normal(0.0, 30.0, (5, n_mels))
    wanted = scipy_fft.dct(log_mel, type=2, norm="ortho")[:, :n_mfcc]
    np.testing.assert_allclose(log_mel @ dct_matrix(n_mels, n_mfcc), wanted, atol=1e-4)


@given(st.integers(1, 128))
def test_whole_dct_is_orthonormal_so_its_transpose_inverts_it(n_mels: int) -> None:
    matrix = dct_matrix(n_mels, n_mels).astype(np.float64)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(n_mels), atol=1e-6)


@given(st.integers(1, 60), st.integers(1, 60))
def test_liftering_is_that_of_python_speech_features(n_mfcc: int, lifter: int) -> None:
    wanted = psf.lifter(np.ones((1, n_mfcc)), lifter)[0]
    np.testing.assert_allclose(lifter_weights(n_mfcc, lifter), wanted, rtol=1e-6, atol=1e-5)


def test_no_liftering_leaves_the_cepstrum() -> None:
    assert lifter_weights(13, 0).tolist() == [1.0] * 13
