"""`bench score --keep-clips`: the folder then has the scored frames, and its report plays them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from bench.data.predictions import Predictions
from bench.pipeline.score import score_folders
from bench.scoring.scoring_plan import ScoringPlan


@pytest.fixture
def videos(tmp_path: Path) -> tuple[Path, Path]:
    """Three real clips that are wider than high, and predictions that are a grey level brighter."""
    draw, real, mine = np.random.default_rng(0), tmp_path / "real", tmp_path / "mine"
    for folder in (real, mine):
        folder.mkdir()
    for name in ("one", "two", "three"):
        clip = draw.integers(0, 200, (4, 32, 48, 3), dtype=np.uint8)
        np.save(real / f"{name}.npy", clip)
        np.save(mine / f"{name}.npy", clip + 1)
    return real, mine


def keep(real: Path, mine: Path, out: Path, **plan: int) -> None:
    score_folders([f"mine={mine}"], out, ScoringPlan(0, ["mse"], **plan), reference=real, keep=True)


def test_the_scored_frames_are_kept_as_they_were_scored(videos: tuple[Path, Path], tmp_path: Path) -> None:
    real, mine = videos
    out = tmp_path / "out"
    keep(real, mine, out, clip_length=3)
    for name, folder in (("real", real), ("mine", mine)):
        kept = Predictions(out / "predictions" / name)
        assert kept.ids == ["one", "three", "two"]
        for id in kept.ids:
            np.testing.assert_array_equal(kept.read(id), np.load(folder / f"{id}.npy")[:3])
    page = (out / "report.html").read_text()
    assert "predictions/mine/one.png" in page
    assert "--ratio: 1.5" in page
    assert len(re.findall(r'class="tile', page)) >= 6


def test_kept_frames_follow_the_videos(videos: tuple[Path, Path], tmp_path: Path) -> None:
    real, mine = videos
    out = tmp_path / "out"
    keep(real, mine, out)
    before = (out / "predictions" / "real" / "one.png").stat().st_mtime_ns
    np.save(mine / "one.npy", np.zeros((4, 32, 48, 3), np.uint8))
    keep(real, mine, out)
    assert Predictions(out / "predictions" / "mine").read("one").max() == 0
    assert (out / "predictions" / "real" / "one.png").stat().st_mtime_ns == before


def test_without_the_flag_nothing_is_kept(videos: tuple[Path, Path], tmp_path: Path) -> None:
    real, mine = videos
    score_folders([f"mine={mine}"], tmp_path / "out", ScoringPlan(0, ["mse"]), reference=real)
    assert not (tmp_path / "out" / "predictions").exists()
    assert "The frames of this method were not kept" in (tmp_path / "out" / "report.html").read_text()
