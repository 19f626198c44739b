"""Rows of videos beside the real clips: paired by id, never by sort order, and complete or refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.data.clips import Clip
from bench.data.predictions import Predictions
from bench.data.readers.video import Frames, frame_size, images_in, is_lossy
from bench.errors import BenchError
from bench.scoring.protocol import Protocol

#: Ends the sentences that `--allow-partial` would let pass.
ADVICE = (
    "Predictions and test clips are paired by id: mend the folder, or give --allow-partial to score what there is "
    "(every table then says so)."
)


@dataclass(frozen=True)
class Row:
    """One row to score: a name, the training seed behind it, and its videos."""

    name: str
    predictions: Predictions
    seed: int = 0


def pair(
    rows: Sequence[Row], clips: Sequence[Clip], test_ids: set[str], allow_partial: bool
) -> tuple[list[Clip], bool]:
    """Check that every row has a video for each clip and none that belongs to no clip.

    Args:
        rows: to score.
        clips: that are scored.
        test_ids: ids of the whole test set, of which `clips` may be a sample.
        allow_partial: go on with the clips that all rows have instead of raising.

    Returns:
        The clips that all rows have, and whether anything was wrong and let pass.

    Raises:
        BenchError: clips are missing or too many; all of them are named.
    """
    expected = {clip.id for clip in clips}
    complaints = []
    for row in rows:
        ids, folder = set(row.predictions.ids), row.predictions.folder
        if missing := expected - ids:
            complaints.append(f"{folder} misses {', '.join(sorted(missing))}")
        if surplus := ids - test_ids:
            complaints.append(f"{folder} has {', '.join(sorted(surplus))}, which the test set has not")
    if complaints and not allow_partial:
        raise BenchError(f"{'; '.join(complaints)}. {ADVICE}")
    shared = expected.intersection(*(row.predictions.ids for row in rows))
    if not shared:
        raise BenchError("No clip has a prediction in every folder: there is nothing to score.")
    return [clip for clip in clips if clip.id in shared], bool(complaints)


def read_prediction(row: Row, id: str, protocol: Protocol) -> Frames:
    """Read the frames of one prediction that are looked at, at the protocol's size.

    A prediction has as many frames as a clip, or just those that are looked at; any other number is a `BenchError`.
    """
    predicted = row.predictions.read(id)
    if len(predicted) not in (protocol.frames_to_read, protocol.length):
        path = row.predictions.path(id)
        raise BenchError(f"{path} has {len(predicted)} frames where {protocol.frames_to_read} are due.")
    return protocol.fit(predicted if len(predicted) == protocol.length else predicted[protocol.window(id)])


def read_real(clip: Clip, root: Path, protocol: Protocol) -> Frames:
    """Read the frames of a real clip that are looked at, at the protocol's size."""
    return protocol.fit(clip.read(root, frames=protocol.frames_to_read)[protocol.window(clip.id)])


def row_notes(row: Row, clips: Sequence[Clip], protocol: Protocol) -> list[str]:
    """What was done to a row's videos before they were scored: lossy files and resizing."""
    paths = [row.predictions.path(clip.id) for clip in clips]
    notes = []
    if lossy := sorted({kind for path in paths for kind in _lossy(path)}):
        notes.append(f"{row.name}: videos are lossy ({', '.join(lossy)}), which changes scores.")
    sizes = {size for path in paths if (size := frame_size(path))} or {row.predictions.read(clips[0].id).shape[2:0:-1]}
    if other := sorted({f"{width}×{height}" for width, height in sizes} - {protocol.size}):
        notes.append(f"{row.name}: resized from {', '.join(other)} to {protocol.size}.")
    return notes


def _lossy(path: Path) -> set[str]:
    """Endings of a video's files that do not hold the frames that were put into them."""
    files = [path / name for name in images_in(path)] if path.is_dir() else [path]
    return {file.suffix.lower() for file in files if is_lossy(file)}
