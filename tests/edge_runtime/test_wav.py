"""RIFF/WAVE: every sample format there and back, and headers that lie."""

from __future__ import annotations

import os
import struct
import sys
import threading
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime.errors import SerEdgeError
from edge_runtime.sources import AudioFile

RATE = 16000
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
KSDATA_TAIL = bytes.fromhex("000000001000800000aa00389b71")
MUTATED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def chunk(identifier: bytes, body: bytes) -> bytes:
    return identifier + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def fmt_chunk(codec=PCM, channels=1, rate=RATE, bits=16, block=None, extensible=False):
    block = channels * bits // 8 if block is None else block
    stated = EXTENSIBLE if extensible else codec
    body = struct.pack("<HHIIHH", stated, channels, rate, rate * block & 0xFFFFFFFF, block, bits)
    if extensible:
        body += struct.pack("<HHIH", 22, bits, 0, codec) + KSDATA_TAIL
    return chunk(b"fmt ", body)


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def encode(samples: np.ndarray, codec: int, bits: int) -> bytes:
    """Samples in [-1, 1) as the bytes of a data chunk."""
    if codec == FLOAT:
        return samples.astype(f"<f{bits // 8}").tobytes()
    scaled = np.round(samples * 2.0 ** (bits - 1))
    if bits == 8:
        return (scaled + 128).astype("u1").tobytes()
    if bits == 24:
        return scaled.astype("<i4").reshape(-1, 1).view("u1")[:, :3].tobytes()
    return scaled.astype(f"<i{bits // 8}").tobytes()


def noise(n_samples: int, n_channels: int = 1) -> np.ndarray:
    return np.random.default_rng(1).uniform(-0.99, 0.99, (n_samples, n_channels))


def read(path: Path) -> np.ndarray:
    with AudioFile(path, RATE) as file:
        return np.concatenate(list(file.chunks()))


def error_of(path: Path) -> str:
    with pytest.raises(SerEdgeError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    return message


def valid(n_samples: int = 1000) -> bytes:
    return riff(fmt_chunk(), chunk(b"data", encode(noise(n_samples), PCM, 16)))


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize(
    ("codec", "bits"), [(PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32), (FLOAT, 64)]
)
def test_every_sample_format_comes_back_within_a_quantisation_step(
    tmp_path, codec, bits, channels, extensible
):
    samples = noise(12345, channels)
    fmt = fmt_chunk(codec, channels, bits=bits, extensible=extensible)
    path = tmp_path / "x.wav"
    path.write_bytes(riff(fmt, chunk(b"data", encode(samples, codec, bits))))
    step = 2.0 ** (1 - bits) if codec == PCM else 0.0
    np.testing.assert_allclose(read(path), samples.mean(axis=1), atol=step / 2 + 1e-6)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_reads_what_the_wave_module_writes(tmp_path, width):
    samples = noise(4000)
    path = tmp_path / "x.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, width, RATE, 0, "NONE", ""))
        file.writeframes(encode(samples, PCM, 8 * width))
    np.testing.assert_allclose(read(path), samples[:, 0], atol=2.0 ** (1 - 8 * width))


def test_full_scale_stays_within_one(tmp_path):
    path = tmp_path / "x.wav"
    path.write_bytes(riff(fmt_chunk(), chunk(b"data", struct.pack("<3h", -32768, 0, 32767))))
    assert read(path).tolist() == [-1.0, 0.0, 32767 / 32768]


def test_other_chunks_and_their_pad_bytes_are_skipped(tmp_path):
    samples = noise(777)
    data = chunk(b"data", encode(samples, PCM, 16))
    path = tmp_path / "x.wav"
    parts = (chunk(b"JUNK", b"odd"), fmt_chunk(), chunk(b"FLLR", bytes(4045)), data)
    path.write_bytes(riff(*parts, chunk(b"LIST", b"not sound at all")))
    np.testing.assert_allclose(read(path), samples[:, 0], atol=2**-15)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000, 0x80000000])
@pytest.mark.parametrize("riff_size", [0, 36, 0xFFFFFFFF, 0x7FFFF024])
def test_a_size_that_was_never_filled_in_means_until_the_end(tmp_path, size, riff_size):
    raw = bytearray(valid(500) + b"\x01")  # and half a sample
    raw[4:8], raw[40:44] = struct.pack("<I", riff_size), struct.pack("<I", size)
    path = tmp_path / "x.wav"
    path.write_bytes(raw)
    assert len(read(path)) == 500


@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF])
def test_comes_through_a_pipe(tmp_path, size):
    raw = bytearray(riff(chunk(b"LIST", bytes(70001)), valid(9000)[12:]))
    if size is not None:
        raw[-18004:-18000] = struct.pack("<I", size)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(bytes(raw),))
    writer.start()
    np.testing.assert_allclose(read(path), noise(9000)[:, 0], atol=2**-15)
    writer.join()


def test_a_pipe_that_ends_early_is_an_error(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(valid(9000)[:-1000],))
    writer.start()
    assert "ends before the length that its header states" in error_of(path)
    writer.join()


def test_a_truncated_file_is_named_with_both_durations(tmp_path):
    path = tmp_path / "x.wav"
    path.write_bytes(valid(32000)[:-16000])
    assert "header promises 2.00 s, the file holds 1.50 s" in error_of(path)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (riff(fmt_chunk(channels=0, block=2), chunk(b"data", bytes(8))), "0 channels"),
        (riff(fmt_chunk(rate=0), chunk(b"data", bytes(8))), "0 Hz"),
        (riff(fmt_chunk(block=3), chunk(b"data", bytes(6))), "3 bytes per sample for 1 x 16 bit"),
        (riff(fmt_chunk(block=0), chunk(b"data", bytes(6))), "0 bytes per sample"),
        (riff(fmt_chunk(rate=4000000000), chunk(b"data", bytes(8))), "4000000000 Hz"),
        (riff(chunk(b"fmt ", bytes(8)), chunk(b"data", bytes(8))), "format chunk is too short"),
        (riff(chunk(b"data", bytes(8)), fmt_chunk()), "samples come before their format"),
        (riff(fmt_chunk()), "ends within its header"),
        (riff(fmt_chunk(), chunk(b"data", b"")), "no samples"),
        (riff(fmt_chunk(), chunk(b"data", b""), chunk(b"LIST", bytes(50))), "no samples"),
        (valid()[:30], "ends within its header"),
        (riff(bytes(100000)), "no 'fmt' chunk"),
    ],
)
def test_a_nonsense_header_is_one_line(tmp_path, raw, expected):
    path = tmp_path / "x.wav"
    path.write_bytes(raw)
    assert expected in error_of(path)


@pytest.mark.parametrize(
    ("codec", "bits", "expected"),
    [(2, 4, "Microsoft ADPCM"), (7, 8, "mu-law"), (0x1234, 16, "0x1234"), (PCM, 12, "12 bit PCM")],
)
def test_an_unknown_codec_is_named_where_soundfile_is_missing(
    tmp_path, monkeypatch, codec, bits, expected
):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    path = tmp_path / "x.wav"
    path.write_bytes(riff(fmt_chunk(codec, bits=bits, block=2), chunk(b"data", bytes(8))))
    message = error_of(path)
    assert expected in message
    assert "pip install 'ser-edge[audio]'" in message


def test_an_unknown_codec_is_one_line_with_soundfile_too(tmp_path):
    pytest.importorskip("soundfile")
    path = tmp_path / "x.wav"
    path.write_bytes(riff(fmt_chunk(0x1234, block=2), chunk(b"data", bytes(8))))
    assert "codec 0x1234 WAV audio cannot be decoded" in error_of(path)


def read_or_refuse(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    try:
        samples, refusal = read(path), None
    except SerEdgeError as error:
        samples, refusal = np.zeros(0, np.float32), str(error)
    assert refusal is None or (refusal.startswith(f"{path}: ") and refusal.isprintable())
    assert (samples.dtype, samples.ndim) == (np.float32, 1)
    assert np.isfinite(samples).all()


@MUTATED
@given(raw=st.binary(max_size=200))
def test_random_bytes_are_refused_or_read(tmp_path, raw):
    read_or_refuse(tmp_path / "x.wav", raw)


@MUTATED
@given(raw=st.binary(max_size=200))
def test_random_bytes_behind_a_riff_header_are_refused_or_read(tmp_path, raw):
    read_or_refuse(tmp_path / "x.wav", riff(raw))


@MUTATED
@given(
    changes=st.dictionaries(st.integers(4, 80), st.integers(0, 255), min_size=1, max_size=6),
    extensible=st.booleans(),
    length=st.integers(13, 1100),
)
def test_a_mutated_header_is_refused_or_read(tmp_path, changes, extensible, length):
    data = chunk(b"data", encode(noise(500), PCM, 16))
    raw = bytearray(riff(fmt_chunk(extensible=extensible), data))
    for position, value in changes.items():
        raw[position] = value
    read_or_refuse(tmp_path / "x.wav", bytes(raw[:length]))
