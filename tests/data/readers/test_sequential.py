"""Clips of one long file: the frames that lie there, decoded once, with the memory of a clip."""

from __future__ import annotations

import multiprocessing
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from bench.data.clips import Clip, build_manifest, content_hash
from bench.data.packed_clips import pack
from bench.data.readers import sequential
from bench.data.readers.frames import Undeveloped
from bench.data.readers.sequential import read_frames
from bench.data.readers.video import frames_of, read_video, resize
from bench.data.verify import verify
from bench.errors import BenchError
from tests.data.making import save_animation, write_container
from tests.support.small import moving_clip

CLIPS = 6


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one long video."""
    folder = tmp_path_factory.mktemp("long")
    write_container(folder / "a.mp4", moving_clip(0, CLIPS * 32 + 5))
    return folder


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of a file for each frame that is decoded of it from now on."""
    names: list[str] = []

    def counted(path: Path) -> Iterator[Undeveloped]:
        for frame in frames_of(path):
            names.append(path.name)
            yield frame

    monkeypatch.setattr(sequential, "frames_of", counted)
    return names


def test_clips_of_a_long_video_are_its_frames_each_decoded_once(long: Path, decoded: list[str]) -> None:
    whole = read_video(long / "a.mp4")
    clips = build_manifest("folder", long, ("test",)).clips
    assert [clip.start for clip in clips] == [32 * n for n in range(CLIPS)]
    for clip in clips:
        expected = whole[clip.start : clip.start + 32]
        assert (clip.read(long) == expected).all()
        assert (clip.read(long) == expected).all()  # as each row of a scoring asks for it
        assert (clip.read(long, frames=1) == expected[:1]).all()
    assert len(decoded) == CLIPS * 32


def test_clips_that_are_left_out_are_passed_over(long: Path, decoded: list[str]) -> None:
    whole = resize(read_video(long / "a.mp4"), 16)
    for start in (32, 128):
        assert (read_frames(long / "a.mp4", start, start + 32, 16) == whole[start : start + 32]).all()
    assert len(decoded) == 160
    assert (read_frames(long / "a.mp4", 0, 8, 16) == whole[:8]).all()  # behind: from the beginning again
    assert len(decoded) == 168
    assert (read_frames(long / "a.mp4", 0, 8, 32).shape[1]) == 32  # held at another size
    assert len(decoded) == 176


def test_no_frame_is_decoded_beyond_what_is_asked_for(long: Path, decoded: list[str]) -> None:
    assert len(read_frames(long / "a.mp4", 0, 1)) == 1
    assert len(decoded) == 1


def test_threads_that_share_a_file_read_the_same(long: Path, decoded: list[str]) -> None:
    whole = read_video(long / "a.mp4")
    clips = build_manifest("folder", long, ("test",)).clips
    with ThreadPoolExecutor(3) as pool:
        read = list(pool.map(lambda clip: clip.read(long), clips))
    assert (np.concatenate(read) == whole[: CLIPS * 32]).all()
    assert len(decoded) <= 3 * CLIPS * 32


def _first(path: Path) -> int:
    return int(read_frames(path, 32, 33).sum())


@pytest.mark.process
def test_a_forked_process_does_not_share_the_place_in_an_open_file(long: Path) -> None:
    whole = read_video(long / "a.mp4")
    read_frames(long / "a.mp4", 0, 32)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(_first, (long / "a.mp4",)) == int(whole[32].sum())
    assert (read_frames(long / "a.mp4", 32, 64) == whole[32:64]).all()


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    before, after = moving_clip(0, 8), moving_clip(1, 8)
    path = save_animation(tmp_path / "a.png", before)
    assert (read_frames(path, 0, 4) == before[:4]).all()
    save_animation(path, after)
    assert (read_frames(path, 4, 8) == after[4:]).all()


@pytest.mark.parametrize("ending", ["npy", "npz", "png", "tif"])
def test_a_video_that_ends_before_gives_what_there_is(tmp_path: Path, ending: str) -> None:
    clip, path = moving_clip(0, 8), tmp_path / f"a.{ending}"
    if ending == "npy":
        np.save(path, clip)
    elif ending == "npz":
        np.savez(path, clip)
    else:
        save_animation(path, clip)
    assert (read_frames(path, 6, 12) == clip[6:]).all()
    assert len(read_frames(path, 9, 12)) == 0
    assert (read_frames(path, 6, 8, 16) == resize(clip[6:], 16)).all()
    with pytest.raises(BenchError, match=rf"a\.{ending} has fewer than the 34 frames that clip a needs"):
        Clip("a", "a", "test", path.name, start=2).read(tmp_path)


def test_a_reader_that_fails_is_not_used_again(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"nothing")
    for _ in range(2):
        with pytest.raises(BenchError, match=r"a\.mp4 cannot be decoded"):
            read_frames(path, 0, 1)


def test_memory_does_not_grow_with_the_length_of_a_video(tmp_path: Path) -> None:
    """Reading it whole took 5.9 GB for 640 frames (pytorch/vision#1446)."""
    peaks = []
    for clips in (2, 8):
        folder = tmp_path / str(clips)
        folder.mkdir()
        write_container(folder / "a.mp4", moving_clip(0, clips * 32))
        tracemalloc.start()  # NumPy tells it of its arrays
        manifest = build_manifest("folder", folder, ("test",))
        for clip in manifest.clips:
            clip.read(folder)
        assert verify("folder", folder).clips["test"] == clips
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_a_long_video_is_hashed_once_and_each_clip_differently(
    long: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.data import clips as module

    read: list[tuple[int, ...]] = []

    def beginning(file: Path, *place: int) -> str:
        read.append(place)
        return content_hash([file], *place)

    clips = build_manifest("folder", long, ("test",)).clips
    assert len({clip.sha256 for clip in clips}) == CLIPS
    module._beginning.cache_clear()
    original = module.content_hash
    monkeypatch.setattr(module, "content_hash", lambda files, *place: (read.append(place), original(files, *place))[1])
    again = [content_hash([long / "a.mp4"], clip.start, 32) for clip in clips]
    assert again == [clip.sha256 for clip in clips]
    assert read == [(0, 32)]  # by all clips but the first together
    # What a file of one clip has always had as its hash.
    assert again[0] == original([long / "a.mp4"], 0, 32)


def test_clips_of_a_long_video_are_packed(long: Path, tmp_path: Path, decoded: list[str]) -> None:
    clips = build_manifest("folder", long, ("test",)).clips
    packed = pack(clips, long, 16, tmp_path, workers=1)
    whole = resize(read_video(long / "a.mp4"), 16)
    assert (packed.frames.reshape(-1, 16, 16, 3) == whole[: CLIPS * 32]).all()
    assert len(decoded) == CLIPS * 32
