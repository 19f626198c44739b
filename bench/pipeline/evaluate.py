"""The suite's numbers in one line of Python: arrays in, data frame out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.predictions import Predictions
from bench.data.reference import reference_manifest
from bench.data.video import Frames
from bench.errors import BenchError
from bench.registry import METRICS
from bench.runfolder import RunFolder
from bench.scoring.rows import Row
from bench.scoring.score import ScoringPlan, score
from bench.scoring.tidy import PER_CLIP


def evaluate(
    predicted: Frames | Mapping[str, Frames],
    real: Frames,
    metrics: Sequence[str] = (),
    *,
    resolution: int | None = None,
    frames: str = "all",
    per_clip: bool = False,
    offline: bool = False,
) -> pd.DataFrame:
    """Score arrays of videos exactly as `bench score` scores folders.

    Args:
        predicted: uint8 `[N, T, H, W, 3]`, square, or several of them by row name.
        real: uint8 `[N, T, H, W, 3]`, clip for clip.
        metrics: registered names; by default all that need no weights.
        resolution: both sides are brought to this size; by default the real clips' own.
        frames: "all", or "future" without the given first frame.
        per_clip: return a line a clip and metric instead of the summary.
        offline: do not fetch missing weights; such metrics are left out.

    >>> still = np.zeros((1, 16, 32, 32, 3), np.uint8)
    >>> evaluate(still + 51, still, ["mse"]).loc[0, "value"].item()  # (51 / 255)²
    0.04

    Returns:
        The columns of `summary.csv`, or of `per_clip.csv`.

    Raises:
        BenchError: arrays of another kind or that do not fit each other, an unknown metric.
    """
    rows = predicted if isinstance(predicted, Mapping) else {"predicted": predicted}
    for name, videos in [*rows.items(), ("real", real)]:
        if videos.dtype != np.uint8 or videos.ndim != 5 or videos.shape[-1] != 3:
            raise BenchError(f"{name} is {videos.dtype} {list(videos.shape)}: expected uint8 [clips, frames, H, W, 3].")
        if len(videos) != len(real):
            raise BenchError(f"{name} has {len(videos)} clips where {len(real)} are real: they are paired one by one.")
    without_weights = (metric for metric in METRICS if not METRICS.load(metric).needs_weights)
    names = [METRICS.check(metric) for metric in metrics or without_weights]
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
        plan = ScoringPlan(resolution or real.shape[2], names, frames, offline=offline, length=length)
        scores = score(sources, manifest, out, plan)
        if per_clip:
            return pd.read_csv(RunFolder(out).per_clip, dtype={"clip": str, "video": str})[list(PER_CLIP)]
        return pd.DataFrame([asdict(line) for line in scores.summary])
