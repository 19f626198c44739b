"""The suite's numbers in one line of Python: arrays in, data frame out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.predictions import Predictions
from bench.data.readers.video import Frames
from bench.data.reference_folder import reference_manifest
from bench.errors import BenchError
from bench.registry import METRICS
from bench.runfolder import RunFolder
from bench.scoring.pairing import Row
from bench.scoring.protocol_choices import frames_after
from bench.scoring.sample_lines import read_samples
from bench.scoring.score import score
from bench.scoring.score_tables import PER_CLIP, read_csv
from bench.scoring.scoring_plan import ScoringPlan


def evaluate(
    predicted: Frames | Mapping[str, Frames],
    real: Frames,
    metrics: Sequence[str] | str = (),
    *,
    resolution: int | None = None,
    frames: str = "all",
    context: int | None = None,
    per_clip: bool = False,
    offline: bool = False,
) -> pd.DataFrame:
    """Score arrays of videos exactly as `bench score` scores folders.

    Args:
        predicted: uint8 `[N, T, H, W, 3]`, or several of them by row name; with K samples of each clip
            `[N, K, T, H, W, 3]`.
        real: uint8 `[N, T, H, W, 3]`, clip for clip and frame for frame.
        metrics: registered names, as a list or one text with commas; by default all that need no weights.
        resolution: both sides are resized to squares of this side; by default they are scored as they are, and have to
            be of one size.
        frames: "all", or "future" without the given first frame.
        context: the number of given frames, which are not scored, in place of `frames`: 0 is "all", 1 is "future".
        per_clip: return a line a clip and metric instead of the summary.
        offline: do not fetch missing weights; such metrics are left out.

    >>> still = np.zeros((1, 16, 32, 32, 3), np.uint8)
    >>> evaluate(still + 51, still, ["mse"]).loc[0, "value"].item()  # (51 / 255)²
    0.04

    Returns:
        The columns of `summary.csv`, or of `per_clip.csv`; `attrs["left_out"]` says what could not be computed.
        Of several samples the numbers are means; `attrs["samples"]` has the lines of `samples.csv`, with every best@k.

    Raises:
        BenchError: arrays of another kind or that do not fit each other, an unknown metric.
    """
    rows = predicted if isinstance(predicted, Mapping) else {"predicted": predicted}
    for name, videos in [("real", real), *rows.items()]:
        check_array(name, videos, real, resolution)
    without_weights = (metric for metric in METRICS if not METRICS.load(metric).needs_weights)
    if isinstance(metrics, str):  # as on the command line
        metrics = [word.strip() for word in metrics.split(",")]
    names = [METRICS.check(metric) for metric in metrics or without_weights]
    height, width = real.shape[2:4]
    with tempfile.TemporaryDirectory() as temporary:

        def stored(place: str, videos: Frames) -> Path:
            folder = Path(temporary) / place
            folder.mkdir()
            for number, video in enumerate(videos):
                np.save(folder / f"{number:06d}.npy", video)
            return folder

        manifest, length = reference_manifest(stored("real", real))
        out = Path(temporary) / "out"
        sources = [Row(name, Predictions(stored(str(n), videos))) for n, (name, videos) in enumerate(rows.items())]
        frames = frames if context is None else frames_after(context)
        plan = ScoringPlan(resolution or height, names, frames, offline=offline, length=length)
        if resolution is None and width != height:
            plan = replace(plan, width=width)
        scores = score(sources, manifest, out, plan)
        table = pd.DataFrame([asdict(line) for line in scores.summary])
        if per_clip:
            lines = read_csv(RunFolder(out).per_clip)  # as text: a row may be called NA, or 001
            table = pd.DataFrame(lines, columns=list(PER_CLIP)).astype({"seed": int, "value": float})
        table.attrs["left_out"] = [str(reason) for reason in scores.left_out]
        table.attrs["samples"] = [asdict(line) for line in read_samples(out)]
        return table


def check_array(name: str, videos: Frames, real: Frames, resolution: int | None) -> None:
    """Raise a `BenchError` about an array that is no videos, or that does not fit the real ones."""
    if videos is not real and videos.ndim == 6 and videos.shape[1]:  # several samples of each clip: one speaks for all
        videos = videos[:, 0]
    if videos.dtype != np.uint8 or videos.ndim != 5 or videos.shape[-1] != 3:
        raise BenchError(f"{name} is {videos.dtype} {list(videos.shape)}: expected uint8 [clips, frames, H, W, 3].")
    if not videos.size:
        raise BenchError(f"{name} is empty ({list(videos.shape)}): there is nothing to score.")
    for axis, what in ((0, "clips"), (1, "frames")):
        if videos.shape[axis] != real.shape[axis]:
            raise BenchError(
                f"{name} has {videos.shape[axis]} {what} where {real.shape[axis]} are real: they are paired one by one."
            )
    if resolution is None and videos.shape[2:4] != real.shape[2:4]:
        sizes = [f"{width}×{height}" for height, width in (videos.shape[2:4], real.shape[2:4])]
        raise BenchError(
            f"{name} is {sizes[0]} pixels where the real clips are {sizes[1]}: resize it, or give a "
            "resolution, to which both are brought."
        )
