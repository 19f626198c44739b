"""The suite's numbers in one line of Python: arrays in, data frame out."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.data.clip_arrays import ClipArray, Statement, stated
from bench.data.predictions import Predictions
from bench.data.reference_folder import reference_manifest
from bench.errors import BenchError
from bench.registry import METRICS
from bench.runfolder import RunFolder
from bench.scoring.pairing import Row
from bench.scoring.protocol_choices import frames_after, skipped_frames
from bench.scoring.sample_lines import read_samples
from bench.scoring.score import score
from bench.scoring.score_tables import PER_CLIP, read_csv
from bench.scoring.scoring_plan import ScoringPlan

#: An array of videos: uint8 or numbers of a stated range, `[N, T, C, H, W]`, `[N, T, H, W, C]` or `[N, T, H, W]`.
Videos = NDArray[Any]

#: Name of the real clips in notes.
REAL = "Real clips"


def evaluate(
    predicted: Videos | Mapping[str, Videos],
    real: Videos,
    metrics: Sequence[str] | str = (),
    *,
    resolution: int | None = None,
    frames: str = "all",
    context: int | None = None,
    per_clip: bool = False,
    offline: bool = False,
    axes: str = "",
    value_range: tuple[float, float] | None = None,
) -> pd.DataFrame:
    """Score arrays of videos exactly as `bench score` scores folders.

    Notes on the videos, for example that first frames show a different image, are also warnings (`UserWarning`).

    Args:
        predicted: videos `[N, T, H, W, 3]`, `[N, T, 3, H, W]` or, if they are grey, `[N, T, H, W]`, or several such
            arrays by method. With K samples of each clip, the shape is `[N, K, T, H, W, 3]`. Values are uint8, or
            floats with `value_range`, which are rounded to the 8 bits that are scored.
        real: real videos in the same form, clip for clip and frame for frame; predictions may lack the given frames.
        metrics: registered names, as a list or one comma-separated text; by default those of the command line
            that need no weights.
        resolution: both sides are resized to squares of this side; by default they are scored as they are, and must
            have the same size.
        frames: "all", or "future" without the given first frame.
        context: number of given frames, which are not scored; replaces `frames`: 0 is "all", 1 is "future".
        per_clip: return one line per clip and metric instead of the summary.
        offline: do not fetch missing weights; metrics that need them are left out.
        axes: order of the axes, for arrays whose shape is ambiguous, e.g. "NTCHW".
        value_range: the values of black and white, for arrays that are not uint8, e.g. (0, 1).

    >>> still = np.zeros((1, 16, 32, 32, 3), np.uint8)
    >>> evaluate(still + 51, still, ["mse"]).loc[0, "value"].item()  # (51 / 255)²
    0.04

    Returns:
        The columns of `summary.csv`, or of `per_clip.csv`. `attrs["left_out"]` lists what could not be computed, and
        `attrs["notes"]` the notes to be read with the numbers. With several samples, the numbers are means, and
        `attrs["samples"]` contains the lines of `samples.csv`, with every best@k.

    Raises:
        BenchError: arrays are of another kind or do not fit together, a required statement about them is missing, or a
            metric is unknown.
    """
    frames = frames if context is None else frames_after(context)
    rows = predicted if isinstance(predicted, Mapping) else {"predicted": predicted}
    if not rows:
        raise BenchError("There is nothing to score: predicted is an empty dictionary. Pass one array per method.")
    said = stated(axes, "" if value_range is None else ",".join(map(str, np.ravel(value_range))))
    truth = ClipArray(real, "real", said)
    if truth.samples:
        raise BenchError(f"real is {real.dtype} {list(real.shape)}: expected no axis of samples.")
    given = skipped_frames(frames)
    arrays = {name: fitting(str(name), one, truth, resolution, said, given) for name, one in rows.items()}
    without_weights = (metric for metric in METRICS.defaults() if not METRICS.load(metric).needs_weights)
    if isinstance(metrics, str):  # as on the command line
        metrics = [word.strip() for word in metrics.split(",")]
    names = [METRICS.check(metric) for metric in metrics or without_weights]
    height, width = truth.size
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "out"
        manifest, length = reference_manifest(stored(truth, Path(temporary) / "real", REAL))
        sources = [
            Row(name, stored(one, Path(temporary) / str(n), name)) for n, (name, one) in enumerate(arrays.items())
        ]
        notes = [f"{name}: {note}." for name, one in [(REAL, truth), *arrays.items()] for note in one.notes()]
        plan = ScoringPlan(resolution or height, names, frames, offline=offline, length=length)
        if resolution is None and width != height:
            plan = replace(plan, width=width)
        scores = score(sources, manifest, out, plan, notes)
        table = pd.DataFrame([asdict(line) for line in scores.summary])
        if per_clip:
            lines = read_csv(RunFolder(out).per_clip)  # as text, because a row may be called NA or 001
            table = pd.DataFrame(lines, columns=list(PER_CLIP)).astype({"seed": int, "value": float})
        samples = [asdict(line) for line in read_samples(out)]
    table.attrs |= {"left_out": [*map(str, scores.left_out)], "notes": scores.notes, "samples": samples}
    for note in scores.notes:
        if note.startswith(tuple(f"{name}: " for name in (REAL, *rows))) and "resized from" not in note:
            warnings.warn(note, stacklevel=2)
    return table


def stored(clips: ClipArray, folder: Path, title: str) -> Predictions:
    """Write the clips of an array into a new folder, named by their numbers."""
    folder.mkdir()
    for number, video in enumerate(clips):
        np.save(folder / f"{number:06d}.npy", video)
    return Predictions(folder, given=title)


def fitting(
    name: str, videos: Videos, truth: ClipArray, resolution: int | None, said: Statement, given: int
) -> ClipArray:
    """One method's clips; raises a `BenchError` if an array does not contain videos or does not fit the real ones.

    The clips have all frames of the real clips, or only those after the `given` ones.
    """
    clips = ClipArray(videos, name, said)
    if len(clips) != len(truth):
        raise BenchError(f"{name} has {len(clips)} clips but real has {len(truth)}: pass one prediction per real clip.")
    if clips.frames not in (truth.frames, truth.frames - given):
        after = f" or the {truth.frames - given} after the context" if given else ""
        raise BenchError(
            f"{name} has {clips.frames} frames but real has {truth.frames}: pass predictions of {truth.frames} "
            f"frames{after}."
        )
    if resolution is None and clips.size != truth.size:
        sizes = [f"{width}×{height}" for height, width in (clips.size, truth.size)]
        raise BenchError(
            f"{name} is {sizes[0]} pixels but the real clips are {sizes[1]}: resize it, or pass a resolution to "
            "which both are resized."
        )
    return clips
