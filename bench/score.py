"""Predictions → tidy per-frame, per-clip and summary tables.

Only 8-bit frames are looked at, clips are paired by id, and every computed value goes to a journal at once, keyed by
the content it was computed from. So a killed scoring goes on where it stopped, and one folder always has one set of
numbers, whoever asks for them and in whatever order.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.data.clips import FRAMES, Clip, Manifest, sample
from bench.data.video import Frames, resize
from bench.errors import BenchError
from bench.files import digest, disk_error
from bench.metrics.base import ClipMetric, Column, Metric, Unavailable
from bench.predictions import Predictions
from bench.progress import task
from bench.protocol import Protocol
from bench.registry import METRICS
from bench.scores import Columns, ScoredClips, SummaryLine, read_summary, write_scores


@dataclass(frozen=True)
class Source:
    """One row to score: a name, the training seed behind it, and its videos."""

    row: str
    predictions: Predictions
    seed: int = 0


@dataclass(frozen=True)
class Scores:
    """What a scoring found.

    Attributes:
        protocol: what the numbers mean.
        summary: the lines of `summary.csv`.
        left_out: metrics that could not be computed, and why.
    """

    protocol: Protocol
    summary: list[SummaryLine]
    left_out: list[Unavailable]


class Journal:
    """Computed columns by content key: one JSON line each, appended as soon as it is known."""

    def __init__(self, path: Path) -> None:
        self._known: dict[str, dict[str, list[float]]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    key, columns = json.loads(line)
                except ValueError:  # a kill cut this line short
                    continue
                self._known[key] = columns
        self._file = path.open("a", encoding="utf-8")
        self._file.write("\n")  # whatever a cut line ends with, the next one starts afresh

    def get(self, key: str) -> Columns | None:
        """The columns under a content key, if they were computed before."""
        columns = self._known.get(key)
        return None if columns is None else {name: np.array(values) for name, values in columns.items()}

    def put(self, key: str, columns: Mapping[str, Column]) -> None:
        """Keep columns, in memory and on disk."""
        plain = {name: [float(value) for value in values] for name, values in columns.items()}
        self._known[key] = plain
        self._file.write(json.dumps([key, plain]) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def load_metrics(names: Sequence[str]) -> tuple[list[Metric], list[Unavailable]]:
    """Instantiate metrics; those that cannot be computed here come back with the reason instead."""
    metrics: list[Metric] = []
    left_out: list[Unavailable] = []
    for name in names:
        metric: Metric = METRICS.load(name)()
        reason = metric.unavailable()
        if reason:
            left_out.append(reason)
        else:
            metrics.append(metric)
    return metrics, left_out


def pair(sources: Sequence[Source], clips: Sequence[Clip], known: set[str], allow_partial: bool) -> list[Clip]:
    """Check that every source has a video for each clip and none that belongs to no clip.

    Args:
        sources: rows to score.
        clips: that are scored.
        known: ids of the whole test set, of which `clips` may be a sample.
        allow_partial: return the clips that all sources have instead of raising.

    Raises:
        BenchError: clips are missing or too many; all of them are named.
    """
    due = {clip.id for clip in clips}
    complaints = []
    for source in sources:
        ids = set(source.predictions.ids)
        if missing := due - ids:
            complaints.append(f"{source.predictions.folder} misses {', '.join(sorted(missing))}")
        if surplus := ids - known:
            complaints.append(
                f"{source.predictions.folder} has {', '.join(sorted(surplus))}, which the test set has not"
            )
    if complaints and not allow_partial:
        raise BenchError(
            f"{'; '.join(complaints)}. Predictions and test clips are paired by id: mend the folder, or give "
            "--allow-partial to score what there is (every table then says so)."
        )
    shared = due.intersection(*(source.predictions.ids for source in sources))
    if not shared:
        raise BenchError("No clip has a prediction in every folder: there is nothing to score.")
    return [clip for clip in clips if clip.id in shared]


def score(
    sources: Sequence[Source],
    manifest: Manifest,
    out: Path,
    *,
    resolution: int,
    metrics: Sequence[str],
    frames: str = "all",
    count: int | None = None,
    allow_partial: bool = False,
    dataset: str = "",
    workers: int | None = None,
) -> Scores:
    """Score rows against the real test clips; leaves `scores/per_frame.csv`, `scores/per_clip.csv` and `summary.csv`.

    Args:
        sources: rows to score.
        manifest: of the data; only its test split is used.
        out: folder for the results.
        resolution: both sides are brought to this size (antialiased bilinear).
        metrics: registered names.
        frames: "all" 32 or "future" 31 frames.
        count: score the clips with the smallest SHA-256 of their id only.
        allow_partial: score what there is; stamped on the tables.
        dataset: its name on the tables, by default the manifest's.
        workers: threads that decode; no number depends on it.

    Raises:
        BenchError: clips missing or too many, a clip with another number of frames, an unreadable video, a full disk.
    """
    test = manifest.split("test")
    chosen = sample(test, count)
    clips = pair(sources, chosen, {clip.id for clip in test}, allow_partial)
    loaded, left_out = load_metrics(metrics)
    protocol = Protocol(
        dataset=dataset or manifest.dataset,
        resolution=resolution,
        frames=frames,
        clips=len(clips),
        manifest=digest([[clip.id, clip.sha256] for clip in clips]),
        partial=len(clips) < len(chosen),
        metrics={metric.name: f"v{metric.version}" for metric in loaded},
    )
    check_folder(out, sources, protocol)
    try:
        computed = compute(sources, clips, manifest.root, resolution, loaded, out / "scores" / "journal.jsonl", workers)
        scored = ScoredClips(tuple(clip.id for clip in clips), {clip.id: clip.video for clip in clips}, computed)
        summary = write_scores(out, scored, loaded, protocol, left_out)
    except OSError as error:
        raise disk_error(error, out) from error
    return Scores(protocol, summary, left_out)


def check_folder(out: Path, sources: Sequence[Source], protocol: Protocol) -> None:
    """Refuse a folder whose scores are of something else; other frames or metrics of the same rows may replace them.

    Nothing is lost then: what was computed stays in the journal.
    """
    stamp = out / "scores" / "protocol.json"
    if not stamp.exists():
        return
    before = Protocol.load(stamp)
    rows = sorted({(line.row, line.dataset) for line in read_summary(out)})
    if rows and rows != sorted({(source.row, protocol.dataset) for source in sources}):
        names = ", ".join(f"{row} on {dataset}" for row, dataset in rows)
        raise BenchError(f"{out} holds the scores of {names}: choose another folder with --out.")
    if (before.manifest, before.resolution) != (protocol.manifest, protocol.resolution):
        raise BenchError(f"{out} holds scores under the protocol {before.id}, now {protocol.id}: choose another --out.")


def compute(
    sources: Sequence[Source],
    clips: Sequence[Clip],
    root: Path,
    resolution: int,
    metrics: Sequence[Metric],
    journal_path: Path,
    workers: int | None = None,
) -> dict[tuple[str, int, str], Columns]:
    """Per-frame columns of every row, seed and clip, from the journal where they are known.

    Decoding runs ahead in threads; the arithmetic runs here, one clip at a time, so that no value can depend on what
    it was computed beside.
    """
    journal = Journal(journal_path)
    todo = [(clip, source) for clip in clips for source in sources]
    results: dict[tuple[str, int, str], Columns] = {}
    with task("scoring", len(todo)) as progress:
        waiting = []
        for clip, source in todo:
            content = digest([clip.sha256, source.predictions.sha256(clip.id), resolution])
            known: dict[str, Column] = {}
            missing = []
            for metric in metrics:
                columns = journal.get(f"{metric.name} v{metric.version} {content}")
                known.update(columns or {})
                if columns is None and isinstance(metric, ClipMetric):
                    missing.append(metric)
            results[source.row, source.seed, clip.id] = known
            if missing:
                waiting.append((clip, source, content, missing))
            else:
                progress.advance()
        for (clip, source, content, missing), (predicted, real) in zip(
            waiting, _decoded(waiting, root, resolution, workers), strict=True
        ):
            for metric in missing:
                columns = dict(metric.compute(predicted, real))
                journal.put(f"{metric.name} v{metric.version} {content}", columns)
                results[source.row, source.seed, clip.id].update(columns)
            progress.advance()
    journal.close()
    return results


def _decoded(
    jobs: Sequence[tuple[Clip, Source, str, list[ClipMetric]]],
    root: Path,
    resolution: int,
    workers: int | None,
) -> Iterator[tuple[Frames, Frames]]:
    """Decode pairs of clips in order, a few ahead of the arithmetic, so that memory does not grow with their number."""
    workers = workers or os.cpu_count() or 1

    def read(clip: Clip, source: Source) -> tuple[Frames, Frames]:
        predicted = source.predictions.read(clip.id)
        if len(predicted) != FRAMES:
            raise BenchError(f"{source.predictions.path(clip.id)} has {len(predicted)} frames where {FRAMES} are due.")
        return resize(predicted, resolution), clip.read(root, resolution)

    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[tuple[Frames, Frames]]] = deque()
        for clip, source, *_ in jobs:
            ahead.append(pool.submit(read, clip, source))
            if len(ahead) > 2 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
