from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.clips import build_manifest
from bench.data.layouts.beach import index, source_video
from bench.errors import BenchError
from tests.support.small import make_beach, moving_clip, write_strip


def test_real_strips_have_the_ids_of_their_readme(real_data: Path) -> None:
    manifest = build_manifest("beach", real_data / "beach")
    assert len(manifest.split("train", "val")) == 75
    assert len(manifest.split("test")) == 26
    assert "promenade__0032_0__000" in {clip.id for clip in manifest.split("test")}


def test_strips_of_one_video_share_their_source(tmp_path: Path) -> None:
    make_beach(tmp_path)
    write_strip(tmp_path / "frames-stable-many/shore/0100_32.jpg", moving_clip(7))
    with (tmp_path / "beach_test.txt").open("a") as lines:
        lines.write("shore/0100_32.jpg\n")
    clips = index(tmp_path, ("test",)).clips
    assert {c.id: c.video for c in clips} == {
        "shore__0100_0__000": "shore__0100",
        "shore__0101_0__000": "shore__0101",
        "shore__0100_32__000": "shore__0100",
    }


def test_a_strip_is_cut_into_frames(beach: Path) -> None:
    clip = index(beach, ("test",)).clips[0]
    assert np.abs(clip.read(beach).astype(int) - moving_clip(100)).mean() < 10  # JPEG halves the colours' resolution


def test_33_frames_give_the_first_32_and_31_are_short(tmp_path: Path) -> None:
    make_beach(tmp_path, test=1)
    strip = tmp_path / "frames-stable-many/shore/0100_0.jpg"
    write_strip(strip, moving_clip(1, 33))
    assert index(tmp_path, ("test",)).clips[0].read(tmp_path).shape == (32, 64, 64, 3)
    write_strip(strip, moving_clip(1, 31))
    listing = index(tmp_path, ("test",))
    assert not listing.clips
    assert listing.short == ["frames-stable-many/shore/0100_0.jpg: 31 frames"]


def test_a_strip_of_a_wrong_height_is_named(tmp_path: Path) -> None:
    make_beach(tmp_path)
    Image.fromarray(np.zeros((128 * 32 + 5, 128, 3), np.uint8)).save(tmp_path / "frames-stable-many/shore/0101_0.jpg")
    with pytest.raises(BenchError, match=r"0101_0\.jpg is 128×4101 pixels: its height is not a multiple of 128"):
        build_manifest("beach", tmp_path)


def test_a_listed_file_that_is_missing_is_named(tmp_path: Path) -> None:
    make_beach(tmp_path)
    (tmp_path / "frames-stable-many/shore/0002_0.jpg").unlink()
    with pytest.raises(BenchError, match=r"0002_0\.jpg is named in the train list"):
        build_manifest("beach", tmp_path)


def test_one_list_is_divided_by_source_video_as_in_the_paper(tmp_path: Path) -> None:
    make_beach(tmp_path, train=20, test=0)
    (tmp_path / "beach_train.txt").rename(tmp_path / "beach.txt")
    (tmp_path / "beach_test.txt").unlink()
    listing = index(tmp_path, ("train", "test"))
    splits = [clip.split for clip in listing.clips]
    assert (splits.count("train"), splits.count("test")) == (2, 18)


def test_no_list_at_all_is_named(tmp_path: Path) -> None:
    make_beach(tmp_path)
    (tmp_path / "beach_train.txt").unlink()
    (tmp_path / "beach_test.txt").unlink()
    with pytest.raises(BenchError, match="found none"):
        index(tmp_path, ("train",))


def test_a_file_in_no_list_is_remarked(tmp_path: Path) -> None:
    make_beach(tmp_path)
    write_strip(tmp_path / "frames-stable-many/shore/0999_0.jpg", moving_clip(1))
    assert index(tmp_path, ("test",)).remarks == ["frames-stable-many/shore/0999_0.jpg: not in any list"]
    strip = tmp_path / "frames-stable-many/shore/0999_0.jpg"
    try:
        strip.rename(strip.with_name(os.fsdecode(b"\xe9.jpg")))
    except OSError:
        return  # this file system has UTF-8 names only
    assert index(tmp_path, ("test",)).remarks == ["frames-stable-many/shore/\\xe9.jpg: not in any list"]


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_single_list_of_one_split_is_that_split(tmp_path: Path, split: str) -> None:
    make_beach(tmp_path, train=4, test=4)
    other = {"train": "test", "test": "train"}[split]
    (tmp_path / f"beach_{other}.txt").unlink()
    assert [clip.split for clip in index(tmp_path, (split,)).clips] == [split] * 4
    with pytest.raises(BenchError, match=f"needs one text file of paths with '{other}' in its name"):
        index(tmp_path, (other,))


def test_a_list_with_both_words_is_refused(tmp_path: Path) -> None:
    make_beach(tmp_path)
    (tmp_path / "beach_train.txt").unlink()
    (tmp_path / "beach_test.txt").rename(tmp_path / "train_and_test.txt")
    with pytest.raises(BenchError, match="not both"):
        index(tmp_path, ("test",))


def test_lists_of_windows_and_with_other_spellings_are_read(tmp_path: Path) -> None:
    make_beach(tmp_path, test=3)
    lines = ["./shore/0100_0.jpg", "frames-stable-many/shore/0101_0.jpg", "./frames-stable-many/./shore/0102_0.jpg"]
    (tmp_path / "beach_test.txt").write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    listing = index(tmp_path, ("test",))
    assert not listing.errors
    assert [clip.id for clip in listing.clips] == [f"shore__010{n}_0__000" for n in range(3)]
    assert not listing.remarks


@pytest.mark.parametrize("line", ["/shore/0100_0.jpg", "../a.jpg", "shore/../../a.jpg", "C:\\shore\\0100_0.jpg"])
def test_paths_that_lead_elsewhere_are_refused(tmp_path: Path, line: str) -> None:
    make_beach(tmp_path)
    write_strip(tmp_path / "a.jpg", moving_clip(0))
    with (tmp_path / "beach_test.txt").open("a") as lines:
        lines.write(line)
    with pytest.raises(BenchError, match=r"Line 3 of .*beach_test\.txt is .*below frames-stable-many"):
        build_manifest("beach", tmp_path, ("test",))


def test_a_list_that_is_no_text_is_named(tmp_path: Path) -> None:
    make_beach(tmp_path)
    (tmp_path / "beach_test.txt").write_bytes(b"shore/\xe9.jpg\n")
    with pytest.raises(BenchError, match=r"beach_test\.txt is not UTF-8"):
        build_manifest("beach", tmp_path, ("test",))
    assert len(build_manifest("beach", tmp_path, ("train",)).clips) == 4


def test_only_a_files_own_number_is_taken_off(tmp_path: Path) -> None:
    videos = {name: source_video(tmp_path / name, tmp_path) for name in ("beach/0001", "beach/_1", "a_1/b", "a_1/b_2")}
    assert videos == {"beach/0001": "beach__0001", "beach/_1": "beach___1", "a_1/b": "a_1__b", "a_1/b_2": "a_1__b"}


def test_lists_and_disks_may_differ_in_unicode_form(tmp_path: Path) -> None:
    make_beach(tmp_path, test=1)
    composed, decomposed = "K\u00fcste", "Ku\u0308ste"
    write_strip(tmp_path / f"frames-stable-many/{decomposed}/1_0.jpg", moving_clip(1))
    write_strip(tmp_path / f"frames-stable-many/{composed}/2_0.jpg", moving_clip(2))
    with (tmp_path / "beach_test.txt").open("a", encoding="utf-8") as lines:
        lines.write(f"{composed}/1_0.jpg\n{decomposed}/2_0.jpg\n")
    listing = index(tmp_path, ("test",))
    assert not listing.errors
    assert not listing.remarks
    assert [c.id for c in listing.clips[1:]] == [f"{composed}__1_0__000", f"{composed}__2_0__000"]
    for clip in listing.clips:
        assert clip.read(tmp_path).shape == (32, 64, 64, 3)


def test_a_strip_that_lies_on_its_side_is_turned(tmp_path: Path) -> None:
    make_beach(tmp_path, test=1)
    path, exif = tmp_path / "frames-stable-many/shore/0100_0.jpg", Image.Exif()
    exif[0x112] = 8
    with Image.open(path) as image:
        image.transpose(Image.Transpose.ROTATE_270).save(path, quality=95, exif=exif)
    (clip,) = index(tmp_path, ("test",)).clips
    assert np.abs(clip.read(tmp_path).astype(int) - moving_clip(100)).mean() < 10
