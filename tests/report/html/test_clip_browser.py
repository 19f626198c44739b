"""The list of clips of a report: its data, and what a reader does with it in a real browser, from disk."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.data.clips import build_manifest
from bench.data.predictions import Predictions, PredictionWriter
from bench.engine.generate import generate, store_real
from bench.engine.model_factory import build
from bench.registry import METRICS
from bench.report.build_report import report
from bench.report.figures.curves import all_curves, clip_metrics
from bench.report.html.clip_browser import NO_VALUE, as_json, browser_data
from bench.report.row_names import RowNames
from bench.runfolder import RunFolder
from bench.scoring.pairing import Row
from bench.scoring.protocol import Protocol
from bench.scoring.score import score
from bench.scoring.score_tables import ScoredClips, read_scores
from bench.scoring.scoring_plan import ScoringPlan

METRICS_OF_MANY = ("mse", "psnr", "ssim", "motion", "lpips", "tof", "tlp", "jerk", "flickering")


@pytest.fixture(scope="module")
def folder(sky: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with two methods: the copy of the first frame, and its negative."""
    out = tmp_path_factory.mktemp("run")
    manifest = build_manifest("sky", sky, ("test",))
    manifest.save(out / "clips.jsonl")
    (out / "run.json").write_text("{}")
    copy, negative = out / "predictions" / "copy", out / "predictions" / "negative"
    generate(build("copy", {}, 64), {"copy": copy}, manifest.clips, sky, {})
    store_real(manifest.clips, sky, 64, out / "predictions" / "real", {})
    writer = PredictionWriter(negative, {})
    for clip in manifest.clips:
        writer.write(clip.id, 255 - Predictions(copy).read(clip.id))
    writer.close()
    rows = [Row(path.name, Predictions(path)) for path in (copy, negative)]
    score(rows, manifest, out, ScoringPlan(64, ["mse", "psnr", "ssim", "motion"]))
    report(out)
    return out


def data_of(page: Path) -> dict[str, Any]:
    """The data in a report."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


def many(clips: int, methods: int, frames: int = 32) -> ScoredClips:
    """Values of many clips, ten to a source video."""
    draw = np.random.default_rng(0)
    ids = [f"clip{number:05d}" for number in range(clips)]
    videos = {id: f"video{number // 10}" for number, id in enumerate(ids)}
    names = [part for name in METRICS_OF_MANY for part in METRICS.load(name).columns]
    columns = {
        (f"method{row}", 0, id): {name: draw.uniform(0.1, 1, frames) for name in names}
        for row in range(methods)
        for id in ids
    }
    return ScoredClips(ids, videos, columns)


def protocol(clips: int, length: int = 32) -> Protocol:
    """A protocol of so many clips."""
    return Protocol(
        dataset="sky",
        resolution=64,
        frames="all",
        length=length,
        clips=clips,
        manifest="0" * 64,
        partial=False,
        metrics={"mse": "v1"},
    )


def test_values_are_those_of_the_stored_table(folder: Path) -> None:
    data, scored = data_of(folder / "report.html"), read_scores(folder)
    assert [method["name"] for method in data["methods"]] == ["copy", "negative"]
    assert data["clips"] == list(scored.ids)
    assert [data["videos"][number] for number in data["video"]] == [scored.videos[id] for id in scored.ids]
    mse = next(metric for metric in data["metrics"] if metric["name"] == "mse")
    for row, values in zip(("copy", "negative"), mse["values"], strict=True):
        expected = [scored.columns[row, 0, id]["mse"].mean() for id in scored.ids]
        assert values == pytest.approx(expected, rel=1e-5)


def test_values_over_time_come_back_from_16_bits(folder: Path) -> None:
    data, scored = data_of(folder / "report.html"), read_scores(folder)
    ssim = next(metric for metric in data["metrics"] if metric["name"] == "ssim")["frames"]
    steps = np.frombuffer(base64.b64decode(ssim["data"]), "<u2").reshape(2, len(scored.ids), ssim["count"])
    values = ssim["low"] + (ssim["high"] - ssim["low"]) * steps / 65534
    expected = np.array([[scored.columns[row, 0, id]["ssim"] for id in scored.ids] for row in ("copy", "negative")])
    np.testing.assert_allclose(values, expected, atol=(ssim["high"] - ssim["low"]) / 131068 * 1.01)


def test_frames_without_a_value_are_marked_and_infinite_values_named() -> None:
    scored = many(2, 1, 4)
    for columns in scored.columns.values():
        columns["mse"][:] = 0  # identical: infinite PSNR
        columns["motion_prediction"][0] = math.nan
    data = browser_data(scored, clip_metrics(scored), protocol(2, 4), RunFolder("nowhere"), RowNames(), {})
    by_name = {metric["name"]: metric for metric in data["metrics"]}
    assert by_name["psnr"]["values"] == [["inf", "inf"]]
    motion = np.frombuffer(base64.b64decode(by_name["motion"]["frames"]["data"]), "<u2")
    assert motion[0] == NO_VALUE
    json.loads(as_json(data))


def test_nothing_in_the_data_ends_the_script() -> None:
    text = as_json({"clip": "</script><b>"})
    assert "<" not in text
    assert json.loads(text) == {"clip": "</script><b>"}


def test_without_clip_metrics_there_is_no_list() -> None:
    assert browser_data(many(2, 1), {}, protocol(2), RunFolder("nowhere"), RowNames(), {}) == {}


@pytest.mark.heavy
def test_a_thousand_clips_of_six_methods_and_nine_metrics_stay_below_5_mb() -> None:
    scored = many(1000, 6)
    metrics = clip_metrics(scored)
    assert set(METRICS_OF_MANY) <= metrics.keys()
    curves = {metric.name: found for metric, found in all_curves(scored).items()}
    data = browser_data(scored, metrics, protocol(1000), RunFolder("nowhere"), RowNames(), curves)
    assert len(as_json(data).encode()) < 5_000_000
    over_time = [metric["name"] for metric in data["metrics"] if metric["frames"]]
    assert over_time == ["mse", "ssim", "motion", "lpips", "tof", "tlp"]  # as far as they fit


@pytest.fixture
def visit(folder: Path, chromium: Any) -> Iterator[Any]:
    """Opens the report from disk; every error, and every request outside the folder, fails the test."""
    contexts, troubles = [], []

    def visit(width: int = 1280, **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: troubles.append(request.url[:200]))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text))
        page.goto((folder / "report.html").as_uri())
        return page

    yield visit
    for context in contexts:
        context.close()
    assert [text for text in troubles if not text.startswith((folder.as_uri(), "data:"))] == []


def column(page: Any, number: int) -> list[str]:
    """The texts of a column of the list."""
    return list(page.locator(f"#clip-rows tr > :nth-child({number})").all_text_contents())


@pytest.mark.browser
def test_clips_are_sorted_by_a_metric_and_by_a_difference(visit: Any, folder: Path) -> None:
    page, data = visit(), data_of(folder / "report.html")
    mse = next(metric for metric in data["metrics"] if metric["name"] == "mse")["values"]
    page.select_option("#by-metric", label="MSE")
    expected = [data["clips"][clip] for clip in np.argsort([-value for value in mse[0]], kind="stable")]
    assert column(page, 1) == expected
    page.locator("#clip-table [data-head=difference]").click()
    assert page.locator("#by-order").input_value() == "ahead"
    gaps = np.array(mse[1]) - np.array(mse[0])
    assert column(page, 1) == [data["clips"][clip] for clip in np.argsort(-gaps, kind="stable")]
    page.select_option("#by-metric", label="SSIM")  # the higher, the better
    page.select_option("#by-order", "best")
    ssim = next(metric for metric in data["metrics"] if metric["name"] == "ssim")["values"][0]
    assert column(page, 1)[0] == data["clips"][int(np.argmax(ssim))]


@pytest.mark.browser
def test_clips_are_filtered_by_source_video(visit: Any, folder: Path) -> None:
    page, data = visit(), data_of(folder / "report.html")
    page.select_option("#by-video", label=data["videos"][0])
    assert set(column(page, 2)) == {data["videos"][0]}
    assert len(column(page, 1)) == data["video"].count(0)
    page.select_option("#by-other", "")
    assert page.locator("#clip-rows tr").first.locator("td:visible").count() == 3  # video, value, worst frame


@pytest.mark.browser
def test_the_difference_of_two_methods_is_that_of_the_stored_comparison(visit: Any, folder: Path) -> None:
    with (folder / "scores" / "differences.csv").open() as file:
        lines = {line["metric"]: line for line in csv.DictReader(file)}
    page, data = visit(), data_of(folder / "report.html")
    assert {"mse", "psnr", "ssim"} <= lines.keys()
    for metric in (metric for metric in data["metrics"] if metric["name"] in lines):  # of stills nobody is best
        line = lines[metric["name"]]
        stored = [float(line[key]) for key in ("difference", "ci_low", "ci_high")]
        if line["best"] == "copy":  # the file says how far the other is from the best
            stored = [-stored[0], -stored[2], -stored[1]]
        assert metric["pairs"][0][1] == pytest.approx(stored, rel=1e-4)
        page.select_option("#by-metric", label=metric["title"])
        mean, low, high = (f"{value:.{metric['decimals']}f}" for value in metric["pairs"][0][1])
        assert f"{mean} [{low}, {high}]" in page.locator("#clip-verdict").text_content()
    page.select_option("#by-method", "1")
    page.select_option("#by-other", "0")
    assert f"[{-metric['pairs'][0][1][2]:.{metric['decimals']}f}, " in page.locator("#clip-verdict").text_content()


@pytest.mark.browser
def test_the_worst_frame_of_a_clip_is_one_choice_away(visit: Any, folder: Path) -> None:
    page, data = visit(), data_of(folder / "report.html")
    page.select_option("#by-metric", label="MSE")
    scored = read_scores(folder)
    page.select_option("#by-order", "name")
    expected = [str(int(np.argmax(scored.columns["copy", 0, id]["mse"])) + 1) for id in data["clips"]]
    assert column(page, 6) == expected
    page.locator("#clip-rows td.frame button").first.click()
    assert page.locator("#view-number").text_content() == f"{expected[0]} / 32"
    page.select_option("#view-metric", label="SSIM")
    page.locator("#view-worst").click()
    worst = int(np.argmin(scored.columns["copy", 0, data["clips"][0]]["ssim"])) + 1
    assert page.locator("#view-number").text_content() == f"{worst} / 32"
    assert page.locator("#by-metric option:checked").text_content() == "SSIM"
    page.select_option("#view-mode", "all")
    assert page.locator(".pane").count() == 3


@pytest.mark.browser
def test_curves_are_read_by_keyboard(visit: Any, folder: Path) -> None:
    page, data = visit(), data_of(folder / "report.html")
    chart = page.locator("#live-curves .chart").first
    chart.locator("> svg").focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    value = data["curves"]["mse"]["copy"]["mean"][-2]
    assert "Frame 31: " in chart.locator(".values").text_content()
    assert f"{value:.5f}" in chart.locator(".values").text_content()


@pytest.mark.browser
def test_a_clip_is_enlarged_stepped_and_compared(visit: Any, folder: Path) -> None:
    from playwright.sync_api import expect

    page = visit()
    page.locator("#clip-rows button").first.click()
    expect(page.locator("#view-number")).to_have_text("1 / 32")
    assert page.locator(".pane").count() == 3  # real and two methods
    expect(page.locator(".large").first).to_have_css("background-image", re.compile(r'\.png"\)$'))
    page.locator("#viewer").press("ArrowRight")
    expect(page.locator("#view-number")).to_have_text("2 / 32")
    expect(page.locator("#view-chart .values")).to_contain_text("Frame 2: ")
    page.select_option("#view-mode", "wipe")
    page.locator("#view-wipe").fill("25")
    assert page.locator(".over").evaluate("e => getComputedStyle(e).clipPath") == "inset(0px 0px 0px 25%)"
    box = page.locator(".layers").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 9)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 9)
    page.mouse.up()
    assert page.locator("#view-wipe").input_value() == "75"
    page.select_option("#view-mode", "difference")
    assert page.locator(".over").evaluate("e => getComputedStyle(e).mixBlendMode") == "difference"
    before = page.locator("#view-title").text_content()
    page.get_by_role("button", name="Next clip").click()
    assert page.locator("#view-title").text_content() != before
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()


@pytest.mark.browser
def test_the_difference_of_a_clip_and_itself_is_black(visit: Any) -> None:
    from playwright.sync_api import expect

    page = visit()
    page.locator("#clip-rows button").first.click()
    page.select_option("#view-mode", "difference")
    page.select_option("#view-right", "0")
    for layer in page.locator(".layers .large").all():
        expect(layer).to_have_css("background-image", re.compile(r'\.png"\)$'))
    shot = page.locator(".layers").screenshot()
    assert np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"))[5:-5, 5:-5].max() == 0


@pytest.mark.browser
def test_a_page_without_its_folder_says_where_the_frames_are(folder: Path, tmp_path: Path, chromium: Any) -> None:
    from playwright.sync_api import expect

    alone = tmp_path / "report.html"
    alone.write_bytes((folder / "report.html").read_bytes())
    page = chromium.new_context().new_page()
    page.goto(alone.as_uri())
    page.locator("#clip-rows button").first.click()
    expect(page.locator(".large").first).to_contain_text("not next to this file")
    page.context.close()


@pytest.mark.browser
def test_curves_say_their_values_under_the_pointer(visit: Any, folder: Path) -> None:
    page, data = visit(), data_of(folder / "report.html")
    chart = page.locator("#live-curves .chart").first
    chart.scroll_into_view_if_needed()
    box = chart.locator("> svg").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.98, box["y"] + 40)
    last = data["curves"]["mse"]["copy"]["mean"][-1]
    assert f"{last:.5f}" in chart.locator(".values").text_content()
    assert not page.locator("figure.still").first.is_visible()
    page.emulate_media(media="print")
    assert page.locator("figure.still").first.is_visible()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_list_and_viewer_fit_and_axe_finds_nothing_serious(visit: Any, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = visit(width, color_scheme=scheme)
    page.evaluate("document.querySelector('#by-order').options[0].textContent = 'A method of a long name '.repeat(4)")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for _ in range(2):
        found = Axe().run(page).response["violations"]
        assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")] == []
        if not page.locator("#viewer").is_visible():
            page.locator("#clip-rows button").first.click()
            page.wait_for_timeout(200)
