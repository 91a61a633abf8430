"""The live page in a real browser."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import image

from edge_runtime.classifier import Classifier
from edge_runtime.events import Event
from edge_runtime.outputs.outlet import Outlet
from edge_runtime.outputs.output import NotDeliveredError
from edge_runtime.status import Status, describe_model
from edge_runtime.web import WebServer

from ..daemon import Daemon
from .browser import Browser
from .live_page import missing, take_picture
from .told import ABOUT, SCORES, event, hop

TOKEN = "a-token-that-nobody-guesses"
IS_LIVE = "document.getElementById('connection').innerText === 'live'"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    if shutil.which("chromium") is None:
        pytest.skip("Debian's chromium is not installed: the page is not looked at in a browser")
    opened = Browser(tmp_path / "profile")
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., WebServer]]:
    """Start a server: status, and what `WebServer` takes."""
    started: list[WebServer] = []

    def start(status: Status, address: str = "127.0.0.1:0", **options: Any) -> WebServer:
        server = WebServer(address, status, Classifier, print, **options)
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.close(5.0)


def listening(**about: Any) -> Status:
    status = Status({**ABOUT, **about})
    status.note_source("listening", "")
    return status


def has(name: str, text: str) -> str:
    """Whether an element shows a text, in JavaScript."""
    return f"document.getElementById('{name}').innerText.includes({text!r})"


def test_shows_what_is_heard_as_it_comes(browser, serve):
    status = listening()
    for number in range(10):
        status.note_hop(hop(number, label=None))
    server = serve(status)
    browser.go(server.url)
    browser.wait_for(has("label", "quiet"))
    assert browser.text("gate") == "no speech"
    assert browser.text("score") == ""
    status.note_hop(hop(10))
    status.note_event(event("start", 10))
    browser.wait_for(has("label", "happy"))
    browser.wait_for(has("score", "62 %"))
    assert browser.text("gate") == "speech"
    assert browser.text("level-text") == "level -30 dBFS"
    assert browser.text("noise-text") == "noise floor -60 dBFS"
    assert "happy starts" in browser.text("events")
    legend = browser.text("legend").split("\n")
    assert [line for line in legend if line in SCORES] == list(SCORES)
    assert "60 %" in browser.text("legend")
    status.note_hop(hop(11, label="unsure"))
    status.note_event(event("end", 11))
    status.note_event(event("start", 11, label="unsure"))
    browser.wait_for(has("label", "unsure"))
    browser.wait_for(has("events", "happy ends after 2.0 s"))
    status.note_hop(hop(12, label=None))
    browser.wait_for(has("label", "quiet"))
    # Said aloud by a screen reader when it changes, and the score, which always does, is not.
    assert browser.evaluate("document.getElementById('label').getAttribute('aria-live')")
    assert browser.evaluate("!document.getElementById('score').closest('[aria-live]')")
    assert browser.errors == []


def test_draws_the_last_minutes_in_the_colours_of_the_legend(browser, serve):
    status = listening()
    for number in range(600):
        status.note_hop(hop(number))
    browser.set_view(800, 900, "light")
    browser.go(serve(status).url)
    browser.wait_for(has("label", "happy"))
    drawn = """(() => {
        const canvas = document.getElementById('chart');
        const pen = canvas.getContext('2d');
        const counts = {};
        const data = pen.getImageData(0, 0, canvas.width, canvas.height).data;
        for (let at = 0; at < data.length; at += 4) {
            const colour = `rgb(${data[at]}, ${data[at + 1]}, ${data[at + 2]})`;
            counts[colour] = (counts[colour] || 0) + 4 / data.length;
        }
        return [...document.querySelectorAll('#legend .swatch')].map(
            (one) => counts[getComputedStyle(one).backgroundColor] || 0);
    })()"""
    shares = browser.evaluate(drawn)
    # As much of each as it is probable; happy's colour is also that of the band below.
    assert shares[0] / shares[2] == pytest.approx(SCORES["neutral"] / SCORES["sad"], rel=0.1)
    assert sum(shares) > 0.8
    assert len({browser.evaluate(f"Chart.colourOf({list(range(8))}, {n})") for n in range(8)}) == 8
    assert browser.errors == []


def test_tells_the_state_of_everything(browser, serve):
    class Away:
        name = "mqtt"

        def deliver(self, _event: Event) -> None:
            raise NotDeliveredError("nobody answers at port 1883")

        def close(self) -> None:
            pass

    outlet = Outlet(Away(), lambda _line: None, capacity=2)
    about = {
        **describe_model(Classifier()),
        "hop_seconds": 0.5,
        "version": "1.2.3",
        "source": "mic",
        "saves_audio": "/var/lib/ser-edge/sound",
        "profile": "living room",
        "adapts": True,
    }
    status = Status(about, [outlet])
    status.note_source("listening", "")
    status.note_hop(hop(0))
    status.note_losses(3, 1.5)
    for number in range(5):
        outlet.put(event("start", number))
    try:
        browser.go(serve(status).url)
        browser.wait_for(has("facts", "% of a core"))
        browser.wait_for(has("facts", "3 times by the device, 1.5 s here"))
        browser.wait_for(has("outputs", "nobody answers at port 1883"))
    finally:
        outlet.close(0.1)
    facts = browser.text("facts")
    figures = about["figures"]
    for said in (
        "mic: listening",
        about["model"],
        f"UAR {figures['uar']:.2f} on {figures['utterances']} utterances",
        about["backend"],
        "living room",
        "to the voice that is heard",
        "3.0 ms",
        " MB",
        "3 times",
        "1 classified of 1",
    ):
        assert said in facts
    assert (
        browser.text("saving") == "Sound around emotions is being saved in /var/lib/ser-edge/sound"
    )
    assert "\t2\t3" in browser.text("outputs")  # waiting, dropped
    assert "guesses" in browser.evaluate("document.querySelector('footer').innerText")
    assert browser.errors == []


def test_lost_microphone_is_said_in_words_and_in_red(browser, serve):
    status = listening()
    status.note_hop(hop(0))
    browser.go(serve(status).url)
    browser.wait_for(has("label", "happy"))
    hidden = "document.getElementById('trouble').hidden"
    assert browser.evaluate(hidden)
    status.note_source("lost", "USB Audio is gone; tries again in 2 s")
    browser.wait_for(f"!{hidden}")
    assert (
        browser.text("trouble") == "the microphone is lost: USB Audio is gone; tries again in 2 s"
    )
    assert browser.text("label") == "not listening"
    colour = "getComputedStyle(document.getElementById('trouble')).color.match(/\\d+/g).map(Number)"
    red, green, blue = browser.evaluate(colour)
    assert red > 2 * max(green, blue) or red > 1.3 * min(green, blue) > 100
    status.note_source("listening", "")
    browser.wait_for(hidden)
    assert browser.errors == []


def test_survives_the_restart_of_the_daemon(browser, serve):
    status = listening()
    status.note_hop(hop(0))
    status.note_event(event("start", 0))
    server = serve(status)
    browser.go(server.url)
    browser.wait_for(has("label", "happy"))
    server.close(5.0)
    browser.wait_for(has("connection", "connection lost"))
    # Another run, which remembers nothing, and heard something before the page is back.
    other = listening(model="other@87654321")
    other.note_hop(hop(20, label="sad"))
    other.note_event(event("start", 20, label="sad"))
    serve(other, f"127.0.0.1:{server.port}")
    browser.wait_for(IS_LIVE)
    browser.wait_for(has("label", "sad"))
    browser.wait_for(has("facts", "other@87654321"))
    assert browser.text("events").count("starts") == 1
    other.note_hop(hop(21))
    other.note_event(event("start", 21))
    browser.wait_for(has("label", "happy"))
    # A page of its own making would say more than that the connection was refused.
    assert all("ERR_" in error for error in browser.errors)


def test_a_machine_that_falls_silent_is_noticed_and_what_it_said_is_not_shown_as_now(
    browser, speech
):
    """As one without power does: the connection stays, and nothing comes."""
    options = ("--source", "-", "--gate", "off", "--decision-minimum-count", "1")
    with Daemon(*options, "--threshold", "0", "--http", "127.0.0.1:0") as daemon:
        url = daemon.log.wait_for("serving ").split()[-1]
        daemon.push(speech(4.0))
        daemon.output.wait_for("start")
        browser.go(url)
        browser.wait_for(IS_LIVE)
        browser.wait_for(has("gate", "speech"))
        assert browser.text("score")
        daemon.signal("SIGSTOP")
        browser.wait_for(has("connection", "nothing came for 10 s"))
        browser.wait_for(has("label", "not connected"))
        assert browser.text("score") == ""
        daemon.signal("SIGCONT")
        browser.wait_for(IS_LIVE)
    assert browser.errors == []


def test_another_token_is_said(browser, serve):
    server = serve(listening(), token=TOKEN)
    browser.go(f"{server.url}?token={TOKEN}")
    browser.wait_for(IS_LIVE)
    server.close(5.0)
    serve(listening(), f"127.0.0.1:{server.port}", token=f"other-{TOKEN}")
    browser.wait_for(has("connection", "the token is another now"))


def test_comes_back_after_being_refused(browser, serve):
    status = listening()
    status.note_hop(hop(0))
    server = serve(status)
    browser.go(server.url)
    browser.wait_for(IS_LIVE)
    server.close(5.0)
    browser.wait_for(has("connection", "connection lost"))
    # With a token that the page does not know: its stream is answered with an error.
    port = server.port
    guarded = serve(status, f"127.0.0.1:{port}", token=TOKEN)
    refused = time.monotonic() + 30.0
    while not any("401" in error for error in browser.errors):
        assert time.monotonic() < refused
        browser.evaluate("1")
        time.sleep(0.05)
    guarded.close(5.0)
    serve(status, f"127.0.0.1:{port}")
    browser.wait_for(IS_LIVE)


def test_token_opens_the_page_and_leaves_the_address(browser, serve):
    status = listening()
    status.note_hop(hop(0))
    server = serve(status, token=TOKEN)
    browser.go(f"{server.url}?token={TOKEN}")
    browser.wait_for(has("label", "happy"))
    assert browser.evaluate("location.href") == server.url
    assert not browser.evaluate("document.cookie")
    browser.go(server.url)
    browser.wait_for(has("label", "happy"))
    assert browser.errors == []


def test_texts_are_shown_as_they_are(browser, serve):
    evil = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    scores = {evil: 0.7, "sad": 0.3}
    status = listening(model=evil, source=evil, labels=list(scores), saves_audio=evil, profile=evil)
    status.note_source("lost", evil)
    browser.go(serve(status).url)
    browser.wait_for(has("facts", "onerror"))
    status.note_event(event("start", 0, label=evil))
    browser.wait_for(has("events", "onerror"))
    assert evil in browser.text("legend")
    assert evil in browser.text("trouble")
    assert evil in browser.text("saving")
    assert browser.evaluate("document.querySelectorAll('img').length") == 0
    assert browser.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_a_phone_and_can_be_read(browser, serve, scheme):
    long = "/a/very/long/folder/name/without/any/place/to/break/it/at/all/really-none-whatsoever"
    status = listening(saves_audio=long, model="a-model-with-a-name-as-long-as-it-gets@12345678")
    for number in range(100):
        status.note_hop(hop(number))
        status.note_event(event("start", number))
    status.note_source("lost", "x" * 200)
    browser.set_view(360, 740, scheme)
    browser.go(serve(status).url)
    browser.wait_for(has("facts", "% of a core"))
    assert browser.evaluate("document.documentElement.scrollWidth") == 360
    ratios = """(() => {
        const light = (text) => {
            const [r, g, b] = text.match(/[\\d.]+/g).map((one) => {
                const share = one / 255;
                return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const ground = (element) => {
            for (let one = element; one; one = one.parentElement) {
                const colour = getComputedStyle(one).backgroundColor;
                if (colour !== 'rgba(0, 0, 0, 0)') return colour;
            }
        };
        return [...document.querySelectorAll('h1, h2, p, span, dt, dd, li, time, th, td')]
            .filter((one) => one.innerText && !one.hidden)
            .map((one) => {
                const pair = [light(getComputedStyle(one).color), light(ground(one))];
                return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
            });
    })()"""
    found = browser.evaluate(ratios)
    assert len(found) > 40
    assert min(found) >= 4.5  # WCAG 2.1, AA
    (path := Path(browser.folder) / "page.png").write_bytes(browser.screenshot())
    brightness = float(np.median(image.imread(path)[..., :3]))
    assert brightness < 0.3 if scheme == "dark" else brightness > 0.7
    assert browser.errors == []


def test_picture_in_the_docs_can_be_made_again(tmp_path):
    if missing():
        pytest.skip(f"not installed: {missing()}; the picture is not made")
    path = tmp_path / "images" / "live-page.png"
    take_picture(path)
    height, width, _ = image.imread(path).shape
    assert width == 900
    assert height > 900
