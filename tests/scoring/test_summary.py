from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.metrics.motion import Motion
from bench.metrics.mse import MSE
from bench.metrics.psnr import PSNR
from bench.scoring.protocol import Protocol
from bench.scoring.summary import summarise, write_scores
from bench.scoring.tidy import ScoredClips, read_csv, read_scores, read_summary

PROTOCOL = Protocol("sky", 64, "all", 3, "0123456789abcdef", False, {"mse": "v1"})


def scored(seeds: int = 1) -> ScoredClips:
    """Three clips of two videos; the MSE of clip c with seed s is c + s / 10 in every frame, times the row's number."""
    ids = ("a__000", "a__001", "b__000")
    columns = {}
    for number, row in enumerate(("one", "two"), start=1):
        for seed in range(seeds):
            for c, id in enumerate(ids):
                mse = np.full(32, number * (c + seed / 10) / 100)
                change = np.array([math.nan] + [float(number)] * 31)
                columns[row, seed, id] = {
                    "mse": mse,
                    "motion_prediction": change,
                    "motion_real": np.array([math.nan] + [0.0 if c == 0 else 2.0] * 31),
                }
    return ScoredClips(ids, {"a__000": "a", "a__001": "a", "b__000": "b"}, columns)


def test_a_summary_is_the_mean_over_clips() -> None:
    lines = {(line.row, line.metric): line for line in summarise(scored(), [MSE(), PSNR(), Motion()], PROTOCOL)}
    assert lines["one", "mse"].value == pytest.approx(0.01)
    assert lines["two", "mse"].value == pytest.approx(0.02)
    assert lines["one", "mse"].ci_low <= 0.01 <= lines["one", "mse"].ci_high
    # The first clip is identical: its PSNR is infinite, it is counted and left out.
    psnr = lines["one", "psnr"]
    assert psnr.value == pytest.approx((-10 * math.log10(0.01) - 10 * math.log10(0.02)) / 2)
    assert (psnr.clips, psnr.left_out) == (2, 1)
    # Its real clip stands still.
    assert (lines["one", "motion"].value, lines["one", "motion"].left_out) == (0.5, 1)


def test_the_interval_draws_whole_videos() -> None:
    """With two videos, a percentile interval's ends are the means of the videos themselves."""
    (line,) = (line for line in summarise(scored(), [MSE()], PROTOCOL) if line.row == "one")
    assert line.ci_low == pytest.approx(0.005)
    assert line.ci_high == pytest.approx(0.02)


def test_seeds_are_averaged_and_their_spread_is_told() -> None:
    line = summarise(scored(seeds=3), [MSE()], PROTOCOL)[0]
    assert line.seeds == 3
    assert line.value == pytest.approx(0.011)
    assert line.seed_sd == pytest.approx(0.001)


def test_the_tables_read_back_bit_for_bit(tmp_path: Path) -> None:
    before = scored(seeds=2)
    summary = write_scores(tmp_path, before, [MSE(), Motion()], PROTOCOL)
    after = read_scores(tmp_path)
    assert after.videos == before.videos
    for key, columns in before.columns.items():
        for name, values in columns.items():
            np.testing.assert_array_equal(after.columns[key][name], values)
    for written, line in zip(summary, read_summary(tmp_path), strict=True):
        assert [repr(v) for v in vars(line).values()] == [repr(v) for v in vars(written).values()]
    assert Protocol.load(tmp_path / "scores" / "protocol.json") == PROTOCOL


def test_the_columns_are_the_frozen_ones(tmp_path: Path) -> None:
    write_scores(tmp_path, scored(), [MSE()], PROTOCOL)
    heads = {
        "scores/per_frame.csv": "row,seed,clip,video,frame,metric,value",
        "scores/per_clip.csv": "row,seed,clip,video,metric,value",
        "summary.csv": "dataset,row,metric,value,ci_low,ci_high,clips,left_out,seeds,seed_sd,protocol,p_best",
    }
    for name, head in heads.items():
        assert (tmp_path / name).read_text().splitlines()[0] == head


def test_missing_scores_are_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="score the predictions first"):
        read_csv(tmp_path / "summary.csv")
