from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.clips import Clip, Manifest, build_manifest, content_hash, sample, with_validation
from bench.data.readers.file_listing import files_below, frame_folders
from bench.errors import BenchError
from tests.support.small import make_beach, make_sky, moving_clip, write_frames


def clips(videos: int, each: int = 2, split: str = "train") -> list[Clip]:
    return [Clip(f"v{v}__{n:03d}", f"v{v}", split, f"v{v}") for v in range(videos) for n in range(each)]


@given(st.integers(2, 60), st.integers(1, 4))
def test_validation_takes_whole_videos_about_a_tenth(videos: int, each: int) -> None:
    divided = with_validation(clips(videos, each))
    train = {c.video for c in divided if c.split == "train"}
    val = {c.video for c in divided if c.split == "val"}
    assert not train & val
    assert len(train) + len(val) == videos
    assert len(val) == max(1, round(videos / 10))


def test_validation_leaves_test_and_a_single_video_alone() -> None:
    assert {c.split for c in with_validation(clips(30, split="test"))} == {"test"}
    assert {c.split for c in with_validation(clips(1))} == {"train"}


def test_sample_takes_the_smallest_hashes_whatever_the_order() -> None:
    everything = clips(10)
    ids = sorted((c.id for c in everything), key=lambda id: hashlib.sha256(id.encode()).hexdigest())[:5]
    assert {c.id for c in sample(everything, 5)} == set(ids)
    assert {c.id for c in sample(everything[::-1], 5)} == set(ids)
    assert sample(everything, None) == sample(everything, 99) == everything


def test_content_hash_changes_with_each_byte_name_border_and_place(tmp_path: Path) -> None:
    a, b, c = (tmp_path / name for name in "abc")
    a.write_bytes(b"12")
    b.write_bytes(b"3")
    c.write_bytes(b"123")
    assert content_hash([a, b]) == content_hash([a, b])
    assert len({content_hash([a, b]), content_hash([c]), content_hash([b, a]), content_hash([c], 32)}) == 4


def test_manifest_reads_back_as_it_was(sky: Path, tmp_path: Path) -> None:
    manifest = build_manifest("sky", sky)
    manifest.save(tmp_path / "clips.jsonl")
    assert Manifest.load(tmp_path / "clips.jsonl") == manifest
    assert [len(manifest.split(s)) for s in ("train", "val", "test")] == [3, 1, 2]


def test_manifest_hash_follows_content_and_not_place(sky: Path, tmp_path: Path) -> None:
    before = build_manifest("sky", sky).hashes
    copy = make_sky(tmp_path / "elsewhere")
    assert build_manifest("sky", copy).hashes == before
    frame = next(copy.rglob("v100_1/frame_7.jpg"))
    frame.write_bytes(frame.read_bytes() + b"\0")
    after = build_manifest("sky", copy).hashes
    assert after["test"] != before["test"]
    assert after["train"] == before["train"]


def test_scoring_needs_the_test_split_only(tmp_path: Path) -> None:
    write_frames(tmp_path / "sky_test" / "a" / "a_1", moving_clip(0))
    assert len(build_manifest("sky", tmp_path, ("test",)).clips) == 1
    with pytest.raises(BenchError, match="sky_train is missing"):
        build_manifest("sky", tmp_path)


def test_missing_root_and_root_without_clips_are_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="nowhere does not exist"):
        build_manifest("sky", tmp_path / "nowhere")
    (tmp_path / "sky_train").mkdir()
    (tmp_path / "sky_test").mkdir()
    with pytest.raises(BenchError, match="no train clips"):
        build_manifest("sky", tmp_path)


def test_a_source_video_in_train_and_test_is_refused(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_frames(tmp_path / f"sky_{split}" / "same" / "same_1", moving_clip(0))
    with pytest.raises(BenchError, match="same is in both train and test"):
        build_manifest("sky", tmp_path)


def test_a_clip_reads_its_first_frames_at_any_size(sky: Path) -> None:
    manifest = build_manifest("sky", sky)
    clip = manifest.split("test")[0]
    whole = clip.read(manifest.root)
    assert whole.shape == (32, 64, 64, 3)
    assert (clip.read(manifest.root, frames=1) == whole[:1]).all()
    assert clip.read(manifest.root, 16).shape == (32, 16, 16, 3)


def test_a_sample_of_none_is_refused() -> None:
    for count in (0, -1):
        with pytest.raises(BenchError, match="Expected at least 1 clip"):
            sample(clips(3), count)


def test_linked_folders_are_read_hidden_ones_are_not_and_loops_end(tmp_path: Path) -> None:
    write_frames(tmp_path / "elsewhere" / "a_1", moving_clip(0, 2))
    write_frames(tmp_path / "top" / "b", moving_clip(1, 2))
    write_frames(tmp_path / "top" / ".hidden", moving_clip(2, 2))
    (tmp_path / "top/b/._frame_1.jpg").write_bytes(b"macOS")
    (tmp_path / "top/a").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "top/b/again").symlink_to(tmp_path / "top", target_is_directory=True)
    found = [(f.relative_to(tmp_path / "top").as_posix(), names) for f, names in frame_folders(tmp_path / "top")]
    assert found == [(folder, ["frame_1.jpg", "frame_2.jpg"]) for folder in ("a/a_1", "b")]
    assert [path.name for path in files_below(tmp_path / "top/a")] == ["frame_1.jpg", "frame_2.jpg"]


def test_a_name_that_is_not_utf8_is_said(tmp_path: Path) -> None:
    root = make_sky(tmp_path, train=1, test=1)
    folder = root / "sky_test/v100/v100_1"
    try:
        (folder / "frame_3.jpg").rename(folder / os.fsdecode(b"\xe9.jpg"))
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    with pytest.raises(BenchError, match=r"The name .*/v100_1/\\xe9\.jpg is not UTF-8"):
        build_manifest("sky", root)
    with pytest.raises(BenchError, match="is not UTF-8"):
        list(frame_folders(root / "sky_test"))


def test_the_first_of_several_broken_files_is_raised_and_the_others_are_counted(tmp_path: Path) -> None:
    root = make_beach(tmp_path)
    for number in (0, 1, 2):
        (root / f"frames-stable-many/shore/000{number}_0.jpg").unlink()
    with pytest.raises(BenchError, match=r"0000_0\.jpg is named .* \(and 2 more: see `bench data verify`\)"):
        build_manifest("beach", root)
