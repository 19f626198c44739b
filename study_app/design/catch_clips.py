"""Clips for practice and catch trials: a real clip, altered so that no attentive rater prefers it.

There are several alterations, so that raters cannot recognise catch trials at a glance. Each resembles a failure of a
model: jerky motion, parts that do not fit, flickering colours. All keep the first frame, as every other clip of a pair
does.

Two alterations are left out on purpose. A clip reversed in time cannot begin with the first frame, and clouds that
drift the other way are just as realistic. A frozen clip is what a model that copies its input shows. If little moves,
an attentive rater may well prefer a flawless still picture. That is a question for a trial, not for a catch trial.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

from bench.data.readers.video import Frames
from bench.errors import BenchError

#: Tiles per side of a frame, and how many of them change places.
TILES, MOVED = 4, 6
#: Blotches per side of a frame, and their standard deviation in the last frame, in grey levels.
BLOTCHES, STRENGTH = 6, 36.0
#: If an alteration changes less than this on average, in grey levels, as in a scene without motion, blotches are added.
#: Otherwise, an invisible alteration would exclude attentive raters.
VISIBLE = 4.0


def alter(way: str, clip: Frames, rng: np.random.Generator) -> Frames:
    """Alter uint8 `[T, H, W, 3]` in one of the `WAYS`; the first frame stays unchanged.

    Raises:
        BenchError: the clip has a single frame, so nothing can be altered.
    """
    if len(clip) < 2:
        raise BenchError(
            "Catch trials need clips of at least two frames: give longer clips, or --catch 0 --practice 0."
        )
    changed = WAYS[way](clip, rng)
    if np.abs(changed[1:].astype(np.int16) - clip[1:]).mean() < VISIBLE:
        changed = blotches(changed, rng)
    return changed


def shuffled(clip: Frames, rng: np.random.Generator) -> Frames:
    """The clip with its frames in random order."""
    out = clip.copy()
    out[1:] = clip[1 + rng.permutation(len(clip) - 1)]
    return out


def tiles(clip: Frames, rng: np.random.Generator) -> Frames:
    """The clip with some tiles moved to other places, the same ones in all frames."""
    out = clip.copy()
    order = np.arange(_cells(clip))
    moved = rng.permutation(len(order))[:MOVED]
    order[moved] = np.roll(moved, 1)
    _move_tiles(out[1:], order)
    return out


def blotches(clip: Frames, rng: np.random.Generator) -> Frames:
    """The clip with coloured blotches, new in each frame, that grow stronger."""
    count, height, width, _ = clip.shape
    out = clip.copy()
    for t in range(1, count):
        coarse = rng.normal(128, STRENGTH, (BLOTCHES, BLOTCHES, 3)).clip(0, 255).astype(np.uint8)
        smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        noise = (np.asarray(smooth, np.float32) - 128) * (0.3 + 0.7 * t / (count - 1))
        out[t] = (clip[t] + noise).round().clip(0, 255).astype(np.uint8)
    return out


def _cells(clip: Frames) -> int:
    per_side = min(TILES, clip.shape[1], clip.shape[2])
    return per_side * per_side


def _move_tiles(frames: Frames, order: np.ndarray) -> None:
    """Replace tile n of each frame with tile `order[n]`; leftover pixels at the edges stay unchanged."""
    side = round(len(order) ** 0.5)
    count, h, w = len(frames), frames.shape[1] // side, frames.shape[2] // side
    inner = frames[:, : h * side, : w * side]
    cells = inner.reshape(count, side, h, side, w, 3).swapaxes(2, 3).reshape(count, side * side, h, w, 3)
    mixed = cells[:, order].reshape(count, side, side, h, w, 3).swapaxes(2, 3)
    frames[:, : h * side, : w * side] = mixed.reshape(count, h * side, w * side, 3)


#: Names of altered clips in the schedule, and the functions that make them.
WAYS: Mapping[str, Callable[[Frames, np.random.Generator], Frames]] = {
    "shuffled": shuffled,
    "tiles": tiles,
    "blotches": blotches,
}
