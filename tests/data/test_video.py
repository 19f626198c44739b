from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bench.data.video import natural, read_image, read_video, resize, strip_frames
from bench.errors import BenchError
from tests.small import moving_clip, truncate, write_frames


def test_natural_order_puts_2_before_10() -> None:
    names = ["f10.jpg", "f2.jpg", "f1.jpg", "g1.jpg", "f02.jpg"]
    assert sorted(names, key=natural) == ["f1.jpg", "f02.jpg", "f2.jpg", "f10.jpg", "g1.jpg"]


@given(st.lists(st.text(max_size=8), unique=True, max_size=6))
def test_natural_order_is_total(names: list[str]) -> None:
    backwards = names[::-1]
    assert sorted(names, key=natural) == sorted(backwards, key=natural)


@pytest.fixture
def clip() -> np.ndarray:
    return moving_clip(3)


def test_frame_folder_is_read_in_natural_order(tmp_path: Path, clip: np.ndarray) -> None:
    write_frames(tmp_path / "f", clip, name="frame_{:d}.png")
    assert (read_video(tmp_path / "f") == clip).all()


def test_strip_and_array_are_read_exactly(tmp_path: Path, clip: np.ndarray) -> None:
    Image.fromarray(clip.reshape(-1, 64, 3)).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", clip)
    assert (read_video(tmp_path / "a.png") == clip).all()
    assert (read_video(tmp_path / "b.npy") == clip).all()


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_animations_are_read_with_all_frames(tmp_path: Path, clip: np.ndarray, ending: str) -> None:
    first, *others = (Image.fromarray(frame) for frame in clip)
    first.save(tmp_path / f"a.{ending}", save_all=True, append_images=others, duration=100, lossless=True)
    read = read_video(tmp_path / f"a.{ending}")
    assert read.shape == clip.shape
    tolerance = 0 if ending == "webp" else 20  # a GIF has 256 colours
    assert np.abs(read.astype(int) - clip).mean() <= tolerance


def test_mp4_is_read_with_all_frames(tmp_path: Path, clip: np.ndarray) -> None:
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.bit_rate = 4_000_000
        for frame in clip:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    read = read_video(tmp_path / "a.mp4")
    assert read.shape == clip.shape
    assert np.abs(read.astype(int) - clip).mean() < 12


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.mp4", "a.npy", "a.txt", "empty"])
def test_what_cannot_be_decoded_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "empty":
        path.mkdir()
    else:
        path.write_bytes(b"no video at all")
    with pytest.raises(BenchError, match=name):
        read_video(path)


def test_truncated_jpeg_is_named(tmp_path: Path, clip: np.ndarray) -> None:
    write_frames(tmp_path / "f", clip[:2])
    truncate(tmp_path / "f" / "frame_2.jpg")
    with pytest.raises(BenchError, match=r"frame_2\.jpg cannot be decoded"):
        read_image(tmp_path / "f" / "frame_2.jpg")


def test_frames_of_differing_sizes_are_refused(tmp_path: Path, clip: np.ndarray) -> None:
    write_frames(tmp_path / "f", clip[:2])
    Image.fromarray(clip[0][:32]).save(tmp_path / "f" / "frame_3.jpg")
    with pytest.raises(BenchError, match="differ in size"):
        read_video(tmp_path / "f")


def test_array_of_another_kind_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((32, 64, 64, 3), np.float32))
    with pytest.raises(BenchError, match=r"float32 \[32, 64, 64, 3\]"):
        read_video(tmp_path / "a.npy")


def test_strip_height_must_be_a_multiple_of_its_width() -> None:
    assert strip_frames(Path("a.jpg"), 128, 4096) == 32
    with pytest.raises(BenchError, match="no multiple of 128"):
        strip_frames(Path("a.jpg"), 128, 4100)


def test_resize_keeps_the_same_size_and_averages_when_smaller(clip: np.ndarray) -> None:
    assert resize(clip, 64) is clip
    small = resize(clip, 16)
    assert small.shape == (32, 16, 16, 3)
    # Antialiased: each pixel is near the mean of its own 4×4 block, also on fine detail.
    checks = np.indices((64, 64)).sum(0)[None, ..., None] % 2 * np.full((1, 64, 64, 3), 255)
    assert np.abs(resize(checks.astype(np.uint8), 16).astype(int) - 127.5).max() < 3
