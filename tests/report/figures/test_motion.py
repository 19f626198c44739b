from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from bench.report.figures.motion import motion_figure, moving_regions


def square(size: int = 64, side: int = 12, step: int = 3) -> np.ndarray:
    """A bright square that moves along row 20 over a still ground, uint8 [8, size, size, 3]."""
    video = np.full((8, size, size, 3), 40, np.uint8)
    for t in range(8):
        video[t, 20 : 20 + side, 10 + step * t : 10 + step * t + side] = 220
    return video


def test_a_moving_square_is_outlined_where_it_is() -> None:
    video = square()
    for frame in (0, 4, 7):
        boxes = moving_regions(video, frame)
        assert boxes
        for top, left, height, width in boxes:
            assert top >= 14
            assert top + height <= 38
            assert left >= 10 + 3 * min(frame, 6) - 6
            assert left + width <= 10 + 3 * (min(frame, 6) + 1) + 12 + 6


def test_nothing_is_outlined_where_nothing_moves() -> None:
    assert moving_regions(np.repeat(square()[:1], 8, axis=0), 3) == []
    faint = np.random.default_rng(0).integers(100, 102, (8, 64, 64, 3), dtype=np.uint8)
    assert moving_regions(faint, 3) == []  # what nobody sees


def test_the_largest_come_first_and_few_are_kept() -> None:
    video = np.random.default_rng(1).integers(0, 256, (4, 96, 96, 3), dtype=np.uint8)
    boxes = moving_regions(video, 1)
    assert len(boxes) <= 3


def test_the_figure_outlines_moving_rows_only(tmp_path: Path) -> None:
    moving = np.concatenate([square()] * 4)
    motion_figure({"a": moving, "b": np.repeat(moving[:1], 32, axis=0)}, tmp_path / "m.png")
    pixels = np.asarray(Image.open(tmp_path / "m.png").convert("RGB")).astype(int)
    red = np.abs(pixels - (0xFF, 0x2D, 0x2D)).max(axis=2) < 40
    upper, lower = np.array_split(red, 2)
    assert upper.sum() > 100
    assert lower.sum() == 0
    motion_figure({"a": moving}, tmp_path / "m.pdf")
    assert (tmp_path / "m.pdf").read_bytes().startswith(b"%PDF")
