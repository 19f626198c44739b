from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.metrics.motion import Motion
from bench.metrics.mse import MSE
from bench.metrics.psnr import PSNR, PSNRFrame
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import Columns, ScoredClips, read_csv, read_scores, read_summary
from bench.scoring.summary import Ranking, rank, ranked, summarise, write_scores
from bench.statistics import SeedsDifference, jackknife_interval

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


def test_the_interval_is_over_whole_videos() -> None:
    (line,) = (line for line in summarise(scored(), [MSE()], PROTOCOL) if line.row == "one")
    expected = jackknife_interval([0.0, 0.01, 0.02], ["a", "a", "b"])
    assert (line.ci_low, line.ci_high) == pytest.approx((expected.low, expected.high))
    assert line.scope == "for these trainings"


def test_one_video_has_no_interval() -> None:
    clips = scored()
    alone = ScoredClips(clips.ids, dict.fromkeys(clips.ids, "a"), clips.columns)
    line = summarise(alone, [MSE()], PROTOCOL)[0]
    assert math.isnan(line.ci_low)
    assert math.isnan(line.ci_high)


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
        "summary.csv": "dataset,row,metric,value,ci_low,ci_high,clips,left_out,seeds,seed_sd,protocol,p_best,rank,"
        "smallest_p,scope,at_split,turned_by",
    }
    for name, head in heads.items():
        assert (tmp_path / name).read_text().splitlines()[0] == head


def test_missing_scores_are_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="Score the predictions first"):
        read_csv(tmp_path / "summary.csv")


def clips_of(rows: dict[str, list[Columns]]) -> ScoredClips:
    """Clips of eight source videos, one each; a row's columns by clip."""
    ids = tuple(f"v{n}" for n in range(8))
    columns = {(row, 0, id): of_clip for row, clips in rows.items() for id, of_clip in zip(ids, clips, strict=True)}
    return ScoredClips(ids, {id: id for id in ids}, columns)


def moving(ratio: float) -> Columns:
    change = np.full(32, 2.0)
    return {"motion_prediction": change * ratio, "motion_real": change}


def test_motion_is_ranked_by_the_logarithm_and_a_still_is_never_best() -> None:
    halves, thrice = [moving(0.5)] * 8, [moving(3.0)] * 8
    rows = {"half": halves, "thrice": thrice, "still": [moving(0.0)] * 8}
    found = rank(clips_of(rows), Motion(), PROTOCOL)
    assert found is not None
    assert list(found.order) == ["half", "thrice", "still"]
    # By |ratio − 1| the half (0.5) would beat 1.6 (0.6) where the logarithm says otherwise.
    nearer = rank(clips_of({"half": halves, "more": [moving(1.6)] * 8}), Motion(), PROTOCOL)
    assert nearer is not None
    assert list(nearer.order) == ["more", "half"]
    only_stills = rank(clips_of({"a": [moving(0.0)] * 8, "b": [moving(0.0)] * 8}), Motion(), PROTOCOL)
    assert only_stills is not None
    assert not only_stills.order


def test_a_row_that_is_identical_on_half_of_the_clips_and_better_elsewhere_is_best() -> None:
    perfect = [{"mse": np.full(32, 0.0 if n % 2 else 0.009)} for n in range(8)]
    good = [{"mse": np.full(32, 0.001 if n % 2 else 0.01)} for n in range(8)]
    scores = clips_of({"good": good, "perfect": perfect})
    means = {line.row: line.value for line in summarise(scores, [PSNR()], PROTOCOL)}
    assert means["perfect"] < means["good"]  # its best clips have no finite value
    found = rank(scores, PSNR(), PROTOCOL)
    assert found is not None
    assert list(found.order) == ["perfect", "good"]
    assert found.against["good"].p_value == pytest.approx(2 / 2**8)


def test_order_and_test_are_of_the_same_numbers_over_training_runs() -> None:
    # An identical clip in one of three runs is infinite in the mean over runs. Bounded only then, it made a method that
    # is worse on seven of eight clips the best, and the better one got the mark.
    rng = np.random.default_rng(0)
    columns = {}
    for seed in range(3):
        for n in range(8):
            noise = 1 + 0.02 * rng.normal()
            identical = n == 0 and seed == 0
            columns["once identical", seed, f"v{n}"] = {"mse": np.full(32, 0.0 if identical else 0.002 * noise)}
            columns["better", seed, f"v{n}"] = {"mse": np.full(32, 0.001 * noise)}
    ids = tuple(f"v{n}" for n in range(8))
    scores = ScoredClips(ids, {id: id for id in ids}, columns)
    found = rank(scores, PSNR(), PROTOCOL)
    assert found is not None
    assert list(found.order) == ["better", "once identical"]
    assert found.against["once identical"].difference < 0
    lines = {line.row: line for line in ranked(summarise(scores, [PSNR()], PROTOCOL), {"psnr": found})}
    assert lines["better"].rank == 1
    assert math.isnan(lines["better"].p_best)


def test_what_is_not_worse_gets_no_small_p() -> None:
    test = SeedsDifference(2.73, 2.34, 3.13, 0.001, 8)
    lines = summarise(scored(), [PSNR()], PROTOCOL)
    of = {"psnr": Ranking("psnr", ["one", "two"], {"two": test}, math.nan, 8, "", worse=-1)}
    assert {line.row: line.p_best for line in ranked(lines, of)}["two"] == 1.0
    of = {"psnr": replace(of["psnr"], worse=1)}
    assert {line.row: line.p_best for line in ranked(lines, of)}["two"] == 0.001


def test_one_identical_clip_of_eight_does_not_outweigh_the_others() -> None:
    one = [{"mse": np.full(32, 0.0 if n == 0 else 10**-3.02)} for n in range(8)]  # 30.2 dB
    all_better = [{"mse": np.full(32, 10**-3.61)} for _ in range(8)]  # 36.1 dB
    found = rank(clips_of({"one identical": one, "better": all_better}), PSNR(), PROTOCOL)
    assert found is not None
    assert list(found.order) == ["better", "one identical"]


def test_the_mean_of_motion_is_geometric_as_its_order_is() -> None:
    rows = {"both ways": [moving(0.25), moving(4.0)] * 4, "still once": [moving(0.0), *[moving(1.0)] * 7]}
    lines = {line.row: line for line in summarise(clips_of(rows), [Motion()], PROTOCOL)}
    assert lines["both ways"].value == pytest.approx(1.0)  # the arithmetic mean would be 2.125
    assert lines["both ways"].ci_low == pytest.approx(1 / lines["both ways"].ci_high)
    assert lines["still once"].value == pytest.approx(math.exp(-Motion.bound / 8))
    assert lines["still once"].left_out == 0


def test_making_a_frame_worse_never_makes_the_frames_psnr_better() -> None:
    metric = PSNRFrame()
    frames = np.full(32, 25.0)
    perfect = frames.copy()
    perfect[0] = math.inf
    assert metric.clip({"psnr_frame": perfect}) > metric.clip({"psnr_frame": frames})


def test_the_summary_says_place_p_and_what_can_be_reached(tmp_path: Path) -> None:
    values = {
        "best": [0.01] * 8,
        "near": [0.012 if n % 2 else 0.0082 for n in range(8)],
        "worse": [0.05 + n / 1000 for n in range(8)],
    }
    rows: dict[str, list[Columns]] = {row: [{"mse": np.full(32, one)} for one in of] for row, of in values.items()}
    lines = {line.row: line for line in write_scores(tmp_path, clips_of(rows), [MSE()], PROTOCOL)}
    assert {row: line.rank for row, line in lines.items()} == {"best": 1, "near": 2, "worse": 3}
    assert math.isnan(lines["best"].p_best)
    assert lines["worse"].p_best < 0.05 < lines["near"].p_best
    assert lines["near"].smallest_p == pytest.approx(2 / 2**8)
    (first, *_) = read_csv(tmp_path / "scores" / "differences.csv")
    assert first["scope"] == "for these trainings"


def test_a_summary_of_an_older_version_can_be_read(tmp_path: Path) -> None:
    write_scores(tmp_path, scored(), [MSE()], PROTOCOL)
    path = tmp_path / "summary.csv"
    older = [",".join(line.split(",")[:12]) for line in path.read_text().splitlines()]
    path.write_text("\n".join(older) + "\n")
    assert {line.rank for line in read_summary(tmp_path)} == {0}
