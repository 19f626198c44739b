from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.report import figures
from bench.report.figures import frames_figure, over_time_figure, samples_animation, training_figure
from bench.scores import ScoredClips
from tests.small import moving_clip


@pytest.fixture
def videos() -> dict[str, np.ndarray]:
    return {"real": moving_clip(0), "mdgan-1": moving_clip(1), "copy": np.repeat(moving_clip(0, 1), 32, axis=0)}


def test_frames_figure_shows_the_frames_themselves(videos: dict[str, np.ndarray], tmp_path: Path) -> None:
    solid = {"a": np.zeros((32, 8, 8, 3), np.uint8), "b": np.zeros((32, 8, 8, 3), np.uint8)}
    for place, number in enumerate(figures.SHOWN):
        solid["a"][number - 1] = (50 * place, 0, 200)
        solid["b"][number - 1] = (0, 50 * place, 100)
    frames_figure(solid, tmp_path / "a.png")
    colours = {
        tuple(pixel) for pixel in np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).reshape(-1, 3).tolist()
    }
    assert {(50 * place, 0, 200) for place in range(5)} <= colours
    assert {(0, 50 * place, 100) for place in range(5)} <= colours
    frames_figure(videos, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_a_figure_is_the_same_bytes_each_time(videos: dict[str, np.ndarray], tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "a.pdf", "b.pdf"):
        frames_figure(videos, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_curves_are_means_over_clips_and_leave_infinite_values_out() -> None:
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
    np.testing.assert_array_equal(figures._means(scored, "psnr_frame")["row"], [30.0, 30.0])
    assert figures._means(scored, "motion")["row"][1] == 1.0
    assert figures._means(scored, "ssim") == {}


def test_curves_and_training_are_drawn(tmp_path: Path) -> None:
    columns = {("row", 0, "a"): {"mse": np.linspace(0, 0.1, 32)}}
    over_time_figure(ScoredClips(("a",), {"a": "a"}, columns), tmp_path / "o.png")
    log = tmp_path / "training.csv"
    log.write_text("stage,name,step,term,value\n0,base,1,generator/content,0.5\n0,base,2,generator/content,0.4\n")
    training_figure({"vgan-0": log}, tmp_path / "t.png")
    for name in ("o.png", "t.png"):
        assert np.asarray(Image.open(tmp_path / name).convert("L")).std() > 5
    training_figure({}, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_samples_play_all_frames_of_all_rows(videos: dict[str, np.ndarray], tmp_path: Path) -> None:
    samples_animation([videos, videos], tmp_path / "s.webp", size=64)
    with Image.open(tmp_path / "s.webp") as image:
        assert image.n_frames == 32
        assert image.info["loop"] == 0
        assert image.width == 3 * 68 - 4
        image.seek(20)
        shown = np.asarray(image.convert("RGB"))
    real = shown[18 : 18 + 64, :64].astype(int)
    assert np.abs(real - videos["real"][20]).mean() < 12  # lossy
    assert np.abs(real - videos["real"][0]).mean() > 12
