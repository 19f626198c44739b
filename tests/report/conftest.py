"""A run folder for the report's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.data.clips import build_manifest
from bench.data.predictions import Predictions
from bench.engine.generate import generate, store_real
from bench.engine.model_factory import build
from bench.scoring.pairing import Row
from bench.scoring.score import score
from bench.scoring.scoring_plan import ScoringPlan


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
    score([Row("copy", Predictions(folder))], manifest, out, ScoringPlan(64, ["mse", "ssim", "motion"]))
    return out
