"""`bench score` of files that hold all clips of a method, and of a reference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.data.clip_arrays import Statement
from bench.data.dataset import Dataset
from bench.errors import BenchError
from bench.pipeline.score import named_folders, score_folders
from bench.scoring.score_tables import read_account, read_notes, read_summary
from bench.scoring.scoring_plan import ScoringPlan
from tests.support.small import make_sky, moving_clip

pytestmark = pytest.mark.heavy

PLAN = ScoringPlan(0, ["mse", "ssim"])
UNIT = Statement("", (0, 1))


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def arrays(tmp_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and real clips, uint8 [3, 6, 16, 24, 3]; a folder of each as well."""
    real = np.stack([moving_clip(n, 6, 32)[:, :16, :24] for n in range(3)])
    noise = np.random.default_rng(0).integers(-20, 21, real.shape)
    predicted = np.clip(real + noise, 0, 255).astype(np.uint8)
    for name, clips in (("real", real), ("mine", predicted)):
        (tmp_path / name).mkdir()
        for number, clip in enumerate(clips):
            np.save(tmp_path / name / f"{number:06d}.npy", clip)
    return predicted, real


def values(out: Path) -> dict[str, float]:
    return {line.metric: line.value for line in read_summary(out)}


def test_arrays_and_folders_of_the_same_clips_get_the_same_bytes(
    arrays: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    predicted, real = arrays
    np.save(tmp_path / "real.npy", real)
    np.savez(tmp_path / "mine.npz", (predicted / 255).astype(np.float32).transpose(0, 1, 4, 2, 3))
    torch.save(torch.from_numpy(predicted.transpose(0, 4, 1, 2, 3)), tmp_path / "mine.pt")
    score_folders([str(tmp_path / "mine")], tmp_path / "folders", PLAN, reference=tmp_path / "real")
    expected = (tmp_path / "folders/summary.csv").read_bytes()
    score_folders([f"{tmp_path}/mine.npz"], tmp_path / "npz", PLAN, reference=tmp_path / "real.npy", said=UNIT)
    assert (tmp_path / "npz/summary.csv").read_bytes() == expected
    score_folders([f"{tmp_path}/mine.pt"], tmp_path / "pt", PLAN, reference=tmp_path / "real", said=Statement("NCTHW"))
    assert (tmp_path / "pt/summary.csv").read_bytes() == expected
    assert read_account(tmp_path / "npz")["command"].endswith("--range 0,1")
    assert read_account(tmp_path / "pt")["command"].endswith("--axes NCTHW")
    assert "24x16px" in expected.decode()


def test_an_array_may_lack_the_given_frames(arrays: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    predicted, real = arrays
    plan = replace(PLAN, frames="context4-future")
    np.save(tmp_path / "real.npy", real)
    np.save(tmp_path / "future.npy", predicted[:, 4:])
    score_folders([f"mine={tmp_path}/mine"], tmp_path / "whole", plan, reference=tmp_path / "real")
    score_folders([f"mine={tmp_path}/future.npy"], tmp_path / "short", plan, reference=tmp_path / "real.npy", keep=True)
    assert values(tmp_path / "short") == values(tmp_path / "whole")
    assert any("contain only the 2 frames after the context" in note for note in read_notes(tmp_path / "short")[1])


def test_several_methods_may_be_arrays_and_folders(arrays: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    predicted, _ = arrays
    np.save(tmp_path / "all.npy", predicted)
    floats = predicted / 255
    floats[0, 0, 0, 0] = 1.25
    np.save(tmp_path / "floats.npy", floats)
    texts = [f"theirs={tmp_path}/all.npy", str(tmp_path / "mine"), str(tmp_path / "floats.npy")]
    score_folders(texts, tmp_path / "out", PLAN, reference=tmp_path / "real", said=UNIT)
    by_row = {line.row: line.value for line in read_summary(tmp_path / "out") if line.metric == "mse"}
    assert by_row["theirs"] == by_row["mine"] != by_row["floats"]
    (note,) = read_notes(tmp_path / "out")[1]
    assert note.startswith("floats: ")
    assert "outside the stated range 0,1 (0" in note


def test_an_array_goes_with_a_dataset_by_its_ids(tmp_path: Path) -> None:
    data = Dataset("sky", str(make_sky(tmp_path / "sky", train=1, test=2)))
    manifest = data.manifest(64, ("test",))
    clips = {clip.id: clip.read(manifest.root) for clip in manifest.clips}
    names = sorted(clips, reverse=True)
    np.save(tmp_path / "mine.npy", np.stack([clips[name] for name in names]))
    plan = ScoringPlan(64, ["mse"])
    with pytest.raises(BenchError, match=r"does not say which clip is which, and the real clips are called v"):
        score_folders([str(tmp_path / "mine.npy")], tmp_path / "out", plan, dataset=data)
    (tmp_path / "mine.ids.txt").write_text("\n".join(names))
    score_folders([str(tmp_path / "mine.npy")], tmp_path / "out", plan, dataset=data)
    assert values(tmp_path / "out") == {"mse": 0}


def test_what_does_not_fit_is_said_by_the_name_that_was_given(
    arrays: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    predicted, _ = arrays
    np.save(tmp_path / "two.npy", predicted[:2])
    with pytest.raises(BenchError, match=r"two\.npy has no prediction for 000002"):
        score_folders([f"{tmp_path}/two.npy"], tmp_path / "out", PLAN, reference=tmp_path / "real")
    np.save(tmp_path / "short.npy", predicted[:, :4])
    with pytest.raises(BenchError, match="has 4 frames: expected 6"):
        score_folders([f"{tmp_path}/short.npy"], tmp_path / "out", PLAN, reference=tmp_path / "real")
    with pytest.raises(BenchError, match=r"There is no file .*none\.npy"):
        score_folders([f"{tmp_path}/none.npy"], tmp_path / "out", PLAN, reference=tmp_path / "real")
    with pytest.raises(BenchError, match=r"There is no reference folder .*none: give a folder of videos"):
        score_folders([str(tmp_path / "mine")], tmp_path / "out", PLAN, reference=tmp_path / "none")
    (tmp_path / "mine.rar").write_text("")
    with pytest.raises(BenchError, match=r"mine\.rar is a file, not a prediction folder"):
        score_folders([f"{tmp_path}/mine.rar"], tmp_path / "out", PLAN, reference=tmp_path / "real")


def test_a_reference_whose_videos_are_deeper_is_named_with_what_reads_it(
    arrays: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    for name, file in (("plain", "x"), ("numbers", "000000")):
        (tmp_path / name / "A").mkdir(parents=True)
        np.save(tmp_path / name / "A" / f"{file}.npy", arrays[1][0])
        with pytest.raises(BenchError, match=rf"The reference folder .*{name} .*--dataset folder --data-root FOLDER"):
            score_folders([str(tmp_path / "mine")], tmp_path / "out", PLAN, reference=tmp_path / name)


def test_the_own_name_of_an_array_has_no_ending(tmp_path: Path) -> None:
    texts = [f"{tmp_path}/{name}" for name in ("a.npy", "b.NPZ", "c.pt", "d.zip", "e.f")]
    assert [one.name for one in named_folders(texts)] == ["a", "b", "c", "d", "e.f"]


def test_samples_in_one_array_are_samples_in_folders(arrays: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    predicted, _ = arrays
    samples = np.stack([predicted, np.roll(predicted, 1, axis=3), predicted // 2 + 60], 1)
    np.save(tmp_path / "drawn.npy", samples.transpose(1, 0, 2, 5, 3, 4))
    (tmp_path / "drawn").mkdir()
    for number, clip in enumerate(samples):
        np.save(tmp_path / "drawn" / f"{number:06d}.npy", clip)
    said = Statement("SNTCHW")
    score_folders([f"{tmp_path}/drawn.npy"], tmp_path / "one", PLAN, reference=tmp_path / "real", said=said)
    score_folders([f"{tmp_path}/drawn"], tmp_path / "two", PLAN, reference=tmp_path / "real")
    for file in ("summary.csv", "scores/samples.csv"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert "/3samples" in (tmp_path / "one/summary.csv").read_text()
