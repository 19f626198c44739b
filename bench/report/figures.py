"""Figures of a run, from its stored predictions and scores: nothing is predicted or scored here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no screen is needed, whatever the user's own settings say

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from bench.data.video import Frames, read_strip, resize
from bench.files import atomic_path
from bench.predictions import REAL, Predictions
from bench.report.tables import title
from bench.scores import ScoredClips
from bench.trainlog import read_log

#: The frames that the paper's figures show, counted from 1.
SHOWN = (1, 8, 16, 24, 32)
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "figure.dpi": 150,
    "savefig.bbox": "tight",
    "legend.frameon": False,
}
#: The column of a training log that is no loss.
SPEED = "clips_per_second"
#: Columns worth a curve over time: title, and whether the axis is better read on a log scale.
CURVES = {"mse": "MSE ↓", "psnr_frame": "PSNR of the frame (dB) ↑", "ssim": "SSIM ↑", "motion": "Motion →1"}


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure atomically in the format of its name, without a date in it, and close it."""
    kind = path.suffix[1:]
    nothing = {"pdf": {"CreationDate": None}, "png": {"Software": None}}[kind]
    with atomic_path(path) as part:
        figure.savefig(part, format=kind, metadata=nothing)
    plt.close(figure)


def frames_figure(videos: dict[str, Frames], path: Path) -> None:
    """Rows of models, columns of frames 1, 8, 16, 24, 32, the real clip on top (the paper's Fig. 1).

    Args:
        videos: by row, uint8 `[T, H, W, 3]`, all of the same input.
        path: `.png` or `.pdf`.
    """
    tile, gap, label, head = 1.2, 0.04, 1.35, 0.25  # inches
    width, height = label + len(SHOWN) * (tile + gap), head + len(videos) * (tile + gap)
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(width, height))
        for line, (row, video) in enumerate(videos.items()):
            for column, number in enumerate(SHOWN):
                left, top = label + column * (tile + gap), head + line * (tile + gap)
                axis = figure.add_axes((left / width, 1 - (top + tile) / height, tile / width, tile / height))
                axis.imshow(video[number - 1], interpolation="nearest")
                axis.set_axis_off()
                if line == 0:
                    axis.set_title(f"frame {number}", fontsize=9, pad=3)
            middle = 1 - (head + line * (tile + gap) + tile / 2) / height
            figure.text((label - 0.08) / width, middle, title(row), ha="right", va="center", fontsize=9)
        save_figure(figure, path)


def over_time_figure(scored: ScoredClips, path: Path) -> None:
    """Each metric over the frame number: the mean over clips of every row."""
    means = {name: _means(scored, name) for name in CURVES}
    means = {name: curves for name, curves in means.items() if curves}
    if not means:
        return
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(means), figsize=(3.1 * len(means), 2.6), squeeze=False)
        figure.subplots_adjust(wspace=0.3)
        for axis, (name, curves) in zip(axes[0], means.items(), strict=True):
            for row, curve in curves.items():
                axis.plot(np.arange(1, len(curve) + 1), curve, label=title(row), linewidth=1.4)
            axis.set(title=CURVES[name], xlabel="frame", xlim=(1, None))
            if name == "motion":
                axis.axhline(1, color="0.6", linewidth=0.8, linestyle=":")
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncols=len(handles), bbox_to_anchor=(0.5, -0.17))
        save_figure(figure, path)


def _means(scored: ScoredClips, name: str) -> dict[str, np.ndarray]:
    """Mean over clips and seeds of a column, by row; for motion the ratio of the two means."""
    wanted = ("motion_prediction", "motion_real") if name == "motion" else (name,)
    curves = {}
    for row in scored.rows:
        own = [columns for (r, _, _), columns in scored.columns.items() if r == row]
        if not all(part in columns for columns in own for part in wanted):
            continue
        parts = [np.array([columns[part] for columns in own]) for part in wanted]
        with np.errstate(invalid="ignore", divide="ignore"):
            # A frame that is identical has an infinite PSNR and is no part of the mean.
            known = [np.where(np.isfinite(part), part, np.nan) for part in parts]
            counts = [np.isfinite(part).sum(axis=0) for part in parts]
            sums = [np.nansum(part, axis=0) / count for part, count in zip(known, counts, strict=True)]
            curves[row] = sums[0] / sums[1] if len(sums) == 2 else sums[0]
    return curves


def training_figure(logs: dict[str, Path], path: Path) -> None:
    """Over the steps of every stage of every training: its losses and validation error, and below them its speed."""
    panels = []
    for name, log in logs.items():
        rows = read_log(log)
        for stage in dict.fromkeys((row[0], row[1]) for row in rows):
            panels.append((f"{name}, {stage[1]}", [row for row in rows if (row[0], row[1]) == stage]))
    if not panels:
        return
    with plt.rc_context(STYLE):
        shape: dict[str, Any] = {"sharex": "col", "squeeze": False, "gridspec_kw": {"height_ratios": (3, 1)}}
        figure, axes = plt.subplots(2, len(panels), figsize=(3.3 * len(panels), 3.5), **shape)
        figure.subplots_adjust(wspace=0.3, hspace=0.12)
        for (losses, speed), (name, rows) in zip(axes.T, panels, strict=True):
            _losses(losses, rows)
            losses.set(title=name)
            speed.plot(*_points(rows, SPEED), color="0.4", linewidth=1)
            speed.set(xlabel="step", ylim=(0, None))
        axes[1][0].set_ylabel("clips/s")
        save_figure(figure, path)


def _losses(axis: Axes, rows: Sequence[Sequence[str]]) -> None:
    for term in dict.fromkeys(row[3] for row in rows):
        if term == SPEED:
            continue
        marker = "o" if term.startswith("validation") else None
        axis.plot(*_points(rows, term), label=term, linewidth=1, marker=marker, markersize=3)
    axis.legend(fontsize=6)


def _points(rows: Sequence[Sequence[str]], term: str) -> tuple[list[int], list[float]]:
    """Steps and values of one column of a training log."""
    own = [row for row in rows if row[3] == term]
    return [int(row[2]) for row in own], [float(row[4]) for row in own]


def samples_animation(videos: Sequence[dict[str, Frames]], path: Path, size: int = 128, rate: int = 10) -> None:
    """An animated WebP: a line for each clip, a column for each row, all playing together.

    Args:
        videos: for each clip, uint8 `[T, H, W, 3]` by row.
        path: `.webp`.
        size: side of each tile in pixels (whole multiples keep pixels crisp).
        rate: frames a second.
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
            draw.text((left + size / 2, head / 2), title(row), "black", font, anchor="mm")
            for line, clip in enumerate(videos):
                tile = Image.fromarray(clip[row][t]).resize((size, size), Image.Resampling.NEAREST)
                page.paste(tile, (left, head + line * (size + gap)))
        pages.append(page)
    with atomic_path(path) as part:
        pages[0].save(part, "WEBP", save_all=True, append_images=pages[1:], duration=1000 // rate, loop=0, quality=85)


def contact_sheet(clips: Sequence[Frames], path: Path, columns: int = 2) -> None:
    """Frames 1, 8, 16, 24, 32 of clips side by side, pixel for pixel, in columns of clips.

    Args:
        clips: uint8 `[T, H, W, 3]`, all of one size.
        path: `.png`.
        columns: how many clips stand beside each other.
    """
    strips = [np.concatenate([clip[number - 1] for number in SHOWN], axis=1) for clip in clips]
    gap = np.full((strips[0].shape[0], 4, 3), 255, np.uint8)
    blank = np.full_like(strips[0], 255)
    lines = []
    for start in range(0, len(strips), columns):
        line = [*strips[start : start + columns], *[blank] * columns][:columns]
        lines.append(np.concatenate([part for strip in line for part in (strip, gap)][:-1], axis=1))
    with atomic_path(path) as part:
        Image.fromarray(np.concatenate(lines)).save(part, "PNG")


def parts_videos(run: Path, folder: Path) -> dict[str, Frames]:
    """What one video of a run is made of, then the video itself (`result`); the clip is the first one kept.

    Args:
        run: run folder.
        folder: `parts/<row>` in it, with strips `<clip id>__<part>.png`.
    """
    strips = sorted(folder.glob("*.png"))
    id = strips[0].stem.rpartition("__")[0]
    parts = {path.stem.rpartition("__")[2]: read_strip(path) for path in strips if path.stem.startswith(f"{id}__")}
    return {**parts, "result": Predictions(run / "predictions" / folder.name).read(id)}


def run_videos(run: Path, rows: Sequence[str], id: str, resolution: int) -> dict[str, Frames]:
    """One clip of every row of a run, the real one first, at one size."""
    return {
        row: resize(Predictions(run / "predictions" / row).read(id), resolution)
        for row in (REAL, *rows)
        if (run / "predictions" / row).is_dir()
    }
