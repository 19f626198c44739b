from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data.clips import Manifest, build_manifest
from bench.data.predictions import Predictions, PredictionWriter
from bench.errors import BenchError
from bench.metrics.base import ClipMetric, SetMetric, UnfitError
from bench.metrics.mse import MSE
from bench.metrics.ssim import SSIM
from bench.registry import METRICS as REGISTERED
from bench.scoring import score as scoring
from bench.scoring.pairing import Row
from bench.scoring.score import score
from bench.scoring.score_journal import ScoreJournal
from bench.scoring.score_tables import read_summary
from bench.scoring.scoring_plan import ScoringPlan
from tests.support.small import make_sky, moving_clip, write_strip

METRICS = ("mse", "psnr", "psnr_frame", "ssim", "motion")
OUTPUTS = ("summary.csv", "scores/per_clip.csv", "scores/per_frame.csv")


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return build_manifest("sky", make_sky(tmp_path / "sky", train=1, test=4), ("test",))


@pytest.fixture
def folder(manifest: Manifest, tmp_path: Path) -> Path:
    """Predictions that are the real clips with noise of their own."""
    writer = PredictionWriter(tmp_path / "noisy", {"row": "noisy"})
    rng = np.random.default_rng(0)
    for clip in manifest.clips:
        noise = rng.integers(-9, 10, (32, 64, 64, 3))
        writer.write(clip.id, np.clip(clip.read(manifest.root) + noise, 0, 255).astype(np.uint8))
    writer.close()
    return tmp_path / "noisy"


def run(folders: dict[str, Path], manifest: Manifest, out: Path, **options: Any) -> scoring.Scores:
    sources = [Row(row, Predictions(folder)) for row, folder in folders.items()]
    return score(sources, manifest, out, ScoringPlan(**{"resolution": 64, "metrics": METRICS, **options}))


def read(out: Path) -> list[bytes]:
    return [(out / name).read_bytes() for name in OUTPUTS]


def test_all_clips_that_cannot_be_read_are_named_and_may_be_let_pass(
    manifest: Manifest, folder: Path, tmp_path: Path
) -> None:
    loose = tmp_path / "loose"
    shutil.copytree(folder, loose)
    (loose / "manifest.json").unlink()
    (loose / "v100__v100_1__000.png").write_bytes(b"junk")
    write_strip(loose / "v102__v102_1__000.png", moving_clip(1, 20))
    with pytest.raises(BenchError) as refused:
        run({"a": loose}, manifest, tmp_path / "out")
    assert "v100__v100_1__000.png cannot be decoded" in str(refused.value)
    assert "v102__v102_1__000.png has 20 frames: expected 32" in str(refused.value)
    scores = run({"a": loose}, manifest, tmp_path / "out", allow_partial=True)
    assert scores.protocol.partial
    assert {line.clips for line in scores.summary} == {2}


def test_results_go_neither_over_a_persons_files_nor_among_the_predictions(
    manifest: Manifest, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "summary.csv").write_text("mine")
    with pytest.raises(BenchError, match="is not empty and does not contain scores"):
        run({"a": folder}, manifest, tmp_path / "thesis")
    assert (tmp_path / "thesis" / "summary.csv").read_text() == "mine"
    with pytest.raises(BenchError, match="inside the predictions"):
        run({"a": folder}, manifest, folder / "out")


def test_unknown_frames_and_no_metric_at_all_are_refused(manifest: Manifest, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="frames is 'Future'"):
        run({"a": folder}, manifest, tmp_path / "out", frames="Future")
    with pytest.raises(BenchError, match="None of the metrics can be computed here: fvd left out"):
        run({"a": folder}, manifest, tmp_path / "out", metrics=["fvd"])


def test_a_summary_beside_another_protocol_is_refused(manifest: Manifest, folder: Path, tmp_path: Path) -> None:
    run({"a": folder}, manifest, tmp_path / "all")
    run({"a": folder}, manifest, tmp_path / "future", frames="future")
    shutil.copy(tmp_path / "future/scores/protocol.json", tmp_path / "all/scores/protocol.json")
    with pytest.raises(BenchError, match="a scoring was interrupted"):
        read_summary(tmp_path / "all")


@pytest.mark.heavy
@pytest.mark.parametrize("frames", ["all", "future"])
def test_the_authors_own_predictions_get_the_expected_scores(frames: str, real_data: Path, tmp_path: Path) -> None:
    manifest = build_manifest("sky", real_data / "sky_timelapse", ("test",))
    writer = PredictionWriter(tmp_path / "copy", {"row": "copy"})
    for clip in manifest.clips:
        writer.write(clip.id, np.repeat(clip.read(manifest.root, frames=1), 32, axis=0))
    writer.close()
    folders = {name: real_data / "predictions" / name for name in ("mdgan_paper_s1", "mdgan_paper_s2")}
    folders["copy"] = tmp_path / "copy"
    scores = run(folders, manifest, tmp_path / "out", resolution=128, frames=frames, metrics=METRICS[:4])
    values = {(line.row, line.metric): line.value for line in scores.summary}
    with (real_data / "expected_sky_128.csv").open() as lines:
        expected = [line for line in csv.DictReader(lines) if line["frames"] == frames]
    assert len(expected) == 3
    for line in expected:
        for metric in METRICS[:4]:
            value = float(line[metric])
            if (line["model"], frames, metric) == ("copy", "all", "psnr_frame"):
                value = (31 * value + 100) / 32  # those values leave the identical first frame out
            assert values[line["model"], metric] == pytest.approx(value, rel=1e-3)


def test_the_real_clips_score_perfectly(manifest: Manifest, tmp_path: Path) -> None:
    writer = PredictionWriter(tmp_path / "real", {"row": "real"})
    for clip in manifest.clips:
        writer.write(clip.id, clip.read(manifest.root))
    writer.close()
    scores = run({"real": tmp_path / "real"}, manifest, tmp_path / "out")
    values = {line.metric: line for line in scores.summary}
    assert (values["mse"].value, values["ssim"].value, values["motion"].value) == (0, 1, 1)
    assert np.isnan(values["psnr"].value)
    assert (values["psnr"].clips, values["psnr"].left_out) == (0, 4)


def test_nothing_depends_on_workers_order_or_what_stands_beside(
    manifest: Manifest, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "other")
    run({"a": folder}, manifest, tmp_path / "one", workers=1)
    run({"a": folder}, manifest, tmp_path / "many", workers=7)
    assert read(tmp_path / "one") == read(tmp_path / "many")
    backwards = Manifest(manifest.dataset, manifest.root, manifest.clips[::-1])
    run({"b": tmp_path / "other", "a": folder}, backwards, tmp_path / "both")
    lines = (tmp_path / "both" / "scores" / "per_clip.csv").read_text().splitlines()
    alone = (tmp_path / "one" / "scores" / "per_clip.csv").read_text().splitlines()
    assert sorted(line for line in lines if line.startswith("a,")) == sorted(alone[1:])


def test_a_scoring_that_was_killed_goes_on(
    manifest: Manifest, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run({"a": folder}, manifest, tmp_path / "whole")
    compute, calls = SSIM.compute, []

    def stopping(metric: ClipMetric, *clips: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return compute(metric, *clips)  # type: ignore[arg-type]

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(SSIM, "compute", stopping)
        run({"a": folder}, manifest, tmp_path / "out")
    journal = tmp_path / "out" / "scores" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])  # the last line was cut in the middle
    calls.clear()
    monkeypatch.setattr(SSIM, "compute", lambda *a: (calls.append(1), compute(*a))[1])
    run({"a": folder}, manifest, tmp_path / "out")
    assert len(calls) < len(manifest.clips)
    assert read(tmp_path / "out") == read(tmp_path / "whole")


def test_a_changed_video_is_scored_anew(manifest: Manifest, tmp_path: Path) -> None:
    for clip in manifest.clips:
        (tmp_path / "mine").mkdir(exist_ok=True)
        np.save(tmp_path / "mine" / f"{clip.id}.npy", moving_clip(5))
    first = run({"a": tmp_path / "mine"}, manifest, tmp_path / "out")
    np.save(tmp_path / "mine" / f"{manifest.clips[0].id}.npy", moving_clip(6))
    again = run({"a": tmp_path / "mine"}, manifest, tmp_path / "out")
    assert first.summary[0].value != again.summary[0].value


def test_missing_and_surplus_clips_are_both_named(manifest: Manifest, folder: Path, tmp_path: Path) -> None:
    loose = tmp_path / "loose"
    shutil.copytree(folder, loose)
    (loose / "manifest.json").unlink()
    (loose / "v101__v101_1__000.png").rename(loose / "stranger__000.png")
    with pytest.raises(BenchError) as refused:
        run({"a": loose}, manifest, tmp_path / "out")
    assert "has no prediction for v101__v101_1__000" in str(refused.value)
    assert "has stranger__000, which the test set does not contain" in str(refused.value)
    assert "--unpaired" not in str(refused.value)
    assert not (tmp_path / "out" / "summary.csv").exists()
    scores = run({"a": loose}, manifest, tmp_path / "out", allow_partial=True)
    assert scores.protocol.partial
    assert scores.protocol.id.endswith("/partial")
    assert {line.clips for line in scores.summary} == {3}


def test_names_that_no_clip_has_are_told_of_sets_that_are_not_paired(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    np.save(tmp_path / "mine" / "stranger.npy", moving_clip(5, 32))
    with pytest.raises(BenchError, match="To compare whole sets of any names, add --unpaired"):
        run({"a": tmp_path / "mine"}, manifest, tmp_path / "out")


def test_31_frames_are_refused_with_the_files_name(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for number, clip in enumerate(manifest.clips):
        np.save(tmp_path / "mine" / f"{clip.id}.npy", moving_clip(5, 31 if number == 2 else 32))
    with pytest.raises(BenchError, match=r"v102_1__000\.npy has 31 frames: expected 32"):
        run({"a": tmp_path / "mine"}, manifest, tmp_path / "out")


def test_a_sample_is_scored_without_complaint_about_the_rest(manifest: Manifest, folder: Path, tmp_path: Path) -> None:
    scores = run({"a": folder}, manifest, tmp_path / "out", count=2)
    assert scores.protocol.clips == 2
    assert not scores.protocol.partial


def test_predictions_of_another_size_are_resized(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    for clip in manifest.clips:
        np.save(tmp_path / "large" / f"{clip.id}.npy", clip.read(manifest.root, 128))
    scores = run({"a": tmp_path / "large"}, manifest, tmp_path / "out")
    assert 0 < scores.summary[0].value < 0.01


def test_scores_of_something_else_are_not_overwritten(manifest: Manifest, folder: Path, tmp_path: Path) -> None:
    run({"a": folder}, manifest, tmp_path / "out")
    before = read(tmp_path / "out")
    with pytest.raises(BenchError, match="contains the scores of a on sky"):
        run({"b": folder}, manifest, tmp_path / "out")
    with pytest.raises(BenchError, match="with the protocol ID"):
        run({"a": folder}, manifest, tmp_path / "out", resolution=32)
    assert read(tmp_path / "out") == before
    run({"a": folder}, manifest, tmp_path / "out", frames="future")
    assert read(tmp_path / "out") != before
    run({"a": folder}, manifest, tmp_path / "out")
    assert read(tmp_path / "out") == before


def test_the_journal_keeps_every_bit(tmp_path: Path) -> None:
    values = np.array([0.1, np.nan, np.inf, 1 / 3, 5e-324])
    journal = ScoreJournal(tmp_path / "journal.jsonl")
    journal.put("key", {"column": values})
    journal.close()
    known = ScoreJournal(tmp_path / "journal.jsonl").get("key")
    assert known is not None
    np.testing.assert_array_equal(known["column"], values)
    assert json.loads((tmp_path / "journal.jsonl").read_text().split("\n")[1])[0] == "key"


def test_a_metric_that_does_not_fit_is_left_out_with_its_reason_and_the_others_are_given(
    folder: Path, manifest: Manifest, tmp_path: Path
) -> None:
    class Long(MSE):
        name = "long"
        min_frames = 40

    class Never(SetMetric):
        name, direction, range, definition, dimension, per_frame = "never", "lower", "≥ 0", "", 3, False

        def features(self, clips: Any) -> list[Any]:
            return [np.zeros((1, 3), np.float32) for _ in range(len(clips))]

        def distance(self, predicted: Any, real: Any) -> float:
            raise UnfitError("It has no number for these.")

    known = {"long": Long, "never": Never}
    with pytest.MonkeyPatch.context() as patch:
        plain = REGISTERED.load
        patch.setattr(REGISTERED, "_targets", {**REGISTERED._targets, **dict.fromkeys(known, "theirs")})
        patch.setattr(REGISTERED, "load", lambda name: known.get(name) or plain(name))
        found = run({"noisy": folder}, manifest, tmp_path / "out", metrics=["mse", "long", "never"])
        assert {line.metric for line in found.summary} == {"mse"}
        assert set(found.protocol.metrics) == {"mse"}
        reasons = {one.metric: one.reason for one in found.left_out}
        assert reasons == {
            "long": "it needs 40 scored frames per clip, but there are 32",
            "never": "It has no number for these",
        }
        with pytest.raises(BenchError, match="None of the metrics can be computed"):
            run({"noisy": folder}, manifest, tmp_path / "o2", metrics=["long"])
