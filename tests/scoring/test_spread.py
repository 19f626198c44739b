from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from bench.data.predictions import Predictions
from bench.data.reference_folder import reference_manifest
from bench.metrics.mse import MSE
from bench.metrics.ssim import SSIM
from bench.scoring.pairing import PAIRS, Row
from bench.scoring.sample_lines import read_samples
from bench.scoring.score import score
from bench.scoring.scoring_plan import ScoringPlan
from bench.scoring.spread import sample_pairs
from tests.support.small import moving_clip


def scored(root: Path, samples: dict[str, list[np.ndarray]], **options: object) -> dict[str, float]:
    for folder in ("real", "drawn"):
        (root / folder).mkdir(exist_ok=True)
    for id, videos in samples.items():
        np.save(root / "real" / f"{id}.npy", moving_clip(ord(id), 4, 32))
        np.save(root / "drawn" / f"{id}.npy", np.stack(videos))
    manifest, length = reference_manifest(root / "real")
    plan = ScoringPlan(32, ["mse", "psnr", "ssim", "motion"], length=length, **options)  # type: ignore[arg-type]
    score([Row("drawn", Predictions(root / "drawn"))], manifest, root / "out", plan)
    return {line.metric: line.value for line in read_samples(root / "out") if line.statistic == "spread"}


@pytest.mark.parametrize("frames", ["all", "future"])
def test_it_is_the_mean_over_pairs_of_a_clips_samples(frames: str, tmp_path: Path) -> None:
    samples = {id: [moving_clip(10 * ord(id) + k, 4, 32) for k in range(3)] for id in "ab"}
    found = scored(tmp_path, samples, frames=frames)
    skipped = 1 if frames == "future" else 0
    of_pairs: dict[str, list[float]] = {"mse": [], "ssim": []}
    for videos in samples.values():
        for one, other in combinations(videos, 2):
            for metric in (MSE(), SSIM()):
                columns = {name: values[skipped:] for name, values in metric.compute(one, other).items()}
                of_pairs[metric.name].append(metric.clip(columns))
    for name, values in of_pairs.items():
        assert found[name] == pytest.approx(np.mean(values), rel=1e-12)


def test_a_model_that_gives_one_video_has_none(tmp_path: Path) -> None:
    found = scored(tmp_path, {id: [moving_clip(ord(id) + 5, 4, 32)] * 3 for id in "ab"})
    assert (found["mse"], found["ssim"], found["motion"]) == (0, 1, 0)
    assert np.isnan(found["psnr"])  # every pair is identical


def test_motion_is_a_distance_whichever_sample_comes_first(tmp_path: Path) -> None:
    slow, fast = moving_clip(1, 4, 32), moving_clip(1, 8, 32)[::2]
    found = [scored(tmp_path / str(n), {"a": order}) for n, order in enumerate(([slow, fast], [fast, slow])) if
             (tmp_path / str(n)).mkdir() is None]  # fmt: skip
    assert found[0]["motion"] == pytest.approx(found[1]["motion"], rel=1e-12)
    assert found[0]["motion"] > 0.2


def test_what_is_known_is_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = {id: [moving_clip(10 * ord(id) + k, 4, 32) for k in range(3)] for id in "ab"}
    found = scored(tmp_path, samples)
    keys = [json.loads(line)[0] for line in (tmp_path / "out/scores/journal.jsonl").read_text().splitlines() if line]
    assert len(keys) == len(set(keys)) == 2 * 4 * (3 + 3)  # clips, metrics, samples and pairs
    for metric in (MSE, SSIM):
        monkeypatch.setattr(metric, "compute", None)
    assert scored(tmp_path, samples) == found


def test_many_samples_are_compared_in_some_pairs_the_same_each_time() -> None:
    assert len(sample_pairs(10)) == PAIRS
    chosen = sample_pairs(100)
    assert len(set(chosen)) == PAIRS
    assert chosen == sorted(chosen)
    assert all(one < other < 100 for one, other in chosen)
    assert len({sample for pair in chosen for sample in pair}) > 50
