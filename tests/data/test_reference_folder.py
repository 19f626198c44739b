from __future__ import annotations

import errno
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.predictions import Predictions
from bench.data.reference_folder import reference_manifest, unzipped
from bench.errors import BenchError
from bench.pipeline.score import score_folders
from bench.scoring.score_tables import read_summary
from bench.scoring.scoring_plan import ScoringPlan
from tests.data.making import save_animation
from tests.support.small import moving_clip, truncate, write_frames


def test_any_folder_can_stand_for_the_real_clips(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", moving_clip(0, 16))
    write_frames(tmp_path / "b", moving_clip(1, 16), name="{:d}.png")
    manifest, length = reference_manifest(Predictions(tmp_path))
    assert length == 16
    assert [clip.id for clip in manifest.split("test")] == ["a", "b"]
    for clip, seed in zip(manifest.clips, (0, 1), strict=True):
        assert (clip.read(tmp_path, frames=length) == moving_clip(seed, 16)).all()


def test_two_folders_of_different_kinds_are_scored_against_each_other(tmp_path: Path) -> None:
    for folder in ("mine", "reference"):
        (tmp_path / folder).mkdir()
    for number in range(2):
        np.save(tmp_path / "reference" / f"v{number}.npy", moving_clip(number))
        first, *others = (Image.fromarray(frame) for frame in moving_clip(number))
        first.save(tmp_path / "mine" / f"v{number}.webp", save_all=True, append_images=others, lossless=True)
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for file in (tmp_path / "mine").iterdir():
            archive.write(file, f"inner/{file.name}")
    plan = ScoringPlan(64, ["mse", "ssim"])
    for name in ("mine", "mine.zip"):
        score_folders([str(tmp_path / name)], tmp_path / f"out-{name}", plan, reference=tmp_path / "reference")
        assert {line.metric: line.value for line in read_summary(tmp_path / f"out-{name}")} == {"mse": 0, "ssim": 1}


def test_an_animated_png_is_scored_by_all_its_frames(tmp_path: Path) -> None:
    clip = moving_clip(0)
    negatives = np.concatenate([clip[:1], 255 - clip[1:]])
    for folder, frames in (("real", clip), ("wrong", negatives)):
        (tmp_path / folder).mkdir()
        save_animation(tmp_path / folder / "a.png", frames)
    out = tmp_path / "out"
    score_folders([str(tmp_path / "wrong")], out, ScoringPlan(64, ["mse"]), reference=tmp_path / "real")
    expected = ((clip / 255 - negatives / 255) ** 2).mean()
    assert read_summary(out)[0].value == pytest.approx(expected, rel=1e-6)


def test_a_folder_of_animations_in_an_archive_is_no_clip(tmp_path: Path) -> None:
    for ending in ("png", "webp"):
        with zipfile.ZipFile(tmp_path / f"{ending}.zip", "w") as archive:
            for name in "ab":
                path = save_animation(tmp_path / f"{name}.{ending}", moving_clip(0, 4), lossless=True)
                archive.write(path, f"inner/{path.name}")
        assert Predictions(unzipped(tmp_path / f"{ending}.zip")).ids == ["a", "b"]


def test_what_is_wrong_with_a_folder_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", moving_clip(0, 16))
    np.save(tmp_path / "b.npy", moving_clip(0, 8))
    with pytest.raises(BenchError, match="b has 8, a has 16"):
        reference_manifest(Predictions(tmp_path))


def test_archives_that_are_broken_or_lead_out_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", moving_clip(0, 4))
    with zipfile.ZipFile(tmp_path / "good.zip", "w") as archive:
        archive.write(tmp_path / "a.npy", "a.npy")
    assert Predictions(unzipped(tmp_path / "good.zip")).ids == ["a"]
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../out.npy", b"x")
    with pytest.raises(BenchError, match="points outside it"):
        unzipped(tmp_path / "evil.zip")
    truncate(tmp_path / "good.zip")
    with pytest.raises(BenchError, match="is not a zip archive"):
        unzipped(tmp_path / "good.zip")
    assert unzipped(tmp_path) == tmp_path


def test_a_stopped_unpacking_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "cache"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in "ab":
            archive.writestr(f"{name}.npy", b"x")
    extract = zipfile.ZipFile.extractall

    def full(archive: zipfile.ZipFile, path: object) -> None:
        extract(archive, path, ["a.npy"])  # type: ignore[arg-type]
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "extractall", full)
        with pytest.raises(BenchError, match="The disk is full"):
            unzipped(tmp_path / "a.zip")
    assert not [path for path in (tmp_path / "cache/unzipped").iterdir() if path.is_dir()]
    assert sorted(path.name for path in unzipped(tmp_path / "a.zip").iterdir()) == ["a.npy", "b.npy"]


def test_damaged_and_encrypted_archives_are_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.npy", b"content")
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "crc.zip").write_bytes(content.replace(b"content", b"CONTENT"))
    with pytest.raises(BenchError, match=r"crc\.zip is damaged"):
        unzipped(tmp_path / "crc.zip")
    locked = bytearray(content)
    locked[6] |= 1  # the "encrypted" flag, in the file's own header and in the directory
    locked[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    with pytest.raises(BenchError, match=r"locked\.zip cannot be unpacked .*encrypted"):
        unzipped(tmp_path / "locked.zip")
