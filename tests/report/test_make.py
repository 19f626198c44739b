from __future__ import annotations

import html.parser
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.clips import build_manifest
from bench.errors import BenchError
from bench.generate import generate, store_real
from bench.models import build
from bench.pairing import Source
from bench.predictions import Predictions
from bench.report.make import example_clips, report, sheet
from bench.score import score
from bench.scores import read_scores


@pytest.fixture(scope="module")
def scored(sky: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with the copy baseline, as the pipeline leaves it before its last step."""
    out = tmp_path_factory.mktemp("run")
    manifest = build_manifest("sky", sky, ("test",))
    manifest.save(out / "clips.jsonl")
    (out / "run.json").write_text("{}")
    folder = out / "predictions" / "copy"
    generate(build("copy", {}, 64), {"copy": folder}, manifest.clips, sky, {})
    store_real(manifest.clips, sky, 64, out / "predictions" / "real", {})
    score([Source("copy", Predictions(folder))], manifest, out, resolution=64, metrics=["mse", "ssim", "motion"])
    return out


def test_a_report_is_made_from_what_is_stored(scored: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(scored, out)
    table = report(out)
    assert list(table.rows) == ["copy"]
    names = ("table.csv", "table.tex", "table.md", "report.html", "figures/frames_1.png", "figures/over_time.pdf")
    before = {name: (out / name).read_bytes() for name in names}
    for name in names:
        (out / name).unlink()
    report(out)
    assert {name: (out / name).read_bytes() for name in names} == before


def test_the_page_needs_nothing_beside_it(scored: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(scored, out)
    (out / "run.json").write_text('{"config": {"note": "<script>alert(1)</script>"}, "provenance": {"commit": "abc"}}')
    report(out)
    page = (out / "report.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) >= 3
    assert all(source.startswith("data:image/") for source in sources)
    assert "<script" not in page  # what a configuration says is text
    assert "Copy of first frame" in page
    assert "Gaussian" in page  # the definition of SSIM, not only its name
    html.parser.HTMLParser().feed(page)


def test_scores_of_anybodys_videos_get_what_they_allow(scored: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(scored, out, ignore=shutil.ignore_patterns("predictions"))
    report(out)
    assert (out / "figures/over_time.png").exists()
    assert not (out / "figures/samples.webp").exists()


def test_a_folder_without_scores_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="has no scores to report"):
        report(tmp_path)


def test_examples_come_from_different_videos_while_there_are_any(scored: Path) -> None:
    assert len(example_clips(read_scores(scored).videos)) == 2
    videos = {f"v{video}__{n:03d}": f"v{video}" for video in range(3) for n in range(5)}
    assert len({videos[id] for id in example_clips(videos)}) == 3
    assert len(set(example_clips({f"v__{n:03d}": "v" for n in range(5)}))) == 3


def test_a_contact_sheet_shows_the_frames_pixel_for_pixel(sky: Path, tmp_path: Path) -> None:
    sheet("sky", str(sky), 64, 2, tmp_path / "sheet.png")
    shown = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert shown.shape == (64, 2 * 5 * 64 + 4, 3)
    clip = build_manifest("sky", sky, ("test",)).clips[1].read(sky)
    assert (shown[:, 5 * 64 + 4 + 64 : 5 * 64 + 4 + 128] == clip[7]).all()
