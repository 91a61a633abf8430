"""What ``ser-bench limit`` counts is what the definitions and the files hold."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.arithmetic import dense_blocks, of_frame, of_window, real_fft
from benchmarks.limit_gate import network_macs, of_block
from benchmarks.limit_network import arithmetic_of
from benchmarks.matrix_products import FLOAT, INT8, fully_connected
from edge_runtime import FeatureConfig
from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.errors import SerEdgeError

schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="it reads .tflite files")
flatbuffers = pytest.importorskip("flatbuffers", reason="it writes .tflite files")


def test_a_frame_of_the_default_features_counts_as_by_hand() -> None:
    counted = of_frame(FeatureConfig())
    assert counted.needed == {
        "window": 512,
        "FFT": 11520,  # 2.5 * 512 * 9
        "power": 771,  # two squares and a sum in 257 bins
        "mel bands": 2 * 498,
        "level": 63,
        "DCT": 5120,  # 2 * 64 * 40
        "decibels": 65,
    }
    assert counted.functions == {"logarithms": 65}
    assert counted.uncounted == ()
    assert counted.macs == (512 + 11520 + 771 + 996 + 63 + 5120 + 65) // 2


def test_what_a_definition_adds_is_counted() -> None:
    config = FeatureConfig(
        kinds=("mfcc", "rms", "zcr", "pitch"),
        window="rectangular",
        pre_emphasis=0.97,
        spectrum="power_over_n",
        log="ln",
        first_coefficient="log_energy",
    )
    counted = of_frame(config)
    assert counted.needed["pre-emphasis"] == 320
    assert (counted.needed["window"], counted.done["window"]) == (0, 512)
    assert counted.needed["power"] == 4 * 257
    assert "decibels" not in counted.needed
    assert counted.needed["level"] == 63 + 256
    assert (counted.needed["rms"], counted.needed["zcr"]) == (1024, 512)
    assert counted.functions == {"logarithms": 66, "square roots": 1}
    assert counted.uncounted == ("pitch",)


def test_the_magnitude_takes_a_root_of_every_bin() -> None:
    assert of_frame(FeatureConfig(spectrum="magnitude")).functions["square roots"] == 257


def test_features_without_a_spectrum_take_no_transform() -> None:
    counted = of_frame(FeatureConfig(kinds=("rms",)))
    assert counted.needed == {"rms": 1024}
    assert counted.functions == {"square roots": 1}


@given(
    n_mels=st.integers(8, 64),
    fft_size=st.sampled_from([512, 1024, 2048]),
    scale=st.sampled_from(["slaney", "htk"]),
)
@settings(max_examples=30, deadline=None)
def test_mel_bands_count_the_weights_that_are_not_zero(
    n_mels: int, fft_size: int, scale: str
) -> None:
    try:
        config = FeatureConfig(n_mels=n_mels, n_mfcc=8, fft_size=fft_size, mel_scale=scale)
    except SerEdgeError:  # some band holds no bin
        return
    counted, bank = of_frame(config), config.filter_bank()
    assert counted.needed["mel bands"] == 2 * np.count_nonzero(bank)
    assert counted.needed["mel bands"] <= counted.done["mel bands"] <= 2 * bank.size
    assert of_frame(config).times(3).needed["mel bands"] == 6 * np.count_nonzero(bank)


def test_blocks_span_from_the_first_to_the_last_bin_in_use() -> None:
    bank = np.zeros((3, 8), dtype=np.float32)
    bank[0, 1:3], bank[1, 2:5], bank[2, 4:8] = 1.0, 1.0, 1.0
    assert dense_blocks(bank, 2) == 2 * 4 + 1 * 4
    assert dense_blocks(bank, 1) == np.count_nonzero(bank)


def test_a_window_counts_what_its_definition_names() -> None:
    assert of_window(FeatureConfig(), 100).needed == {"standardisation": 2 * 100 * 40}
    config = FeatureConfig(level="peak", mean_subtraction=True, delta_order=2, pool="mean")
    assert of_window(config, 100).needed == {
        "level": 100,
        "mean": 2 * 4000,
        "deltas": 2
        * 7
        * 4000,  # for each of 2 offsets a difference, a product and a sum; a quotient
        "pool": 100 * 120,
        "standardisation": 2 * 120,
    }


def test_the_gate_counts_its_frames_and_its_network() -> None:
    counted = of_block(16000)
    assert counted["FFT"] == 4 * real_fft(512)
    assert counted["window"] == 4 * 512
    # Convolutions of 5 x 23 inputs, two new stretches, and of 3 x 24 over 6; then 48 - 16 - 1.
    assert network_macs() == 2 * 115 * 24 + 6 * 72 * 24 + 48 * 16 + 16
    assert counted["network"] == 2 * network_macs()


def test_the_bundled_network_counts_as_by_hand() -> None:
    counted = arithmetic_of(DEFAULT_MODEL)
    # Of 125 x 80 values: into bands, 5 x 5 at strides of 2 x 4, then 3 x 3 at 2 x 2 with 16 to 24
    # channels, 240 to 100 of them over time, three blocks, and two gates of as many.
    into_bands, stem = 125 * 80 * 80, 63 * 20 * 25 * 16
    planes, over_time = 32 * 10 * 16 * 24, 32 * 240 * 100
    assert counted["CONV_2D"].macs == {
        "int8": into_bands + stem + planes + over_time + (3 + 2) * 32 * 100 * 100
    }
    assert counted["DEPTHWISE_CONV_2D"].macs == {"int8": 32 * 10 * 9 * 16 + 3 * 32 * 5 * 100}
    assert counted["FULLY_CONNECTED"].macs == {"int8": 2 * 100 * 7}
    assert counted["MUL"].elementary == counted["MEAN"].elementary == 32 * 100
    assert all(one.is_counted for one in counted.values())


@pytest.mark.parametrize(("kind", "weights"), [(FLOAT, "float32"), (INT8, "int8")])
def test_a_layer_counts_rows_times_inputs_times_outputs(
    kind: str, weights: str, tmp_path: Path
) -> None:
    path = tmp_path / "layer.tflite"
    path.write_bytes(fully_connected(kind, 3, 5, 7))
    counted = arithmetic_of(path)
    assert counted["FULLY_CONNECTED"].macs == {weights: 3 * 5 * 7}
    assert counted["FULLY_CONNECTED"].runs == 1


def changed(content: bytes, change: Any) -> bytes:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    change(model)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_an_operator_that_is_not_known_is_told(tmp_path: Path) -> None:
    def make_cumsum(model: Any) -> None:
        (code,) = model.operatorCodes
        code.builtinCode, code.deprecatedBuiltinCode = schema.BuiltinOperator.CUMSUM, 127

    path = tmp_path / "other.tflite"
    path.write_bytes(changed(fully_connected(FLOAT, 2, 2, 2), make_cumsum))
    assert not arithmetic_of(path)["CUMSUM"].is_counted


def in_a_loop(model: Any, limit: int | None) -> None:
    """Put the model's layer into a loop that is left when its counter reaches the limit."""
    (body,) = model.subgraphs
    counter, bound, answer = (schema.TensorT() for _ in range(3))
    for tensor in (counter, bound):
        tensor.shape, tensor.type = [], schema.TensorType.INT32
    answer.shape, answer.type = [], schema.TensorType.BOOL
    if limit is not None:
        stored = schema.BufferT()
        stored.data = np.frombuffer(np.int32(limit).tobytes(), dtype=np.uint8)
        model.buffers.append(stored)
        bound.buffer = len(model.buffers) - 1
    less, loop = schema.OperatorT(), schema.OperatorT()
    less.opcodeIndex, less.inputs, less.outputs = 1, [0, 1], [2]
    loop.opcodeIndex, loop.inputs, loop.outputs = 2, [0], [0]
    loop.builtinOptionsType = schema.BuiltinOptions.WhileOptions
    loop.builtinOptions = schema.WhileOptionsT()
    loop.builtinOptions.condSubgraphIndex, loop.builtinOptions.bodySubgraphIndex = 1, 2
    condition, whole = schema.SubGraphT(), schema.SubGraphT()
    condition.tensors, condition.operators = [counter, bound, answer], [less]
    condition.inputs, condition.outputs = [0], [2]
    whole.tensors, whole.operators, whole.inputs, whole.outputs = [counter], [loop], [0], [0]
    model.subgraphs = [whole, condition, body]
    for name in ("LESS", "WHILE"):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
        model.operatorCodes.append(code)


@pytest.mark.parametrize("rounds", [1, 31])
def test_a_loop_counts_as_often_as_it_runs(rounds: int, tmp_path: Path) -> None:
    path = tmp_path / "loop.tflite"
    content = fully_connected(FLOAT, 3, 5, 7)
    path.write_bytes(changed(content, lambda model: in_a_loop(model, rounds)))
    counted = arithmetic_of(path)["FULLY_CONNECTED"]
    assert (counted.runs, counted.macs) == (rounds, {"float32": rounds * 3 * 5 * 7})


def test_a_loop_of_no_fixed_length_gets_one_line(tmp_path: Path) -> None:
    path = tmp_path / "loop.tflite"
    content = fully_connected(FLOAT, 1, 1, 1)
    path.write_bytes(changed(content, lambda model: in_a_loop(model, None)))
    with pytest.raises(SerEdgeError, match="loop whose length is not fixed"):
        arithmetic_of(path)


def test_a_transform_counts_by_convention() -> None:
    assert real_fft(1024) == 25600
    assert real_fft(400) == round(2.5 * 400 * math.log2(400))
