"""Clips as the browser gets them: visually lossless, without metadata, and alike in all that could tell models apart.

A trial travels as one message of the same length throughout a study: left slot, right slot, each a lossless WebP that
holds all frames of a clip in a grid, filled up with random bytes. Both clips so arrive together, and neither the number
of bytes nor a name says which is which. `api_client.js` cuts a slot at the length that the WebP itself states.
"""

from __future__ import annotations

import io
import math
import os

import numpy as np
from PIL import Image

from bench.data.readers.video import Frames
from bench.errors import BenchError

#: A WebP is at most this wide and high.
WEBP_SIDE = 16383


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
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "WEBP", lossless=True, quality=50, method=2, exact=True)
    return out.getvalue()


def slot_bytes(largest: int) -> int:
    """Length of one slot of a study's messages: room for its largest clip, in whole KiB."""
    return (largest // 1024 + 1) * 1024


def message(left: bytes, right: bytes, length: int) -> bytes:
    """Join the encoded clips of a trial into a message of `length` bytes each, padded anew each time it is asked for.

    A trial that shows one clip has no bytes for the right one, and a message of `length` bytes.
    """
    return b"".join(_padded(clip, length) for clip in (left, right) if clip)


def _padded(data: bytes, length: int) -> bytes:
    if len(data) > length:
        raise BenchError(f"A clip of {len(data)} bytes does not fit the study's messages of {length}: make it again.")
    noise = np.frombuffer(os.urandom(length - len(data)), np.uint8) | 0x80  # above ASCII: never spells a word
    return data + noise.tobytes()


def shrink(clip: Frames, size: int) -> Frames:
    """Bring square frames down to `size` pixels by averaging areas; frames of that size pass unchanged."""
    if clip.shape[1] == size:
        return clip
    if clip.shape[1] < size:
        raise BenchError(f"Clips of {clip.shape[1]} pixels are not enlarged to {size}: give a smaller --size.")
    frames = [np.asarray(Image.fromarray(f).resize((size, size), Image.Resampling.BOX)) for f in clip]
    return np.stack(frames)


def first_frame_psnr(clip: Frames, real: Frames) -> float:
    """PSNR in dB of a clip's first frame against the real one's; infinite when they are equal."""
    error = np.mean((clip[0].astype(np.float64) - real[0].astype(np.float64)) ** 2)
    return math.inf if error == 0 else float(10 * np.log10(255.0**2 / error))
