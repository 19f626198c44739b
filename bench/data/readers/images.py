"""Pictures and animations that Pillow reads, as people see them: upright, laid on white, 8 bits a channel.

Orientation is the EXIF tag of that name (CIPA DC-008, 4.6.4), which cameras and telephones write; what JPEG, PNG and
WebP files say there is followed, as browsers and viewers do.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from bench.data.readers.frames import Frames, Trait, Undeveloped, on_white
from bench.errors import BenchError

#: What Pillow raises for files that it cannot read; the last one is for pictures far larger than any strip.
PILLOW = (
    *(UnidentifiedImageError, OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, struct.error),
    Image.DecompressionBombError,
)

#: How a picture is turned upright, by the value of its orientation tag.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: Formats whose files may hold a video. A camera's JPEG may hold several pictures too (MPO), but only one is shown.
_ANIMATED = frozenset({"GIF", "PNG", "WEBP", "TIFF"})


def orientation(image: Image.Image) -> int:
    """The EXIF orientation of an opened picture, 1 (upright) where there is none, or none that can be read."""
    if image.format == "PNG":  # Pillow decodes it to see what stands behind its pixels: that may fail for its own sake
        image.load()
    return _orientation(image.getexif)


def _orientation(exif: Callable[[], Image.Exif]) -> int:
    try:
        value = exif().get(ExifTags.Base.Orientation, 1)
    except PILLOW:  # viewers show a picture whose EXIF block is broken
        return 1
    return value if value in _UPRIGHT else 1


def size(image: Image.Image) -> tuple[int, int]:
    """Width and height of an opened picture once it is upright, from what stands before its pixels."""
    width, height = image.size
    if image.format == "TIFF":  # Pillow itself turns TIFFs
        return width, height
    # The base class's method: that of PNGs decodes the picture to see what stands behind it.
    turn = _orientation(partial(Image.Image.getexif, image))
    return (height, width) if turn >= 5 else (width, height)


def _turn(image: Image.Image) -> int:
    return 1 if image.format == "TIFF" else orientation(image)


def rgb(image: Image.Image, path: str | Path, turn: int | None = None) -> Frames:
    """An opened picture as uint8 `[H, W, 3]`.

    Args:
        image: as Pillow opened it.
        path: for messages.
        turn: its orientation where that is known, as for the frames of an animation.

    Raises:
        BenchError: its pixels have no known range.
    """
    upright = _UPRIGHT.get(_turn(image) if turn is None else turn)
    if upright is not None:
        image = image.transpose(upright)
    # Pillow cuts these modes off at 255 instead of scaling them: nearly every pixel would be white.
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.uint32) + 128) // 257
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)
    if image.mode[0] in "IF":
        raise BenchError(f"The image {path} has {image.mode} pixels of unknown range: save it with 8 bits per channel.")
    if image.has_transparency_data:
        return on_white(np.asarray(image.convert("RGBA")))
    return np.array(image.convert("RGB"))


def pictures(image: Image.Image) -> int:
    """How many pictures an opened file shows one after another; 1 for a still."""
    return int(getattr(image, "n_frames", 1)) if image.format in _ANIMATED else 1


def animation(image: Image.Image, path: Path) -> Iterator[Undeveloped]:
    """The frames of an opened animation in order, each painted over those before it as its format says."""
    turn = _turn(image)
    # An APNG may hold a still for programs that know no better; it is no part of the animation.
    first = 1 if getattr(image, "default_image", False) else 0
    for number in range(first, pictures(image)):
        image.seek(number)
        image.load()
        yield partial(rgb, image, path, turn)


def picture_traits(image: Image.Image) -> set[Trait]:
    """What an opened picture says of itself beside its pixels."""
    traits = set()
    if orientation(image) != 1:
        traits.add(Trait.EXIF)
    if image.has_transparency_data and image.format != "GIF":  # a GIF's later frames are transparent where they repeat
        traits.add(Trait.ALPHA)
    return traits
