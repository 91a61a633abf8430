"""What is computed of a recording: by the recipe's steps, the same wherever it lies."""

from __future__ import annotations

import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import SerEdgeError
from edge_runtime.features import FeatureConfig, FeatureExtractor
from train.augment_audio import AudioAugmentation
from train.extraction import Extraction

from .tones import RATE, tone, write_wav

CONFIG = FeatureConfig(
    sample_rate=RATE, frame_length=256, hop_length=128, fft_size=256, n_mels=24, n_mfcc=13
)


def write_stereo(path: Path, left: np.ndarray, right: np.ndarray) -> Path:
    samples = np.stack([left, right], axis=1)
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, RATE, 0, "NONE", ""))
        file.writeframes(np.round(samples * 32767).astype("<i2").tobytes())
    return path


def test_frames_are_the_devices(tmp_path):
    path = write_wav(tmp_path / "a.wav", tone(2, 0))
    quantised = np.round(np.clip(tone(2, 0), -1, 1) * 32767) / 32768
    wanted = FeatureExtractor(CONFIG).frames(quantised.astype(np.float32))
    np.testing.assert_allclose(Extraction(CONFIG)(path), wanted, atol=1e-3)


def test_channel_that_the_recipe_asks_for(tmp_path):
    left, right = tone(0, 0), tone(6, 0)
    stereo = write_stereo(tmp_path / "stereo.wav", left, right)
    for channel, sound in enumerate((left, right)):
        alone = write_wav(tmp_path / f"{channel}.wav", sound)
        chosen = Extraction(CONFIG, ({"step": "mono", "channel": channel},))
        np.testing.assert_array_equal(chosen(stereo), Extraction(CONFIG)(alone))
    both = Extraction(CONFIG, ({"step": "mono"},))(stereo)
    np.testing.assert_array_equal(both, Extraction(CONFIG)(stereo))
    with pytest.raises(SerEdgeError, match=r"stereo\.wav: channel 2 was asked for, but it has 2"):
        Extraction(CONFIG, ({"step": "mono", "channel": 2},))(stereo)


def test_steps_come_before_the_frames_and_padding_after(tmp_path):
    path = write_wav(tmp_path / "a.wav", tone(2, 0))
    steps = ({"step": "segment", "offset_seconds": 0.1, "seconds": 0.2},)
    cut = Extraction(CONFIG, steps)(path)
    assert len(cut) == CONFIG.frames_in(round(0.2 * RATE))
    assert len(Extraction(CONFIG, steps, least_frames=50)(path)) == 50


@pytest.mark.parametrize(
    "other",
    [
        {"config": replace(CONFIG, n_mels=30)},
        {"preprocess": ({"step": "level"},)},
        {"least_frames": 9},
    ],
)
def test_key_tells_what_differs(other):
    assert replace(Extraction(CONFIG), **other).key != Extraction(CONFIG).key


def test_copies_are_varied_by_content_not_by_name(tmp_path):
    (tmp_path / "noise").mkdir()
    rng = np.random.default_rng(0)
    write_wav(tmp_path / "noise" / "hiss.wav", rng.normal(0, 0.1, RATE))
    one = write_wav(tmp_path / "a" / "one.wav", tone(2, 0))
    same = write_wav(tmp_path / "b" / "other.wav", tone(2, 0))
    other = write_wav(tmp_path / "a" / "two.wav", tone(2, 1))
    varied = AudioAugmentation(copies=2, gain_db=6.0, noise="noise", noise_share=1.0)
    copies = [
        Extraction(CONFIG, augmentation=varied, corpora=tmp_path, copy=copy) for copy in (0, 1)
    ]
    np.testing.assert_array_equal(copies[0](one), copies[0](same))
    assert not np.array_equal(copies[0](one), copies[1](one))
    assert not np.array_equal(copies[0](one), Extraction(CONFIG)(one))
    assert copies[0](one).shape == copies[0](other).shape
    assert copies[0].key != copies[1].key != Extraction(CONFIG).key


def test_other_noise_is_another_key(tmp_path):
    varied = AudioAugmentation(copies=1, noise="noise", noise_share=1.0)
    keys = []
    for folder, seconds in (("x", 1), ("y", 2)):
        write_wav(tmp_path / folder / "noise" / "hiss.wav", np.zeros(seconds * RATE) + 0.1)
        keys.append(Extraction(CONFIG, augmentation=varied, corpora=tmp_path / folder).key)
    assert keys[0] != keys[1]
    with pytest.raises(SerEdgeError, match="no sound files; put recordings of noise"):
        _ = Extraction(CONFIG, augmentation=varied, corpora=tmp_path / "z").key
