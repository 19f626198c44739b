"""Reading anybody's frames: images, frame folders, vertical strips, NumPy arrays and video files, all as uint8 RGB."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence, UnidentifiedImageError

from bench.errors import BenchError

if TYPE_CHECKING:
    from av.container import InputContainer

Frames = NDArray[np.uint8]

#: What Pillow raises for a file that it cannot read; the last one is for pictures far larger than any strip.
_PILLOW = (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError)

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
            return _rgb(image, path)
    except FileNotFoundError as error:
        raise BenchError(f"The frame {path} is missing.") from error
    except _PILLOW as error:
        raise BenchError(f"The image {path} cannot be decoded ({error}): replace it or remove its clip.") from error


def _rgb(image: Image.Image, path: str | Path) -> Frames:
    # Pillow cuts these modes off at 255 instead of scaling them: nearly every pixel would be white.
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.uint32) + 128) // 257
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)
    if image.mode[0] in "IF":
        raise BenchError(f"The image {path} has {image.mode} pixels of unknown range: save it with 8 bits a channel.")
    return np.array(image.convert("RGB"))


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
    except _PILLOW as error:
        raise BenchError(f"The image {path} cannot be read ({error}): replace it or remove its clip.") from error


def stack(images: Iterable[Frames], source: str | Path) -> Frames:
    """Stack frames of one size as `[T, H, W, 3]`; differing sizes are a `BenchError`."""
    frames = list(images)
    sizes = sorted({f"{frame.shape[1]}×{frame.shape[0]}" for frame in frames})
    if len(sizes) > 1:
        raise BenchError(f"The frames of {source} differ in size ({', '.join(sizes)}): a clip has one size.")
    return np.stack(frames)


def read_video(path: str | Path, stop: int | None = None) -> Frames:
    """Read a video of any known kind as uint8 `[T, H, W, 3]`.

    A folder is read as its images in natural order; a PNG or JPEG as a vertical strip of square frames (the layout of
    the Beach dataset and of our predictions); `.npy` as uint8 `[T, H, W, 3]`; GIF and WebP with Pillow; anything else
    with PyAV. Whatever cannot be decoded to the end is a `BenchError` that names the file.

    Args:
        path: file or folder.
        stop: how many frames are needed at least; a video file is decoded no further (other kinds are read whole).
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
        except _PILLOW as error:
            raise BenchError(f"The animation {path} cannot be decoded ({error}).") from error
    if suffix in CONTAINERS:
        return _read_container(path, stop)
    raise BenchError(
        f"{path} is no video that is known here: expected {', '.join(sorted(VIDEOS | IMAGES))} or a folder."
    )


def _read_npy(path: Path) -> Frames:
    try:
        frames = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BenchError(f"The array {path} cannot be read ({error}).") from error
    if not isinstance(frames, np.ndarray):
        frames.close()
        raise BenchError(f"The array {path} is an archive of arrays (.npz): save one array with numpy.save.")
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise BenchError(
            f"The array {path} is {frames.dtype} {list(frames.shape)}: expected uint8 [frames, height, width, 3]."
        )
    return np.ascontiguousarray(frames)


def _read_container(path: Path, stop: int | None) -> Frames:
    import av  # here and not above: machines that only train have no PyAV

    frames: list[Frames] = []
    last = 0.0
    try:
        with av.open(str(path), options={"err_detect": "explode"}) as container:
            if not container.streams.video:
                raise BenchError(f"The file {path} has no video stream.")
            for frame in container.decode(video=0):
                # FFmpeg conceals damage with what lay there in the frame before.
                if frame.is_corrupt:
                    raise BenchError(f"The video {path} is damaged at frame {len(frames)}: copy or encode it again.")
                frames.append(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
                last = frame.time or 0.0
                if len(frames) == stop:
                    break
            else:
                if len(frames) < (due := _frames_due(container, len(frames), last)):
                    raise BenchError(
                        f"The video {path} has {len(frames)} of its {due} frames: it is cut short or damaged, "
                        "copy or encode it again."
                    )
    except (av.error.FFmpegError, OSError) as error:
        raise BenchError(f"The video {path} cannot be decoded ({error}).") from error
    if not frames:
        raise BenchError(f"The video {path} has no frames.")
    return stack(frames, path)


def _frames_due(container: InputContainer, decoded: int, last: float) -> int:
    """How many frames a video file says it has, 0 where it does not say; `last` is the last one's time in seconds.

    MP4 and MOV count them. Matroska and WebM give a duration only, and AVI counts pauses as frames too; where frames
    lie unevenly in time neither says how many there are, so a file whose last frame is in its place is taken as whole.
    """
    stream, seconds = container.streams.video[0], 0.0
    if told := re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", "")):
        seconds = int(told[1]) * 3600 + int(told[2]) * 60 + float(told[3])
    elif container.duration and len(container.streams) == 1:  # with sound, it is the longer one's
        seconds = container.duration / 1_000_000
    rate = float(stream.average_rate or 0)
    by_time = max(0, round(seconds * rate) - 1)
    if stream.frames and container.format.name != "avi":
        # An edit list shortens an MP4: it then shows fewer frames than it counts.
        return min(stream.frames, by_time + 1) if by_time else stream.frames
    step = max(1 / rate if rate else 0.0, last / max(1, decoded - 1))
    return by_time if last + 1.5 * step < seconds else 0


def resize(frames: Frames, resolution: int) -> Frames:
    """Resize (never crop) uint8 `[T, H, W, 3]` to a square with antialiased bilinear filtering, rounded to 8 bits."""
    if frames.shape[1:3] == (resolution, resolution):
        return frames
    size = (resolution, resolution)
    return np.stack([np.asarray(Image.fromarray(f).resize(size, Image.Resampling.BILINEAR)) for f in frames])
