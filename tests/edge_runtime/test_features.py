"""The front end: a stream gives what the whole clip gives, and each feature what it says."""

from __future__ import annotations

import json
import re
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from edge_runtime import FeatureConfig, FeatureExtractor, FrameStream, SerEdgeError
from edge_runtime.features import CHOICES, KINDS, PRESETS, window_features

# float32 holds a C0 of -1000 dB to 6e-5. What is no number is wrong on both sides.
ROUNDING = {"rtol": 1e-6, "atol": 1e-4, "equal_nan": False}
EVERY_KIND = FeatureConfig(kinds=KINDS, n_mels=20, n_mfcc=12)
CONFIGS = {
    **PRESETS,
    **{kind: FeatureConfig(kinds=(kind,)) for kind in KINDS},
    "every kind": EVERY_KIND,
    "pre-emphasis": replace(EVERY_KIND, pre_emphasis=0.97),
    "hop beyond frame": replace(EVERY_KIND, hop_length=1200, pre_emphasis=0.9),
    "hop of one frame": replace(EVERY_KIND, hop_length=512),
    "magnitude": replace(EVERY_KIND, spectrum="magnitude", window="hamming"),
    "logarithm of the magnitude": replace(EVERY_KIND, spectrum="magnitude", log="ln"),
}


def examples(number: int) -> settings:
    """Try this many examples, or as much fewer as the profile in force tries."""
    return settings(max_examples=number * settings().max_examples // 100)


@st.composite
def configs(draw: st.DrawFn, **fixed: Any) -> FeatureConfig:
    """Any valid configuration of modest size."""
    sample_rate = draw(st.sampled_from([8000, 16000, 22050]))
    kinds = tuple(draw(st.permutations(KINDS))[: draw(st.integers(1, len(KINDS)))])
    # Pitch needs 25 ms.
    frame_length = draw(st.integers(-(-sample_rate // 40) if "pitch" in kinds else 2, 600))
    fields = {
        "kinds": kinds,
        "sample_rate": sample_rate,
        "frame_length": frame_length,
        "hop_length": draw(st.integers(1, 900)),
        "fft_size": max(frame_length, draw(st.sampled_from([256, 500, 512, 777]))),
        "window": draw(st.sampled_from(["hann", "hamming", "rectangular"])),
        "pre_emphasis": draw(st.sampled_from([0.0, 0.5, 0.97])),
        "spectrum": draw(st.sampled_from(["power", "power_over_n", "magnitude"])),
        "n_mels": draw(st.integers(2, 24)),
        "fmin": draw(st.floats(0.0, 300.0)),
        "fmax": draw(st.sampled_from([0.0, 3000.0, sample_rate / 2])),
        "mel_scale": draw(st.sampled_from(["slaney", "htk"])),
        "mel_norm": draw(st.sampled_from(["slaney", "none"])),
        "mel_edges": draw(st.sampled_from(["exact", "bins"])),
        "log": draw(st.sampled_from(["db", "ln"])),
        "log_floor": draw(st.sampled_from([1e-10, 1e-6, 2.2e-16])),
        "lifter": draw(st.sampled_from([0, 22])),
        "first_coefficient": draw(st.sampled_from(["c0", "log_energy", "none"])),
        "level": draw(st.sampled_from(["none", "peak"])),
        "mean_subtraction": draw(st.booleans()),
        "delta_order": draw(st.integers(0, 2)),
        "delta_reach": draw(st.integers(1, 4)),
        "pool": draw(st.sampled_from(["none", "mean"])),
    }
    fields["n_mfcc"] = draw(st.integers(2, fields["n_mels"]))
    try:
        return FeatureConfig(**{**fields, **fixed})
    except SerEdgeError:  # a mel band without an FFT bin, a level that nothing carries
        assume(False)
        raise


def sound(n_samples: int, seed: int = 0) -> np.ndarray:
    """Noise that swells and fades, with a stretch of digital silence."""
    rng = np.random.default_rng(seed)
    envelope = 10.0 ** (-2.5 + 2.0 * np.sin(np.arange(n_samples) / 900.0))
    samples = rng.normal(size=n_samples) * envelope
    samples[n_samples // 3 : n_samples // 2] = 0.0
    return samples.astype(np.float32)


def cut(samples: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    """Pieces of the given sizes, the last one of what is left."""
    return np.split(samples, np.minimum(np.cumsum(sizes, dtype=np.int64), len(samples)))


def streamed(config: FeatureConfig, chunks: list[np.ndarray]) -> np.ndarray:
    stream = FrameStream(FeatureExtractor(config))
    return np.concatenate([stream.push(chunk) for chunk in chunks])


# --- a stream is the whole clip -----------------------------------------------------------------


@examples(250)
@given(configs(), st.lists(st.integers(0, 2500), max_size=20), st.integers(0, 9000))
@example(replace(EVERY_KIND, hop_length=900), [1, 511, 1, 0, 388, 900], 5000)
@example(EVERY_KIND, [0, 600], 5000)
def test_any_cutting_of_a_stream_gives_the_frames_of_the_clip(
    config: FeatureConfig, sizes: list[int], n_samples: int
) -> None:
    samples = sound(n_samples)
    wanted = FeatureExtractor(config).frames(samples)
    got = streamed(config, cut(samples, sizes))
    assert got.dtype == wanted.dtype == np.float32
    assert got.shape == wanted.shape == (config.frames_in(n_samples), config.frame_dim + 1)
    np.testing.assert_allclose(got, wanted, **ROUNDING)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("size", [1, 160, 4096])
def test_chunks_of_one_size_give_the_frames_of_the_clip(name: str, size: int) -> None:
    config = CONFIGS[name]
    samples = sound(config.samples_for(5) + 7)
    got = streamed(config, np.split(samples, range(size, len(samples), size)))
    np.testing.assert_allclose(got, FeatureExtractor(config).frames(samples), **ROUNDING)
    assert len(got) == 5


def test_long_clip_worked_in_blocks_is_every_frame_by_itself() -> None:
    config = replace(EVERY_KIND, pre_emphasis=0.97)
    extractor = FeatureExtractor(config)
    samples = sound(config.samples_for(700))
    frames = extractor.frames(samples)
    for number in (1, 127, 128, 129, 199, 200, 201, 255, 256, 257, 400, 699):
        # With the frame before it, as pre-emphasis looks back at one sample of that.
        start = (number - 1) * config.hop_length
        pair = extractor.frames(samples[start : start + config.samples_for(2)])
        np.testing.assert_allclose(pair[1], frames[number], **ROUNDING)


@examples(60)
@given(configs(), st.integers(0, 3000), st.integers(0, 3000))
def test_reset_starts_anew(config: FeatureConfig, n_before: int, n_after: int) -> None:
    stream = FrameStream(FeatureExtractor(config))
    stream.push(sound(n_before, seed=1))
    stream.reset()
    samples = sound(n_after, seed=2)
    wanted = FrameStream(FeatureExtractor(config)).push(samples)
    np.testing.assert_array_equal(stream.push(samples), wanted)


@examples(50)
@given(configs(), st.lists(st.integers(0, 5000), min_size=1, max_size=20))
def test_stream_holds_back_one_frame_at_most(config: FeatureConfig, sizes: list[int]) -> None:
    stream = FrameStream(FeatureExtractor(config))
    for size in sizes:
        stream.push(sound(size))
        arrays = [value for value in vars(stream).values() if isinstance(value, np.ndarray)]
        assert sum(array.size for array in arrays) <= config.frame_length + 1
        assert all(array.base is None for array in arrays)  # no view keeps a chunk alive


def test_endless_stream_does_not_fill_the_memory() -> None:
    stream = FrameStream(FeatureExtractor(EVERY_KIND))
    chunk = sound(8000)
    for _ in range(10):
        stream.push(chunk)
    tracemalloc.start()
    try:
        stream.push(chunk)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(100):
            stream.push(chunk)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 20_000


def test_frames_do_not_change_when_the_stream_goes_on() -> None:
    stream = FrameStream(FeatureExtractor(EVERY_KIND))
    first = stream.push(sound(4000))
    kept = first.copy()
    stream.push(sound(4000, seed=3))
    np.testing.assert_array_equal(first, kept)


def test_input_is_left_as_it_was() -> None:
    samples = sound(4000)
    kept = samples.copy()
    extractor = FeatureExtractor(replace(EVERY_KIND, level="peak", mean_subtraction=True))
    frames = extractor.frames(samples)
    frames_kept = frames.copy()
    window_features(extractor.config, frames)
    np.testing.assert_array_equal(samples, kept)
    np.testing.assert_array_equal(frames, frames_kept)


@pytest.mark.parametrize("shape", [(400, 2), (1, 400), ()])
def test_sound_of_several_channels_is_refused(shape: tuple[int, ...]) -> None:
    message = f"audio must be one channel of samples, not shape {shape}"
    with pytest.raises(SerEdgeError, match=f"^{re.escape(message)}$"):
        FrameStream(FeatureExtractor(EVERY_KIND)).push(np.zeros(shape, np.float32))


def test_sound_in_double_precision_is_worth_what_it_is_in_single() -> None:
    samples = np.random.default_rng(8).normal(0.0, 0.1, 4000)
    extractor = FeatureExtractor(EVERY_KIND)
    wanted = extractor.frames(samples.astype(np.float32))
    np.testing.assert_array_equal(extractor.frames(samples), wanted)


def odd_sounds() -> dict[str, np.ndarray]:
    """Sounds at which a division or a logarithm might fail."""
    noise = np.random.default_rng(5).normal(size=4000)
    click = np.zeros(4000)
    click[1000] = 1.0
    return {
        "silence": np.zeros(4000),
        "noise": 0.1 * noise,
        "clipped": np.clip(50.0 * noise, -1.0, 1.0),
        "direct current": np.full(4000, 0.3),
        "least 16 bit step": np.sign(noise) / 32768.0,
        "click": click,
        "Nyquist": np.tile([1.0, -1.0], 2000),
        "denormal": 1e-310 * noise,
        "far too loud": 1e4 * noise,
    }


@pytest.mark.parametrize("name", odd_sounds())
@pytest.mark.parametrize("window", ["hann", "rectangular"])
def test_odd_sound_gives_finite_values_whole_and_in_pieces(name: str, window: str) -> None:
    config = replace(EVERY_KIND, window=window)
    samples = odd_sounds()[name].astype(np.float32)
    with np.errstate(divide="raise", invalid="raise"):
        frames = FeatureExtractor(config).frames(samples)
        pieces = streamed(config, np.split(samples, range(100, 4000, 100)))
    assert np.all(np.isfinite(frames))
    np.testing.assert_allclose(pieces, frames, **ROUNDING)


# --- shapes -------------------------------------------------------------------------------------


@examples(150)
@given(configs(), st.integers(0, 6000))
def test_features_have_the_stated_shape(config: FeatureConfig, n_samples: int) -> None:
    n_frames = config.frames_in(n_samples)
    extractor = FeatureExtractor(config)
    if n_frames == 0:
        with pytest.raises(SerEdgeError, match=f"at least {config.frame_length} samples"):
            extractor(sound(n_samples))
        return
    features = extractor(sound(n_samples))
    shape = (config.feature_dim,) if config.pool == "mean" else (n_frames, config.feature_dim)
    assert features.shape == shape
    assert features.dtype == np.float32
    assert np.all(np.isfinite(features))


@given(configs(), st.integers(1, 500))
def test_samples_for_is_the_least_that_holds_as_many_frames(
    config: FeatureConfig, n_frames: int
) -> None:
    n_samples = config.samples_for(n_frames)
    assert config.frames_in(n_samples) == n_frames
    assert config.frames_in(n_samples - 1) == n_frames - 1
    assert config.samples_for(0) == 0


# --- each feature is what it says ---------------------------------------------------------------


@pytest.mark.parametrize(("frame_length", "hop_length"), [(512, 160), (400, 400), (100, 333)])
def test_rms_and_zero_crossings_are_librosas(frame_length: int, hop_length: int) -> None:
    librosa = pytest.importorskip("librosa", reason="librosa is the reference")
    config = FeatureConfig(
        kinds=("rms", "zcr"), frame_length=frame_length, hop_length=hop_length, pre_emphasis=0.97
    )
    samples = sound(9000)
    frame = {"frame_length": frame_length, "hop_length": hop_length, "center": False}
    features = FeatureExtractor(config)(samples)
    wanted_rms = librosa.feature.rms(y=samples.astype(np.float64), **frame)[0]
    wanted_zcr = librosa.feature.zero_crossing_rate(samples, pad=False, **frame)[0]
    np.testing.assert_allclose(features[:, 0], wanted_rms, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(features[:, 1], wanted_zcr, rtol=1e-6)


@pytest.mark.parametrize(
    ("window", "librosas"),
    [("hann", "hann"), ("hamming", "hamming"), ("rectangular", "boxcar")],
)
def test_window_is_librosas(window: str, librosas: str) -> None:
    librosa = pytest.importorskip("librosa", reason="librosa is the reference")
    samples = np.random.default_rng(9).normal(0.0, 0.1, 4000).astype(np.float32)
    frame = {"n_fft": 512, "hop_length": 160, "center": False, "n_mels": 40}
    mel = librosa.feature.melspectrogram(
        y=samples.astype(np.float64), sr=16000, window=librosas, dtype=np.float64, **frame
    )
    config = FeatureConfig(kinds=("log_mel",), window=window, n_mels=40)
    wanted = librosa.power_to_db(mel, top_db=None).T
    np.testing.assert_allclose(FeatureExtractor(config)(samples), wanted, atol=1e-4)


@pytest.mark.parametrize("reach", [1, 2, 9])
@pytest.mark.parametrize("n_frames", [1, 3, 40])
def test_deltas_are_those_of_the_htk_formula(reach: int, n_frames: int) -> None:
    psf = pytest.importorskip("python_speech_features", reason="it is the reference")
    plain = replace(EVERY_KIND, kinds=("mfcc",))
    samples = sound(plain.samples_for(n_frames), seed=4)
    statics = FeatureExtractor(plain)(samples)
    first = psf.delta(statics.astype(np.float64), reach)
    wanted = np.concatenate((statics, first, psf.delta(first, reach)), axis=1)
    config = replace(plain, delta_order=2, delta_reach=reach)
    np.testing.assert_allclose(FeatureExtractor(config)(samples), wanted, rtol=1e-5, atol=1e-3)
    config = replace(plain, delta_order=1, delta_reach=reach)
    width = 2 * plain.frame_dim
    np.testing.assert_allclose(
        FeatureExtractor(config)(samples), wanted[:, :width], rtol=1e-5, atol=1e-3
    )


@examples(80)
@given(
    configs(kinds=("mfcc", "log_mel"), level="peak", log_floor=1e-25),
    st.floats(-50.0, 20.0),
    st.integers(0, 5),
)
@example(replace(EVERY_KIND, kinds=("mfcc", "log_mel"), level="peak", log_floor=1e-25), -12.0, 0)
def test_level_makes_the_features_blind_to_gain(
    config: FeatureConfig, gain_db: float, seed: int
) -> None:
    samples = np.random.default_rng(seed).normal(0.0, 0.05, config.samples_for(8))
    extractor = FeatureExtractor(config)
    louder = extractor(samples * 10.0 ** (gain_db / 20.0))
    np.testing.assert_allclose(louder, extractor(samples), rtol=1e-4, atol=5e-3, equal_nan=False)


@examples(60)
@given(configs(level="none", mean_subtraction=True, delta_order=0, pool="none"))
def test_mean_subtraction_leaves_a_mean_of_zero(config: FeatureConfig) -> None:
    features = FeatureExtractor(config)(sound(config.samples_for(12)))
    np.testing.assert_allclose(features.mean(axis=0), 0.0, atol=1e-3)


@examples(60)
@given(configs(pool="mean"))
def test_pooling_is_the_mean_over_time(config: FeatureConfig) -> None:
    samples = sound(config.samples_for(12))
    wanted = FeatureExtractor(replace(config, pool="none"))(samples).mean(axis=0)
    np.testing.assert_allclose(FeatureExtractor(config)(samples), wanted, **ROUNDING)


@examples(60)
@given(configs(pool="none", delta_order=0, mean_subtraction=False, level="none", fmin=0.0))
def test_kinds_stand_side_by_side_in_their_order(config: FeatureConfig) -> None:
    samples = sound(config.samples_for(4))
    alone = [FeatureExtractor(replace(config, kinds=(kind,)))(samples) for kind in config.kinds]
    np.testing.assert_allclose(
        FeatureExtractor(config)(samples), np.concatenate(alone, axis=1), **ROUNDING
    )


@examples(60)
@given(configs(pool="none", delta_order=0, mean_subtraction=False, level="peak", fmin=0.0))
def test_level_is_taken_from_the_kinds_that_carry_it_alone(config: FeatureConfig) -> None:
    samples = sound(config.samples_for(4))
    alone = []
    for kind in config.kinds:
        level = "peak" if kind in ("mfcc", "log_mel") else "none"
        alone.append(FeatureExtractor(replace(config, kinds=(kind,), level=level))(samples))
    np.testing.assert_allclose(
        FeatureExtractor(config)(samples), np.concatenate(alone, axis=1), **ROUNDING
    )


@pytest.mark.parametrize("spectrum", ["power_over_n", "magnitude"])
def test_spectrum_is_of_the_mel_kinds_alone(spectrum: str) -> None:
    config = replace(EVERY_KIND, kinds=("chroma", "mfcc", "spectral", "pitch"))
    other = replace(config, spectrum=spectrum)
    samples = sound(4000, seed=6)
    power, scaled = FeatureExtractor(config)(samples), FeatureExtractor(other)(samples)
    of_mel = slice(12, 12 + config.n_mfcc)
    np.testing.assert_array_equal(
        np.delete(scaled, of_mel, axis=1), np.delete(power, of_mel, axis=1)
    )
    assert np.abs(scaled[:, of_mel] - power[:, of_mel]).max() > 1.0


def test_pre_emphasis_is_of_the_spectrum_alone() -> None:
    plain = replace(EVERY_KIND, kinds=("pitch", "rms", "zcr", "chroma", "spectral"))
    samples = sound(6000, seed=7)
    emphasised = FeatureExtractor(replace(plain, pre_emphasis=0.97))(samples)
    np.testing.assert_array_equal(emphasised[:, :4], FeatureExtractor(plain)(samples)[:, :4])
    filtered = np.append(samples[0], samples[1:] - 0.97 * samples[:-1].astype(np.float64))
    of_filtered = FeatureExtractor(replace(plain, kinds=("chroma", "spectral")))(filtered)
    # The roll-off may fall on the next bin, as `filtered` is rounded to single precision.
    differences = np.abs(emphasised[:, 4:] - of_filtered)
    bin_khz = plain.sample_rate / plain.fft_size / 1000.0
    assert np.delete(differences, 14, axis=1).max() < 1e-4
    assert differences[:, 14].max() < 1.01 * bin_khz


def test_width_of_every_kind_is_what_it_gives() -> None:
    samples = sound(4000)
    for kind in KINDS:
        config = replace(EVERY_KIND, kinds=(kind,))
        assert FeatureExtractor(config)(samples).shape[1] == EVERY_KIND.width_of(kind)


def test_dropping_c0_leaves_the_other_coefficients() -> None:
    config = FeatureConfig(n_mels=30, n_mfcc=13)
    samples = sound(4000)
    with_c0 = FeatureExtractor(config)(samples)
    without = FeatureExtractor(replace(config, first_coefficient="none"))(samples)
    np.testing.assert_allclose(without, with_c0[:, 1:], **ROUNDING)


def test_pre_emphasis_is_the_filter_of_the_whole_signal() -> None:
    config = replace(EVERY_KIND, kinds=("mfcc", "log_mel"))
    samples = sound(6000).astype(np.float64)
    filtered = np.append(samples[0], samples[1:] - 0.97 * samples[:-1])
    got = FeatureExtractor(replace(config, pre_emphasis=0.97))(samples.astype(np.float32))
    np.testing.assert_allclose(got, FeatureExtractor(config)(filtered), rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("gain_db", [0.0, -30.0])
def test_level_of_a_sine_is_its_amplitude(name: str, gain_db: float) -> None:
    config = replace(CONFIGS[name], pre_emphasis=0.0, log_floor=1e-16)
    time = np.arange(config.samples_for(10)) / config.sample_rate
    sine = 10.0 ** (gain_db / 20.0) * np.sin(2 * np.pi * 1000.0 * time)
    extractor = FeatureExtractor(config)
    levels = extractor.level_dbfs(extractor.frames(sine))
    np.testing.assert_allclose(levels, gain_db, atol=0.5)


@pytest.mark.parametrize(("fmin", "fmax"), [(2000.0, 6000.0), (1000.0, 5000.0), (100.0, 1000.0)])
def test_level_where_the_bands_leave_out_1_khz_is_that_of_a_sine_between_them(
    fmin: float, fmax: float
) -> None:
    config = FeatureConfig(n_mels=8, n_mfcc=8, fmin=fmin, fmax=fmax)
    time = np.arange(config.samples_for(10)) / config.sample_rate
    extractor = FeatureExtractor(config)
    levels = extractor.level_dbfs(extractor.frames(np.sin(np.pi * (fmin + fmax) * time)))
    np.testing.assert_allclose(levels, 0.0, atol=0.1)


@pytest.mark.parametrize("name", CONFIGS)
def test_digital_silence_is_finite_and_below_any_microphone(name: str) -> None:
    extractor = FeatureExtractor(CONFIGS[name])
    frames = extractor.frames(np.zeros(CONFIGS[name].samples_for(3), np.float32))
    assert np.all(np.isfinite(frames))
    assert extractor.level_dbfs(frames).max() < -80.0


# --- the configuration --------------------------------------------------------------------------

# Of each field the values at which its range ends, some beyond, and what is said of those.
RANGES = [
    ("sample_rate", (4000, 192000), (3999, 192001), "4000 to 192000 Hz"),
    ("frame_length", (2, 512), (1, 513), "2 to fft_size"),
    ("fft_size", (512, 65536), (65537,), "at most 65536"),
    ("hop_length", (1, 65536), (0, 65537), "1 to 65536 samples"),
    ("pre_emphasis", (0.0, 0.999), (-0.001, 1.0, float("nan")), "0 to below 1"),
    ("n_mels", (1, 512), (0, 513), "1 to 512"),
    ("log_floor", (1e-300, 1.0), (0.0, 1.001, float("nan")), "above 0, at most 1"),
    ("lifter", (0, 1000), (-1,), "0 or more"),
    ("delta_order", (0, 2), (-1, 3), "0, 1 or 2"),
    ("delta_reach", (1, 16), (0, 17), "1 to 16 frames"),
]
NYQUIST = "0 <= fmin < fmax <= 8000 Hz"


def refusal(**fields: Any) -> str:
    with pytest.raises(SerEdgeError) as caught:
        FeatureConfig(**fields)
    return str(caught.value).removeprefix("feature configuration: ")


@pytest.mark.parametrize(
    ("field", "within", "beyond", "told"), RANGES, ids=lambda value: str(value)
)
def test_a_range_ends_where_it_is_said_to(
    field: str, within: tuple[Any, ...], beyond: tuple[Any, ...], told: str
) -> None:
    for value in within:
        config = FeatureConfig(kinds=("rms",), **{field: value})
        assert getattr(config, field) == value
    for value in beyond:
        assert refusal(kinds=("rms",), **{field: value}) == f"{field} must be {told}"


def test_the_mel_bands_lie_below_half_the_sample_rate() -> None:
    for edges in ({"fmin": 0.0}, {"fmin": 7999.0}, {"fmax": 8000.0}, {"fmax": 1.0}):
        assert FeatureConfig(kinds=("rms",), **edges)
    nan = float("nan")
    for edges in (
        {"fmin": -0.1},
        {"fmin": 8000.0},
        {"fmax": 8000.1},
        {"fmax": -1.0},
        {"fmax": nan},
    ):
        assert refusal(kinds=("rms",), **edges) == f"fmin/fmax must be {NYQUIST}"


@pytest.mark.parametrize("field", CHOICES)
def test_a_choice_is_one_of_those_that_are_listed(field: str) -> None:
    for value in CHOICES[field]:
        assert getattr(FeatureConfig(**{field: value}), field) == value
    assert refusal(**{field: "other"}) == f"{field} must be one of {', '.join(CHOICES[field])}"


@pytest.mark.parametrize(
    "kinds", [(), ("mfcc", "mfcc"), ("plp",), ("mfcc", "plp"), ["mfcc"]], ids=str
)
def test_kinds_are_some_of_those_that_are_listed(kinds: Any) -> None:
    assert refusal(kinds=kinds) == f"kinds must be a non-empty selection of {', '.join(KINDS)}"


@pytest.mark.parametrize(
    ("first_coefficient", "least"), [("c0", 1), ("log_energy", 1), ("none", 2)]
)
def test_coefficients_are_as_many_as_bands_at_most(first_coefficient: str, least: int) -> None:
    fields = {"n_mels": 20, "first_coefficient": first_coefficient}
    for n_mfcc in (least, 20):
        assert FeatureConfig(n_mfcc=n_mfcc, **fields).n_mfcc == n_mfcc
    for n_mfcc in (least - 1, 21):
        assert refusal(n_mfcc=n_mfcc, **fields) == f"n_mfcc must be {least} to n_mels"
    assert FeatureConfig(kinds=("log_mel",), n_mfcc=21, **fields)  # which has none


@pytest.mark.parametrize("kind", ["mfcc", "log_mel"])
def test_a_mel_band_without_a_bin_of_the_spectrum_is_refused(kind: str) -> None:
    told = "n_mels must be fewer: with fft_size 512 some mel band holds no FFT bin"
    assert refusal(kinds=("rms", kind), n_mels=300) == told
    assert FeatureConfig(kinds=("rms", "chroma"), n_mels=300)


def test_level_needs_a_kind_that_carries_it() -> None:
    told = refusal(kinds=("rms", "chroma", "spectral", "pitch"), level="peak")
    assert told == "level must be none, as no kind carries a level"


@pytest.mark.parametrize(("sample_rate", "least"), [(8000, 200), (16000, 400), (22050, 552)])
def test_frame_too_short_for_the_lowest_pitch_is_refused(sample_rate: int, least: int) -> None:
    fields = {"kinds": ("pitch",), "sample_rate": sample_rate, "fft_size": 1024}
    told = f"frame_length must be at least {least} samples (25 ms) for pitch"
    assert refusal(frame_length=least - 1, **fields) == told
    assert FeatureConfig(frame_length=least, **fields).frame_dim == 2


@examples(80)
@given(configs())
def test_configuration_survives_json(config: FeatureConfig) -> None:
    assert FeatureConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_survives_json(preset: str) -> None:
    config = PRESETS[preset]
    assert FeatureConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_absent_fields_have_their_defaults() -> None:
    assert FeatureConfig.from_dict({}) == FeatureConfig()
    assert FeatureConfig.from_dict({"pre_emphasis": 0}) == FeatureConfig()


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("n_mel", 40, "absent: there is no such field"),
        ("kinds", "mfcc", "of type tuple"),
        ("kinds", [1], "of type tuple"),
        ("sample_rate", 16000.0, "of type int"),
        ("sample_rate", "16000", "of type int"),
        ("hop_length", True, "of type int"),
        ("mean_subtraction", 1, "of type bool"),
        ("window", None, "of type str"),
        ("fmin", "0", "of type float"),
        ("fmax", True, "of type float"),
        ("log_floor", None, "of type float"),
    ],
)
def test_unknown_field_or_wrong_type_is_refused_by_name(field: str, value: Any, told: str) -> None:
    with pytest.raises(SerEdgeError) as caught:
        FeatureConfig.from_dict({field: value})
    assert str(caught.value) == f"feature configuration: {field} must be {told}"
