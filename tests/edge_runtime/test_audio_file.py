"""Sound files of every kind, honest and not."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime.errors import SerEdgeError
from edge_runtime.sources import AudioFile, read_clip

RATE = 16000


def tone(rate: int, seconds: float = 1.0, frequency: float = 440.0, level: float = 0.5):
    return level * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)


def write_wav(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((samples.shape[1] if samples.ndim == 2 else 1, 2, rate, 0, "NONE", ""))
        file.writeframes(np.round(samples * 32767).astype("<i2").tobytes())
    return path


def write_float_wav(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 3, 1, rate, rate * 8, 8, 64)
    body += b"data" + struct.pack("<I", 8 * len(samples)) + samples.astype("<f8").tobytes()
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def read(path: Path, rate: int = RATE) -> np.ndarray:
    with AudioFile(path, rate) as file:
        return np.concatenate(list(file.chunks()))


def error_of(function, path) -> str:
    with pytest.raises(SerEdgeError) as caught:
        function(path, RATE)
    message = str(caught.value)
    assert str(path).splitlines()[0] in message
    assert message.isprintable()
    return message


def read_and_drop(path: Path, rate: int) -> None:
    read(path, rate)


@pytest.fixture
def soundfile():
    return pytest.importorskip("soundfile")


# ---- formats ----


@pytest.mark.parametrize(
    ("written_as", "subtype", "tolerance"),
    [
        ("FLAC", "PCM_16", 2**-15),
        ("FLAC", "PCM_24", 2**-23),
        ("AIFF", "PCM_16", 2**-15),
        ("AIFF", "FLOAT", 1e-7),
        ("CAF", "PCM_16", 2**-15),
        ("W64", "PCM_16", 2**-15),
        ("RF64", "PCM_16", 2**-15),
        ("AU", "PCM_16", 2**-15),
        ("WAV", "ULAW", 0.02),
        ("WAV", "ALAW", 0.02),
        ("WAV", "MS_ADPCM", 0.05),
        ("WAV", "IMA_ADPCM", 0.05),
        ("OGG", "VORBIS", 0.1),
        ("MP3", "MPEG_LAYER_III", 0.1),
    ],
)
def test_reads_by_content_whatever_the_name(tmp_path, soundfile, written_as, subtype, tolerance):
    samples = tone(RATE, 2.0)
    path = tmp_path / "x.raw"
    with path.open("wb") as file:
        soundfile.write(file, samples, RATE, format=written_as, subtype=subtype)
    # Codecs that work in blocks pad the last one.
    got = read(path)[: len(samples)]
    assert len(got) == len(samples)
    np.testing.assert_allclose(got[800:-800], samples[800:-800], atol=tolerance)


@pytest.mark.parametrize("written_as", ["FLAC", "OGG", "MP3"])
def test_block_by_block_is_as_all_at_once(tmp_path, soundfile, written_as):
    path = tmp_path / "x"
    with path.open("wb") as file:
        soundfile.write(file, tone(RATE, 3.2), RATE, format=written_as)
    with path.open("rb") as file:
        whole = soundfile.read(file, dtype="float32")[0]
    np.testing.assert_allclose(read(path), whole, atol=1e-6)


def test_big_endian_wav_goes_to_soundfile(tmp_path, soundfile):
    samples = tone(RATE)
    path = tmp_path / "x.wav"
    soundfile.write(path, samples, RATE, subtype="PCM_16", endian="BIG")
    np.testing.assert_allclose(read(path), samples, atol=2**-15)


def test_channels_are_averaged(tmp_path):
    left, right = tone(RATE, frequency=300.0), tone(RATE, frequency=500.0, level=0.2)
    path = write_wav(tmp_path / "x.wav", np.stack([left, right], axis=1))
    with AudioFile(path, RATE) as file:
        assert (file.channels, file.duration) == (2, 1.0)
        got = np.concatenate(list(file.chunks()))
    np.testing.assert_allclose(got, (left + right) / 2, atol=2**-14)


def test_chunks_are_mono_float32_of_at_most_half_a_second(tmp_path):
    path = write_wav(tmp_path / "x.wav", np.stack([tone(RATE, 2.3)] * 2, axis=1))
    with AudioFile(path, RATE) as file:
        chunks = list(file.chunks())
        assert list(file.chunks()) == []  # once
    assert {(chunk.ndim, chunk.dtype.str) for chunk in chunks} == {(1, "<f4")}
    assert max(map(len, chunks)) == RATE // 2


@pytest.mark.parametrize("rate", [16001, 22050, 24414, 44100, 48000, 96000, 192000])
def test_higher_rates_are_resampled_in_place(tmp_path, rate):
    pytest.importorskip("soxr")
    path = write_wav(tmp_path / "x.wav", tone(rate, 2.0), rate)
    got = read(path)
    assert abs(len(got) - 2 * RATE) <= 1
    expected = tone(RATE, 2.1)[: len(got)]
    # Same level, same place; the very ends ring.
    np.testing.assert_allclose(got[400:-400], expected[400:-400], atol=2e-4)


def test_what_lies_above_the_new_band_is_removed(tmp_path):
    pytest.importorskip("soxr")
    path = write_wav(tmp_path / "x.wav", tone(48000, 1.0, frequency=10000.0), 48000)
    assert np.abs(read(path)[400:-400]).max() < 1e-4


def test_a_lower_rate_is_refused(tmp_path):
    path = write_wav(tmp_path / "x.wav", tone(8000), 8000)
    message = error_of(read_and_drop, path)
    assert "8000 Hz" in message
    assert "above 4000 Hz is missing and resampling cannot restore it" in message


def test_an_hour_is_read_in_little_memory(tmp_path):
    path = write_wav(tmp_path / "x.wav", np.zeros(10))
    n_bytes = 3600 * RATE * 2
    with path.open("r+b") as file:
        file.seek(40)
        file.write(struct.pack("<I", n_bytes))
        file.truncate(44 + n_bytes)  # sparse
    tracemalloc.start()
    with AudioFile(path, RATE) as file:
        n_samples = sum(len(chunk) for chunk in file.chunks())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_samples == 3600 * RATE
    assert peak < 2e6


def test_realtime_keeps_a_microphones_pace(tmp_path):
    path = write_wav(tmp_path / "x.wav", tone(RATE, 1.0))
    late = []
    start = time.monotonic()
    with AudioFile(path, RATE, realtime=True) as file:
        for n, chunk in enumerate(file.chunks(), start=1):
            late.append(time.monotonic() - start - 0.25 * n)
            assert len(chunk) == RATE // 4
            time.sleep(0.03)  # work of the listener must not add up
    assert len(late) == 4
    assert min(late) > -0.02  # never before a microphone could
    assert late[-1] < 0.15


# ---- what is refused ----


def test_missing_file(tmp_path):
    assert "there is no such file" in error_of(AudioFile, tmp_path / "x.wav")


def test_folder(tmp_path):
    assert "is a folder" in error_of(AudioFile, tmp_path)


def test_no_permission(tmp_path):
    path = write_wav(tmp_path / "x.wav", tone(RATE))
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        assert "no permission" in error_of(AudioFile, path)
    finally:
        os.seteuid(user)


def test_a_name_that_is_none():
    with pytest.raises(SerEdgeError, match="is no file name"):
        AudioFile("x\0.wav", RATE)


def test_control_characters_in_a_name_stay_on_one_line(tmp_path):
    with pytest.raises(SerEdgeError) as caught:
        AudioFile(tmp_path / "two\nlines\x1b[31m.wav", RATE)
    assert str(caught.value).isprintable()
    assert "two\\nlines" in str(caught.value)


def test_empty_file(tmp_path):
    path = tmp_path / "x.wav"
    path.touch()
    assert "is empty (0 bytes)" in error_of(AudioFile, path)


def test_header_without_samples(tmp_path):
    path = write_wav(tmp_path / "x.wav", np.zeros(0))
    assert "holds no samples" in error_of(AudioFile, path)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"<!DOCTYPE html><html>", "is not a sound file that ser-edge can read (starts with '<!D"),
        (b"\x89PNG\r\n\x1a\n" + bytes(30), r"(starts with '\x89PNG\r\n\x1a\n')"),
        (b"RIFF\x10\0\0\0AVI LIST", "is not a sound file"),
        (b"x", "is not a sound file"),
        ("\ufeffnotes".encode("utf-16"), "is not a sound file"),
        (b"\0\0\0\x1cftypM4A \0\0\0\0", "is MPEG-4 audio, which ser-edge cannot read; convert"),
        (b"\x1a\x45\xdf\xa3" + bytes(30), "is Matroska/WebM audio"),
    ],
)
def test_no_sound_file(tmp_path, raw, expected):
    path = tmp_path / "x.wav"
    path.write_bytes(raw)
    assert expected in error_of(AudioFile, path)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e300])
def test_samples_that_are_not_numbers_are_placed(tmp_path, wrong):
    samples = tone(RATE, 2.0)
    samples[int(1.23 * RATE)] = wrong
    path = write_float_wav(tmp_path / "x.wav", samples)
    message = error_of(read_and_drop, path)
    assert "not numbers (NaN or infinity) at 1.23 s" in message


def test_floats_in_another_scale_are_refused(tmp_path):
    path = write_float_wav(tmp_path / "x.wav", 32767 * tone(RATE))
    assert "full scale is 1" in error_of(read_and_drop, path)


def test_without_soundfile_the_package_is_named(tmp_path, soundfile, monkeypatch):
    path = tmp_path / "x.wav"
    soundfile.write(path, tone(RATE), RATE, format="AIFF")
    monkeypatch.setitem(sys.modules, "soundfile", None)
    message = error_of(AudioFile, path)
    assert "is AIFF audio despite its name" in message
    assert "needs the soundfile package: pip install 'ser-edge[audio]'" in message


def test_without_soxr_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "soxr", None)
    path = write_wav(tmp_path / "x.wav", tone(44100), 44100)
    message = error_of(AudioFile, path)
    assert "is sampled at 44100 Hz" in message
    assert "needs the soxr package: pip install 'ser-edge[audio]'" in message
    assert len(read(path, 44100)) == 44100


@pytest.mark.parametrize("written_as", ["FLAC", "AIFF", "CAF", "W64", "RF64", "AU", "OGG"])
def test_a_truncated_file_is_refused(tmp_path, soundfile, written_as):
    path = tmp_path / "x"
    with path.open("wb") as file:
        soundfile.write(file, tone(RATE, 3.0), RATE, format=written_as)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) * 2 // 3])
    error_of(read_and_drop, path)


def test_a_corrupt_flac_is_refused(tmp_path, soundfile):
    path = tmp_path / "x.flac"
    soundfile.write(path, tone(RATE, 3.0), RATE)
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 300] = bytes(value ^ 0x5A for value in raw[middle : middle + 300])
    path.write_bytes(raw)
    assert "FLAC audio cannot be decoded" in error_of(read_and_drop, path)


def test_a_flac_of_unstated_length_is_read(tmp_path, soundfile):
    path = tmp_path / "x.flac"
    soundfile.write(path, tone(RATE), RATE)
    raw = bytearray(path.read_bytes())
    raw[21] &= 0xF0  # the 36 bits of STREAMINFO's total samples
    raw[22:26] = bytes(4)
    path.write_bytes(raw)
    with AudioFile(path, RATE) as file:
        assert file.duration is None
    np.testing.assert_allclose(read(path), tone(RATE), atol=2**-15)


def test_a_flac_cannot_come_through_a_pipe(tmp_path, soundfile):
    reader, writer = os.pipe()
    os.write(writer, b"fLaC" + bytes(100))
    os.close(writer)
    message = error_of(AudioFile, f"/dev/fd/{reader}")
    os.close(reader)
    assert "FLAC cannot be read from a pipe" in message


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    head=st.sampled_from([b"FORM\0\0\1\0AIFF", b"fLaC", b"OggS", b"ID3", b"\xff\xfb\x90", b".snd"]),
    rest=st.binary(max_size=200),
)
def test_garbage_behind_a_known_beginning_is_refused_or_read(tmp_path, soundfile, head, rest):
    path = tmp_path / "x.wav"
    path.write_bytes(head + rest)
    try:
        samples, refusal = read(path), None
    except SerEdgeError as error:
        samples, refusal = np.zeros(0), str(error)
    assert refusal is None or (refusal.startswith(f"{path}: ") and refusal.isprintable())
    assert np.isfinite(samples).all()


# ---- one clip ----


def test_read_clip_gives_the_whole_clip(tmp_path):
    samples = tone(RATE, 1.7)
    clip = read_clip(write_wav(tmp_path / "x.wav", samples), RATE)
    assert clip.dtype == np.float32
    np.testing.assert_allclose(clip, samples, atol=2**-14)


def test_a_clip_over_ten_minutes_is_for_listen(tmp_path):
    path = write_wav(tmp_path / "x.wav", np.full(601 * RATE, 0.5))
    message = error_of(read_clip, path)
    assert "longer than 10 minutes" in message
    assert "ser-edge listen" in message


def test_a_clip_of_unknown_length_is_limited_too(tmp_path):
    path = write_wav(tmp_path / "pipe.wav", np.full(602 * RATE, 0.5))
    fifo = tmp_path / "x.wav"
    os.mkfifo(fifo)
    if os.fork() == 0:
        try:
            raw = bytearray(path.read_bytes())
            raw[40:44] = b"\xff" * 4
            fifo.write_bytes(raw)
        finally:
            os._exit(0)
    assert "longer than 10 minutes" in error_of(read_clip, fifo)
    os.wait()


@pytest.mark.parametrize(
    ("samples", "level"),
    [
        (np.zeros(RATE), "digital zero"),
        (np.full(RATE, 0.3), "dBFS"),
        (tone(RATE, level=0.0005), "-66"),
    ],
)
def test_a_silent_clip_is_refused_with_its_level(tmp_path, samples, level):
    message = error_of(read_clip, write_float_wav(tmp_path / "x.wav", samples))
    assert "is silent" in message
    assert level in message or "digital zero" in message


def test_a_quiet_clip_is_read(tmp_path):
    assert len(read_clip(write_float_wav(tmp_path / "x.wav", tone(RATE, level=0.002)), RATE))


@pytest.mark.parametrize("rate", [16000, 48000])
def test_a_clipped_clip_is_refused_with_its_share(tmp_path, rate):
    pytest.importorskip("soxr")
    samples = np.clip(tone(rate, level=1.2), -1.0, 1.0)
    share = np.mean(np.abs(samples) >= 0.999)
    message = error_of(read_clip, write_wav(tmp_path / "x.wav", samples, rate))
    assert f"is clipped: {share:.0%} of its samples" in message


def test_a_few_clipped_samples_pass(tmp_path):
    samples = tone(RATE, 2.0)
    samples[:: RATE // 100] = 1.0
    assert len(read_clip(write_wav(tmp_path / "x.wav", samples), RATE)) == 2 * RATE


# ---- files as the corpora have them ----


@pytest.mark.parametrize(
    ("name", "rate", "channels", "seconds"),
    [
        ("TESS/OAF_food_fear.wav", 96000, 1, 1.512),
        ("TESS/YAF_neat_fear.wav", 24414, 1, 1.645),  # AIFF despite its name
        ("TESS/YAF_germ_angry.wav", 24414, 1, 2.206),  # AIFF despite its name
        ("TESS/OAF_back_angry.wav", 24414, 1, 1.539),
        ("RAVDESS/03-01-02-01-01-02-01.wav", 48000, 2, 3.604),
        ("RAVDESS/03-01-05-02-01-01-12.wav", 48000, 1, 3.637),
        ("EmoDB/03a01Fa.wav", 16000, 1, 1.898),
    ],
)
def test_reads_the_files_of_the_corpora(name, rate, channels, seconds):
    root = os.environ.get("SER_EDGE_CORPORA")
    if not root:
        pytest.skip("SER_EDGE_CORPORA names no folder of corpora")
    path = Path(root) / "originals" / name
    if not path.exists():
        pytest.skip(f"there is no {path}")
    pytest.importorskip("soxr")
    pytest.importorskip("soundfile")
    with AudioFile(path, RATE) as file:
        assert (file.file_rate, file.channels) == (rate, channels)
    clip = read_clip(path, RATE)
    assert abs(len(clip) / RATE - seconds) < 0.001
    assert 0.01 < np.abs(clip).max() < 1.05


def test_importing_the_sources_needs_only_numpy():
    heavy = "{'sounddevice', 'soundfile', 'soxr'}"
    script = f"import sys, edge_runtime.sources; print(sorted({heavy} & set(sys.modules)))"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
