"""What a file's format and header say of its frames without decoding them: lossy, with an alpha channel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from bench.data.readers.images import PILLOW
from bench.data.readers.video import CONTAINERS, STILLS, images_in
from bench.data.readers.video_files import StreamFormat, stream_format

#: Images that may be lossy or lossless, or have an alpha channel.
_WITH_ALPHA = STILLS - {".jpg", ".jpeg"} | {".apng"}


def lossy_kind(path: Path) -> str:
    """Why a file does not hold the very frames that were put into it, as ".mp4" or ".mkv (yuv420p)"; "" if it does.

    A lossless codec holds frames only in RGB or grey. Converting frames to YUV rounds them, and mostly halves colour.
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
    """Whether a file does not hold the very frames that were put into it, as far as its format and header tell."""
    return bool(lossy_kind(path))


def has_alpha(path: Path) -> bool:
    """Whether a video has an alpha channel or a transparent colour; of a folder, its first or last frame.

    That of a GIF is none: its later frames are transparent where they repeat.
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
    except PILLOW:  # the reader says what is wrong
        return False
