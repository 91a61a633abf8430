"""Reports: every figure from the predictions, everything said, nothing loaded from elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import colors, image

from edge_runtime.errors import SerEdgeError
from train.figures import figures_of
from train.plots import BLUE
from train.report import confusions_in_words, write_protocol_report, write_report
from train.toml_text import to_toml

from .html_page import PNG_START, HtmlPage

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LABELS = ["neutral", "happy", "sad"]


def predictions(seed: int, n: int = 40, labels: int = 3) -> list[dict]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, labels, n)
    scores = rng.dirichlet(np.ones(labels), n) * 0.5 + np.eye(labels)[targets] * 0.3
    scores /= scores.sum(axis=1, keepdims=True)
    return [
        {
            "corpus": "TESS" if number % 2 else "RAVDESS",
            "name": f"utterance{number:02d}",
            "target": int(target),
            "scores": [round(float(score), 6) for score in row],
        }
        for number, (target, row) in enumerate(zip(targets, scores))
    ]


def write_run(folder: Path, seed: int = 0, **changes: object) -> Path:
    run = {
        "recipe": {"name": "tiny", "training": {"steps": 20}, "validation_speakers": []},
        "split": "fold1",
        "protocol": "tess-loso: TESS, one woman trained on, the other tested",
        "seed": seed,
        "labels": LABELS,
        "speakers": {"train": ["A", "B"], "validation": ["C"], "test": ["D"]},
        "versions": {"numpy": "2.0.1"},
        "finished": "2026-01-02T03:04:05+00:00",
        # Not what follows from the predictions: nobody may rely on it.
        "figures": {"uar": 0.123, "wa": 0.123},
        "history": [{"step": 10, "loss": 1.5, "validation_uar": 0.4}],
        "predictions": predictions(seed),
        **changes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    return folder


def judged(found: list[dict], labels: list[str]) -> dict:
    targets = np.array([one["target"] for one in found])
    scores = np.array([one["scores"] for one in found], dtype=np.float32)
    return figures_of(targets, scores, tuple(labels))


def test_report_says_everything(tmp_path):
    warning = "The same speakers are trained and tested on."
    write_run(tmp_path, warnings=[warning], commit="0123456789ab")
    path = write_report(tmp_path)
    assert path == tmp_path / "report.html"
    page = HtmlPage(path)
    figures = judged(predictions(0), LABELS)
    for name, title in (("uar", "UAR"), ("wa", "WA"), ("macro_f1", "macro F1"), ("ece", "ECE")):
        assert f"{title} {figures[name]:.3f}" in page.text
    for label in LABELS:
        row = [figures[kind][label] for kind in ("precision", "recall", "f1", "class_accuracy")]
        count = sum(figures["confusion"][LABELS.index(label)])
        assert f"{label} {' '.join(f'{value:.3f}' for value in row)} {count}" in page.text
    assert "0.123" not in page.text
    for said in (
        "tess-loso: TESS, one woman trained on, the other tested",
        warning,
        "commit 0123456789ab",
        "numpy 2.0.1",
        "seed 0",
        "train (2) A, B",
        "test (1) D",
        "[training] steps = 20",
    ):
        assert said in page.text
    # What matters for reading the figures comes before them.
    assert page.text.index(warning) < page.text.index("UAR")
    assert "By corpus" in page.text


def test_pictures_are_in_the_page_and_beside_it(tmp_path):
    page = HtmlPage(write_report(write_run(tmp_path)))
    names = ("class_bars", "confusion_matrix", "reliability", "training_curves")
    beside = [(tmp_path / f"{name}.png").read_bytes() for name in names]
    assert page.pictures == beside
    assert all(png.startswith(PNG_START) for png in beside)


def test_most_confident_mistakes_are_named_first(tmp_path):
    found = [
        {"corpus": "X", "name": f"sure{n:02d}", "target": 0, "scores": [0.1, 0.8 + n / 100, 0.1]}
        for n in range(11)
    ]
    found.append({"corpus": "X", "name": "right", "target": 2, "scores": [0.0, 0.0, 1.0]})
    text = HtmlPage(write_report(write_run(tmp_path, predictions=found))).text
    wrong = text[text.index("Most confidently wrong") :]
    assert "X sure10 neutral happy 0.900 0.100 X sure09 neutral happy 0.890" in wrong
    assert "sure01" in wrong
    assert "sure00" not in wrong  # the eleventh
    assert "right" not in wrong.split("Worth listening")[0]


def test_run_without_mistakes_of_one_corpus_and_without_history(tmp_path):
    found = [{"corpus": "X", "name": "a", "target": 1, "scores": [0.0, 1.0, 0.0]}]
    text = HtmlPage(write_report(write_run(tmp_path, predictions=found, history=[]))).text
    assert "every utterance was recognised" in text
    assert "None is wrong" in text
    assert "By corpus" not in text


def test_run_that_records_little_is_reported(tmp_path):
    least = {"labels": LABELS, "predictions": predictions(0)}
    (tmp_path / "run.json").write_text(json.dumps(least), encoding="utf-8")
    text = HtmlPage(write_report(tmp_path)).text
    assert "The protocol was not recorded." in text
    assert "commit not recorded" in text


def test_all_text_is_escaped(tmp_path):
    evil = "<script>alert(1)</script>\"'>&amp;<img src=http://example.org/x>"
    found = [{**one, "corpus": evil, "name": evil} for one in predictions(0)]
    write_run(
        tmp_path,
        protocol=evil,
        warnings=[evil],
        commit=evil,
        split=evil,
        labels=[evil, "happy", "sad"],
        recipe={"name": evil, evil: evil},
        speakers={evil: [evil]},
        versions={evil: evil},
        predictions=found,
    )
    page = HtmlPage(write_report(tmp_path))
    assert "script" not in page.tags
    assert page.tags.count("img") == 4
    assert page.text.count("alert(1)") >= 10


def test_confusions_in_words_worst_first():
    matrix = [[8, 2, 0], [1, 0, 0], [3, 3, 6]]
    assert confusions_in_words(matrix, ["a", "b", "c"]) == [
        "Of 1 b utterances 1 (100%) was taken for a.",
        "Of 12 c utterances 3 (25%) were taken for a.",
        "Of 12 c utterances 3 (25%) were taken for b.",
        "Of 10 a utterances 2 (20%) were taken for b.",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no run.json"),
        ("", "is damaged"),
        ("[]", "is damaged"),
        ('{"labels": ["a"], "predictions": []}', "is damaged"),
        ('{"labels": ["a"], "predictions": [{"target": 1, "scores": [1.0]}]}', "is damaged"),
        ('{"labels": ["a"], "predictions": [{"target": 0, "scores": []}]}', "is damaged"),
    ],
)
def test_folder_without_a_whole_run_gets_one_line(tmp_path, text, said):
    if text is not None:
        (tmp_path / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(SerEdgeError, match=said) as caught:
        write_report(tmp_path)
    assert "\n" not in str(caught.value)


def test_folder_that_cannot_be_written_is_said(tmp_path):
    write_run(tmp_path)
    (tmp_path / "report.html").mkdir()
    with pytest.raises(SerEdgeError, match=r"report\.html: cannot be written"):
        write_report(tmp_path)


# --- several runs ---------------------------------------------------------------------------------


def test_protocol_report_averages_and_pools(tmp_path):
    for seed in (0, 1, 2):
        write_run(tmp_path / f"seed{seed}" / "fold1", seed, warnings=["Mind the gap."])
    path = write_protocol_report(tmp_path, "tess-loso")
    page = HtmlPage(path)
    uars = [judged(predictions(seed), LABELS)["uar"] for seed in (0, 1, 2)]
    for seed, uar in enumerate(uars):
        assert f"seed{seed}/fold1 fold1 {seed} {uar:.3f}" in page.text
    mean, std = np.mean(uars), np.std(uars, ddof=1)
    assert f"mean UAR {mean:.3f} ± {std:.3f}" in page.text
    pooled = judged([one for seed in (0, 1, 2) for one in predictions(seed)], LABELS)
    assert (
        f"120 guesses of 3 runs, each utterance as often as it was tested: UAR {pooled['uar']:.3f}"
        in (page.text)
    )
    assert page.text.count("Mind the gap.") == 1
    assert page.pictures[0] == (tmp_path / "confusion_matrix.png").read_bytes()
    assert page.pictures[1] == (tmp_path / "reliability.png").read_bytes()


def test_deviation_over_seeds_is_that_of_the_means_of_their_splits(tmp_path):
    seeds = {}
    for seed in (0, 1):
        for fold in (1, 2):
            found = predictions(10 * seed + fold)
            seeds.setdefault(seed, []).append(judged(found, LABELS)["wa"])
            write_run(
                tmp_path / f"seed{seed}" / f"fold{fold}", seed, split=f"{fold}", predictions=found
            )
    means = [round(float(np.mean(was)), 4) for was in seeds.values()]
    text = HtmlPage(write_protocol_report(tmp_path, "p")).text
    assert f"mean WA {np.mean(means):.3f} ± {np.std(means, ddof=1):.3f}" in text
    assert "over 2 seeds, each the mean of its splits" in text


def test_single_run_has_no_deviation(tmp_path):
    write_run(tmp_path / "fold1")
    text = HtmlPage(write_protocol_report(tmp_path, "p")).text
    assert "p: 1 run" in text
    assert "±" not in text


def test_runs_over_other_labels_are_pooled_by_name(tmp_path):
    sure = [{"corpus": "X", "name": "a", "target": 1, "scores": [0.1, 0.9]}]
    write_run(tmp_path / "a", labels=["neutral", "sad"], predictions=sure)
    write_run(tmp_path / "b", labels=["sad", "happy"], predictions=sure)
    text = HtmlPage(write_protocol_report(tmp_path, "p")).text
    assert "2 guesses of 2 runs" in text
    assert "UAR 1.000, WA 1.000" in text


def test_runs_of_several_recipes_are_warned_of(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", recipe={"name": "other"})
    assert "runs of several recipes" in HtmlPage(write_protocol_report(tmp_path, "p")).text


def test_folder_without_runs_gets_one_line(tmp_path):
    with pytest.raises(SerEdgeError, match="holds no runs"):
        write_protocol_report(tmp_path, "p")


# --- the recipe -----------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
scalars = st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | texts
inline = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
settings_trees = st.recursive(
    st.dictionaries(texts, inline, max_size=3),
    lambda inner: st.dictionaries(texts, inline | inner, max_size=3),
    max_leaves=5,
)


@given(settings_trees)
def test_recipe_in_full_can_be_read_again(recipe):
    assert tomllib.loads(to_toml(recipe)) == recipe


def test_tables_in_lists_and_what_is_not_set():
    recipe = {"steps": [{"kind": "trim", "db": 40.0, "off": None}], "noise": None}
    assert tomllib.loads(to_toml(recipe)) == {"steps": [{"kind": "trim", "db": 40.0}]}


# --- in a browser ---------------------------------------------------------------------------------


def test_browser_shows_the_pictures_from_disk(tmp_path):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Debian's chromium is not installed: the page is not looked at in a browser")
    page = write_report(write_run(tmp_path / "run"))
    screenshot = tmp_path / "screen.png"
    subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--force-color-profile=srgb",
            "--window-size=1000,6000",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--screenshot={screenshot}",
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=120,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    shown = image.imread(screenshot)[..., :3]
    bars = np.all(np.abs(shown - np.array(colors.to_rgb(BLUE))) < 0.02, axis=-1)
    assert bars.mean() > 0.001
