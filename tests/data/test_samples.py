from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.data.predictions import Predictions, PredictionWriter
from bench.data.reference_folder import reference_manifest
from bench.data.samples import sample_name, sampled
from bench.errors import BenchError
from tests.support.small import moving_clip, write_frames

IDS = ("a", "b")


def videos(samples: int) -> dict[str, list[np.ndarray]]:
    return {id: [moving_clip(10 * n + k, 4, 16) for k in range(samples)] for n, id in enumerate(IDS)}


def store(folder: Path, layout: str, samples: int = 12) -> Path:
    folder.mkdir()
    for id, of_clip in videos(samples).items():
        if layout == "array":
            np.save(folder / f"{id}.npy", np.stack(of_clip))
        elif layout == "archive":
            np.savez_compressed(folder / f"{id}.npz", np.stack(of_clip))
        for k, video in enumerate(of_clip):
            if layout == "files":
                np.save(folder / f"{id}@{k}.npy", video)
            elif layout == "first without a number":
                np.save(folder / f"{sample_name(id, k)}.npy", video)
            elif layout == "folders":
                (folder / id).mkdir(exist_ok=True)
                np.save(folder / id / f"{k}.npy", video)
            elif layout == "from one":
                (folder / id).mkdir(exist_ok=True)
                np.save(folder / id / f"{k + 1:03d}.npy", video)
    return folder


@pytest.mark.parametrize("layout", ["files", "first without a number", "folders", "from one", "array", "archive"])
def test_every_layout_gives_the_samples_in_order(layout: str, tmp_path: Path) -> None:
    expected = videos(12)
    found = sampled(Predictions(store(tmp_path / "made", layout)), IDS)
    assert len(found) == 12  # 2 comes before 10
    assert len({one.sha256("a") for one in found}) == 12
    for k, one in enumerate(found):
        assert one.ids == ["a", "b"]
        for id in IDS:
            np.testing.assert_array_equal(one.read(id), expected[id][k])
    assert [one.sha256("b") for one in sampled(Predictions(tmp_path / "made"), IDS, 3)] == [
        one.sha256("b") for one in found[:3]
    ]
    assert found[1].read("a", resolution=8).shape == (4, 8, 8, 3)


def test_frame_folders_are_samples_too_and_loose_frames_are_not(tmp_path: Path) -> None:
    for k, video in enumerate(videos(2)["a"]):
        write_frames(tmp_path / "nested" / "a" / str(k), video, name="{:d}.png")
        write_frames(tmp_path / "flat" / f"a@{k}", video, name="{:d}.png")
    write_frames(tmp_path / "frames" / "a", videos(1)["a"][0], first=0, name="{:d}.png")
    for folder in ("nested", "flat"):
        found = sampled(Predictions(tmp_path / folder), ["a"])
        np.testing.assert_array_equal([one.read("a") for one in found], videos(2)["a"])
    frames = Predictions(tmp_path / "frames")
    assert sampled(frames, ["a"]) == [frames]
    assert frames.read("a").shape == (4, 16, 16, 3)


def test_a_clip_whose_own_name_has_a_number_is_no_sample(tmp_path: Path) -> None:
    predictions = Predictions(store(tmp_path / "made", "files", 2))
    (alone,) = sampled(predictions, [*IDS, "a@0", "a@1", "b@0", "b@1"])
    assert alone is predictions
    assert sampled(predictions, ["c"])[0].ids == predictions.ids  # of no clip that is known: for `pair` to complain


def test_one_video_a_clip_is_as_it_was_whatever_is_asked_for(tmp_path: Path) -> None:
    writer = PredictionWriter(tmp_path / "ours", {"row": "x"})
    for id, (video,) in videos(1).items():
        writer.write(id, video)
    writer.close()
    predictions = Predictions(tmp_path / "ours")
    assert sampled(predictions, IDS) == sampled(predictions, IDS, 10) == [predictions]
    assert predictions.number is None


def test_our_own_samples_are_checked_against_their_manifest(tmp_path: Path) -> None:
    writer = PredictionWriter(tmp_path / "ours", {"row": "x"})
    for id, of_clip in videos(3).items():
        for k, video in enumerate(of_clip):
            writer.write(sample_name(id, k), video)
    writer.close()
    found = sampled(Predictions(tmp_path / "ours"), IDS)
    assert [one.number for one in found] == [0, 1, 2]
    (tmp_path / "ours/b@2.png").write_bytes((tmp_path / "ours/b@1.png").read_bytes())
    with pytest.raises(BenchError, match=r"b@2\.png has changed"):
        found[2].read("b")
    assert found[1].length("b") == 4


def test_what_is_short_or_twice_is_said(tmp_path: Path) -> None:
    predictions = Predictions(store(tmp_path / "made", "files", 3))
    with pytest.raises(BenchError, match="has 3 samples per clip, but --samples asks for 5"):
        sampled(predictions, IDS, 5)
    np.save(tmp_path / "made" / "a.npy", videos(1)["a"][0])
    with pytest.raises(BenchError, match=r"Sample 0 of the clip a appears twice .* as a.npy and as a@0.npy"):
        sampled(Predictions(tmp_path / "made"), IDS)
    (tmp_path / "made/b@2.npy").unlink()
    (tmp_path / "made/a.npy").unlink()
    assert [one.ids for one in sampled(Predictions(tmp_path / "made"), IDS)] == [["a", "b"], ["a", "b"], ["a"]]
    np.save(tmp_path / "made" / "x.npz", videos(1)["a"][0])
    (tmp_path / "twice" / "a").mkdir(parents=True)
    for name in ("0.npy", "00.npy"):
        np.save(tmp_path / "twice" / "a" / name, videos(1)["a"][0])
    with pytest.raises(BenchError, match="sample 00 twice"):
        Predictions(tmp_path / "twice")


def test_a_reference_has_one_video_a_clip(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="expected one real video per clip"):
        reference_manifest(Predictions(store(tmp_path / "made", "folders", 2)))
