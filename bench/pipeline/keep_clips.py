"""`bench score --keep-clips`: the scored frames as files, so that the HTML report plays them and a study can show them.

The files contain what the metrics compared: frames at the scored size, in the layout of a run's predictions.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench.data.clips import Clip, Manifest
from bench.data.predictions import PredictionWriter, own_manifest
from bench.data.readers.frames import Frames
from bench.files import digest
from bench.progress import ProgressTask, task
from bench.runfolder import REAL, RunFolder
from bench.scoring.pairing import Row, read_prediction, read_real, with_given, with_samples
from bench.scoring.protocol import Protocol
from bench.scoring.score import content_key
from bench.scoring.score_tables import read_scores


def keep_clips(rows: Sequence[Row], manifest: Manifest, out: Path, protocol: Protocol) -> None:
    """Write the scored frames of the real clips and of every method into `predictions/` of a folder of scores.

    Files of the same content are kept, so that an interrupted command resumes; files of other content are replaced.

    Args:
        rows: scored rows; if a method has several training runs or samples, the first is kept.
        manifest: manifest of the real clips.
        out: folder of the scores.
        protocol: protocol of the scores.

    Raises:
        BenchError: a video cannot be read, or the disk is full.
    """
    folder, kept = RunFolder(out), set(read_scores(out).ids)
    clips = [clip for clip in manifest.split("test") if clip.id in kept]
    known = with_given(with_samples(rows, kept, 1), clips, manifest.root, protocol)
    first = {row.name: row for row in reversed(known)}
    with task("keeping clips", len(clips) * (len(first) + 1)) as progress:
        real = partial(read_real, root=manifest.root, protocol=protocol)
        _write(folder.predictions(REAL), clips, [clip.sha256 for clip in clips], protocol, real, progress)
        for name, row in first.items():
            content = [content_key(clip, row, protocol) for clip in clips]
            _write(folder.predictions(name), clips, content, protocol, partial(_predicted, row, protocol), progress)


def _predicted(row: Row, protocol: Protocol, clip: Clip) -> Frames:
    return read_prediction(row, clip.id, protocol)


def _write(
    target: Path,
    clips: Sequence[Clip],
    content: Sequence[str],
    protocol: Protocol,
    read: Callable[[Clip], Frames],
    progress: ProgressTask,
) -> None:
    """Write one method's clips, unless they exist; `content` identifies what they were made from."""
    made_by = {"kept_by": "bench score", "protocol": protocol.id, "content": digest(list(content))}
    if (known := own_manifest(target)) and known["made_by"] != made_by:
        shutil.rmtree(target)
    writer = PredictionWriter(target, made_by, frames=protocol.length)
    for clip in clips:
        if not writer.has(clip.id):
            writer.write(clip.id, read(clip))
        progress.advance()
    writer.close()
