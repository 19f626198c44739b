"""Notes to be read with a method's numbers: how its videos are stored, and signs that they are the wrong videos."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.data.clips import Clip
from bench.data.predictions import Predictions
from bench.data.readers.file_traits import has_alpha, lossy_kind
from bench.data.readers.video import Frames, frame_size, images_in
from bench.scoring.pairing import Row, is_future_alone, no_counterpart
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import Columns, SampleKey

#: A first frame with a lower PSNR to the real one, in dB, shows a different image: a model is given the real one.
FIRST_FRAME_DB = 20.0
#: Maximum number of names that a note lists.
_MOST = 3


def all_notes(
    rows: Sequence[Row], clips: Sequence[Clip], root: Path, protocol: Protocol, known: Mapping[SampleKey, Columns]
) -> list[str]:
    """Notes on the videos themselves, to be read with the numbers.

    Args:
        rows: scored rows; all training runs and samples of a method share their notes.
        clips: scored clips.
        root: folder of the real clips.
        protocol: protocol of the scoring.
        known: per-frame columns computed so far; with these, a first frame need not be decoded.
    """
    notes = real_notes(clips, root, protocol)
    for name in dict.fromkeys(row.name for row in rows):
        videos = [Video(row, clip, root, protocol, known) for row in rows if row.name == name for clip in clips]
        notes += [f"{name}: {note}." for note in method_notes(videos, protocol)]
    return notes


@dataclass(frozen=True)
class Video:
    """One prediction with its real clip, and what is known about the two (`all_notes`)."""

    row: Row
    clip: Clip
    root: Path
    protocol: Protocol
    known: Mapping[SampleKey, Columns]

    @property
    def path(self) -> Path:
        """Its file or frame folder."""
        return self.row.predictions.path(self.clip.id)

    def read(self) -> Frames:
        """All its frames, as they are stored."""
        return self.row.predictions.read(self.clip.id)

    @property
    def is_real(self) -> bool:
        """Whether it is the same file as the real clip."""
        return self.clip.sha256 == self.row.predictions.sha256(self.clip.id)

    def first_frame_db(self) -> float | None:
        """PSNR of its first frame to the real one; None if it has no frame for the first real one."""
        columns = self.known.get((self.row.name, self.row.seed, self.row.sample, self.clip.id), {})
        if self.protocol.window(self.clip.id).start == 0 and "mse" in columns:
            return psnr(float(columns["mse"][0]))
        predicted = self.read()
        if no_counterpart(len(predicted), self.protocol) or is_future_alone(len(predicted), self.protocol):
            return None
        real = self.clip.read(self.root, frames=1)
        return first_frame_psnr(self.protocol.fit(predicted[:1]), self.protocol.fit(real))


def method_notes(videos: Sequence[Video], protocol: Protocol) -> list[str]:
    """Notes to be read with the numbers of one method."""
    paths = list(dict.fromkeys(video.path for video in videos))
    notes = []
    if lossy := sorted({kind for path in paths for kind in _lossy(path)}):
        notes.append(f"videos are lossy ({', '.join(lossy)}), which changes scores")
    sizes = {size for path in paths if (size := frame_size(path))} or {videos[0].read().shape[2:0:-1]}
    if other := sorted({f"{width}×{height}" for width, height in sizes} - {protocol.size}):
        notes.append(f"resized from {', '.join(other)} to {protocol.size}")
    notes += stored_notes(paths, (video.read() for video in videos))
    if alone := future_alone(videos, protocol):
        notes.append(
            f"{alone} of {len(videos)} videos contain only the {protocol.length - protocol.skipped} frames after "
            "the context. The real given frames are put in front, and only the frames after them are compared"
        )
    if same := sum(video.is_real for video in videos):
        notes.append(
            f"{same} of {len(videos)} videos are identical to the real files, so real videos are compared with "
            "themselves"
        )
    folders = {video.row.predictions.folder: video.row.predictions for video in videos}
    return [*notes, *first_frame_note(videos), *(note for folder in folders.values() for note in skipped_note(folder))]


def future_alone(videos: Sequence[Video], protocol: Protocol) -> int:
    """Number of videos that contain only the frames after the given ones."""
    if not protocol.skipped:
        return 0
    with ThreadPoolExecutor() as pool:
        return sum(pool.map(lambda video: is_future_alone(len(video.read()), protocol), videos))


def real_notes(clips: Sequence[Clip], root: Path, protocol: Protocol) -> list[str]:
    """Notes on how the real clips are stored, to be read with all numbers."""
    paths = dict.fromkeys(root / clip.path for clip in clips)
    reads = (clip.read(root, frames=protocol.frames_to_read) for clip in clips)
    return [f"Real clips: {note}." for note in stored_notes(list(paths), reads)]


def stored_notes(paths: Sequence[Path], videos: Iterable[Frames]) -> list[str]:
    """Notes on alpha channels, and on values in [0, 1] that became almost black 8-bit frames."""
    notes = []
    if alpha := sum(map(has_alpha, paths)):
        notes.append(f"an alpha channel in {alpha} of {len(paths)} videos, composited on white")
    if all(frames.max() <= 1 for frames in videos):  # for most sets, the first video is enough
        notes.append(
            "no value is above 1 of 255. If the frames were floats in [0, 1], multiply them by 255 before you "
            "convert them to uint8"
        )
    return notes


def skipped_note(videos: Predictions) -> list[str]:
    """A note on what was skipped in a folder of videos, if anything."""
    if not (skipped := videos.skipped):
        return []
    more = f" and {len(skipped) - _MOST} more" if len(skipped) > _MOST else ""
    return [f"skipped in its folder: {', '.join(skipped[:_MOST])}{more}"]


def first_frame_note(videos: Sequence[Video]) -> list[str]:
    """A note if predictions do not begin with the real first frame."""
    with ThreadPoolExecutor() as pool:
        values = list(pool.map(Video.first_frame_db, videos))
    known = [(value, video.clip.id) for value, video in zip(values, videos, strict=True) if value is not None]
    weak = [one for one in known if one[0] < FIRST_FRAME_DB]
    if not weak:
        return []
    lowest, id = min(weak)
    what = "clips" if len({id for _, id in known}) == len(known) else "videos"
    return [
        f"the first frame is below {FIRST_FRAME_DB:g} dB of the real one in {len(weak)} of {len(known)} {what} "
        f"(lowest: {lowest:.1f} dB, {id}). Models get the real first frame. Check for a different crop, "
        "letterboxing, and clips with a wrong ID"
    ]


def first_frame_psnr(clip: Frames, real: Frames) -> float:
    """PSNR in dB of a clip's first frame against the real one's; infinite when they are equal."""
    return psnr(float(np.mean((clip[0].astype(np.float64) - real[0].astype(np.float64)) ** 2)) / 255.0**2)


def psnr(mse: float) -> float:
    """PSNR in dB for a mean squared error of values in [0, 1]; infinite for 0."""
    return math.inf if mse == 0 else -10 * math.log10(mse)


def _lossy(path: Path) -> set[str]:
    """Kinds of lossy storage among a video's files, which do not preserve the original frames."""
    files = [path / name for name in images_in(path)] if path.is_dir() else [path]
    return {kind for file in files if (kind := lossy_kind(file))}
