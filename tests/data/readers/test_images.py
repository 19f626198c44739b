"""Pictures and animations as people see them: turned upright, laid on white, with all their frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

from bench.data.readers.file_traits import is_lossy
from bench.data.readers.frames import Trait, on_white
from bench.data.readers.images import orientation
from bench.data.readers.video import (
    frame_size,
    frames_of,
    image_size,
    images_in,
    is_video,
    length,
    read_image,
    read_strip,
    read_video,
)
from bench.errors import BenchError
from tests.data.making import drifting, save_animation, shown_by_ffmpeg
from tests.support.small import moving_clip, truncate

ORIENTATION = 0x112


def exif(value: int) -> Image.Exif:
    block = Image.Exif()
    block[ORIENTATION] = value
    return block


def as_stored(upright: np.ndarray, value: int) -> np.ndarray:
    """How a camera stores a picture that it says is turned by an EXIF orientation: the way back, from the standard."""
    back = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: a.transpose(1, 0, 2)[::-1],
        7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda a: a.transpose(1, 0, 2)[:, ::-1],
    }
    return np.ascontiguousarray(back[value](upright))


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize(("ending", "options"), [("png", {}), ("tif", {}), ("webp", {"lossless": True})])
def test_exif_orientation_is_followed_exactly(
    tmp_path: Path, value: int, ending: str, options: dict[str, bool]
) -> None:
    upright, path = drifting(1)[0], tmp_path / f"a.{ending}"
    Image.fromarray(as_stored(upright, value)).save(path, exif=exif(value), **options)
    traits: set[Trait] = set()
    assert (read_image(path, traits) == upright).all()
    assert image_size(path) == upright.shape[1::-1]
    assert traits == ({Trait.EXIF} if value > 1 else set())


def test_an_orientation_that_stands_behind_the_pixels_of_a_png_is_followed(tmp_path: Path) -> None:
    """As exiftool writes it; the size is told from what stands before the pixels, without decoding them."""
    upright, path = drifting(1)[0], tmp_path / "a.png"
    Image.fromarray(as_stored(upright, 6)).save(path, exif=exif(6))
    content = path.read_bytes()
    start = content.index(b"eXIf") - 4
    chunk = content[start : start + 12 + int.from_bytes(content[start : start + 4])]
    end = content.index(b"IEND") - 4
    path.write_bytes(content[:start] + content[start + len(chunk) : end] + chunk + content[end:])
    assert (read_image(path) == upright).all()


def test_a_size_is_told_without_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for ending in ("png", "jpg", "tif", "webp", "bmp"):
        Image.fromarray(drifting(1)[0]).save(tmp_path / f"a.{ending}")
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)  # or it would be called
    with Image.open(tmp_path / "a.png") as image, pytest.raises(TypeError):
        image.getexif()
    for ending in ("png", "jpg", "tif", "webp", "bmp"):
        assert image_size(tmp_path / f"a.{ending}") == (96, 64)


@pytest.mark.parametrize("value", [1, 6])
def test_photographed_frames_are_read_upright(tmp_path: Path, value: int) -> None:
    """huggingface/dataset-viewer#2605; the JPEGs differ from the real frames by 4 levels at most, and by no turn."""
    clip = drifting(3)
    (tmp_path / "a").mkdir()
    for number, frame in enumerate(clip):
        stored = Image.fromarray(as_stored(frame, value))
        stored.save(tmp_path / f"a/{number}.jpg", quality=100, subsampling=0, exif=exif(value))
    read = read_video(tmp_path / "a")
    assert np.abs(read.astype(int) - clip).max() <= 4
    with Image.open(tmp_path / "a/0.jpg") as image:
        assert (read[0] == np.array(ImageOps.exif_transpose(image))).all()
    assert frame_size(tmp_path / "a") == (96, 64)


def test_a_strip_that_lies_on_its_side_is_turned_before_it_is_cut(tmp_path: Path) -> None:
    clip = moving_clip(0, 4)
    Image.fromarray(as_stored(clip.reshape(-1, 64, 3), 8)).save(tmp_path / "a.png", exif=exif(8))
    assert (read_strip(tmp_path / "a.png") == clip).all()
    assert (read_video(tmp_path / "a.png") == clip).all()
    assert frame_size(tmp_path / "a.png") == (64, 64)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("block", [b"Exif\0\0", b"Exif\0\0MM\0*", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0nothing"])
def test_a_picture_with_a_broken_exif_block_is_still_a_picture(tmp_path: Path, block: bytes) -> None:
    Image.fromarray(drifting(1)[0]).save(tmp_path / "a.jpg", quality=95, exif=block)
    assert read_image(tmp_path / "a.jpg").shape == (64, 96, 3)


def test_an_orientation_that_is_none_is_upright(tmp_path: Path) -> None:
    Image.fromarray(drifting(1)[0]).save(tmp_path / "a.png", exif=exif(9))
    with Image.open(tmp_path / "a.png") as image:
        assert orientation(image) == 1


def see_through(clip: np.ndarray) -> np.ndarray:
    """A clip with an alpha channel that rises from left to right."""
    alpha = np.linspace(0, 255, clip.shape[2]).round().astype(np.uint8)
    return np.concatenate([clip, np.broadcast_to(alpha[:, None], (*clip.shape[:3], 1))], -1)


def composed_in_floats(rgba: np.ndarray) -> np.ndarray:
    alpha = rgba[..., 3:] / 255
    return np.floor(rgba[..., :3] * alpha + 255 * (1 - alpha) + 0.5).astype(np.uint8)


def test_alpha_is_laid_on_white_and_what_is_opaque_stays() -> None:
    values = np.stack(np.meshgrid(np.arange(256), np.arange(256)), -1).astype(np.uint8)
    rgba = np.concatenate([values[..., :1]] * 3 + [values[..., 1:]], -1)
    # Where the exact value lies between two, floats may fall on either side of it.
    assert np.abs(on_white(rgba).astype(int) - composed_in_floats(rgba)).max() <= 1
    assert (on_white(rgba) != composed_in_floats(rgba)).mean() < 0.01
    assert (on_white(rgba)[255] == rgba[255, :, :3]).all()
    assert (on_white(rgba)[0] == 255).all()


@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_pictures_with_alpha_are_laid_on_white(tmp_path: Path, ending: str) -> None:
    rgba = see_through(drifting(1))[0]
    options = {"lossless": True, "exact": True} if ending == "webp" else {}
    Image.fromarray(rgba).save(tmp_path / f"a.{ending}", **options)
    traits: set[Trait] = set()
    assert (read_image(tmp_path / f"a.{ending}", traits) == on_white(rgba)).all()
    assert traits == {Trait.ALPHA}
    opaque = np.concatenate([rgba[..., :3], np.full((*rgba.shape[:2], 1), 255, np.uint8)], -1)
    Image.fromarray(opaque).save(tmp_path / f"b.{ending}", **options)
    assert (read_image(tmp_path / f"b.{ending}") == rgba[..., :3]).all()


def test_a_transparent_colour_is_white_too(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8)).convert("L").convert("P")
    picture.save(tmp_path / "a.png", transparency=0)
    read = read_image(tmp_path / "a.png")
    assert read[..., 0].tolist() == [[255, 1], [2, 3]]


@pytest.mark.parametrize("alpha", [False, True])
def test_an_animated_png_is_all_its_frames(tmp_path: Path, alpha: bool) -> None:
    """imageio/imageio#172: its first frame alone passes for a still."""
    clip = see_through(moving_clip(0)) if alpha else moving_clip(0)
    path = save_animation(tmp_path / "a.png", clip)
    assert (read_video(path) == (on_white(clip) if alpha else clip)).all()
    assert (read_video(path, 5) == read_video(path)[:5]).all()
    assert length(path) == 32
    assert is_video(path)
    assert frame_size(path) == (64, 64)
    shown = shown_by_ffmpeg(path, "rgba")
    assert (read_video(path) == on_white(shown)).all()


def test_the_still_beside_an_animated_png_is_not_shown(tmp_path: Path) -> None:
    clip = moving_clip(0, 5)
    path = save_animation(tmp_path / "a.png", clip, default_image=True)
    assert (read_video(path) == clip[1:]).all()
    assert (read_video(path) == shown_by_ffmpeg(path)).all()


@pytest.mark.parametrize(
    ("ending", "options"), [("tif", {}), ("webp", {"lossless": True}), ("apng", {"format": "PNG"})]
)
def test_other_files_of_several_pictures_are_videos_too(
    tmp_path: Path, ending: str, options: dict[str, object]
) -> None:
    clip = drifting(8)
    path = save_animation(tmp_path / f"a.{ending}", clip, **options)
    assert (read_video(path) == clip).all()
    assert is_video(path)
    assert frame_size(path) == (96, 64)


def test_a_gif_whose_frames_paint_a_part_only_is_read_whole(tmp_path: Path) -> None:
    clip = np.full((6, 64, 64, 3), 40, np.uint8)
    for t, frame in enumerate(clip):
        frame[8 * t : 8 * t + 8, 8 : 24 + t] = 200
    path = save_animation(tmp_path / "a.gif", clip)
    with Image.open(path) as image:
        image.seek(2)
        assert image.tile[0][1] != (0, 0, 64, 64)  # or nothing is tested
    assert (read_video(path) == clip).all()
    assert (read_video(path) == on_white(shown_by_ffmpeg(path, "rgba"))).all()


def test_a_gif_that_shows_its_ground_shows_white(tmp_path: Path) -> None:
    pictures = []
    for t in range(4):
        rgba = np.zeros((64, 64, 4), np.uint8)
        rgba[:, 8 * t : 8 * t + 8] = (200, 40, 40, 255)
        pictures.append(Image.fromarray(rgba))
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=100, disposal=2)
    read = read_video(tmp_path / "a.gif")
    assert (read[3, :, 24:32] == (200, 40, 40)).all()
    assert (read[3, :, 40:] == 255).all()


@pytest.mark.parametrize("ending", ["gif", "png", "webp"])
def test_what_a_format_merged_is_read_as_it_lies_there(tmp_path: Path, ending: str) -> None:
    """Frames that are all alike are one picture that lasts longer: whoever counts frames refuses it for its length."""
    path = save_animation(tmp_path / f"a.{ending}", np.repeat(moving_clip(0, 1), 32, axis=0), lossless=True)
    assert length(path) == 1


def test_a_still_webp_is_a_strip(tmp_path: Path) -> None:
    clip = moving_clip(0, 4)
    Image.fromarray(clip.reshape(-1, 64, 3)).save(tmp_path / "a.webp", lossless=True)
    assert (read_video(tmp_path / "a.webp") == clip).all()
    assert not is_video(tmp_path / "a.webp")


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "tif", "tiff", "webp"])
def test_frames_of_a_folder_may_be_of_any_kind(tmp_path: Path, ending: str) -> None:
    clip = drifting(12)
    for number, frame in enumerate(clip):
        Image.fromarray(frame).save(tmp_path / f"f{number}.{ending}")
    assert images_in(tmp_path) == [f"f{number}.{ending}" for number in range(12)]
    tolerance = {"jpg": 6, "webp": 6}.get(ending, 0)
    assert np.abs(read_video(tmp_path).astype(int) - clip).mean() <= tolerance
    assert is_lossy(tmp_path / f"f0.{ending}") == (tolerance > 0)


@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_an_animation_among_frames_is_refused(tmp_path: Path, ending: str) -> None:
    path = save_animation(tmp_path / f"a.{ending}", moving_clip(0, 3))
    with pytest.raises(BenchError, match=rf"a\.{ending} is an animation of 3 pictures: expected a single frame"):
        read_image(path)


def test_a_cameras_jpeg_with_a_second_picture_is_one_frame(tmp_path: Path) -> None:
    clip = drifting(2)
    save_animation(tmp_path / "a.mpo", clip, quality=95)
    path = (tmp_path / "a.mpo").rename(tmp_path / "a.jpg")
    with Image.open(path) as image:
        assert image.format == "MPO"
    assert np.abs(read_image(path).astype(int) - clip[0]).mean() < 4


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("ending", ["png", "gif", "webp", "tif"])
def test_an_animation_that_is_cut_short_is_named(tmp_path: Path, ending: str) -> None:
    path = save_animation(tmp_path / f"a.{ending}", moving_clip(0))
    truncate(path, 0.7)
    with pytest.raises(BenchError, match=rf"a\.{ending} cannot be decoded"):
        list(frames_of(path))
