from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from bench.data.readers.file_traits import has_alpha, is_lossy, lossy_kind
from bench.data.readers.video import read_video
from tests.data.making import drifting, save_animation
from tests.support.small import truncate, write_frames


def encode(path: Path, codec: str, pixels: str, clip: np.ndarray) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=16)
        stream.width, stream.height, stream.pix_fmt = clip.shape[2], clip.shape[1], pixels
        for frame in clip:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "kind", "alpha"),
    [
        ("a.mkv", "ffv1", "bgr0", "", False),
        ("a.mkv", "ffv1", "bgra", "", True),
        ("a.mkv", "ffv1", "gray", "", False),
        ("a.mkv", "ffv1", "yuv420p", ".mkv (yuv420p)", False),
        ("a.avi", "rawvideo", "bgr24", "", False),
        ("a.mov", "png", "rgba", "", True),
        ("a.mp4", "libx264", "yuv420p", ".mp4", False),
        ("a.mp4", "mpeg4", "yuv420p", ".mp4", False),
    ],
)
def test_a_lossless_codec_in_rgb_is_not_lossy(
    name: str, codec: str, pixels: str, kind: str, alpha: bool, tmp_path: Path
) -> None:
    clip = drifting(3)
    path = encode(tmp_path / name, codec, pixels, clip)
    assert (lossy_kind(path), has_alpha(path)) == (kind, alpha)
    if not kind and pixels != "gray":
        np.testing.assert_array_equal(read_video(path), clip)
    truncate(path, 0.02)
    assert is_lossy(path)  # whoever reads it says what is wrong
    assert not has_alpha(path)


def test_lossy_kinds_of_pictures_are_told_from_lossless_ones(tmp_path: Path) -> None:
    picture = Image.fromarray(drifting(1)[0])
    picture.save(tmp_path / "a.webp", lossless=True)
    picture.save(tmp_path / "a.tif", compression="jpeg")
    picture.save(tmp_path / "b.tif", compression="tiff_lzw")
    save_animation(tmp_path / "b.webp", drifting(2), lossless=False)
    names = ("a.webp", "b.webp", "a.tif", "b.tif", "a.mp4", "a.npy", "a.jpg", "a.png", "a.gif")
    lossy = [False, True, True, False, True, False, True, False, True]
    assert [is_lossy(tmp_path / name) for name in names] == lossy


def test_an_alpha_channel_is_seen_in_pictures_and_frame_folders(tmp_path: Path) -> None:
    frames = drifting(3)
    picture = Image.fromarray(frames[0])
    picture.save(tmp_path / "plain.png")
    picture.convert("RGBA").save(tmp_path / "alpha.png")
    see_through = picture.convert("RGBA")
    see_through.putalpha(128)  # WebP drops an opaque channel
    see_through.save(tmp_path / "alpha.webp", lossless=True)
    picture.save(tmp_path / "colour.png", transparency=(1, 2, 3))
    save_animation(tmp_path / "a.gif", frames)
    write_frames(tmp_path / "frames", frames, name="{:d}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    names = ("plain.png", "alpha.png", "alpha.webp", "colour.png", "a.gif", "frames", "broken.png", "none.npy")
    assert [has_alpha(tmp_path / name) for name in names] == [False, True, True, True, False, False, False, False]
    picture.convert("RGBA").save(tmp_path / "frames" / "3.png")
    assert has_alpha(tmp_path / "frames")
