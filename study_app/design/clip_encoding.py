"""Clips as the browser receives them: visually lossless, without metadata, and alike in all that could reveal a model.

The database contains each clip as a lossless WebP with all its frames in a grid. A trial is sent as one message, whose
length is the same throughout a study. Its two clips form one lossless WebP, with the left grid next to the right one.
The compressed stream alternates between a line of pixels of one clip and of the other, so no range of bytes belongs to
a clip. Without a decoder, the bytes reveal something about the pair, but not about a side.

The WebP fills the message: its picture chunk ends with bytes that no decoder reads, made from the picture's own bits.
Every length in the file is therefore that of the message. Everything before the picture is the same for all pairs. The
end of the picture is visible only after decoding.
"""

from __future__ import annotations

import io
import math
import secrets
import struct

import numpy as np
from PIL import Image

from bench.data.readers.video import Frames
from bench.errors import BenchError

#: Maximum width and height of a WebP in pixels.
WEBP_SIDE = 16383
#: Bytes of a WebP before its picture, and before the picture without its first 5 bytes, which contain its size.
HEAD, PICTURE = 20, 25
#: Bytes per piece of padding.
PIECE = 512
#: Encoder efforts for a pair's picture; each is tried if the picture of the one before is too long for a message.
#: The first takes a tenth of the time of the second; pairs are encoded each time they are requested.
EFFORTS: tuple[dict[str, int], ...] = (
    {"method": 0, "quality": 50},
    {"method": 2, "quality": 50},
    {"method": 4, "quality": 75},
)


def sheet_shape(frames: int) -> tuple[int, int]:
    """Columns and rows of the sheet that holds `frames` frames, about as wide as high."""
    columns = math.ceil(math.sqrt(frames))
    return columns, math.ceil(frames / columns)


def encode(clip: Frames) -> bytes:
    """Encode uint8 `[T, H, W, 3]` as one lossless WebP: frames in a grid, row by row; exact, no metadata."""
    count, height, width, _ = clip.shape
    columns, rows = sheet_shape(count)
    if max(columns * width, rows * height) > WEBP_SIDE:
        raise BenchError(f"Clips of {count} frames at {width}×{height} are too large to show: give a smaller --size.")
    sheet = np.zeros((rows * columns, height, width, 3), np.uint8)
    sheet[:count] = clip
    picture = sheet.reshape(rows, columns, height, width, 3).swapaxes(1, 2).reshape(rows * height, columns * width, 3)
    return _webp(picture, method=2, quality=50)


def _webp(picture: np.ndarray, **effort: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "WEBP", lossless=True, exact=True, **effort)
    return out.getvalue()


def slot_bytes(largest: int, longest_pair: int = 0) -> int:
    """Half the length of a study's messages, in whole KiB: enough for its largest clip and for half of any pair."""
    return (max(largest, -(-longest_pair // 2)) // 1024 + 1) * 1024


def pair_bytes(one: bytes, other: bytes) -> int:
    """Length of a pair's picture at the lowest effort; it differs slightly if the sides are swapped."""
    return len(_webp(_joined(one, other), **EFFORTS[0]))


def message(left: bytes, right: bytes, length: int) -> bytes:
    """Make the message of a trial from its encoded clips, with new padding each time and `length` bytes per clip.

    A trial that shows one clip has no bytes for the right one. In studies of version 0.2, messages are no longer than
    two clips need, so a pair's picture can be too long. Its clips are then sent one after the other.
    """
    if not right:
        return _padded(left, length)
    for clip in (left, right):
        _check(clip, length)
    picture = _joined(left, right)
    if max(picture.shape) <= WEBP_SIDE:
        for effort in EFFORTS:
            if len(data := _webp(picture, **effort)) <= 2 * length:
                return _padded(data, 2 * length)
    return _padded(left, length) + _padded(right, length)


def _joined(left: bytes, right: bytes) -> np.ndarray:
    """The left clip's grid next to the right clip's, or above it if the result is too wide for a WebP."""
    grids = [np.asarray(Image.open(io.BytesIO(clip)).convert("RGB")) for clip in (left, right)]
    return np.concatenate(grids, 1 if 2 * grids[0].shape[1] <= WEBP_SIDE else 0)


def _check(data: bytes, length: int) -> None:
    if len(data) > length:
        raise BenchError(
            f"A clip of {len(data)} bytes does not fit the study's message size of {length}: create the study again."
        )
    if data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8L":
        raise BenchError("A clip of the study is not a lossless WebP: restore the database from a copy.")


def _padded(data: bytes, length: int) -> bytes:
    """A WebP whose picture chunk is padded until the file is `length` bytes long; it decodes to the same pixels."""
    _check(data, length)
    # draw equally many bytes for every picture, so that the time is the same; its own bytes then overwrite them
    own = np.frombuffer(data, np.uint8)
    slot = _alike(own[PICTURE:], length)
    slot[: len(own)] = own
    slot[4:8] = np.frombuffer(struct.pack("<I", length - 8), np.uint8)
    slot[16:HEAD] = np.frombuffer(struct.pack("<I", length - HEAD), np.uint8)
    return slot.tobytes()


def _alike(stream: np.ndarray, length: int) -> np.ndarray:
    """Bytes that look like the bit stream: random pieces of it, each shifted by a few bits so that none recurs."""
    rng = np.random.default_rng(secrets.randbits(128))
    pieces = -(-length // PIECE)
    starts, bits = rng.integers(len(stream), size=(pieces, 1)), rng.integers(1, 8, size=(pieces, 1), dtype=np.uint8)
    taken = stream[(starts + np.arange(PIECE + 1)) % len(stream)]
    moved = (taken[:, :-1] >> bits) | (taken[:, 1:] << (8 - bits))
    return moved.astype(np.uint8).reshape(-1)[:length]


def shrink(clip: Frames, size: int) -> Frames:
    """Scale frames down to `size` pixels of height by area averaging; frames of that height stay unchanged."""
    if clip.shape[1] == size:
        return clip
    if clip.shape[1] < size:
        raise BenchError(f"Clips of {clip.shape[1]} pixels are not enlarged to {size}: give a smaller --size.")
    shape = (max(1, round(clip.shape[2] * size / clip.shape[1])), size)
    frames = [np.asarray(Image.fromarray(f).resize(shape, Image.Resampling.BOX)) for f in clip]
    return np.stack(frames)
