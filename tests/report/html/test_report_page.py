"""The page in a real browser, from disk."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.report.build_report import report
from bench.report.html.report_page import code, flat, group_notes, unbroken
from tests.report.tables.test_study_tables import study

pytestmark = pytest.mark.heavy

ALERT = "<script>document.title = 'taken over'</script>"


@pytest.fixture(scope="module")
def page_of_a_run(scored: Path) -> Path:
    """A report with all that a page can have, and a configuration that tries to be a script."""
    (scored / "run.json").write_text(json.dumps({"provenance": {"commit": "abc", "packages": {"torch": ALERT}}}))
    (scored / "study").mkdir()
    content = study(simulated=True)
    content["pos"] = [{**line, "first": "copy", "second": "real"} for line in content["pos"][:1]]
    (scored / "study" / "study.json").write_text(json.dumps(content))
    report(scored)
    return scored / "report.html"


@pytest.fixture
def visit(page_of_a_run: Path, chromium: Any) -> Iterator[Any]:
    """Opens the page at a size; every request beside the file itself, every error and every message fails the test."""
    contexts, troubles = [], []

    def visit(width: int = 1280, **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: troubles.append(request.url[:80]))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text))
        page.goto(page_of_a_run.as_uri())
        return page

    yield visit
    for context in contexts:
        context.close()
    assert [trouble for trouble in troubles if not trouble.startswith((page_of_a_run.as_uri()[:80], "data:"))] == []


def test_what_stands_between_backticks_is_code_and_nothing_else_is_markup() -> None:
    assert code("give `bench <verb>` & wait") == "give <code>bench &lt;verb&gt;</code> &amp; wait"
    assert code("it's 5` <b>") == "it&#39;s 5` &lt;b&gt;"


def test_an_arrow_stays_with_its_word() -> None:
    assert unbroken("PSNR, frame (dB) ↑") == "PSNR, frame (dB)\N{NO-BREAK SPACE}↑"
    assert unbroken("Motion →1") == "Motion\N{NO-BREAK SPACE}→1"


@pytest.mark.browser
def test_a_table_that_goes_on_has_a_shadow_and_settings_are_folded(visit: Any) -> None:
    page = visit(width=390)
    shadows = page.locator(".scroll").first.evaluate("e => getComputedStyle(e).backgroundAttachment")
    assert shadows == "local, local, scroll, scroll"
    assert page.locator("details[open]").count() == 0
    page.get_by_text("Made with").click()
    assert page.get_by_text("commit").is_visible()


def test_notes_are_grouped_and_none_is_lost() -> None:
    notes = [
        "Bold: best of the paired clips.",
        "mdgan: width 8 (32).",
        "VGAN, psnr: 2 of 10 clips left out (identical).",
        "fid left out: no weights.",
        "fvd: 10 clips; with fewer than 400 samples (10) it is biased upwards.",
        "kvd, 5 clips: mean over 20 splits of the source videos.",
        "cvvdp: settings standard_fhd 10 frames a second.",
        "lpips: weights alexnet sha256:e2e.",
        "Protocol v2/sky.",
    ]
    groups = dict(group_notes(notes, ["mdgan: width 8 (32)."]))
    assert [len(lines) for lines in groups.values()] == [1, 2, 2, 1, 3]
    assert sorted(line for lines in groups.values() for line in lines) == sorted(notes)
    assert next(iter(groups.values())) == notes[:1]


@pytest.mark.browser
def test_printed_pages_show_folded_notes(visit: Any) -> None:
    page = visit()
    assert page.locator(".note-group").count() >= 1
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".note-group:not([open])").count() == 0


def test_untrained_models_are_said_to_be(page_of_a_run: Path) -> None:
    account = page_of_a_run.parent / "run.json"
    before = account.read_text()
    account.write_text(json.dumps({"config": {"preset": "smoke", "steps": 150}}))
    try:
        report(page_of_a_run.parent)
        assert "trains for 150 steps per stage" in page_of_a_run.read_text()
    finally:
        account.write_text(before)
        report(page_of_a_run.parent)


def positions(page: Any) -> set[str]:
    found = page.evaluate(
        "[...document.querySelectorAll('.tile')].map(tile => getComputedStyle(tile).backgroundPositionY)"
    )
    return set(found)


def frame(page: Any) -> int:
    return int(page.locator("#number").text_content().split()[0])


def moved(page: Any, away: str = "1 / 32") -> None:
    """Wait until another frame is shown."""
    from playwright.sync_api import expect

    expect(page.locator("#number")).not_to_have_text(away)


@pytest.mark.browser
def test_all_clips_play_on_one_clock(visit: Any) -> None:
    from playwright.sync_api import expect

    page = visit()
    moved(page)
    page.get_by_role("button", name="Pause").click()
    stopped = frame(page)
    page.wait_for_timeout(250)
    assert frame(page) == stopped
    assert len(positions(page)) == 1
    slider = page.get_by_role("slider", name="Frame")
    slider.focus()
    page.keyboard.press("End")
    assert (frame(page), positions(page)) == (32, {"100%"})
    page.keyboard.press("ArrowLeft")
    assert frame(page) == 31
    page.get_by_role("button", name="Play").press("Enter")
    expect(page.locator("#number")).to_have_text(re.compile(r"^([1-9]|[12]\d|30) / 32$"))  # round the end


@pytest.mark.browser
def test_who_wants_no_motion_gets_none_until_asking_for_it(visit: Any) -> None:
    page = visit(reduced_motion="reduce")
    page.wait_for_timeout(250)
    assert frame(page) == 1
    page.get_by_role("button", name="Play").click()
    moved(page)


@pytest.mark.browser
def test_without_scripts_first_frames_and_all_else_are_there(visit: Any) -> None:
    page = visit(java_script_enabled=False)
    assert page.get_by_text("Without scripts, every clip shows its first frame").is_visible()
    assert not page.get_by_role("button").is_visible()
    assert page.locator(".tile").first.is_visible()


@pytest.mark.browser
def test_what_a_configuration_says_is_text(visit: Any, page_of_a_run: Path) -> None:
    page = visit()
    assert page.title() != "taken over"
    assert ALERT in page.locator("dd").all_text_contents()
    assert re.findall("<script[^>]*>", page_of_a_run.read_text()) == [
        '<script type="application/json" id="data">', "<script>",
    ]  # fmt: skip


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_and_axe_finds_nothing_serious(visit: Any, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = visit(width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    found = Axe().run(page).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")] == []
    if folder := os.environ.get("BENCH_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/report-{width}.png", full_page=True)


@pytest.mark.browser
def test_names_stay_in_sight_when_a_wide_table_is_scrolled(visit: Any) -> None:
    table = visit(360).get_by_role("region", name="Table of scores")
    table.evaluate("e => e.scrollLeft = e.scrollWidth")
    assert table.evaluate("e => e.scrollLeft") > 50
    name = table.locator("tbody th").first.bounding_box()
    assert abs(name["x"] - table.bounding_box()["x"]) < 1


@pytest.mark.browser
def test_a_table_of_fifteen_columns_is_printed_whole(visit: Any) -> None:
    page = visit(680)  # as wide as A4 between margins of 15 mm
    table = page.get_by_role("region", name="Table of scores").locator("table")
    table.evaluate("""table => {
        for (const row of table.rows) while (row.cells.length < 15) row.append(row.cells[1].cloneNode(true));
    }""")
    assert table.evaluate("table => table.offsetWidth") > 680  # on the screen it is scrolled
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") == 680


@pytest.mark.browser
def test_simulated_raters_are_labelled(visit: Any) -> None:
    text = visit().locator("main").text_content()
    assert text.count("Simulated") >= 3


@pytest.mark.browser
def test_print_shows_the_last_frames_and_no_controls(visit: Any) -> None:
    page = visit()
    page.emulate_media(media="print")
    assert not page.locator("#clock").is_visible()
    assert positions(page) == {"100%"}


def test_nested_settings_become_lines() -> None:
    assert list(flat({"a": {"b": [1, 2], "c": {"d": None}}, "e": True})) == [
        ("a.b", "1, 2"), ("a.c.d", "–"), ("e", "True"),
    ]  # fmt: skip
