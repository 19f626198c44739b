"""Figures of a run, from its stored predictions and scores: nothing is predicted or scored here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from bench.data.predictions import Predictions
from bench.data.readers.video import Frames, read_strip, resize
from bench.files import atomic_path
from bench.report.figures.style import STYLE, save_figure
from bench.runfolder import REAL, RunFolder

#: The frames that the paper's figures show, counted from 1.
SHOWN = (1, 8, 16, 24, 32)


def frames_figure(videos: Mapping[str, Frames], path: Path) -> None:
    """Draw frames 1, 8, 16, 24, 32 of each method in a line, with the real clip on top (the paper's Fig. 1).

    Args:
        videos: videos by the row's display name, uint8 `[T, H, W, 3]`, all of the same input.
        path: `.png` or `.pdf`; without an extension, both are written.
    """
    with plt.rc_context(STYLE):
        save_figure(tiles(videos)[0], path, cut=False)


def tiles(videos: Mapping[str, Frames]) -> tuple[Figure, Axes, dict[tuple[str, int], tuple[float, float]]]:
    """A figure with a line per method and a column per frame, in one coordinate system whose unit is a tile's pixel.

    Returns:
        The figure, its axes, and the upper left corner of each tile by row and frame number.
    """
    tile, gap, label, head = 1.08, 0.04, 1.3, 0.25  # inches; 6.9 in all, a page's width
    width, height = label + len(SHOWN) * (tile + gap), head + len(videos) * (tile + gap)
    figure = plt.figure(figsize=(width, height))
    axis = figure.add_axes((label / width, 0, 1 - label / width, 1 - head / height))
    axis.set_axis_off()
    side = next(iter(videos.values())).shape[1]
    pixel = tile / side  # inches
    corners = {}
    for line, (row, video) in enumerate(videos.items()):
        top = line * (tile + gap) / pixel
        for column, number in enumerate(SHOWN):
            left = column * (tile + gap) / pixel
            frame = video[min(number, len(video)) - 1]
            axis.imshow(frame, interpolation="nearest", extent=(left, left + side, top + side, top))
            corners[row, number] = (left, top)
        axis.text(-0.08 / pixel, top + side / 2, row, ha="right", va="center")
    for number in SHOWN:
        axis.text(corners[row, number][0] + side / 2, -0.04 / pixel, f"frame {number}", ha="center", va="bottom")
    axis.set(xlim=(0, (width - label) / pixel), ylim=((height - head) / pixel, 0))
    return figure, axis, corners


def samples_animation(videos: Sequence[dict[str, Frames]], path: Path, size: int = 128, rate: int = 10) -> None:
    """Write an animated WebP with a line for each clip and a column for each row, all playing together.

    Args:
        videos: for each clip, videos uint8 `[T, H, W, 3]` by the row's display name.
        path: `.webp`.
        size: side of each tile in pixels (whole multiples keep pixels crisp).
        rate: frames per second.
    """
    rows = list(videos[0])
    head, gap = 18, 4
    font = ImageFont.load_default(11)
    length = len(next(iter(videos[0].values())))
    width, height = len(rows) * (size + gap) - gap, head + len(videos) * (size + gap) - gap
    pages = []
    for t in range(length):
        page = Image.new("RGB", (width, height), "white")
        draw = ImageDraw.Draw(page)
        for column, row in enumerate(rows):
            left = column * (size + gap)
            draw.text((left + size / 2, head / 2), row, "black", font, anchor="mm")
            for line, clip in enumerate(videos):
                tile = Image.fromarray(clip[row][t]).resize((size, size), Image.Resampling.NEAREST)
                page.paste(tile, (left, head + line * (size + gap)))
        pages.append(page)
    with atomic_path(path) as part:
        pages[0].save(part, "WEBP", save_all=True, append_images=pages[1:], duration=1000 // rate, loop=0, quality=85)


def contact_sheet(clips: Sequence[Frames], path: Path, columns: int = 2) -> None:
    """Write those of frames 1, 8, 16, 24, 32 that clips contain, side by side, pixel for pixel, in columns of clips.

    Args:
        clips: uint8 `[T, H, W, 3]`, all of the same size.
        path: `.png`.
        columns: number of clips side by side.
    """
    strips = [np.concatenate([clip[n - 1] for n in SHOWN if n <= len(clip)], axis=1) for clip in clips]
    gap = np.full((strips[0].shape[0], 4, 3), 255, np.uint8)
    blank = np.full_like(strips[0], 255)
    lines = []
    for start in range(0, len(strips), columns):
        line = [*strips[start : start + columns], *[blank] * columns][:columns]
        lines.append(np.concatenate([part for strip in line for part in (strip, gap)][:-1], axis=1))
    with atomic_path(path) as part:
        Image.fromarray(np.concatenate(lines)).save(part, "PNG")


def parts_videos(run: RunFolder, model: str) -> dict[str, Frames]:
    """The parts of one video of a run, then the video itself (`result`); the clip is the first one kept."""
    strips = sorted(run.parts(model).glob("*.png"))  # <clip id>__<part>.png
    id = strips[0].stem.rpartition("__")[0]
    parts = {path.stem.rpartition("__")[2]: read_strip(path) for path in strips if path.stem.startswith(f"{id}__")}
    return {**parts, "result": Predictions(run.predictions(model)).read(id)}


def run_videos(run: RunFolder, rows: Sequence[str], id: str, resolution: int) -> dict[str, Frames]:
    """One clip from every row of a run, the real one first, all at the same size."""
    kept = [row for row in (REAL, *rows) if run.predictions(row).is_dir()]
    clips = {row: Predictions(run.predictions(row)).read(id) for row in kept}
    return {row: clip if clip.shape[1] == resolution else resize(clip, resolution) for row, clip in clips.items()}
