"""People in Firefox: the same pages by another engine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from study_app.store.store import Store
from tests.study_app.conftest import AppProcess, free_port
from tests.study_app.runfolder import FRAMES
from tests.study_app.web.marionette import Firefox

pytestmark = pytest.mark.browser

OPEN = "document.querySelectorAll('button.choice[aria-disabled=false]').length === 2"

AGREE = "I have read this, I am at least 18 years old, and I agree to take part."
SHOWS = {"consent": "#agree", "instructions": ".page ol", "trial": "canvas"}


@pytest.fixture
def firefox(tmp_path: Path) -> Iterator[Firefox]:
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("Firefox is not installed: apt-get install firefox-esr")
    browser = Firefox(program, tmp_path / "profile", free_port(), **{"intl.accept_languages": "de, en"})
    yield browser
    browser.close()


def shoot(firefox: Firefox, name: str) -> None:
    """Keep a screenshot where somebody wants to look at them."""
    if folder := os.environ.get("BENCH_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        firefox.screenshot(Path(folder) / f"firefox_{name}.png")


def test_a_session_in_firefox(firefox: Firefox, app: AppProcess) -> None:
    for width, height in ((1280, 800), (390, 844)):
        firefox.size(width, height)
        firefox.call("WebDriver:DeleteAllCookies")
        firefox.open(app.url)
        for name, clicks in (("consent", [AGREE, "Continue"]), ("instructions", ["Begin"]), ("trial", [])):
            firefox.wait(f"document.querySelector({SHOWS[name]!r})")
            shoot(firefox, f"{name}_{width}")
            assert firefox.run("return document.documentElement.scrollWidth <= innerWidth"), name
            for text in clicks:
                firefox.click(text)
        firefox.wait(OPEN)
        shoot(firefox, f"trial_{width}")
        sides = firefox.run(
            "return [...document.querySelectorAll('canvas')].map((c) => c.getBoundingClientRect().width)"
        )
        assert sides[0] == sides[1] >= 220
        assert firefox.run("return document.documentElement.scrollHeight <= innerHeight")
        drawn = "c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v > 0 && v < 255)"
        assert firefox.run(f"return [...document.querySelectorAll('canvas')].every((c) => {drawn})")
        place = "document.querySelector('.place')?.innerText.trim()"
        before = firefox.run(f"return {place}")
        firefox.run("document.querySelectorAll('button.choice')[1].click()")
        firefox.wait("!document.querySelector('button.go').hidden")  # practice says what was right, so this is saved
        shoot(firefox, f"practice_{width}")
        firefox.run("setTimeout(() => document.querySelector('button.go').click(), 500)")
        firefox.wait(f"!{place} || {place} !== {before!r}")
    study = Store(app.where).open()
    votes = study.votes()
    assert list(votes["chosen"] == votes["right"]) == [True, True]
    seen = study.screens()
    assert list(seen["browser"]) == ["Firefox"] * 2
    assert list(seen["layout"]) == ["beside", "stacked"]
    assert seen["dropped"].between(0, FRAMES).all()
