"""Random variation: fixed by its generator, of the right shape, and never beyond what was asked."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from train.augment import SILENCE_DB, Augmentation, Packed, random_windows, spec_augment

SEEDS = st.integers(0, 2**32 - 1)
SHARES = st.floats(0.0, 0.99)
AUGMENTATIONS = st.builds(
    Augmentation,
    tempo=SHARES,
    warp=SHARES,
    pitch=SHARES,
    borrowed_spectrum=st.floats(0.0, 1.0),
    tilt_db=st.floats(0.0, 40.0),
    gain_db=st.floats(0.0, 40.0),
    noise_db=st.tuples(st.floats(-10.0, 40.0), st.floats(40.0, 100.0)),
    time_mask=SHARES,
    band_mask=SHARES,
)


def utterance(frames: int, bands: int, seed: int = 0) -> np.ndarray:
    """Log-mel frames with a quiet end, as recordings have."""
    log_mel = np.random.default_rng(seed).normal(-20.0, 10.0, (frames, bands))
    log_mel[-frames // 4 :] = SILENCE_DB
    return log_mel.astype(np.float32)


def random_window(log_mel, length, augmentation, rng):
    """One window of one recording."""
    lender = np.array([0])
    return random_windows(Packed([log_mel]), np.array([0]), length, augmentation, rng, lender)[0]


@settings(deadline=None)
@given(AUGMENTATIONS, SEEDS, st.integers(2, 60), st.integers(2, 30), st.integers(1, 60))
def test_any_variation_gives_a_finite_window_that_the_seed_fixes(
    augmentation, seed, frames, bands, length
):
    log_mel = utterance(frames, bands, seed)
    before = log_mel.copy()
    windows = [
        random_window(log_mel, length, augmentation, np.random.default_rng(seed)) for _ in range(2)
    ]
    assert windows[0].shape == (length, bands)
    assert windows[0].dtype == np.float32
    assert np.all(np.isfinite(windows[0]))
    np.testing.assert_array_equal(*windows)
    np.testing.assert_array_equal(log_mel, before)


@given(SEEDS)
def test_digital_silence_stays_finite(seed):
    silence = np.full((40, 24), SILENCE_DB, dtype=np.float32)
    everything = Augmentation(0.2, 0.2, 12.0, 10.0, (35.0, 80.0), 0.3, 0.3)
    window = random_window(silence, 31, everything, np.random.default_rng(seed))
    assert np.all(np.isfinite(window))


@given(SEEDS, st.integers(31, 90))
def test_without_variation_the_window_is_a_crop(seed, frames):
    """Of a ramp over time every crop is a ramp of the same slope; outside it there is silence."""
    ramp = np.arange(frames, dtype=np.float32)[:, None] * np.ones(24, np.float32) / 4
    window = random_window(ramp, 31, Augmentation(), np.random.default_rng(seed))
    inside = np.all(window > SILENCE_DB, axis=1)
    assert inside.any()
    assert np.all(window[~inside] == SILENCE_DB)
    np.testing.assert_allclose(np.diff(window[inside], axis=0), 0.25, atol=1e-4)
    assert np.all(window[inside] >= 0.0)
    assert np.all(window[inside] <= (frames - 1) / 4)
    np.testing.assert_array_equal(window, np.repeat(window[:, :1], 24, axis=1))


@given(SEEDS)
def test_a_window_shows_speech(seed):
    """The window's middle lies between the first and the last loud frame."""
    log_mel = np.full((200, 24), SILENCE_DB, dtype=np.float32)
    log_mel[150:170] = 0.0
    window = random_window(log_mel, 31, Augmentation(), np.random.default_rng(seed))
    assert window.max() > -1.0


@given(SEEDS, st.floats(0.1, 30.0))
def test_gain_moves_all_bands_alike_and_not_too_far(seed, gain_db):
    flat = np.zeros((100, 24), dtype=np.float32)
    window = random_window(flat, 31, Augmentation(gain_db=gain_db), np.random.default_rng(seed))
    middle = window[15]
    assert np.ptp(middle) < 1e-4
    assert np.abs(middle).max() <= gain_db + 1e-4


@given(SEEDS, st.floats(0.1, 30.0))
def test_tilt_is_a_slope_about_the_middle(seed, tilt_db):
    flat = np.zeros((100, 24), dtype=np.float32)
    window = random_window(flat, 31, Augmentation(tilt_db=tilt_db), np.random.default_rng(seed))
    steps = np.diff(window[15])
    assert np.ptp(steps) < 1e-4
    assert abs(window[15, -1] - window[15, 0]) <= tilt_db + 1e-4
    assert abs(window[15].mean()) < 1e-3


@given(SEEDS)
def test_noise_only_adds(seed):
    log_mel = utterance(100, 24)
    augmentation = Augmentation(noise_db=(20.0, 40.0))
    plain = random_window(log_mel, 31, Augmentation(), np.random.default_rng(seed))
    noisy = random_window(log_mel, 31, augmentation, np.random.default_rng(seed))
    assert np.all(noisy >= plain - 1e-3)
    assert np.any(noisy > plain + 1.0)


@given(SEEDS, st.floats(0.05, 0.9))
def test_masks_blank_no_more_than_their_share(seed, share):
    log_mel = utterance(200, 24, seed)[:150]
    augmentation = Augmentation(time_mask=share, band_mask=share)
    window = random_window(log_mel, 31, augmentation, np.random.default_rng(seed))
    plain = random_window(log_mel, 31, Augmentation(), np.random.default_rng(seed))
    touched = window != plain
    assert np.count_nonzero(touched.all(axis=1)) <= share * 31
    assert np.count_nonzero(touched.all(axis=0)) <= share * 24


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.0, 1.0), st.floats(0.0, 1.0), SEEDS)
def test_spec_augment_blanks_one_stretch_of_any_features(rows, columns, time, band, seed):
    features = np.random.default_rng(seed).normal(3.0, 1.0, (rows, columns)).astype(np.float32)
    before = features.copy()
    masked = spec_augment(features, time, band, np.random.default_rng(seed))
    np.testing.assert_array_equal(features, before)
    assert masked.dtype == np.float32
    touched = masked != features
    assert np.all(masked[touched] == features.mean())
    blank_rows = np.flatnonzero(touched.all(axis=1))
    blank_columns = np.flatnonzero(touched.all(axis=0))
    rest = np.delete(np.delete(touched, blank_rows, axis=0), blank_columns, axis=1)
    assert not rest.any()
    for blank, share, size in ((blank_rows, time, rows), (blank_columns, band, columns)):
        # Where the other mask covers everything, this one cannot be told from it.
        if len(blank) < size:
            assert len(blank) <= share * size
            assert np.all(np.diff(blank) == 1)


@given(SEEDS)
def test_spec_augment_without_masks_gives_the_features_back(seed):
    features = utterance(40, 24, seed)
    masked = spec_augment(features, 0.0, 0.0, np.random.default_rng(seed))
    np.testing.assert_array_equal(masked, features)


def test_windows_differ():
    rng = np.random.default_rng(0)
    everything = Augmentation(0.1, 0.1, 6.0, 6.0, (35.0, 80.0), 0.2, 0.2)
    windows = {random_window(utterance(90, 24), 31, everything, rng).tobytes() for _ in range(20)}
    assert len(windows) == 20


@settings(deadline=None)
@given(SEEDS, st.lists(st.integers(31, 90), min_size=2, max_size=6))
def test_each_window_of_a_batch_is_of_the_recording_asked_for(seed, lengths):
    """Recording k is of level k everywhere, and recordings lie beside each other."""
    packed = Packed(
        [np.full((frames, 24), float(k), np.float32) for k, frames in enumerate(lengths)]
    )
    chosen = np.random.default_rng(seed).integers(0, len(lengths), 12)
    augmentation = Augmentation(tempo=0.3, warp=0.2)
    windows = random_windows(packed, chosen, 31, augmentation, np.random.default_rng(seed))
    assert windows.shape == (12, 31, 24)
    for k, window in zip(chosen, windows):
        speech = window[window[:, 0] > SILENCE_DB / 2]
        assert len(speech) > 0
        np.testing.assert_allclose(speech, k, atol=1e-4)


def harmonics_and_formant(n_mels: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Log-mel frames with harmonics every six bands beside the formant's envelope alone, in dB."""
    bands = np.arange(n_mels)
    formant = -40.0 + 20.0 * np.exp(-(((bands - 30) / 12.0) ** 2))
    fine = 6.0 * np.cos(2.0 * np.pi * bands / 6.0)
    frames = np.ones((60, 1), np.float32)
    return (frames * (formant + fine)).astype(np.float32), (frames * formant).astype(np.float32)


@given(SEEDS)
def test_pitch_moves_the_harmonics_and_leaves_the_formants(seed):
    voice, envelope = harmonics_and_formant()
    window = random_window(voice, 31, Augmentation(pitch=0.2), np.random.default_rng(seed))
    # It may begin in the silence before the recording.
    frame = window[window.max(axis=1) > SILENCE_DB / 2][0]
    smooth = np.convolve(frame, np.ones(6) / 6.0, "same")[8:60]
    np.testing.assert_allclose(smooth, envelope[0, 8:60], atol=3.0)
    fine = np.abs(np.fft.rfft(frame[5:69] - envelope[0, 5:69]))
    # Six bands apart before: 64 / 6 = 10.7 of them in 64 bands, and at most a fifth more or less.
    assert 8 <= int(fine.argmax()) <= 13


def test_a_borrowed_spectrum_is_the_other_voice_s_and_keeps_the_level():
    rng = np.random.default_rng(0)
    bright, dark = (np.linspace(-slope, slope, 24) for slope in (10.0, -10.0))
    clips = [(-30.0 + rng.normal(0.0, 1.0, (90, 24)) + tilt) for tilt in (bright, dark)]
    packed = Packed([clip.astype(np.float32) for clip in clips])
    augmentation = Augmentation(borrowed_spectrum=1.0)
    chosen, lenders = np.zeros(200, np.int64), np.ones(200, np.int64)
    windows = random_windows(packed, chosen, 31, augmentation, rng, lenders)
    speech = [window[window.max(axis=1) > SILENCE_DB / 2].mean(axis=0) for window in windows]
    slopes = np.array([mean[-1] - mean[0] for mean in speech])
    np.testing.assert_allclose([mean.mean() for mean in speech], -30.0, atol=0.5)
    kept = np.abs(slopes - 20.0) < 2.0
    assert 0.15 < kept.mean() < 0.5  # some keep their own
    assert slopes.min() < -12.0  # and some nearly have the other's
    silent = [window[window.max(axis=1) <= SILENCE_DB] for window in windows]
    assert sum(map(len, silent)) > 0
    own = random_windows(packed, chosen, 31, augmentation, rng, chosen)
    of_own = [window[window.max(axis=1) > SILENCE_DB / 2].mean(axis=0) for window in own]
    np.testing.assert_allclose([m[-1] - m[0] for m in of_own], 20.0, atol=2.5)


def test_silence_around_a_recording_borrows_nothing():
    packed = Packed(
        [np.full((20, 24), -30.0, np.float32), np.tile(np.linspace(-50, 0, 24), (20, 1))]
    )
    augmentation = Augmentation(borrowed_spectrum=1.0)
    zeros, ones = np.zeros(50, np.int64), np.ones(50, np.int64)
    windows = random_windows(packed, zeros, 31, augmentation, np.random.default_rng(0), ones)
    around = windows.min(axis=2) == SILENCE_DB
    assert around.any(axis=1).all()  # the window is longer than the recording
    assert (windows[around] == SILENCE_DB).all()
