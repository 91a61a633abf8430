"""Settings come from flags, the environment and a file, in that order, and faults are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.config import example, load
from edge_runtime.errors import SerEdgeError
from edge_runtime.settings import ENVIRONMENT, Settings, options


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "ser-edge.toml"
        path.write_text(text)
        return path

    return write


def test_without_anything_given_the_settings_are_the_defaults():
    assert load(environment={}) == Settings()


def test_every_option_has_a_flag_a_key_and_a_variable_of_its_own():
    every = options()
    assert len({option.key for option in every}) == len(every)
    assert len({option.flag for option in every}) == len(every)
    assert len({option.variable for option in every}) == len(every)
    assert all(option.text for option in every)


def test_a_flag_goes_before_the_environment_and_that_before_the_file(write):
    path = write("[gate]\nhangover = 1.5\n[mqtt]\nport = 1\n[decision]\nminimum_count = 9\n")
    environment = {"SER_EDGE_GATE_HANGOVER": "2.5", "SER_EDGE_MQTT_PORT": "2"}
    flags = {option.key: None for option in options()}
    got = load(path, environment, {**flags, "gate.hangover": 3.5})
    assert got.gate.hangover == 3.5
    assert got.mqtt.port == 2
    assert got.decision.minimum_count == 9


def test_only_the_variables_of_the_flags_of_a_command_count():
    environment = {"SER_EDGE_MQTT_PORT": "none", "SER_EDGE_THREADS": "2"}
    assert load(None, environment, {"model.threads": None}).model.threads == 2


def test_a_variable_that_is_set_to_nothing_counts_as_not_set():
    assert load(environment={"SER_EDGE_MQTT_PORT": ""}) == Settings()


def test_the_example_sets_nothing_and_with_its_defaults_uncommented_the_same(write):
    text = example()
    assert load(write(text), {}) == Settings()
    lines = [
        line[1:] if line.startswith("#") and not line.startswith("# ") else line
        for line in text.splitlines()
    ]
    # TOML has no number that is none.
    given = [line for line in lines if not line.endswith("= ")]
    assert load(write("\n".join(given)), {}) == Settings()
    for option in options():
        assert f"#{option.name} = " in text
        assert option.text in text


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("[mqtt]\nhost = 'x'\nport = 'y'\n", 3, "mqtt.port must be a whole number at least 1"),
        ("[mqtt]\nport = 0\n", 2, "mqtt.port must be"),
        ("[mqtt]\nport = true\n", 2, "mqtt.port must be"),
        ("[mqtt]\n\n'tls' = 1\n", 3, "mqtt.tls must be true or false"),
        ("[gate]\nkind = 'ears'\n", 2, "one of energy, silero, webrtc, off, not 'ears'"),
        ("[gate]\nhangover = nan\n", 2, "gate.hangover must be"),
        ("[decision]\n# port = 1\nsmoothing = 0\n", 3, "above 0 and at most 1"),
        ("[output]\nport = 1\n[mqtt]\nprot = 1\n", 2, "[output] has no setting 'port'"),
        ("[mqtt]\nport = 1\n[mqqt]\nport = 1\n", 3, "there is no section [mqqt]"),
        ("port = 1\n", 1, "there is no section [port]"),
        ("mqtt = 1\n", 1, "there is no section [mqtt]"),
        ("[mqtt]\nhost = 5\n", 2, "mqtt.host must be text"),
        ("[jsonl]\nfile = 5\n", 2, "jsonl.file must be text"),
    ],
)
def test_a_fault_in_the_file_is_named_with_its_line(write, text, line, what):
    with pytest.raises(SerEdgeError) as caught:
        load(write(text), {})
    assert f"ser-edge.toml: line {line}: " in str(caught.value)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_toml_is_named_with_its_line(write):
    with pytest.raises(SerEdgeError, match=r"is no valid TOML.*line 2"):
        load(write("[mqtt]\nport = = 5\n"), {})


def test_a_variable_with_a_slip_in_its_name_is_refused_and_others_are_left_alone():
    with pytest.raises(SerEdgeError) as caught:
        load(environment={f"{ENVIRONMENT}MQTT_PASWORD": "secret"})
    assert str(caught.value).startswith(f"{ENVIRONMENT}MQTT_PASWORD is set, and is no setting; ")
    assert "SER_EDGE_MQTT_PASSWORD is" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert (
        load(environment={"SER_EDGE_CORPORA": "/data", "SER_EDGE_TEST_MODELS": "1"}) == Settings()
    )


def test_a_fault_in_the_environment_is_named_with_the_variable():
    with pytest.raises(SerEdgeError, match=r"^SER_EDGE_MQTT_PORT must be .*, not 'many'$"):
        load(environment={"SER_EDGE_MQTT_PORT": "many"})


def test_a_file_that_is_missing_or_no_text_is_one_line(tmp_path):
    with pytest.raises(SerEdgeError, match="No such file"):
        load(tmp_path / "none.toml", {})
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SerEdgeError, match="is no text"):
        load(binary, {})


def test_a_path_in_the_file_may_begin_with_the_home(write, monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    path = write('[jsonl]\nfile = "~/events.jsonl"\n[save_audio]\ndir = "a~b/~"\n')
    got = load(path, {})
    assert got.jsonl.file == Path("/home/anna/events.jsonl")
    assert got.save_audio.dir == Path("a~b/~")


def test_a_device_may_be_a_number_in_the_file(write):
    assert load(write("[source]\ndevice = 3\n"), {}).source.device == "3"


@given(st.data())
def test_a_value_means_the_same_in_the_file_and_the_environment(tmp_path_factory, data):
    option = data.draw(st.sampled_from([one for one in options() if one.type in (int, float)]))
    low = option.least if option.least is not None else (option.above or 0.0) + 1e-3
    high = min(option.most if option.most is not None else 1e6, 1e6)
    if option.type is int:
        value = data.draw(st.integers(int(low), int(high)))
    else:
        value = data.draw(st.floats(low, high))
    path = tmp_path_factory.mktemp("config") / "c.toml"
    path.write_text(f"[{option.section}]\n{option.name} = {value!r}\n")
    from_file = load(path, {})
    assert from_file == load(environment={option.variable: repr(value)})
    assert getattr(getattr(from_file, option.section), option.name) == value


@given(st.text(max_size=200))
def test_no_text_in_the_file_is_a_traceback(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("config") / "c.toml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        outcome = repr(load(path, {}))
    except SerEdgeError as error:
        outcome = str(error)
    assert outcome.startswith((f"{path}: ", "Settings("))
