from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.data.clips import Clip
from bench.data.windows import WholeVideo, dataset_videos, drawn, folder_videos, windows, with_hashes
from tests.support.small import make_sky, moving_clip, write_frames

VIDEOS = [WholeVideo(Clip(id, id, "test", f"{id}.npy"), frames) for id, frames in (("a", 20), ("b", 9))]


def test_first_windows_follow_each_other_and_drawn_ones_begin_anywhere() -> None:
    assert [clip.id for clip in windows(VIDEOS, 4, 1, None)] == ["a@0", "b@0"]
    assert [clip.start for clip in windows(VIDEOS, 4, 0, None)] == [0, 4, 8, 12, 16, 0, 4]
    starts = {windows(VIDEOS[:1], 4, 1, draw)[0].start for draw in range(200)}
    assert starts == set(range(17))
    ids = {clip.id for clip in windows(VIDEOS, 4, 2, 3)}
    assert ids == {clip.id for clip in windows(VIDEOS[::-1], 4, 2, 3)}


def test_windows_of_files_and_of_frame_folders_are_the_same_frames(tmp_path: Path) -> None:
    clip = moving_clip(3, 12, 16)
    np.save(tmp_path / "file.npy", clip)
    write_frames(tmp_path / "folder", clip, name="{:d}.png")
    found = folder_videos(tmp_path)
    assert [video.frames for video in found] == [12, 12]
    for video in found:
        (window,) = windows([video], 5, 1, 2)
        start = window.start
        assert (window.read(tmp_path, frames=5) == clip[start : start + 5]).all()
    hashes = {one.sha256 for one in with_hashes(windows(found, 5, 0, None), tmp_path, 5)}
    assert len(hashes) == 4


def test_videos_of_a_dataset_are_put_together_from_their_clips(tmp_path: Path) -> None:
    root = make_sky(tmp_path, train=3, test=1, size=16)
    found = dataset_videos("sky", root, ("train",), 10)
    assert [(video.clip.video, video.frames) for video in found] == [("v0", 30), ("v1", 30), ("v2", 30)]
    (window,) = windows(found[1:2], 10, 1, 4)
    assert len(window.read(root, frames=10)) == 10
    assert len(found[0].clip.names.split("/")) == 30


def test_another_draw_takes_other_names() -> None:
    ids = [f"{n:02d}" for n in range(20)]
    assert drawn(ids, 20, 3) == ids
    first = drawn(ids, 5, 0)
    assert first == sorted(first)
    assert len({tuple(drawn(ids, 5, draw)) for draw in range(10)}) == 10
    assert drawn(ids[::-1], 5, 4) == drawn(ids, 5, 4)[::-1]
