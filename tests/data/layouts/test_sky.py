from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.data.clips import build_manifest
from bench.data.layouts.sky import index, source_video
from bench.errors import BenchError
from tests.support.small import moving_clip, write_frames


def test_real_clips_have_the_ids_of_their_readme(real_data: Path) -> None:
    manifest = build_manifest("sky", real_data / "sky_timelapse")
    assert len(manifest.split("train", "val")) == 30
    assert len(manifest.split("test")) == 10
    assert "clip02__clip02_1__000" in {clip.id for clip in manifest.split("test")}


def test_frames_are_taken_in_natural_order(sky: Path) -> None:
    clip = index(sky, ("test",)).clips[0]
    assert clip.id == "v100__v100_1__000"
    assert clip.video == "v100"
    assert clip.names.split("/")[:3] == ["frame_1.jpg", "frame_2.jpg", "frame_3.jpg"]
    assert clip.names.split("/")[9] == "frame_10.jpg"


def test_clips_do_not_overlap_and_short_videos_are_counted(tmp_path: Path) -> None:
    below = tmp_path / "sky_test"
    write_frames(below / "a" / "a_1", moving_clip(0, 70))
    write_frames(below / "a" / "a_2", moving_clip(1, 31))
    write_frames(below / "b" / "b_1", moving_clip(2, 32))
    listing = index(tmp_path, ("test",))
    assert [(c.id, c.start) for c in listing.clips] == [
        ("a__a_1__000", 0),
        ("a__a_1__001", 32),
        ("b__b_1__000", 0),
    ]
    assert listing.short == ["sky_test/a/a_2: 31 frames"]
    assert not set(listing.clips[0].names.split("/")) & set(listing.clips[1].names.split("/"))


@pytest.mark.parametrize("place", ["sky_test/a_1", "sky_test/a/a_1", "sky_test/x/a/a_1", "copy/sky_test/a/a_1"])
def test_flatter_and_deeper_copies_are_read(tmp_path: Path, place: str) -> None:
    write_frames(tmp_path / place, moving_clip(0))
    (clip,) = index(tmp_path, ("test",)).clips
    assert clip.id.endswith("a_1__000")
    assert clip.read(tmp_path).shape == (32, 64, 64, 3)


def test_a_flat_copy_keeps_short_videos_of_one_source_together(tmp_path: Path) -> None:
    for name in ("a_1", "a_2", "b"):
        write_frames(tmp_path / "sky_test" / name, moving_clip(0))
    assert [c.video for c in index(tmp_path, ("test",)).clips] == ["a", "a", "b"]
    assert source_video(tmp_path / "x" / "y", tmp_path) == "x"


@pytest.mark.parametrize("leaf", ["frames", "A_1", "img 01"])
@pytest.mark.parametrize("top", ["", "copy/"])
def test_frames_in_a_folder_of_their_own_have_the_source_video_of_the_usual_layout(
    top: str, leaf: str, tmp_path: Path
) -> None:
    for number, place in enumerate(("train/A/A_1", "train/D/D_1", "train/D/D_2", "test/C/C_1", "test/B/B_7")):
        write_frames(tmp_path / f"{top}sky_{place}" / leaf, moving_clip(number))
    videos = {clip.id: clip.video for clip in build_manifest("sky", tmp_path).clips}
    assert sorted(set(videos.values())) == ["A", "B", "C", "D"]
    assert videos[f"B__B_7__{leaf}__000"] == "B"  # ids name the folders as they are
    write_frames(tmp_path / f"{top}sky_test/A/A_2" / leaf, moving_clip(9))
    with pytest.raises(BenchError, match="The source video A is in both train and test"):
        build_manifest("sky", tmp_path)


def test_frames_of_a_flat_copy_in_folders_of_their_own(tmp_path: Path) -> None:
    for number, place in enumerate(("train/a_1", "train/a_2", "train/d_4", "test/b_1", "test/b_2")):
        write_frames(tmp_path / f"sky_{place}" / "frames", moving_clip(number))
    assert {clip.video for clip in build_manifest("sky", tmp_path).clips} == {"a", "b", "d"}
    write_frames(tmp_path / "sky_test/a_1/frames", moving_clip(9))
    with pytest.raises(BenchError, match="a_1 is in both train and test"):
        build_manifest("sky", tmp_path)


def test_groups_of_long_videos_keep_their_names(tmp_path: Path) -> None:
    for number, place in enumerate(("g/a/a_1", "g/a/a_2", "g/b/b_1", "h/c/1", "h/c/2", "x/1", "y/1")):
        write_frames(tmp_path / "sky_test" / place, moving_clip(number))
    assert [clip.video for clip in index(tmp_path, ("test",)).clips] == [
        "g__a",
        "g__a",
        "g__b",
        "h__c",
        "h__c",
        "x",
        "y",
    ]


def test_a_gap_in_the_numbering_is_remarked(tmp_path: Path, sky: Path) -> None:
    shutil.copytree(sky / "sky_test", tmp_path / "sky_test")
    (tmp_path / "sky_test/v100/v100_1/frame_5.jpg").rename(tmp_path / "sky_test/v100/v100_1/frame_99.jpg")
    assert any("frame_6.jpg follows frame_4.jpg" in remark for remark in index(tmp_path, ("test",)).remarks)


def test_numbers_of_a_flat_copy_tell_videos_apart_where_both_splits_have_the_name(tmp_path: Path) -> None:
    for number, name in enumerate(("sky_train/video_0", "sky_train/a_1", "sky_train/a_2", "sky_test/video_10")):
        write_frames(tmp_path / name, moving_clip(number))
    manifest = build_manifest("sky", tmp_path)
    assert {clip.id: clip.video for clip in manifest.clips} == {
        "video_0__000": "video_0",
        "a_1__000": "a",
        "a_2__000": "a",
        "video_10__000": "video_10",
    }
    assert build_manifest("sky", tmp_path, ("test",)).hashes["test"] == manifest.hashes["test"]


def test_a_folder_of_one_name_in_both_splits_of_a_flat_copy_is_a_leak(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "test")):
        write_frames(tmp_path / f"sky_{split}" / "a_1", moving_clip(number))
    with pytest.raises(BenchError, match="a_1 is in both train and test"):
        build_manifest("sky", tmp_path)


def test_a_name_that_is_only_a_number_stays(tmp_path: Path) -> None:
    assert source_video(tmp_path / "_1", tmp_path) == "_1"


def test_names_that_differ_in_unicode_form_are_one_video(tmp_path: Path) -> None:
    composed, decomposed = "K\u00fcste", "Ku\u0308ste"
    write_frames(tmp_path / "sky_train" / composed / "1", moving_clip(0))
    write_frames(tmp_path / "sky_test" / decomposed / "2", moving_clip(1))
    assert index(tmp_path, ("test",)).clips[0].id == f"{composed}__2__000"
    with pytest.raises(BenchError, match=f"The source video {composed} is in both train and test"):
        build_manifest("sky", tmp_path)


def test_a_missing_split_is_told_with_what_is_there(tmp_path: Path) -> None:
    write_frames(tmp_path / "videos" / "a", moving_clip(0, 3))
    with pytest.raises(
        BenchError, match=r"folder sky_test is missing below it; it contains 3 \.jpg files in videos/a\. Supported"
    ):
        index(tmp_path, ("test",))
