"""Properties of a file's frames that its format and header reveal without decoding: lossy, alpha channel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from bench.data.readers.images import PILLOW
from bench.data.readers.video import CONTAINERS, STILLS, images_in
from bench.data.readers.video_files import StreamFormat, stream_format

#: Suffixes of images that may have an alpha channel.
_WITH_ALPHA = STILLS - {".jpg", ".jpeg"} | {".apng"}


def lossy_kind(path: Path) -> str:
    """Reason a file does not preserve the exact frames written to it, as ".mp4" or ".mkv (yuv420p)"; "" if it does.

    A lossless codec preserves frames only in RGB or grey. Conversion to YUV rounds them, and usually halves the
    resolution of colour.
    """
    suffix = path.suffix.lower()
    if suffix in CONTAINERS:
        found = stream_format(path)
        if found is None or found.lossy:
            return suffix
        return f"{suffix} ({found.pixels})" if found.yuv else ""
    if suffix == ".webp":
        return suffix if b"VP8 " in path.read_bytes() else ""  # the name of a lossy chunk
    if suffix in {".tif", ".tiff"}:
        return suffix if _opened(path, lambda image: image.info.get("compression") in _LOSSY_TIFF) else ""
    return suffix if suffix in {".jpg", ".jpeg", ".gif"} else ""


_LOSSY_TIFF = ("jpeg", "tiff_jpeg", "webp")


def is_lossy(path: Path) -> bool:
    """Whether a file does not preserve the exact frames written to it, as far as its format and header show."""
    return bool(lossy_kind(path))


def has_alpha(path: Path) -> bool:
    """Whether a video has an alpha channel or a transparent colour; for a folder, its first or last frame.

    A GIF's transparency does not count: its later frames are transparent where they repeat.
    """
    if path.is_dir():
        names = images_in(path)
        return any(has_alpha(path / name) for name in {names[0], names[-1]})
    suffix = path.suffix.lower()
    if suffix in CONTAINERS:
        found: StreamFormat | None = stream_format(path)
        return found is not None and found.alpha
    return suffix in _WITH_ALPHA and _opened(path, lambda image: image.has_transparency_data)


def _opened(path: Path, question: Callable[[Image.Image], bool]) -> bool:
    try:
        with Image.open(path) as image:
            return question(image)
    except PILLOW:  # the reader reports what is wrong
        return False
