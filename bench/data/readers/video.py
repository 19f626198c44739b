"""Reading third-party frames: images, frame folders, vertical strips, NumPy arrays and video files, all as uint8 RGB.

`frames_of` yields the frames of any source one after another, and the readers of whole videos are built on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from bench.data.readers.arrays import archive, array
from bench.data.readers.frames import Frames as Frames
from bench.data.readers.frames import Trait, Undeveloped
from bench.data.readers.images import PILLOW, animation, picture_traits, pictures, rgb, size
from bench.data.readers.video_files import decoded
from bench.errors import BenchError

#: Images that are frames in a folder. A single one is a vertical strip (or an animation, if the format supports it).
IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
#: Images that cannot be animations.
ALWAYS_STILL = frozenset({".jpg", ".jpeg", ".bmp"})
#: All images that may be a frame in a folder.
STILLS = IMAGES | {".webp"}
ANIMATIONS = frozenset({".gif", ".webp", ".apng"})
ARRAYS = frozenset({".npy", ".npz"})
CONTAINERS = frozenset(
    ".mp4 .m4v .mov .3gp .mkv .webm .avi .mpg .mpeg .ts .m2ts .mts .wmv .flv .ogv .y4m".split()  # noqa: SIM905
)
VIDEOS = ANIMATIONS | CONTAINERS | ARRAYS
#: Supported formats, for messages.
READ = (
    f"video files ({', '.join(sorted(CONTAINERS))}), animations ({', '.join(sorted(ANIMATIONS))}, PNG and TIFF), "
    f"arrays ({', '.join(sorted(ARRAYS))}), and folders or vertical strips of frames ({', '.join(sorted(STILLS))})"
)


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key with numbers in numerical order (`2` before `10`), and a total order for names that differ at all."""
    parts = re.split(r"(\d+)", name)
    return (*((1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts), (2, 0, name))


def images_in(folder: Path) -> list[str]:
    """Names of the images directly in a folder, in natural order; hidden files are not frames."""
    names = (p.name for p in folder.iterdir() if p.suffix.lower() in STILLS and not p.name.startswith("."))
    return sorted(names, key=natural)


def read_image(path: str | Path, traits: set[Trait] | None = None) -> Frames:
    """Read one image, upright and on white, as uint8 `[H, W, 3]`.

    Args:
        path: path of the image.
        traits: set to which the image's traits are added.

    Raises:
        BenchError: the image is missing, broken or truncated, or contains several pictures; the message names it.
    """
    try:
        with Image.open(path) as image:
            if (count := pictures(image)) > 1:
                raise BenchError(f"The image {path} is an animation of {count} pictures: expected a single frame.")
            if traits is not None:
                traits |= picture_traits(image)
            return rgb(image, path)
    except FileNotFoundError as error:
        raise BenchError(f"The frame {path} is missing.") from error
    except PILLOW as error:
        raise BenchError(f"The image {path} cannot be decoded ({error}): replace it or remove its clip.") from error


def strip_frames(path: Path, width: int, height: int) -> int:
    """Count a vertical strip's square frames; raise a `BenchError` if its height is not a multiple of its width."""
    if height % width:
        raise BenchError(
            f"The strip {path} is {width}×{height} pixels: its height is not a multiple of {width}, so it cannot "
            "be cut into square frames."
        )
    return height // width


def read_strip(path: str | Path) -> Frames:
    """Read a vertical strip of square frames as uint8 `[T, W, W, 3]`."""
    return _cut(read_image(path), Path(path))


def _cut(strip: Frames, path: Path) -> Frames:
    height, width = strip.shape[:2]
    return strip.reshape(strip_frames(path, width, height), width, width, 3)


def image_size(path: str | Path) -> tuple[int, int]:
    """Width and height of an image as displayed, from its header, without decoding it."""
    try:
        with Image.open(path) as image:
            return size(image)
    except FileNotFoundError as error:
        raise BenchError(f"The image {path} is missing.") from error
    except PILLOW as error:
        raise BenchError(f"The image {path} cannot be read ({error}): replace it or remove its clip.") from error


def is_video(path: Path) -> bool:
    """Whether a file in a mixed folder is a video on its own, and not a frame or an unknown file.

    PNG, TIFF and WebP files may be either: those with several pictures are videos.
    """
    suffix = path.suffix.lower()
    if suffix in ALWAYS_STILL or suffix not in STILLS | ANIMATIONS:
        return suffix in VIDEOS
    try:
        with Image.open(path) as image:
            return not _is_strip(image)
    except PILLOW:
        return suffix in ANIMATIONS  # reading the file reports what is wrong


def frame_size(path: Path) -> tuple[int, int] | None:
    """Width and height of the frames of a folder, a strip or an animation, if a header contains them, else None."""
    if path.is_dir():
        return image_size(path / images_in(path)[0])
    if path.suffix.lower() not in STILLS | ANIMATIONS:
        return None
    try:
        with Image.open(path) as image:
            width, height = size(image)
            return (width, width) if _is_strip(image) else (width, height)
    except PILLOW as error:
        raise BenchError(f"The image {path} cannot be read ({error}): replace it or remove its clip.") from error


def stack(images: Iterable[Frames], source: str | Path, resolution: int | None = None) -> Frames:
    """Stack frames of one size as `[T, H, W, 3]`, each resized if `resolution` is given.

    Raises:
        BenchError: their sizes differ.
    """
    frames, sizes = [], set()
    for image in images:
        sizes.add(f"{image.shape[1]}×{image.shape[0]}")
        frames.append(_resized(image, resolution) if resolution else image)
    if len(sizes) > 1:
        raise BenchError(
            f"The frames of {source} differ in size ({', '.join(sorted(sizes))}): expected one size per clip."
        )
    return np.stack(frames)


def frames_of(path: Path, traits: set[Trait] | None = None) -> Iterator[Undeveloped]:
    """Return the frames of a video of any known kind, in order, decoded one at a time on demand.

    A folder is read as its images in natural order. An image is read as an animation if it contains several
    pictures, otherwise as a vertical strip of square frames (the layout of the Beach dataset and of our predictions).
    `.npy` and `.npz` are read as uint8 `[T, H, W, 3]`, anything else with PyAV.

    Args:
        path: file or folder.
        traits: set to which the traits found while reading are added; it is complete after the last frame.

    Raises:
        BenchError: the video cannot be decoded to the end, or is of an unknown kind; the message names the file.
    """
    traits = set() if traits is None else traits
    suffix = path.suffix.lower()
    if path.is_dir():
        return _folder(path, traits)
    if suffix in STILLS | ANIMATIONS:
        return _picture(path, traits)
    if suffix == ".npy":
        return array(path)
    if suffix == ".npz":
        return archive(path)
    if suffix in CONTAINERS:
        return decoded(path, traits)
    raise BenchError(f"{path} is not a supported video. Supported: {READ}.")


def _folder(path: Path, traits: set[Trait]) -> Iterator[Undeveloped]:
    names = images_in(path)
    if not names:
        raise BenchError(f"The frame folder {path} has no images ({', '.join(sorted(STILLS))}).")
    for name in names:
        yield partial(read_image, path / name, traits)


def _picture(path: Path, traits: set[Trait]) -> Iterator[Undeveloped]:
    """Yield the frames of a vertical strip or of an animation."""
    try:
        with Image.open(path) as image:
            traits |= picture_traits(image)
            if not _is_strip(image):
                yield from animation(image, path)
                return
            strip = _cut(rgb(image, path), path)
    except FileNotFoundError as error:
        raise BenchError(f"The video {path} is missing.") from error
    except PILLOW as error:
        what = "animation" if path.suffix.lower() in ANIMATIONS else "image"
        raise BenchError(f"The {what} {path} cannot be decoded ({error}): replace it or remove its clip.") from error
    for frame in strip:
        yield partial(np.asarray, frame)


def _is_strip(image: Image.Image) -> bool:
    return image.format != "GIF" and pictures(image) == 1


def read_video(path: str | Path, stop: int | None = None, resolution: int | None = None) -> Frames:
    """Read a video of any known kind as uint8 `[T, H, W, 3]` (see `frames_of`).

    Args:
        path: file or folder.
        stop: maximum number of frames needed; no more are decoded.
        resolution: side of the square to which each frame is resized; by default, frames are not resized.

    Raises:
        BenchError: the video cannot be decoded that far, or to its end if no `stop` is given; the message names it.
    """
    path = Path(path)
    return stack((develop() for develop in islice(frames_of(path), stop)), path, resolution)


def length(path: Path) -> int:
    """Count the frames of a video by decoding it to its end, because headers are not reliable.

    Raises:
        BenchError: the video cannot be decoded to its end.
    """
    return sum(1 for _ in frames_of(path))


def resize(frames: Frames, resolution: int) -> Frames:
    """Resize (never crop) uint8 `[T, H, W, 3]` to a square with antialiased bilinear filtering, rounded to 8 bits."""
    if frames.shape[1:3] == (resolution, resolution):
        return frames
    return np.stack([_resized(frame, resolution) for frame in frames])


def _resized(frame: Frames, resolution: int) -> Frames:
    if frame.shape[:2] == (resolution, resolution):
        return frame
    return np.asarray(Image.fromarray(frame).resize((resolution, resolution), Image.Resampling.BILINEAR))
