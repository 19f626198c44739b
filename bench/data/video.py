"""Reading anybody's frames: images, frame folders, vertical strips, NumPy arrays and video files, all as uint8 RGB."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence, UnidentifiedImageError

from bench.errors import BenchError

Frames = NDArray[np.uint8]

IMAGES = frozenset({".jpg", ".jpeg", ".png"})
ANIMATIONS = frozenset({".gif", ".webp"})
CONTAINERS = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"})
VIDEOS = ANIMATIONS | CONTAINERS | {".npy"}


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key with numbers in order of size: `2` before `10`, and a total order for names that differ at all."""
    parts = re.split(r"(\d+)", name)
    return (*((1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts), (2, 0, name))


def images_in(folder: Path) -> list[str]:
    """Names of the images directly in a folder, in natural order; hidden files are not frames."""
    names = (p.name for p in folder.iterdir() if p.suffix.lower() in IMAGES and not p.name.startswith("."))
    return sorted(names, key=natural)


def read_image(path: str | Path) -> Frames:
    """Read one image as uint8 `[H, W, 3]`; a broken or truncated file is a `BenchError` that names it."""
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except FileNotFoundError as error:
        raise BenchError(f"The frame {path} is missing.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise BenchError(f"The image {path} cannot be decoded ({error}): replace it or remove its clip.") from error


def strip_frames(path: Path, width: int, height: int) -> int:
    """How many square frames a vertical strip holds; a `BenchError` when its height is no multiple of its width."""
    if height % width:
        raise BenchError(
            f"The strip {path} is {width}×{height} pixels: its height is no multiple of {width}, "
            "so it cannot be cut into square frames."
        )
    return height // width


def read_strip(path: str | Path) -> Frames:
    """Read a vertical strip of square frames as uint8 `[T, W, W, 3]`."""
    image = read_image(path)
    height, width = image.shape[:2]
    return image.reshape(strip_frames(Path(path), width, height), width, width, 3)


def image_size(path: str | Path) -> tuple[int, int]:
    """Width and height from an image's header, without decoding it."""
    try:
        with Image.open(path) as image:
            return image.size
    except FileNotFoundError as error:
        raise BenchError(f"The image {path} is missing.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise BenchError(f"The image {path} cannot be read ({error}): replace it or remove its clip.") from error


def stack(images: Iterable[Frames], source: str | Path) -> Frames:
    """Stack frames of one size as `[T, H, W, 3]`; differing sizes are a `BenchError`."""
    frames = list(images)
    sizes = sorted({f"{frame.shape[1]}×{frame.shape[0]}" for frame in frames})
    if len(sizes) > 1:
        raise BenchError(f"The frames of {source} differ in size ({', '.join(sizes)}): a clip has one size.")
    return np.stack(frames)


def read_video(path: str | Path) -> Frames:
    """Read a video of any known kind as uint8 `[T, H, W, 3]`.

    A folder is read as its images in natural order; a PNG or JPEG as a vertical strip of square frames (the layout of
    the Beach dataset and of our predictions); `.npy` as uint8 `[T, H, W, 3]`; GIF and WebP with Pillow; anything else
    with PyAV. Whatever cannot be decoded to the end is a `BenchError` that names the file.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if path.is_dir():
        names = images_in(path)
        if not names:
            raise BenchError(f"The frame folder {path} has no PNG or JPEG images.")
        return stack((read_image(path / name) for name in names), path)
    if suffix in IMAGES:
        return read_strip(path)
    if suffix == ".npy":
        return _read_npy(path)
    if suffix in ANIMATIONS:
        try:
            with Image.open(path) as image:
                frames = ImageSequence.Iterator(image)
                return stack((np.asarray(frame.convert("RGB")) for frame in frames), path)
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            raise BenchError(f"The animation {path} cannot be decoded ({error}).") from error
    if suffix in CONTAINERS:
        return _read_container(path)
    raise BenchError(
        f"{path} is no video that is known here: expected {', '.join(sorted(VIDEOS | IMAGES))} or a folder."
    )


def _read_npy(path: Path) -> Frames:
    try:
        frames = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BenchError(f"The array {path} cannot be read ({error}).") from error
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise BenchError(
            f"The array {path} is {frames.dtype} {list(frames.shape)}: expected uint8 [frames, height, width, 3]."
        )
    return np.ascontiguousarray(frames)


def _read_container(path: Path) -> Frames:
    import av  # here and not above: machines that only train have no PyAV

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise BenchError(f"The file {path} has no video stream.")
            decoded = container.decode(video=0)
            frames: list[Frames] = [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in decoded]
    except (av.error.FFmpegError, OSError) as error:
        raise BenchError(f"The video {path} cannot be decoded ({error}).") from error
    if not frames:
        raise BenchError(f"The video {path} has no frames.")
    return stack(frames, path)


def resize(frames: Frames, resolution: int) -> Frames:
    """Resize (never crop) uint8 `[T, H, W, 3]` to a square with antialiased bilinear filtering, rounded to 8 bits."""
    if frames.shape[1:3] == (resolution, resolution):
        return frames
    size = (resolution, resolution)
    return np.stack([np.asarray(Image.fromarray(f).resize(size, Image.Resampling.BILINEAR)) for f in frames])
