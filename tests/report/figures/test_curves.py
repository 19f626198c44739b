from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from scipy.stats import t

from bench.metrics.motion import Motion
from bench.metrics.mse import MSE
from bench.metrics.psnr import PSNRFrame
from bench.metrics.ssim import SSIM
from bench.report.figures import curves
from bench.report.figures.curves import (
    all_curves,
    clip_metrics,
    distribution_figure,
    over_time_figure,
    pos_figure,
    training_figure,
)
from bench.report.row_names import registered_names
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import ScoredClips

pytestmark = pytest.mark.heavy

PROTOCOL = Protocol("sky", 64, "all", 2, "0123456789abcdef", False)

NAMES = registered_names()


def test_curves_are_means_over_clips_in_which_identical_frames_count_as_in_the_table() -> None:
    psnr = {"a": np.array([math.inf, 20.0]), "b": np.array([30.0, 40.0])}
    change = {"a": (1.0, 2.0), "b": (3.0, 2.0)}
    columns = {
        ("row", 0, clip): {
            "psnr_frame": psnr[clip],
            "motion_prediction": np.array([math.nan, change[clip][0]]),
            "motion_real": np.array([math.nan, change[clip][1]]),
        }
        for clip in "ab"
    }
    scored = ScoredClips(("a", "b"), {"a": "a", "b": "b"}, columns)
    curve = curves.frame_curves(scored, PSNRFrame)["row"].mean
    np.testing.assert_array_equal(curve, [65.0, 30.0])
    assert curve.mean() == np.mean([PSNRFrame().clip(scored.columns["row", 0, clip]) for clip in "ab"])
    assert curves.frame_curves(scored, Motion)["row"].mean[1] == 1.0
    assert curves.frame_curves(scored, SSIM) == {}


def test_bands_are_those_of_a_mean_over_source_videos() -> None:
    values = np.random.default_rng(0).normal(size=(6, 4))
    columns = {("row", 0, str(n)): {"mse": value} for n, value in enumerate(values)}
    band = curves.frame_curves(ScoredClips(tuple("012345"), {c: c for c in "012345"}, columns), MSE)["row"]
    half = t.ppf(0.975, 5) * values.std(axis=0, ddof=1) / np.sqrt(6)  # of a mean, the jackknife is the usual one
    np.testing.assert_allclose([band.low, band.high], [values.mean(axis=0) - half, values.mean(axis=0) + half])
    alike = curves.frame_curves(ScoredClips(tuple("012345"), dict.fromkeys("012345", "v"), columns), MSE)["row"]
    assert np.isnan(alike.low).all()


@pytest.mark.filterwarnings("error")
def test_frames_that_are_identical_in_every_clip_have_a_band_without_width() -> None:
    columns = {("row", 0, c): {"psnr_frame": np.array([math.inf, 20.0 + n])} for n, c in enumerate("abc")}
    band = curves.frame_curves(ScoredClips(tuple("abc"), {c: c for c in "abc"}, columns), PSNRFrame)["row"]
    assert (band.low[0], band.mean[0], band.high[0]) == (100, 100, 100)
    assert band.low[1] < 21 < band.high[1]
    assert curves.top_of({"row": band}, PSNRFrame) == pytest.approx(1.04 * band.high[1])
    below = curves.FrameCurve(*(values[1:] for values in (band.mean, band.low, band.high)))
    assert curves.top_of({"row": below}, PSNRFrame) is None


@pytest.mark.filterwarnings("error")
def test_a_ratio_to_real_clips_that_stand_still_has_no_band() -> None:
    still = {"a": [1.0, 0.0, 0.0], "b": [1.0, 1.0, 0.0]}  # without "b" all stand still at the second frame
    columns = {
        ("row", 0, c): {"motion_prediction": np.ones(3), "motion_real": np.array(real)} for c, real in still.items()
    }
    band = curves.frame_curves(ScoredClips(tuple("ab"), {c: c for c in "ab"}, columns), Motion)["row"]
    np.testing.assert_array_equal(band.mean, [1, 2, math.nan])
    np.testing.assert_array_equal(band.low, [1, math.nan, math.nan])
    np.testing.assert_array_equal(band.high, band.low)


def test_curves_and_training_are_drawn(tmp_path: Path) -> None:
    columns = {("row", 0, "a"): {"mse": np.linspace(0, 0.1, 32)}}
    over_time_figure(all_curves(ScoredClips(("a",), {"a": "a"}, columns)), ["row"], NAMES, tmp_path / "o.png")
    log = tmp_path / "training.csv"
    log.write_text("stage,name,step,term,value\n0,base,1,generator/content,0.5\n0,base,2,generator/content,0.4\n")
    training_figure({"vgan-0": log}, NAMES, tmp_path / "t.png")
    for name in ("o.png", "t.png"):
        assert np.asarray(Image.open(tmp_path / name).convert("L")).std() > 5
    training_figure({}, NAMES, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_figures_are_as_wide_as_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    monkeypatch.setattr(curves, "save_figure", lambda figure, path, **_: sizes.append(figure.get_size_inches()[0]))
    values = {"mse": np.linspace(0, 0.1, 32), "ssim": np.ones(32)}
    columns = {(row, 0, clip): values for row in "uvwxyz" for clip in "ab"}
    scored = ScoredClips(tuple("ab"), {c: c for c in "ab"}, columns)
    over_time_figure(all_curves(scored), scored.rows, NAMES, tmp_path / "a")
    distribution_figure(scored, PROTOCOL, NAMES, tmp_path / "a")
    log = tmp_path / "training.csv"
    log.write_text("stage,name,step,term,value\n" + "0,base,1,a,0.5\n1,refine,1,b,0.4\n")
    training_figure({f"m{number}-0": log for number in range(4)}, NAMES, tmp_path / "a")
    assert sizes == [6.9] * 3


def test_losses_of_a_training_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: set[tuple[object, object]] = set()

    def look(figure: Figure, *_: object, **__: object) -> None:
        looks.update((line.get_color(), line.get_linestyle()) for line in figure.axes[0].get_lines())

    monkeypatch.setattr(curves, "save_figure", look)
    log = tmp_path / "training.csv"
    log.write_text("stage,name,step,term,value\n" + "".join(f"0,base,{n % 2},{n // 2},0.5\n" for n in range(20)))
    training_figure({"vgan-0": log}, NAMES, tmp_path / "a")
    assert len(looks) == 10


def test_stages_have_the_names_of_their_rows() -> None:
    assert NAMES.stage_title("mdgan", 1, "refine") == "MD-GAN Stage II"
    assert NAMES.stage_title("vgan", 0, "vgan") == "VGAN"
    assert NAMES.stage_title("tint", 0, "wash") == "tint, wash"


def colours_of(path: Path) -> set[tuple[int, ...]]:
    return {tuple(pixel) for pixel in np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3).tolist()}


def rgb(row: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(NAMES.colours[row][1:]))


def test_the_distribution_shows_every_row_in_its_colour(tmp_path: Path) -> None:
    columns = {
        (row, 0, clip): {"mse": np.full(32, value + 0.1 * place)}
        for row, value in (("vgan", 0.1), ("copy", 0.5))
        for place, clip in enumerate("abc")
    }
    scored = ScoredClips(tuple("abc"), {c: c for c in "abc"}, columns)
    assert list(clip_metrics(scored)) == ["mse", "psnr"]
    distribution_figure(scored, PROTOCOL, NAMES, tmp_path / "d.png")
    assert {rgb("vgan"), rgb("copy")} <= colours_of(tmp_path / "d.png")
    distribution_figure(ScoredClips((), {}, {("vgan", 0, "a"): {}}), PROTOCOL, NAMES, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def preference(first: str, votes: int, pos: float, simulated: bool = False) -> dict[str, Any]:
    ends = {"ci_low": pos - 5, "ci_high": pos + 5}
    return {"first": first, "second": "real", "votes": votes, "pos": pos, **ends, "simulated": simulated}


def test_preferences_are_bars_as_long_as_their_share(tmp_path: Path) -> None:
    pos_figure([preference("vgan", 40, 20.0), preference("mdgan-2", 40, 80.0)], NAMES, tmp_path / "p.png")
    pixels = np.asarray(Image.open(tmp_path / "p.png").convert("RGB")).astype(int)
    # bars are drawn a little transparent, over white
    lengths = [
        (np.abs(pixels - (0.85 * np.array(rgb(row)) + 0.15 * 255)).max(axis=2) < 6).sum() for row in ("vgan", "mdgan-2")
    ]
    assert 3 < lengths[1] / lengths[0] < 5
    pos_figure([preference("vgan", 0, math.nan)], NAMES, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_a_preference_of_all_is_drawn_also_where_its_interval_ends_a_rounding_before(tmp_path: Path) -> None:
    pos_figure([{**preference("vgan", 28, 100.0), "ci_high": 99.99999999999999}], NAMES, tmp_path / "p.png")
    assert (tmp_path / "p.png").exists()


def test_simulated_preferences_say_so_in_the_figure(tmp_path: Path) -> None:
    for name, simulated in (("a.png", False), ("b.png", True)):
        pos_figure([preference("vgan", 40, 20.0, simulated)], NAMES, tmp_path / name)
    red = (0xB0, 0x00, 0x20)
    assert red in colours_of(tmp_path / "b.png")
    assert red not in colours_of(tmp_path / "a.png")
