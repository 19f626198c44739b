"""`bench speed data`: the packed training cache compared with reading the JPEGs it was made from, one core each.

Both sides read from the operating system's file cache, so decoding and resizing are compared with copying.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from bench.data.batches import batches
from bench.data.clips import FRAMES, Clip, build_manifest
from bench.data.packed_clips import pack
from bench.speed.interleaved_timing import TimingComparison, compare_rates, in_turns

#: Width and height of Sky Time-lapse's frames.
SOURCE = (640, 360)


def make_jpegs(root: Path, clips: int) -> list[Clip]:
    """Write clips of drifting noise clouds in the layout of Sky Time-lapse; returns them, indexed."""
    width, height = SOURCE
    for number in range(clips):
        folder = root / "sky_train" / f"v{number}" / f"v{number}_1"
        folder.mkdir(parents=True)
        coarse = np.random.default_rng(number).integers(0, 256, (45, 88, 3), np.uint8)
        wide = np.asarray(Image.fromarray(coarse).resize((width + FRAMES, height), Image.Resampling.BICUBIC))
        for t in range(FRAMES):
            Image.fromarray(wide[:, t : t + width]).save(folder / f"frame{t + 1}.jpg", quality=90)
    return build_manifest("sky", root, ("train",)).split("train", "val")


def measure_data(*, clips: int = 6, resolution: int = 128, repetitions: int = 5) -> list[TimingComparison]:
    """Rows of `bench speed data`: `clips` clips of 32 frames of 640×360, read at `resolution`."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        jpegs = make_jpegs(root, clips)
        packed = pack(jpegs, root, resolution, root / "cache", workers=1)
        read: Mapping[str, list[np.ndarray]] = {"ours": [], "other": []}

        def ours() -> None:
            read["ours"][:] = list(batches(packed, len(jpegs), 0, range(1)))

        def other() -> None:
            read["other"][:] = [np.stack([clip.read(root, resolution) for clip in jpegs])]

        seconds = in_turns(ours, other, repetitions)
        # The batch is a permutation of the clips: after sorting, both sides must have the same bytes.
        own_clips, other_clips = (sorted(clip.tobytes() for clip in read[side][0]) for side in ("ours", "other"))
        apart = max(
            int(np.abs(np.frombuffer(a, np.uint8).astype(int) - np.frombuffer(b, np.uint8)).max())
            for a, b in zip(own_clips, other_clips, strict=True)
        )
        what = f"reading clips of {SOURCE[0]}×{SOURCE[1]} at {resolution}×{resolution}, packed against JPEG"
        return [compare_rates(what, "clips/s", clips, seconds, apart)]
