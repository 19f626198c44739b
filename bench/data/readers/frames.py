"""Common types for frames from any source, and for what may have been done to them while reading."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import numpy as np
from numpy.typing import NDArray

#: 8-bit RGB, `[T, H, W, 3]` for a clip and `[H, W, 3]` for one frame.
Frames = NDArray[np.uint8]
#: A frame that is decoded but not yet RGB: calling it returns uint8 `[H, W, 3]`. To skip a frame, do not call it.
#: It is valid until the next frame is requested.
Undeveloped = Callable[[], Frames]


class Trait(Enum):
    """A property of a file's frames that a reader of bare pixels would miss; `bench data verify` counts each."""

    ROTATED = "rotated according to the display matrix"
    MIRRORED = "mirrored according to the display matrix"
    EXIF = "rotated or mirrored according to the EXIF orientation"
    ALPHA = "with an alpha channel, composited on white"
    EDIT_LIST = "trimmed by an edit list: hidden frames are not read"
    OPEN_GOP = "cut without re-encoding: first frames that refer to missing frames are not read"
    OBLONG_PIXELS = "with non-square pixels: read as stored, and resized to a square like all"
    INTERLACED = "interlaced: read as stored"
    HDR = "high dynamic range: read without tone mapping"
    UNICODE = "named in decomposed Unicode: the clip's ID is composed (NFC)"


def on_white(rgba: Frames) -> Frames:
    """Composite uint8 `[H, W, 4]` with straight alpha on white, as browsers and image viewers do: uint8 `[H, W, 3]`.

    Opaque pixels keep their values exactly.
    """
    alpha = rgba[..., 3:].astype(np.uint16)
    mixed = rgba[..., :3] * alpha + (255 - alpha) * np.uint16(255)
    return ((mixed + np.uint16(127)) // np.uint16(255)).astype(np.uint8)
