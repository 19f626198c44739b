from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.data.clips import build_manifest
from bench.data.folder import index
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
