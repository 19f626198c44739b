from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.data import clips
from bench.data.clips import build_manifest
from bench.data.folder import index
from bench.data.video import read_video
from tests.data.test_video import write_container
from tests.small import moving_clip, write_frames


def test_videos_and_frame_folders_of_every_kind_are_clips(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", moving_clip(0, 64))
    np.save(tmp_path / "short.npy", moving_clip(0, 31))
    write_frames(tmp_path / "deep" / "b", moving_clip(1), name="{:d}.png")
    manifest = build_manifest("folder", tmp_path, ("test",))
    assert [c.id for c in manifest.clips] == ["a__000", "a__001", "deep__b__000"]
    assert manifest.short == 1
    second = manifest.clips[1].read(tmp_path)
    assert (second == moving_clip(0, 64)[32:]).all()


def test_train_and_test_folders_are_splits(tmp_path: Path) -> None:
    for name in ("train/a", "train/b", "test/c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        np.save(tmp_path / f"{name}.npy", moving_clip(ord(name[-1])))
    listing = index(tmp_path, ("train", "test"))
    assert [(c.id, c.split) for c in listing.clips] == [
        ("a__000", "train"),
        ("b__000", "train"),
        ("c__000", "test"),
    ]


def test_hidden_files_are_left_out_and_linked_folders_read(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    np.save(elsewhere / "a.npy", moving_clip(0))
    (root / "._a.mp4").write_bytes(b"macOS")
    (root / "linked").symlink_to(elsewhere, target_is_directory=True)
    assert [c.id for c in build_manifest("folder", root, ("test",)).clips] == ["linked__a__000"]


def test_every_broken_video_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", moving_clip(0))
    for name in ("b.mp4", "c.npy"):
        (tmp_path / name).write_bytes(b"nothing")
    listing = index(tmp_path, ("train", "test"))
    assert listing.absent == ["train"]
    assert len(listing.clips) == 1
    assert [name in error for name, error in zip(("b.mp4", "c.npy"), listing.errors, strict=True)] == [True, True]


def test_a_clip_of_a_long_video_is_not_decoded_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_container(tmp_path / "a.mp4", moving_clip(0, 96))
    first, second, _ = build_manifest("folder", tmp_path, ("test",)).clips
    whole = read_video(tmp_path / "a.mp4")
    stops: list[int | None] = []
    monkeypatch.setattr(clips, "read_video", lambda path, stop: (stops.append(stop), read_video(path, stop))[1])
    assert (second.read(tmp_path) == whole[32:64]).all()
    assert (first.read(tmp_path, frames=1) == whole[:1]).all()
    assert stops == [64, 1]
    assert len(read_video(tmp_path / "a.mp4", 40)) == 40
