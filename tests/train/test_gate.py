"""``python -m train.gate``: what the gate is fitted on, and that it computes what was fitted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.gates.speech_gate import ROWS, SpeechDetector, SpeechNetwork
from edge_runtime.gates.speech_shape import ROW_WIDTH
from train.gate import centred, examples, fit, main, new_network, stored_weights
from train.gate_sounds import (
    FRAME,
    SAMPLE_RATE,
    at_level,
    coloured_noise,
    esc10,
    level_of,
    streams,
)

from .tones import write_wav


@pytest.fixture(scope="module")
def keras() -> object:
    return pytest.importorskip("keras", reason="Keras fits the gate")


def test_the_gate_computes_what_keras_does(keras: object) -> None:
    network = new_network()
    rng = np.random.default_rng(0)
    for layer in network.layers:
        layer.set_weights([rng.normal(0.0, 0.2, one.shape) for one in layer.get_weights()])
    rows = rng.normal(-5.0, 1.0, (3 * ROWS, ROW_WIDTH)).astype(np.float32)
    starts = [0, 4, 8, 20, 2 * ROWS]
    seconds = centred(np.stack([rows[start : start + ROWS] for start in starts]))
    logits = network.predict_on_batch(seconds)[:, 0]
    found = SpeechNetwork(stored_weights(network)).probabilities(rows, starts)
    np.testing.assert_allclose(found, 1.0 / (1.0 + np.exp(-logits)), atol=1e-3)
    assert found.std() > 0.1


def test_what_differs_is_told_apart_after_fitting(keras: object) -> None:
    rng = np.random.default_rng(0)
    is_speech = np.arange(2048) % 4 == 0
    seconds = rng.normal(0.0, 0.3, (2048, ROWS, ROW_WIDTH)).astype(np.float16)
    seconds[is_speech, :, -2] += np.float16(1.5)
    network = SpeechNetwork(fit(seconds, is_speech, seed=0, epochs=8))
    starts = list(range(0, 200 * ROWS, ROWS))
    rows = seconds[:200].astype(np.float32).reshape(-1, ROW_WIDTH)
    found = network.probabilities(rows, starts) > 0.5
    assert np.mean(found == is_speech[:200]) > 0.95


def test_examples_are_of_what_stands_out_and_is_clear() -> None:
    rng = np.random.default_rng(0)
    silence = np.zeros(4 * SAMPLE_RATE, dtype=np.float32)
    burst = at_level(rng.normal(size=2 * SAMPLE_RATE).astype(np.float32), -20.0)
    sound = np.concatenate((silence, burst, silence))
    frames = np.arange(len(sound) // FRAME)
    speech = (frames >= 4 * SAMPLE_RATE // FRAME) & (frames < 6 * SAMPLE_RATE // FRAME)
    detector = SpeechDetector(SAMPLE_RATE)
    spoken = [is_speech for _, is_speech in examples(detector, (sound, speech))]
    assert all(spoken)
    assert 10 <= len(spoken) <= 16
    unspoken = [is_speech for _, is_speech in examples(detector, (sound, speech & False))]
    assert not any(unspoken)
    assert len(unspoken) >= len(spoken)
    shapes = {second.shape for second, _ in examples(detector, (sound, speech))}
    assert shapes == {(ROWS, ROW_WIDTH)}


def test_a_sound_is_brought_to_a_level() -> None:
    noise = coloured_noise(np.random.default_rng(0))
    for dbfs in (-10.0, -60.0):
        assert level_of(at_level(noise, dbfs)) == pytest.approx(dbfs, abs=0.5)


def test_clips_are_drawn_from_the_named_folds_alone(tmp_path: Path) -> None:
    for name in ("1-10-A", "2-10-A", "4-10-A"):
        write_wav(tmp_path / "noise" / "ESC-10" / "002_-_Rain" / f"{name}.wav", np.zeros(9))
    (tmp_path / "noise" / "ESC-10" / "002_-_Rain" / "README.txt").write_text("of rain")
    found = esc10(tmp_path, [1, 4])
    assert [(name, path.stem) for name, path in found] == [("Rain", "1-10-A"), ("Rain", "4-10-A")]


def test_what_is_missing_is_one_line_and_the_weights_stay(tmp_path, capsys) -> None:
    weights = tmp_path / "weights.json"
    weights.write_text("in use")
    assert main(["--corpora", str(tmp_path), "--output", str(weights)]) == 1
    said = capsys.readouterr().err
    assert f"{tmp_path / 'noise' / 'ESC-10'}: holds no clips of ESC-10's folds" in said
    assert said.count("train.gate: ") == 1
    assert weights.read_text() == "in use"


def test_streams_hold_speech_of_training_speakers_and_noise(corpora: Path) -> None:
    if not (corpora / "noise" / "ESC-10").is_dir():
        pytest.skip("the corpora's folder holds no ESC-10")
    drawn = streams(corpora, [1], np.random.default_rng(0))
    for _, (sound, active) in zip(range(20), drawn):
        assert len(active) == len(sound) // FRAME
        assert 0.05 < active.mean() < 0.95
        assert -50.0 < level_of(sound) < -10.0
