"""Pictures of a run: readable as PNG, the same every time, and of whatever there is to draw."""

from __future__ import annotations

from io import BytesIO

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import colors, image

from train.figures import figures_of
from train.plots import (
    BLUE,
    GREEN,
    VERMILLION,
    class_bars,
    confusion_matrix,
    reliability_diagram,
    training_curves,
)

LABELS = ["neutral", "happy", "sad"]
HISTORY = [
    {"step": 10 * n, "loss": 2.0 / n, "validation_uar": 0.1 * n, "learning_rate": 1e-3 / n}
    for n in range(1, 6)
]


def pixels(png: bytes) -> np.ndarray:
    """Red, green and blue of a PNG, (height, width, 3), 0 to 1."""
    return image.imread(BytesIO(png), format="png")[..., :3]


def share_of(png: bytes, colour: str) -> float:
    """Share of the pixels that have just this colour."""
    return float(np.all(np.abs(pixels(png) - colors.to_rgb(colour)) < 0.005, axis=-1).mean())


def figures(n: int = 60) -> dict:
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.ones(3), n).astype(np.float32)
    return figures_of(rng.integers(0, 3, n), scores, tuple(LABELS))


def all_pictures() -> list[bytes]:
    judged = figures()
    return [
        training_curves(HISTORY),
        confusion_matrix(judged["confusion"], LABELS),
        reliability_diagram(judged["reliability"], judged["ece"]),
        class_bars(judged, LABELS),
    ]


def test_same_data_give_the_same_bytes_whatever_the_user_has_configured():
    plain = all_pictures()
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 20, "lines.linewidth": 9}):
        assert all_pictures() == plain
    assert len(set(plain)) == len(plain)


def test_drawing_leaves_the_configuration_alone():
    before = dict(mpl.rcParams)
    all_pictures()
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("keys", "drawn"),
    [
        (("step", "loss"), (BLUE,)),
        (("epoch", "validation_uar"), (VERMILLION,)),
        (("loss", "validation_loss"), (BLUE, VERMILLION)),
        (("step", "learning_rate"), (GREEN,)),
    ],
)
def test_curves_of_what_was_recorded(keys, drawn):
    history = [{key: float(n) for key in keys} for n in (1, 2, 3)]
    png = training_curves(history)
    for colour in (BLUE, VERMILLION, GREEN):
        assert (share_of(png, colour) > 0) == (colour in drawn)


def test_every_kind_of_curve_has_a_panel():
    one = [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5}]
    more = [{**look, "validation_uar": 0.5, "learning_rate": 0.1} for look in one]
    assert pixels(training_curves(more)).shape[0] > 2 * pixels(training_curves(one)).shape[0]


values = st.none() | st.floats(-1e6, 1e6) | st.just(float("nan")) | st.just(float("inf"))


@settings(max_examples=10)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["loss", "validation_uar", "learning_rate"]), values),
        max_size=4,
    )
)
def test_any_history_can_be_drawn(history):
    assert pixels(training_curves(history)).std() > 0


def test_colour_of_a_cell_is_its_share_of_the_row():
    perfect = pixels(confusion_matrix([[9, 0], [0, 1]], ["a", "b"]))
    even = pixels(confusion_matrix([[5, 5], [5, 5]], ["a", "b"]))
    darkest = np.array(mpl.colormaps["Blues"](1.0)[:3])
    assert (np.abs(perfect - darkest) < 0.005).all(axis=-1).mean() > 0.1
    assert (np.abs(even - darkest) < 0.005).all(axis=-1).mean() < 0.01


@pytest.mark.parametrize("size", [1, 2, 20])
def test_matrix_of_any_size_with_a_class_that_does_not_occur(size):
    matrix = np.eye(size, dtype=int)
    matrix[-1] = 0
    names = [f"$label_{number}$ {{" for number in range(size)]
    assert pixels(confusion_matrix(matrix.tolist(), names)).shape[0] > 100


def test_gap_of_a_well_calibrated_model_is_not_drawn():
    right = [{"confidence": 0.25, "accuracy": 0.25, "count": 4}] * 2
    wrong = [{"confidence": 0.25, "accuracy": 0.95, "count": 4}] * 2
    assert share_of(reliability_diagram(wrong, 0.7), VERMILLION) > share_of(
        reliability_diagram(right, 0.0), VERMILLION
    )


def test_bars_grow_with_the_figures():
    def bars(value: float) -> float:
        by_label = dict.fromkeys(LABELS, value)
        judged = {"uar": 0.5, "precision": by_label, "recall": by_label, "f1": by_label}
        return share_of(class_bars(judged, [*LABELS, "absent"]), BLUE)

    assert bars(0.9) > 2 * bars(0.3)
