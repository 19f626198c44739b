from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bench.data.readers.video import image_size, natural, read_image, read_video, resize, strip_frames
from bench.errors import BenchError
from tests.data.making import write_container
from tests.support.small import moving_clip, truncate, write_frames


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


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov", "avi"])
def test_video_files_are_read_with_all_frames(tmp_path: Path, clip: np.ndarray, ending: str, uneven: bool) -> None:
    write_container(tmp_path / f"a.{ending}", clip, uneven)
    read = read_video(tmp_path / f"a.{ending}")
    assert read.shape == clip.shape
    assert np.abs(read.astype(int) - clip).mean() < 12


@pytest.mark.parametrize("share", [0.6, 0.8, 0.95])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi"])
def test_a_video_file_that_is_cut_short_is_named(tmp_path: Path, clip: np.ndarray, ending: str, share: float) -> None:
    write_container(tmp_path / f"a.{ending}", clip)
    truncate(tmp_path / f"a.{ending}", share)
    with pytest.raises(BenchError, match=rf"a\.{ending} (is damaged at frame|has \d+ of its 3\d frames|cannot be dec)"):
        read_video(tmp_path / f"a.{ending}")


def test_a_damaged_video_file_is_named(tmp_path: Path, clip: np.ndarray) -> None:
    write_container(tmp_path / "a.mkv", clip)
    content = bytearray((tmp_path / "a.mkv").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = np.random.default_rng(0).bytes(200)
    (tmp_path / "a.mkv").write_bytes(content)
    with pytest.raises(BenchError, match=r"a\.mkv"):
        read_video(tmp_path / "a.mkv")


def test_16_bit_grey_is_scaled_to_8_bits(tmp_path: Path) -> None:
    grey = np.array([[0, 128, 129], [257, 32896, 65535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png")
    assert read.dtype == np.uint8
    assert read.shape == (2, 3, 3)
    assert read[..., 0].tolist() == [[0, 0, 1], [1, 128, 255]]


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_images_of_an_unknown_range_are_refused(tmp_path: Path, kind: type) -> None:
    Image.fromarray(np.zeros((4, 4), kind)).save(tmp_path / "a.tiff")
    with pytest.raises(BenchError, match=r"a\.tiff has [IF] pixels of unknown range"):
        read_image(tmp_path / "a.tiff")


def test_a_picture_that_is_far_too_large_is_named(
    tmp_path: Path, clip: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(clip[0]).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for read in (read_image, image_size):
        with pytest.raises(BenchError, match=r"a\.png cannot be"):
            read(tmp_path / "a.png")


def test_several_arrays_in_one_file_are_refused(tmp_path: Path, clip: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", clip)
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(BenchError, match=r"a\.npy is an archive of arrays: rename it to end in \.npz"):
        read_video(tmp_path / "a.npy")
    truncate(tmp_path / "a.npy")
    with pytest.raises(BenchError, match=r"a\.npy cannot be read"):
        read_video(tmp_path / "a.npy")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.mp4", "a.npy", "a.txt", "empty"])
def test_what_cannot_be_decoded_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "empty":
        path.mkdir()
    else:
        path.write_bytes(b"no video at all")
    with pytest.raises(BenchError, match=name):
        read_video(path)


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "tif", "webp"])
def test_an_image_that_is_cut_short_is_named(tmp_path: Path, clip: np.ndarray, ending: str) -> None:
    write_frames(tmp_path / "f", clip[:2], name=f"frame_{{:d}}.{ending}")
    truncate(tmp_path / "f" / f"frame_2.{ending}")
    with pytest.raises(BenchError, match=rf"frame_2\.{ending} cannot be decoded"):
        read_image(tmp_path / "f" / f"frame_2.{ending}", set())


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
    with pytest.raises(BenchError, match="not a multiple of 128"):
        strip_frames(Path("a.jpg"), 128, 4100)


def test_resize_keeps_the_same_size_and_averages_when_smaller(clip: np.ndarray) -> None:
    assert resize(clip, 64) is clip
    small = resize(clip, 16)
    assert small.shape == (32, 16, 16, 3)
    # Antialiased: each pixel is near the mean of its own 4×4 block, also on fine detail.
    checks = np.indices((64, 64)).sum(0)[None, ..., None] % 2 * np.full((1, 64, 64, 3), 255)
    assert np.abs(resize(checks.astype(np.uint8), 16).astype(int) - 127.5).max() < 3
