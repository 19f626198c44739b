"""Pictures and animations that Pillow reads, as viewers show them: upright, composited on white, 8 bits per channel.

Orientation is the EXIF tag of that name (CIPA DC-008, 4.6.4), which cameras and telephones write. It is applied to
JPEG, PNG and WebP files, as in browsers and viewers.
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

#: Exceptions that Pillow raises for unreadable files; the last one is for pictures far larger than any strip.
PILLOW = (
    *(UnidentifiedImageError, OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, struct.error),
    Image.DecompressionBombError,
)

#: Transposition that turns a picture upright, by the value of its orientation tag.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: Formats whose files may contain a video. A camera's JPEG may also contain several pictures (MPO), but viewers show
#: only one.
_ANIMATED = frozenset({"GIF", "PNG", "WEBP", "TIFF"})


def orientation(image: Image.Image) -> int:
    """EXIF orientation of an opened picture; 1 (upright) if it is missing or unreadable."""
    # Pillow decodes a PNG to read what follows its pixels. Decoding errors must not be hidden below.
    if image.format == "PNG":
        image.load()
    return _orientation(image.getexif)


def _orientation(exif: Callable[[], Image.Exif]) -> int:
    try:
        value = exif().get(ExifTags.Base.Orientation, 1)
    except PILLOW:  # viewers show pictures with a broken EXIF block
        return 1
    return value if value in _UPRIGHT else 1


def size(image: Image.Image) -> tuple[int, int]:
    """Width and height of an opened picture once it is upright, from the data before its pixels."""
    width, height = image.size
    if image.format == "TIFF":  # Pillow rotates TIFFs itself
        return width, height
    # This is the base class's method, because that of PNGs decodes the picture to read what follows its pixels.
    turn = _orientation(partial(Image.Image.getexif, image))
    return (height, width) if turn >= 5 else (width, height)


def _turn(image: Image.Image) -> int:
    return 1 if image.format == "TIFF" else orientation(image)


def rgb(image: Image.Image, path: str | Path, turn: int | None = None) -> Frames:
    """Convert an opened picture to uint8 `[H, W, 3]`.

    Args:
        image: picture as Pillow opened it.
        path: path of the picture, for messages.
        turn: orientation, if it is already known, as for the frames of an animation.

    Raises:
        BenchError: the range of the pixel values is unknown.
    """
    upright = _UPRIGHT.get(_turn(image) if turn is None else turn)
    if upright is not None:
        image = image.transpose(upright)
    # Pillow clips these modes at 255 instead of scaling them: nearly every pixel would be white.
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.uint32) + 128) // 257
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)
    if image.mode[0] in "IF":
        raise BenchError(f"The image {path} has {image.mode} pixels of unknown range: save it with 8 bits per channel.")
    if image.has_transparency_data:
        return on_white(np.asarray(image.convert("RGBA")))
    return np.array(image.convert("RGB"))


def pictures(image: Image.Image) -> int:
    """Number of pictures that an opened file shows one after another; 1 for a still."""
    return int(getattr(image, "n_frames", 1)) if image.format in _ANIMATED else 1


def animation(image: Image.Image, path: Path) -> Iterator[Undeveloped]:
    """Yield the frames of an opened animation in order, each drawn over the previous ones as its format specifies."""
    turn = _turn(image)
    # An APNG may contain a still for programs without APNG support; it is not part of the animation.
    first = 1 if getattr(image, "default_image", False) else 0
    for number in range(first, pictures(image)):
        image.seek(number)
        image.load()
        yield partial(rgb, image, path, turn)


def picture_traits(image: Image.Image) -> set[Trait]:
    """Traits that an opened picture declares in addition to its pixels."""
    traits = set()
    if orientation(image) != 1:
        traits.add(Trait.EXIF)
    if image.has_transparency_data and image.format != "GIF":  # a GIF's later frames are transparent where they repeat
        traits.add(Trait.ALPHA)
    return traits
