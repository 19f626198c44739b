"""Equivalence from the command: pairs of rows against their clips, one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.pipeline.equivalence import equivalent_rows, margins_of, printed
from bench.pipeline.score import score_folders
from bench.scoring.score_tables import read_csv
from bench.scoring.scoring_plan import ScoringPlan
from bench.statistics import equivalence
from tests.support.small import moving_clip


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rows that are nearly the same, and one that is not, of five videos."""
    root = tmp_path_factory.mktemp("scored")
    near = {"real": 0, "a": 2, "b": 3, "far": 90}
    for row, offset in near.items():
        (root / row).mkdir()
        for clip in range(5):
            video = (
                moving_clip(clip, size=32).astype(np.int64) * (255 - offset) // 255 + (clip if row == "b" else 0) // 4
            )
            np.save(root / row / f"{clip}.npy", video.clip(0, 255).astype(np.uint8))
    plan = ScoringPlan(resolution=32, metrics=["mse", "psnr"])
    for out, rows in (("both", ["a", "b"]), ("other", ["far", "a"])):
        score_folders([str(root / row) for row in rows], root / out, plan, reference=root / "real")
    return root


def test_rows_of_one_folder(scored: Path) -> None:
    [line] = equivalent_rows([scored / "both"], {"mse": 0.001})
    values: dict[str, list[float]] = {"a": [], "b": []}
    videos = []
    for cell in read_csv(scored / "both" / "scores" / "per_clip.csv"):
        if cell["metric"] == "mse" and cell["row"] in values:
            values[cell["row"]].append(float(cell["value"]))
            videos += [cell["video"]] if cell["row"] == "a" else []
    expected = equivalence(values["a"], values["b"], videos, 0.001)
    assert (line["first"], line["second"], line["clips"], line["videos"]) == ("a", "b", 5, 5)
    assert line["p"] == pytest.approx(expected.p_value)
    assert [line["ci_low"], line["ci_high"]] == pytest.approx([expected.low, expected.high])
    assert line["equivalent"] is True
    assert line["scope"] == "for these trainings"
    [narrow] = equivalent_rows([scored / "both"], {"mse": abs(expected.difference) / 2})
    assert narrow["equivalent"] is False
    lines = printed([line, narrow])
    assert [one["within the margin"] for one in lines] == ["shown", "not shown"]
    assert lines[0]["of"] == "5 clips, 5 videos, for these training runs"


def test_rows_of_several_folders(scored: Path) -> None:
    lines = equivalent_rows([scored / "both", scored / "other"], {"mse": 0.001, "psnr": 100.0})
    pairs = {(line["first"], line["second"]) for line in lines if line["metric"] == "mse"}
    assert ("b", "far") in pairs
    assert ("a (both)", "a (other)") in pairs
    found = {(line["metric"], line["first"], line["second"]): line["equivalent"] for line in lines}
    assert found["mse", "a (both)", "a (other)"]
    assert not found["mse", "b", "far"]
    assert found["psnr", "b", "far"]  # within a margin that says nothing


def test_what_cannot_be_tested_is_said(scored: Path) -> None:
    for margins, sentence in (
        ({"ssim": 0.1}, "ssim was not scored here. Choose one of mse, psnr"),
        ({"fvd": 10.0}, "distance between whole sets"),
        ({"mse": 0.0}, "must be above 0"),
        ({"msee": 0.1}, "mse"),
    ):
        with pytest.raises(BenchError, match=sentence):
            equivalent_rows([scored / "both"], margins)
    assert margins_of(["ssim=0.02", "mse=1e-3"]) == {"ssim": 0.02, "mse": 0.001}
    for text in ("ssim", "ssim=", "=x", "ssim=a"):
        with pytest.raises(BenchError, match="expected a metric and a number"):
            margins_of([text])
