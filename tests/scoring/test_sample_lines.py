from __future__ import annotations

import csv
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data.predictions import Predictions
from bench.data.reference_folder import reference_manifest
from bench.errors import BenchError
from bench.metrics.frechet import frechet_distance
from bench.metrics.motion import Motion
from bench.metrics.psnr import PSNR
from bench.registry import METRICS
from bench.scoring.pairing import Row
from bench.scoring.sample_lines import read_samples, set_sample_lines
from bench.scoring.score import Scores, score
from bench.scoring.score_tables import clip_values, read_scores, read_summary
from bench.scoring.scoring_plan import ScoringPlan
from bench.scoring.summary import rank
from tests.scoring.test_set_metrics import Colour
from tests.support.small import moving_clip

SAMPLES = 4
PER_CLIP = ("mse", "psnr", "psnr_frame", "ssim", "motion")


def noisy(clip: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.integers(-25, 26, clip.shape) * rng.uniform(0.3, 1)
    return np.clip(clip + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Three real clips, a method of four samples, one of three, and a deterministic one."""
    for name in ("real", "drawn", "fewer", "still"):
        (tmp_path / name).mkdir()
    for number, id in enumerate("abc"):
        real = moving_clip(number, 4, 32)
        np.save(tmp_path / "real" / f"{id}.npy", real)
        np.save(tmp_path / "still" / f"{id}.npy", np.repeat(real[:1], 4, axis=0))
        for k in range(SAMPLES):
            np.save(tmp_path / "drawn" / f"{id}@{k}.npy", noisy(real, 10 * number + k))
        np.save(tmp_path / "fewer" / f"{id}.npy", np.stack([noisy(real, 500 + 10 * number + k) for k in range(3)]))
    return tmp_path


def run(made: Path, rows: str, out: str = "out", **options: Any) -> Scores:
    manifest, length = reference_manifest(made / "real")
    sources = [Row(row, Predictions(made / row)) for row in rows.split()]
    plan = ScoringPlan(**{"resolution": 32, "metrics": PER_CLIP, "length": length, **options})  # type: ignore[arg-type]
    return score(sources, manifest, made / out, plan)


def apart(made: Path, row: str) -> dict[str, np.ndarray]:
    """A metric's values by clip and sample, [N, K], each sample scored as a method of its own."""
    found: dict[str, np.ndarray] = {}
    samples = SAMPLES if row == "drawn" else 3
    for k in range(samples):
        (made / f"only{k}").mkdir()
        for id in "abc":
            video = (
                np.load(made / "drawn" / f"{id}@{k}.npy") if row == "drawn" else np.load(made / row / f"{id}.npy")[k]
            )
            np.save(made / f"only{k}" / f"{id}.npy", video)
    run(made, " ".join(f"only{k}" for k in range(samples)), "apart")
    with (made / "apart/scores/per_clip.csv").open() as file:
        cells = {(line["metric"], line["clip"], line["row"]): float(line["value"]) for line in csv.DictReader(file)}
    for metric in PER_CLIP:
        found[metric] = np.array([[cells[metric, id, f"only{k}"] for k in range(samples)] for id in "abc"])
    return found


def test_the_mean_over_samples_is_what_is_reported_and_ranked(made: Path) -> None:
    scores, values = run(made, "drawn still"), apart(made, "drawn")
    lines = {(line.row, line.metric): line for line in scores.summary}
    for metric in PER_CLIP:
        of = METRICS.load(metric)
        mean = of.from_scale(of.on_scale(values[metric].mean(axis=1)).mean())
        assert lines["drawn", metric].value == pytest.approx(mean, rel=1e-12)
        assert (lines["drawn", metric].clips, lines["drawn", metric].seeds) == (3, 1)
    assert scores.protocol.id.endswith("/4samples")
    assert {line.protocol for line in read_summary(made / "out")} == {scores.protocol.id_of(name) for name in PER_CLIP}


def test_best_of_all_is_each_metrics_own_best_bit_for_bit(made: Path) -> None:
    values = apart(made, "drawn")
    scores = run(made, "drawn", best=SAMPLES)
    stored = read_scores(made / "out")
    for metric in PER_CLIP:
        chosen = METRICS.load(metric)
        best = clip_values(stored, chosen(), scores.protocol)
        judged = np.abs(np.log(values[metric])) if metric == "motion" else values[metric]
        places = judged.argmax(1) if chosen.direction == "higher" else judged.argmin(1)
        expected = np.take_along_axis(values[metric], places[:, None], 1)[:, 0]
        assert [best["drawn", 0, id] for id in "abc"] == list(expected)
    assert scores.protocol.id.endswith("/4samples/best4")


def test_samples_csv_has_every_k_and_the_summary_is_the_k_of_the_protocol(made: Path) -> None:
    values = apart(made, "fewer")
    scores = run(made, "drawn fewer", best=2)
    found = {(line.row, line.metric, line.statistic, line.k): line for line in read_samples(made / "out")}
    for k in (2, 3):
        subsets = [values["ssim"][:, list(subset)].max(axis=1) for subset in combinations(range(3), k)]
        assert found["fewer", "ssim", "best", k].value == pytest.approx(np.mean(subsets), rel=1e-12)
    assert found["fewer", "ssim", "mean", 1].value == pytest.approx(values["ssim"].mean(), rel=1e-12)
    assert ("fewer", "ssim", "best", 4) not in found
    summary = {(line.row, line.metric): line for line in scores.summary}
    for row in ("drawn", "fewer"):
        line = found[row, "ssim", "best", 2]
        of_k = summary[row, "ssim"]
        assert (line.value, line.ci_low, line.ci_high) == (of_k.value, of_k.ci_low, of_k.ci_high)
        assert line.ci_low < line.value < line.ci_high
    assert scores.protocol.samples == 4  # of the method that has most


def test_the_first_samples_alone_can_be_scored(made: Path) -> None:
    values = apart(made, "drawn")
    for count in (1, 3):
        scores = run(made, "drawn still", samples=count)
        line = next(line for line in scores.summary if (line.row, line.metric) == ("drawn", "ssim"))
        assert line.value == pytest.approx(values["ssim"][:, :count].mean(), rel=1e-12)
        assert scores.protocol.samples == count
        assert (made / "out/scores/samples.csv").exists() == (count > 1)


def test_a_single_sample_leaves_the_files_that_one_video_leaves(made: Path) -> None:
    for id in "abc":
        (made / "one").mkdir(exist_ok=True)
        np.save(made / "one" / f"{id}.npy", np.load(made / "drawn" / f"{id}@0.npy"))
    run(made, "one", "plain")
    (made / "plain" / "scores" / "journal.jsonl").unlink()
    for path in (made / "one").iterdir():
        path.unlink()
    for id in "abc":
        np.save(made / "one" / f"{id}@0.npy", np.load(made / "drawn" / f"{id}@0.npy"))
        np.save(made / "one" / f"{id}@1.npy", np.load(made / "drawn" / f"{id}@1.npy"))
    run(made, "one", "first", samples=1)
    for name in ("summary.csv", "scores/per_clip.csv", "scores/per_frame.csv", "scores/protocol.json"):
        assert (made / "plain" / name).read_bytes() == (made / "first" / name).read_bytes()


def test_what_is_stored_reads_back(made: Path) -> None:
    scores = run(made, "drawn still", best=2)
    stored = read_scores(made / "out")
    assert stored.samples == {"drawn": SAMPLES, "still": 1}
    with (made / "out/scores/per_frame.csv").open() as file:
        assert next(csv.reader(file)) == ["row", "seed", "sample", "clip", "video", "frame", "metric", "value"]
    with (made / "out/scores/per_clip.csv").open() as file:
        cells = {(line["row"], line["clip"], line["metric"]): line["value"] for line in csv.DictReader(file)}
    for metric in (PSNR(), Motion()):
        for (row, _, id), value in clip_values(stored, metric, scores.protocol).items():
            assert cells[row, id, metric.name] == repr(value)


def test_a_best_beside_one_video_is_said_below_the_table(made: Path) -> None:
    run(made, "drawn still", best=2)
    notes = (made / "out/scores/notes.json").read_text()
    assert "still: one video per clip, so there is no choice. best@2 of other methods is not comparable" in notes
    assert "Samples per clip: drawn 4, still 1." in notes
    run(made, "drawn fewer", "both", best=2)
    assert "one video per clip" not in (made / "both/scores/notes.json").read_text()
    run(made, "drawn still", "mean")
    assert "Each number is a mean over samples" in (made / "mean/scores/notes.json").read_text()
    run(made, "still", "none")
    assert "ample" not in (made / "none/scores/notes.json").read_text()


def test_a_best_of_more_than_there_are_is_refused(made: Path) -> None:
    with pytest.raises(BenchError, match="fewer has 3 samples per clip, but --best 4 needs 4"):
        run(made, "drawn fewer", best=4)
    with pytest.raises(BenchError, match="No method has several samples per clip"):
        run(made, "still", best=2)
    with pytest.raises(BenchError, match="best of 3 needs 3 samples per clip, not 2"):
        run(made, "drawn", samples=2, best=3)
    (made / "drawn/b@3.npy").unlink()
    with pytest.raises(BenchError, match="has no prediction for sample 3 of b"):
        run(made, "drawn")
    scores = run(made, "drawn", "partial", allow_partial=True)
    assert {line.clips for line in scores.summary} == {2}


def test_a_still_or_identical_sample_counts_at_the_metrics_bound_where_rows_are_judged(made: Path) -> None:
    real = {id: np.load(made / "real" / f"{id}.npy") for id in "abc"}
    for id in "abc":
        np.save(made / "drawn" / f"{id}@1.npy", np.repeat(real[id][:1], 4, axis=0))
    scores = run(made, "drawn fewer")
    ranking = rank(read_scores(made / "out"), Motion(), scores.protocol)
    assert ranking is not None
    assert ranking.order[0] == "fewer"
    assert np.isfinite(ranking.against["drawn"].difference)


def test_both_distances_of_sets_and_their_deviation_over_samples() -> None:
    """mcvd's fvd is `pooled`, its fvd_traj_mean `mean` (runners/ncsn_runner.py, fvd_stuff)."""
    rng = np.random.default_rng(0)
    real = [rng.normal(size=(1, 3)).astype(np.float32) for _ in range(9)]
    samples = [[rng.normal(0.5, 1.2, (1, 3)).astype(np.float32) for _ in range(9)] for _ in range(4)]
    metric = Colour()
    rows = {"drawn": samples, "still": samples[:1]}
    found = {
        (line.row, line.statistic): line.value
        for line in set_sample_lines(metric, real, rows, {"drawn": 4, "still": 1}, [f"v{n}" for n in range(9)])
    }
    embeddings = np.array([samples[k][n][0] for n in range(9) for k in range(4)])  # as mcvd has them: clip by clip
    targets = np.concatenate(real)
    trajectories = [frechet_distance(embeddings[k::4], targets) for k in range(4)]
    assert found["drawn", "pooled"] == pytest.approx(frechet_distance(embeddings, targets), rel=1e-9)
    assert found["drawn", "mean"] == pytest.approx(np.mean(trajectories), rel=1e-9)
    assert found["drawn", "sd"] == pytest.approx(np.std(trajectories, ddof=1), rel=1e-9)
    assert {statistic for row, statistic in found if row == "still"} == {"mean"}
