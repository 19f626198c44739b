from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.data.predictions import Predictions
from bench.data.reference_folder import reference_manifest
from bench.errors import BenchError
from bench.metrics.frechet import frechet_distance
from bench.registry import METRICS
from bench.scoring.horizon import Part, horizon_of, parts_of, read_horizon, windows_of
from bench.scoring.pairing import Row
from bench.scoring.score import score
from bench.scoring.score_tables import read_summary
from bench.scoring.scoring_plan import ScoringPlan
from bench.scoring.set_metrics import REAL_HALVES
from tests.support.small import moving_clip

PLAN = ScoringPlan(8, ["colour"], "context2-future", length=8, horizon=(3, 6), windows=(2, 2))


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten real clips of 8 frames, and a prediction of each."""
    monkeypatch.setattr(METRICS, "_targets", {**METRICS._targets, "colour": "tests.scoring.test_unpaired:Colour"})
    for number, name in enumerate(("real", "mine")):
        (tmp_path / name).mkdir()
        for clip in range(10):
            np.save(tmp_path / name / f"v{clip}.npy", moving_clip(clip + 20 * number, 8, 8))
    return tmp_path


def colours(folder: Path, cut: slice) -> list[np.ndarray]:
    return [np.load(path)[cut].mean(axis=(1, 2)) for path in sorted(folder.glob("*.npy"))]


def test_paired_clips_have_the_distance_of_each_part_of_the_frames_after_the_context(folders: Path) -> None:
    out, (manifest, length) = folders / "out", reference_manifest(folders / "real")
    assert length == 8
    notes = score([Row("mine", Predictions(folders / "mine"))], manifest, out, PLAN)
    points = {(p.row, p.part): p for p in read_horizon(out)}
    assert not notes.left_out
    parts = [Part("horizon", 1, 3), Part("horizon", 1, 6), *(Part("windows", n, n + 1) for n in (1, 3, 5))]
    assert list(points) == [(row, part) for part in parts for row in ("mine", REAL_HALVES)]
    for part in parts:
        cut = slice(2 + part.first - 1, 2 + part.last)
        expected = frechet_distance(colours(folders / "mine", cut), colours(folders / "real", cut))
        found = points["mine", part]
        assert found.value == pytest.approx(expected, rel=1e-4)
        assert 0 <= found.low < found.value < found.high
    whole = next(line for line in read_summary(out) if line.row == "mine")
    last = points["mine", Part("horizon", 1, 6)]
    assert (last.value, last.low, last.high) == (whole.value, whole.ci_low, whole.ci_high)
    assert f"{whole.protocol}/frames1-3" in (out / "scores" / "horizon.csv").read_text()


def test_parts_beyond_the_scored_frames_are_refused() -> None:
    assert len(parts_of(PLAN)) == 5
    with pytest.raises(BenchError, match="--horizon 7 exceeds the 6 scored frames"):
        parts_of(replace(PLAN, horizon=(7,)))
    with pytest.raises(BenchError, match="--windows of 7 frames are longer than the 6 scored frames"):
        parts_of(replace(PLAN, windows=(7, 1)))


@pytest.mark.parametrize("text", ["0", "a", "10,-1"])
def test_a_horizon_is_numbers_of_frames(text: str) -> None:
    assert horizon_of("24, 10") == (24, 10)
    with pytest.raises(BenchError, match="expected numbers of frames, as in 10,16,24,32"):
        horizon_of(text)


@pytest.mark.parametrize("text", ["16", "16:0", "a:b", "1:2:3"])
def test_windows_are_a_length_and_a_step(text: str) -> None:
    assert (windows_of("16:8"), windows_of("")) == ((16, 8), None)
    with pytest.raises(BenchError, match="expected LENGTH:STEP"):
        windows_of(text)
