from __future__ import annotations

import html.parser
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.config import as_command, make_config
from bench.data.clips import build_manifest, example_clips
from bench.data.dataset import Dataset
from bench.errors import BenchError
from bench.report.build_report import report, sheet
from bench.report.figures import curves
from bench.report.tables.printed_table import Cell, Grid, Line, write_grid
from bench.scoring.score_tables import read_scores
from tests.report.tables.test_study_tables import study

pytestmark = pytest.mark.heavy

#: For what is asked of the page; the figures themselves are drawn in the first test.
blank = pytest.mark.usefixtures("blank_figures")


def test_a_report_is_made_from_what_is_stored(scored: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(scored, out)
    table = report(out)
    assert list(table.rows) == ["copy"]
    names = ["table.csv", "table.json", "table.tex", "table.md", "report.html", "figures/frames_1.png"]
    names += [f"figures/{name}.{ending}" for name in ("over_time", "distribution") for ending in ("png", "pdf")]
    before = {name: (out / name).read_bytes() for name in names}
    for name in names:
        (out / name).unlink()
    report(out)
    assert {name: (out / name).read_bytes() for name in names} == before


@blank
def test_curves_are_computed_once(scored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run"
    shutil.copytree(scored, out)
    computed = []
    frame_curves = curves.frame_curves
    monkeypatch.setattr(curves, "frame_curves", lambda *args: computed.append(args[1].name) or frame_curves(*args))
    report(out)
    assert "ssim" in computed
    assert len(set(computed)) == len(computed)


@blank
def test_the_page_needs_nothing_beside_it(scored: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(scored, out)
    config = make_config({"models": ["copy"], "preset": "small", "dataset": "sky", "clips": 2})
    (out / "run.json").write_text(json.dumps({"config": config.to_dict(), "command": as_command(config.to_dict())}))
    report(out)
    page = (out / "report.html").read_text()
    sources = re.findall(r'src="([^"]*)"|url\(([^)]*)\)', page.partition("<script")[0])
    assert len(sources) >= 6
    assert all((one or other).startswith("data:image/") for one, other in sources)
    assert all(f'id="{anchor}"' in page for anchor in re.findall(r'href="#([^"]*)"', page))
    assert not re.findall(r'href="[^#]', page)
    assert "bench run --models copy --dataset sky --preset small --clips 2" in page
    assert "Copy of first frame" in page
    assert "Gaussian" in page  # the definition of SSIM, not only its name
    html.parser.HTMLParser().feed(page)


@blank
def test_scores_of_anybodys_videos_get_what_they_allow(scored: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(scored, out, ignore=shutil.ignore_patterns("predictions"))
    report(out)
    assert (out / "figures/over_time.png").exists()
    assert not (out / "figures/samples.webp").exists()


@blank
def test_the_stages_of_mdgan_get_their_figure_of_motion(scored: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(scored, out)
    report(out)
    assert not (out / "figures/motion.png").exists()
    for row in ("mdgan-1", "mdgan-2"):
        shutil.copytree(out / "predictions/copy", out / "predictions" / row)
    for name in ("per_frame.csv",):
        text = (out / "scores" / name).read_text()
        more = "".join(line.replace("copy,", f"mdgan-{n},", 1) + "\n"
                       for n in (1, 2) for line in text.splitlines() if line.startswith("copy,"))  # fmt: skip
        (out / "scores" / name).write_text(text + more)
    report(out)
    assert (out / "figures/motion.pdf").exists()
    assert "Where the stages move" in (out / "report.html").read_text()


@blank
def test_a_run_of_a_model_that_is_not_installed_is_still_shown(scored: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(scored, out)
    config = make_config({"models": ["copy"], "preset": "small"}).to_dict() | {"models": ["somebodys"]}
    (out / "run.json").write_text(json.dumps({"config": config}))
    report(out)
    page = (out / "report.html").read_text()
    assert "somebodys" in page
    assert "bench run --models" not in page


def test_a_study_of_other_models_changes_nothing(scored: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(scored, out, ignore=shutil.ignore_patterns("figures", "report.html", "table.*", "study"))
    (tmp_path / "study.json").write_text(json.dumps(study()))
    with pytest.raises(BenchError, match="this run does not contain"):
        report(out, study=tmp_path / "study.json")
    assert not (out / "table.csv").exists()


@blank
def test_people_against_metrics_are_shown_where_they_were_compared(scored: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(scored, out)
    report(out)
    assert "Agreement of metrics with people" not in (out / "report.html").read_text()
    lines = [Line("ssim", "ssim", [Cell("61.2", True, "[50.0, 71.9]")])]
    write_grid(
        Grid("Metric", ["agrees"], ["Predicts"], lines, "Votes.", ["A note."], "metric"), out / "agreement", "agree"
    )
    shutil.copy(out / "figures/over_time.png", out / "agreement/agree.png")
    report(out)
    page = (out / "report.html").read_text()
    assert "Agreement of metrics with people" in page
    assert "<td>61.2 [50.0, 71.9]</td>" in page
    (out / "agreement/agree.json").write_text("[]")
    with pytest.raises(BenchError, match="was not written by `bench agree` of this version"):
        report(out)


def test_a_folder_without_scores_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="contains no scores to report"):
        report(tmp_path)


def test_examples_come_from_different_videos_while_there_are_any(scored: Path) -> None:
    assert len(example_clips(read_scores(scored).videos, 3)) == 2
    videos = {f"v{video}__{n:03d}": f"v{video}" for video in range(3) for n in range(5)}
    assert len({videos[id] for id in example_clips(videos, 3)}) == 3
    assert len(set(example_clips({f"v__{n:03d}": "v" for n in range(5)}, 3))) == 3


def test_a_contact_sheet_shows_the_frames_pixel_for_pixel(sky: Path, tmp_path: Path) -> None:
    sheet(Dataset("sky", str(sky)), 64, 2, tmp_path / "sheet.png")
    shown = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert shown.shape == (64, 2 * 5 * 64 + 4, 3)
    clip = build_manifest("sky", sky, ("test",)).clips[1].read(sky)
    assert (shown[:, 5 * 64 + 4 + 64 : 5 * 64 + 4 + 128] == clip[7]).all()
