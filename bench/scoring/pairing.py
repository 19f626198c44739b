"""Pairing of predictions with real clips: by ID, never by sort order; incomplete sets are refused by default."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bench.data.clips import Clip
from bench.data.predictions import Predictions
from bench.data.readers.file_listing import on_one_line
from bench.data.readers.video import Frames
from bench.data.samples import sampled
from bench.errors import BenchError
from bench.metrics.base import ClipMetric, Metric, Unavailable
from bench.scoring.protocol import Protocol

#: Row for real vs. real (split-half): the distance between two halves of the real clips, to compare others with.
REAL_HALVES = "real-halves"
#: Appended to errors that `--allow-partial` would tolerate.
ADVICE = (
    "Predictions and test clips are paired by ID. Complete the folder, or score only the shared clips with "
    "--allow-partial (every table then says so)."
)
#: Appended after `ADVICE` if no clip has a prediction in every folder.
ANY_NAMES = "To compare whole sets of any names, add --unpaired."
#: Appended after `ADVICE` if there is a `WrongLengthError`.
FEWER_FRAMES = "If your model makes fewer frames, say which ones with --clip-length, --stride or --context."


#: Maximum number of sample pairs compared per clip: all pairs of ten samples, some pairs of more. The pairs are the
#: same for every clip.
PAIRS = 45


class WrongLengthError(BenchError):
    """A prediction does not have the expected number of frames."""


@dataclass(frozen=True)
class Row:
    """One row to score: a method's name, its training seed, its videos, and which sample of each clip they are.

    Attributes:
        given: reads the given frames of a real clip by its ID, for predictions that contain only the frames after them
            (`with_given`).

    Raises:
        BenchError: the name is empty, cannot be printed on one line, or is reserved for a row that tables add.
    """

    name: str
    predictions: Predictions
    seed: int = 0
    sample: int = 0
    given: Callable[[str], Frames] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse names that are reserved or cannot be printed."""
        if self.name.strip().lower() == REAL_HALVES:
            raise BenchError(
                f"A method is called '{self.name}', the name of real vs. real in every table. Give it another "
                "name, NAME=FOLDER."
            )
        if not self.name.strip() or not on_one_line(self.name):
            raise BenchError(
                f"A method is called {self.name!r}, which cannot be printed. Give it another name, NAME=FOLDER."
            )

    @property
    def which(self) -> str:
        """The sample number in its folder, for a message; empty if a clip has one video."""
        number = self.predictions.number
        return "" if number is None else f"sample {number} of "


def with_samples(rows: Sequence[Row], test_ids: Collection[str], most: int | None = None) -> list[Row]:
    """One `Row` per sample of each row (`bench.data.samples.sampled`); samples of one training run are adjacent.

    Raises:
        BenchError: there are fewer samples than requested, or a method's training runs have different numbers of them.
    """
    found = [
        replace(row, predictions=one, sample=sample)
        for row in rows
        for sample, one in enumerate(sampled(row.predictions, test_ids, most))
    ]
    for name in dict.fromkeys(row.name for row in rows):
        counts = Counter(row.seed for row in found if row.name == name)
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{count} with seed {seed}" for seed, count in sorted(counts.items()))
            raise BenchError(
                f"The training runs of {name} have different numbers of samples per clip ({listed}). Give "
                f"--samples {min(counts.values())}, or generate more."
            )
    return found


def samples_of(rows: Sequence[Row]) -> dict[str, int]:
    """Number of samples per clip of each method, for rows from `with_samples`."""
    return {row.name: 1 + max(one.sample for one in rows if one.name == row.name) for row in rows}


def check_best(samples: Mapping[str, int], best: int) -> None:
    """Raise a `BenchError` if `best` > 1 and no method has several samples per clip, or one has several but too few."""
    if best > 1 and max(samples.values()) == 1:
        raise BenchError(f"No method has several samples per clip, but --best {best} needs {best}. Leave --best out.")
    for row, count in samples.items():
        if 1 < count < best:
            raise BenchError(f"{row} has {count} samples per clip, but --best {best} needs {best}. Lower --best.")


def sample_notes(samples: Mapping[str, int], best: int) -> list[str]:
    """Notes to be read with numbers from several samples per clip; empty if no method has several."""
    if max(samples.values()) == 1:
        return []
    counts = ", ".join(f"{row} {count}" for row, count in samples.items())
    notes = [f"Samples per clip: {counts}."]
    if best == 1:
        notes.append(
            "Each number is a mean over samples; `table_samples.*` contains the best of k, the spread and pooled sets."
        )
    else:
        notes.append(
            f"Each clip counts with the expected best of {best} of its samples (best@{best}), chosen by the "
            "metric itself by comparison with the real clip. Metrics of whole sets are means over samples."
        )
        if alone := [row for row, count in samples.items() if count == 1]:
            notes.append(
                f"{', '.join(alone)}: one video per clip, so there is no choice. best@{best} of other methods is "
                "not comparable with it: compare the mean (without --best)."
            )
    if max(samples.values()) * (max(samples.values()) - 1) // 2 > PAIRS:
        notes.append(f"Spread: over {PAIRS} pairs of samples per clip, the same pairs for every clip.")
    return notes


def pair(
    rows: Sequence[Row], clips: Sequence[Clip], test_ids: set[str], allow_partial: bool
) -> tuple[list[Clip], bool]:
    """Check that every row has a video for each clip, and no video without a clip.

    Args:
        rows: rows to score.
        clips: clips to score.
        test_ids: IDs of the whole test set, of which `clips` may be a sample.
        allow_partial: continue with the clips that all rows have instead of raising.

    Returns:
        The clips that all rows have, and whether any problem was tolerated.

    Raises:
        BenchError: clips are missing or surplus; all of them are named.
    """
    expected = {clip.id for clip in clips}
    complaints = []
    for row in rows:
        ids, folder = set(row.predictions.ids), row.predictions.shown
        if missing := expected - ids:
            complaints.append(f"{folder} has no prediction for {row.which}{', '.join(sorted(missing))}")
        if surplus := ids - test_ids:
            complaints.append(
                f"{folder} has {row.which}{', '.join(sorted(surplus))}, which the test set does not contain"
            )
    shared = expected.intersection(*(row.predictions.ids for row in rows))
    if complaints and not allow_partial:
        raise BenchError(f"{'; '.join(complaints)}. {ADVICE}{'' if shared else ' ' + ANY_NAMES}")
    if not shared:
        raise BenchError("No clip has a prediction in every folder: there is nothing to score.")
    return [clip for clip in clips if clip.id in shared], bool(complaints)


def with_given(rows: Sequence[Row], clips: Sequence[Clip], root: Path, protocol: Protocol) -> list[Row]:
    """The rows, each with a reader for the given frames of the real clips."""
    by_id = {clip.id: clip for clip in clips}

    def given(id: str) -> Frames:
        return read_real(by_id[id], root, protocol)[: protocol.skipped]

    return [replace(row, given=given) for row in rows]


def is_future_alone(frames: int, protocol: Protocol) -> bool:
    """Whether a prediction with this many frames contains only the frames after the given ones."""
    return protocol.skipped > 0 and frames == protocol.length - protocol.skipped


def read_prediction(row: Row, id: str, protocol: Protocol, paired: bool = True) -> Frames:
    """Read the frames of one prediction that are used, at the protocol's size.

    A prediction contains as many frames as a clip, only the used frames, or only the used frames after the given ones.
    In the last case, the real given frames are put in front, so that `motion` includes the step between the two.

    Args:
        row: row of the prediction.
        id: ID of the clip.
        protocol: determines which frames are used.
        paired: whether the frames are compared with the real ones one by one.

    Raises:
        WrongLengthError: the prediction has an unexpected number of frames.
        BenchError: its frames have no counterpart (`no_counterpart`).
    """
    predicted = row.predictions.read(id)
    alone = row.given is not None and is_future_alone(len(predicted), protocol)
    if not alone and len(predicted) not in (protocol.frames_to_read, protocol.length):
        path, after = row.predictions.path(id), protocol.length - protocol.skipped
        context = f", or the {after} after the context" if protocol.skipped else ""
        raise WrongLengthError(f"{path} has {len(predicted)} frames: expected {protocol.frames_to_read}{context}.")
    if paired and (reason := no_counterpart(len(predicted), protocol)):
        raise BenchError(f"{row.predictions.path(id)} {reason}.")
    if alone and row.given is not None:
        return np.concatenate([row.given(id), protocol.fit(predicted)])
    return protocol.fit(predicted if len(predicted) == protocol.length else predicted[protocol.window(id)])


def no_counterpart(frames: int, protocol: Protocol) -> str:
    """Why a prediction's frames cannot be compared one by one with a random window of the real clip; "" if they can."""
    if not protocol.whole or protocol.sampling != "random" or frames == protocol.whole:
        return ""
    return (
        f"has {frames} frames, but the window of {protocol.length} is drawn at random from the {protocol.whole} frames "
        f"of the real clip, so frame 1 is not compared with frame 1: give predictions of {protocol.whole} frames, or "
        "--sampling first"
    )


def without_paired(
    rows: Sequence[Row], clips: Sequence[Clip], protocol: Protocol, metrics: Sequence[Metric]
) -> tuple[list[Metric], list[Unavailable]]:
    """Leave out the metrics that compare frame by frame if a method has no frames to compare.

    Raises:
        BenchError: no metric is left.
    """
    if not protocol.whole or protocol.sampling == "first":
        return list(metrics), []
    reasons = []
    for row in rows:
        with contextlib.suppress(BenchError):  # unreadable videos are reported later, all together
            if found := no_counterpart(row.predictions.length(clips[0].id), protocol):
                reasons.append(f"{row.name} {found}")
    if not reasons:
        return list(metrics), []
    reason = reasons[0]
    left = [metric for metric in metrics if not isinstance(metric, ClipMetric)]
    if not left:
        raise BenchError(f"No frames can be compared: {reason}.")
    return left, [Unavailable(metric.name, reason) for metric in metrics if isinstance(metric, ClipMetric)]


def read_real(clip: Clip, root: Path, protocol: Protocol) -> Frames:
    """Read the frames of a real clip that are used, at the protocol's size."""
    return protocol.fit(clip.read(root, frames=protocol.frames_to_read)[protocol.window(clip.id)])
