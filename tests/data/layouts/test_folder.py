from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data import clips
from bench.data.clips import Manifest, build_manifest
from bench.data.layouts.folder import index
from bench.errors import BenchError
from tests.data.making import drifting, save_animation, write_container
from tests.support.small import moving_clip, write_frames


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


def test_what_holds_several_pictures_is_a_video_and_a_still_is_a_frame(tmp_path: Path) -> None:
    clip = moving_clip(0)
    for folder in (tmp_path, tmp_path / "deep"):
        folder.mkdir(exist_ok=True)
        for ending in ("png", "webp", "tif", "gif"):
            save_animation(folder / f"{ending}.{ending}", clip, lossless=True)
        Image.fromarray(clip[0]).save(folder / "loose.png")
    write_frames(tmp_path / "frames", clip, name="{:d}.webp")
    listing = index(tmp_path, ("test",))
    names = [f"{ending}__000" for ending in ("gif", "png", "tif", "webp")]
    assert sorted(c.id for c in listing.clips) == sorted([*names, *(f"deep__{name}" for name in names), "frames__000"])
    assert listing.short == ["deep: 1 frames"]  # the still among the animations
    for found in listing.clips:
        assert np.abs(found.read(tmp_path).astype(int) - clip).mean() < 20
    assert (next(c for c in listing.clips if c.id == "deep__png__000").read(tmp_path) == clip).all()


def test_video_files_of_every_ending_are_found(tmp_path: Path) -> None:
    endings = ("mp4", "m4v", "mov", "mkv", "avi", "3gp", "MP4")
    for ending in endings:
        write_container(tmp_path / "a.mp4", moving_clip(0))
        (tmp_path / "a.mp4").rename(tmp_path / f"{ending}.{ending}")
    np.savez(tmp_path / "npz.npz", moving_clip(0))
    assert {c.id for c in index(tmp_path, ("test",)).clips} == {f"{ending}__000" for ending in (*endings, "npz")}


def test_names_that_differ_in_unicode_form_give_one_id(tmp_path: Path) -> None:
    composed, decomposed = "K\u00fcste", "Ku\u0308ste"
    for form, folder in ((composed, "a"), (decomposed, "b")):
        write_frames(tmp_path / folder / form, drifting(), name="{:d}.png")
        np.save(tmp_path / folder / f"{form}.npy", drifting())
        (tmp_path / folder / f"{form}.npy").rename(tmp_path / folder / f"{form}2.npy")
        clips = index(tmp_path / folder, ("test",)).clips
        assert [(c.id, c.video) for c in clips] == [
            (f"{composed}__000", composed),
            (f"{composed}2__000", f"{composed}2"),
        ]
        assert all((c.read(tmp_path / folder) == drifting()).all() for c in clips)


def test_nothing_that_fits_is_told_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("x.flac", "y.flac", "a/z", "a/w.txt"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(
        BenchError, match=r"no test clips .*it contains 2 \.flac files, 1 file without an ending in a, "
    ):
        build_manifest("folder", tmp_path, ("test",))


def test_clips_have_any_number_of_frames(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", moving_clip(0, 50))
    write_frames(tmp_path / "b", moving_clip(1, 20), name="{:d}.png")
    manifest = build_manifest("folder", tmp_path, ("test",), 20)
    assert [clip.id for clip in manifest.clips] == ["a__000", "a__001", "b__000"]
    assert (manifest.clips[1].read(tmp_path, frames=20) == moving_clip(0, 50)[20:40]).all()
    manifest.save(tmp_path / "clips.jsonl")
    assert Manifest.load(tmp_path / "clips.jsonl").frames == manifest.frames == 20
    assert build_manifest("folder", tmp_path, ("test",), 40).short == 1


def test_a_reader_of_one_length_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips.DATASETS, "load", lambda name: lambda root, splits: clips.Listing([]))
    with pytest.raises(BenchError, match="only has clips of 32 frames, not 20"):
        build_manifest("theirs", tmp_path, ("test",), 20)
