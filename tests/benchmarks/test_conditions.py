"""The noise is as loud as it is said to be, rooms delay nothing, and all of it comes out again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.sound_conditions import (
    CLEAN,
    NOISES,
    SNRS_DB,
    Condition,
    active_part,
    find_conditions,
    heard_in,
    protocol,
)
from edge_runtime.errors import SerEdgeError

from .voices import RATE, example, write_surroundings

FRAME = 512  # 32 ms


@pytest.fixture(scope="module")
def conditions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Condition]:
    """Every condition by its name."""
    folder = write_surroundings(tmp_path_factory.mktemp("corpora"))
    return {one.name: one for one in find_conditions(folder, ("noise", "rooms"))}


def power(sound: np.ndarray) -> float:
    return float(np.mean(np.square(sound.astype(np.float64))))


def quiet_speech(seconds: float = 4.0) -> np.ndarray:
    """So quiet that no sum with noise comes near full scale."""
    return example()[: int(seconds * RATE)] * np.float32(0.02)


@given(
    noise=st.sampled_from(sorted(NOISES)),
    snr=st.sampled_from(SNRS_DB),
    before=st.integers(0, 3 * RATE),
    after=st.integers(0, 3 * RATE),
    source=st.text(max_size=5),
)
def test_the_speech_is_so_far_above_the_noise_however_long_the_silence_around_it(
    conditions: dict[str, Condition], noise: str, snr: int, before: int, after: int, source: str
) -> None:
    condition = conditions[f"{noise} {snr} dB"]
    speech = quiet_speech()
    active = active_part(speech, RATE)
    assert 0.2 < active.mean() < 1.0
    sound, active = (np.pad(one, (before, after)) for one in (speech, active))
    heard = heard_in(condition, sound, active, RATE, source)
    assert len(heard) == len(sound)
    mixed_in = heard - sound
    measured = 10.0 * np.log10(power(sound[active]) / power(mixed_in))
    assert measured == pytest.approx(snr, abs=0.01)
    np.testing.assert_array_equal(heard, heard_in(condition, sound, active, RATE, source))


def test_the_same_moment_of_a_noise_is_taken_at_every_ratio_and_another_for_another_sound(
    conditions: dict[str, Condition],
) -> None:
    speech = quiet_speech()
    active = active_part(speech, RATE)
    loud, soft, other = (
        heard_in(conditions[f"rain {snr} dB"], speech, active, RATE, source) - speech
        for snr, source in ((0, "one"), (20, "one"), (0, "other"))
    )
    np.testing.assert_allclose(soft, loud / 10.0, atol=1e-6)
    assert np.corrcoef(loud, other)[0, 1] < 0.5


@pytest.mark.parametrize("room", ["near", "far"])
def test_a_room_moves_speech_to_no_later_time_and_no_other_level(
    conditions: dict[str, Condition], room: str
) -> None:
    speech = quiet_speech()
    heard = heard_in(conditions[f"room {room}"], speech, active_part(speech, RATE), RATE, "one")
    assert power(heard) == pytest.approx(power(speech), rel=1e-4)
    lags = range(-100, 101)
    likeness = [np.dot(np.roll(speech, lag), heard) for lag in lags]
    assert lags[int(np.argmax(likeness))] == 0
    assert 0.3 < np.corrcoef(speech, heard)[0, 1] < 0.999


def test_a_sum_beyond_full_scale_is_scaled_down_and_not_clipped(
    conditions: dict[str, Condition],
) -> None:
    quiet = quiet_speech()
    active = active_part(quiet, RATE)
    loud = quiet / np.abs(quiet).max()
    condition = conditions["babble 0 dB"]
    heard = heard_in(condition, loud, active, RATE, "one")
    assert np.abs(heard).max() == pytest.approx(1.0)
    unscaled = heard_in(condition, quiet, active, RATE, "one")
    np.testing.assert_allclose(heard, unscaled / np.abs(unscaled).max(), atol=1e-5)


def test_clean_sound_and_silence_stay_as_they_are(conditions: dict[str, Condition]) -> None:
    speech = quiet_speech()
    assert heard_in(CLEAN, speech, active_part(speech, RATE), RATE, "one") is speech
    silence = np.zeros(RATE, dtype=np.float32)
    assert not active_part(silence, RATE).any()
    for condition in conditions.values():
        assert not heard_in(condition, silence, active_part(silence, RATE), RATE, "one").any()


@given(levels=st.lists(st.floats(-60.0, 0.0), min_size=1, max_size=20), rest=st.integers(0, 511))
def test_the_active_part_is_what_comes_within_30_db_of_the_loudest(
    levels: list[float], rest: int
) -> None:
    levels = [*levels, max(levels)]
    frames = [np.full(FRAME, 0.5 * 10.0 ** (level / 20.0), dtype=np.float32) for level in levels]
    sound = np.concatenate((*frames, np.zeros(rest, dtype=np.float32)))
    active = active_part(sound, RATE)
    assert len(active) == len(sound)
    assert not active[len(levels) * FRAME :].any()
    for number, level in enumerate(levels):
        part = active[number * FRAME : (number + 1) * FRAME]
        below = max(levels) - level
        if abs(below - 30.0) > 0.01:
            assert part.all() == part.any() == (below < 30.0)


def test_no_sound_at_all_has_no_active_part() -> None:
    assert active_part(np.zeros(0, dtype=np.float32), RATE).shape == (0,)


def test_kinds_are_found_as_asked_for_and_clean_comes_first(tmp_path: Path) -> None:
    folder = write_surroundings(tmp_path)
    assert find_conditions(folder, ("clean",)) == [CLEAN]
    rooms = find_conditions(folder, ("rooms",))
    assert [one.name for one in rooms] == ["clean", "room far", "room near"]
    noises = find_conditions(folder, ("noise", "clean"))
    assert len(noises) == 1 + len(NOISES) * len(SNRS_DB)
    rain = next(one for one in noises if one.name == "rain 5 dB")
    assert (rain.group, rain.snr_db, len(rain.files)) == ("5 dB", 5.0, 2)
    assert "babble, factory, car, rain, dishes" in protocol()
    assert "20/10/5/0 dB" in protocol()


def test_what_is_missing_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(SerEdgeError, match=r"noise: no babble \(JonBoley-noises/babble.\*\)"):
        find_conditions(tmp_path, ("noise",))
    with pytest.raises(SerEdgeError, match="rir: no room impulse responses"):
        find_conditions(tmp_path, ("rooms",))


def test_the_corpora_hold_all_of_it(corpora: Path) -> None:
    found = find_conditions(corpora, ("noise", "rooms"))
    assert len(found) > 1 + len(NOISES) * len(SNRS_DB)
    speech = quiet_speech()
    active = active_part(speech, RATE)
    for condition in found[1:]:
        heard = heard_in(condition, speech, active, RATE, "one")
        assert np.isfinite(heard).all()
        assert not np.array_equal(heard, speech)
