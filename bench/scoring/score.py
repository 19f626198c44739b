"""From predictions to tidy per-frame, per-clip and summary tables.

Scoring uses 8-bit frames only and pairs clips by ID. Every computed value is written to a journal at once, keyed by
the content it was computed from. An interrupted scoring therefore resumes where it stopped. A folder always has one
set of numbers, whichever commands request them and in whatever order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

from bench.data.clips import Clip, Manifest
from bench.data.readers.video import Frames
from bench.data.workers import processors
from bench.errors import BenchError
from bench.files import digest, disk_error, locked
from bench.metrics.base import ClipMetric, Column, Metric, SetMetric, Unavailable, UnfitError
from bench.progress import task
from bench.runfolder import RunFolder
from bench.scoring.horizon import parts_of, write_horizon
from bench.scoring.matching import match, with_metrics
from bench.scoring.pairing import (
    ADVICE,
    FEWER_FRAMES,
    Row,
    WrongLengthError,
    read_prediction,
    read_real,
    sample_notes,
    samples_of,
)
from bench.scoring.protocol import Protocol
from bench.scoring.row_notes import all_notes
from bench.scoring.sample_lines import (
    SampleLine,
    clip_sample_lines,
    set_sample_lines,
    write_samples,
)
from bench.scoring.score_journal import ScoreJournal, absorb
from bench.scoring.score_tables import (
    Columns,
    Primary,
    SampleKey,
    ScoredClips,
    SummaryLine,
    read_primary,
    read_summary,
    stack_samples,
)
from bench.scoring.scoring_plan import ScoringPlan, clips_hash
from bench.scoring.set_metrics import REAL_HALVES, KnownFeatures, set_lines
from bench.scoring.spread import Spreads, spreads
from bench.scoring.summary import write_scores


@dataclass(frozen=True)
class Scores:
    """Result of a scoring.

    Attributes:
        protocol: protocol of the numbers.
        summary: the lines of `summary.csv`.
        left_out: metrics that could not be computed, and why.
        notes: further notes to be read with the numbers.
    """

    protocol: Protocol
    summary: list[SummaryLine]
    left_out: list[Unavailable]
    notes: list[str]


def score(rows: Sequence[Row], manifest: Manifest, out: Path, plan: ScoringPlan, notes: Sequence[str] = ()) -> Scores:
    """Score rows against the real test clips; writes `scores/per_frame.csv`, `scores/per_clip.csv` and `summary.csv`.

    Args:
        rows: rows to score.
        manifest: manifest of the data; only its test split is used.
        out: folder for the results.
        plan: how to score.
        notes: notes on how the videos were read, to be read with the numbers.

    Raises:
        BenchError: clips are missing or surplus, a clip has an unexpected number of frames, a video is unreadable, or
            the disk is full.
    """
    parts_of(plan)  # raises before anything is computed
    matched = match(rows, manifest, plan)
    rows, clips, protocol = matched.rows, matched.clips, matched.protocol
    samples, loaded, left_out = samples_of(rows), matched.loaded, matched.left_out
    try:
        out.mkdir(parents=True, exist_ok=True)
        with locked(RunFolder(out).scores_lock):
            check_folder(out, rows, protocol)
            primary = named_primary(out, plan, [metric.name for metric in loaded], left_out)
            of_clips = [metric for metric in loaded if isinstance(metric, ClipMetric)]
            absorb(RunFolder(out).journal)
            computed, failures = compute(
                rows, clips, manifest.root, protocol, of_clips, RunFolder(out).journal, plan.workers
            )
            if failures:
                clips = without_failures(clips, failures, plan)
                protocol = replace(protocol, clips=len(clips), manifest=clips_hash(clips), partial=True)
            kept = {clip.id: clip.video for clip in clips}
            columns = stack_samples({key: values for key, values in computed.items() if key[-1] in kept})
            of_sets, set_samples, unfit = score_sets(rows, clips, manifest.root, protocol, loaded)
            if unfit:
                loaded = [metric for metric in loaded if metric.name not in unfit]
                left_out += unfit.values()
                protocol = with_metrics(protocol, loaded)
            said = [
                *sample_notes(samples, plan.best),
                *notes,
                *all_notes(rows, clips, manifest.root, protocol, computed),
            ]
            said += write_horizon(out, plan, protocol, partial(_score_part, rows, clips, manifest.root, loaded))
            scored = ScoredClips(tuple(kept), kept, columns)
            summary = write_scores(out, scored, loaded, protocol, left_out, said, of_sets, primary)
            of_samples: list[SampleLine] = []
            if protocol.samples > 1:
                found = spreads_of(rows, clips, protocol, of_clips, RunFolder(out).journal, plan.workers)
                of_samples = [*clip_sample_lines(scored, of_clips, protocol, found), *set_samples]
            write_samples(out, of_samples)
    except OSError as error:
        raise disk_error(error, out) from error
    return Scores(protocol, summary, left_out, said)


def named_primary(out: Path, plan: ScoringPlan, metrics: Sequence[str], left_out: Sequence[Unavailable]) -> Primary:
    """The primary metric of a plan, or else of the folder, and whether it was named before any scores existed.

    Raises:
        BenchError: the primary metric is not computed.
    """
    stored, known = read_primary(out), RunFolder(out).summary.exists()
    if not plan.primary:
        return stored
    if plan.primary not in metrics:
        why = next(
            (reason.reason for reason in left_out if reason.metric == plan.primary), "it is not among the metrics"
        )
        raise BenchError(f"The primary metric {plan.primary} is not computed: {why}. Name another one.")
    before = stored.before if stored.metric == plan.primary else not known
    return Primary(plan.primary, before)


def without_failures(clips: Sequence[Clip], failures: Mapping[str, BenchError], plan: ScoringPlan) -> list[Clip]:
    """The clips that could be read, if the plan allows partial scoring; otherwise raise all failures as one error."""
    if not plan.allow_partial:
        more = f" {FEWER_FRAMES}" if any(isinstance(one, WrongLengthError) for one in failures.values()) else ""
        raise BenchError(f"{' '.join(map(str, failures.values()))} {ADVICE}{more}")
    left = [clip for clip in clips if clip.id not in failures]
    if not left:
        raise BenchError(f"No clip can be scored: {' '.join(map(str, failures.values()))}")
    return left


def check_folder(out: Path, rows: Sequence[Row], protocol: Protocol) -> None:
    """Refuse a folder whose scores belong to something else.

    Scores of the same rows with other frames or metrics may be replaced. Nothing is lost then, because computed values
    stay in the journal.
    """
    for row in rows:
        if out.resolve().is_relative_to(row.predictions.folder.resolve()):
            raise BenchError(f"The results folder {out} is inside the predictions. Choose another folder with --out.")
    folder = RunFolder(out)
    if not folder.protocol.exists():
        if not folder.account.exists() and folder.strangers(folder.scores):
            raise BenchError(f"{out} is not empty and does not contain scores. Choose another folder with --out.")
        return
    before = Protocol.load(folder.protocol)
    stored = sorted({(line.row, line.dataset) for line in read_summary(out) if line.row != REAL_HALVES})
    if stored and stored != sorted({(row.name, protocol.dataset) for row in rows}):
        names = ", ".join(f"{row} on {dataset}" for row, dataset in stored)
        raise BenchError(f"{out} contains the scores of {names}. Choose another folder with --out.")
    if (before.manifest, before.resolution) != (protocol.manifest, protocol.resolution):
        raise BenchError(
            f"{out} contains scores with the protocol ID {before.id}, but this command has {protocol.id}. Choose "
            "another --out."
        )


def compute(
    rows: Sequence[Row],
    clips: Sequence[Clip],
    root: Path,
    protocol: Protocol,
    metrics: Sequence[ClipMetric],
    journal_path: Path,
    workers: int | None = None,
) -> tuple[dict[SampleKey, Columns], dict[str, BenchError]]:
    """Per-frame columns of every row, seed, sample and clip, from the journal if they are known.

    The second dict contains the errors of all clips that cannot be read, by ID.

    Threads decode ahead. The arithmetic takes one clip at a time, so that no value depends on what else is being
    computed.
    """
    journal = ScoreJournal(journal_path)
    todo = [(clip, row) for clip in clips for row in rows]
    results: dict[SampleKey, Columns] = {}
    failures: dict[str, BenchError] = {}
    with task("scoring", len(todo)) as progress:
        waiting = []
        for clip, row in todo:
            content = content_key(clip, row, protocol)
            measured: dict[str, Column] = {}
            missing = []
            for metric in metrics:
                columns = journal.get(f"{metric.name} {protocol.metrics[metric.name]} {content}")
                measured.update(columns or {})
                if columns is None:
                    missing.append(metric)
            results[row.name, row.seed, row.sample, clip.id] = measured
            if missing:
                waiting.append((clip, row, content, missing))
            else:
                progress.advance()
        decoded = _decoded(waiting, root, protocol, workers)
        for (clip, row, content, missing), pair_or_error in zip(waiting, decoded, strict=True):
            if isinstance(pair_or_error, BenchError):
                failures[clip.id] = pair_or_error
                continue
            predicted, real = pair_or_error
            for metric in missing:
                columns = dict(metric.compute(predicted, real))
                journal.put(f"{metric.name} {protocol.metrics[metric.name]} {content}", columns)
                results[row.name, row.seed, row.sample, clip.id].update(columns)
            progress.advance()
    journal.close()
    return results, failures


def content_key(clip: Clip, row: Row, protocol: Protocol) -> str:
    """The key of everything that a pair's values are computed from."""
    parts = [clip.sha256, row.predictions.sha256(clip.id), protocol.resolution, protocol.length]
    if protocol.definition > 1:
        parts.append(f"definition {protocol.definition}")
    if protocol.width:
        parts.append(f"width {protocol.width}")
    if protocol.whole:
        parts.append(f"frames {protocol.window(clip.id).start}")
    made = protocol.choices.to_dict()
    parts += [f"{name} {made[name]}" for name in ("crop", "stride") if name in made]  # these change a pair's frames
    return digest(parts)


def score_sets(
    rows: Sequence[Row], clips: Sequence[Clip], root: Path, protocol: Protocol, metrics: Sequence[Metric]
) -> tuple[list[SummaryLine], list[SampleLine], dict[str, Unavailable]]:
    """Summary and sample lines for metrics of whole sets, and why some have none for these clips, by name."""
    by_id = {clip.id: clip for clip in clips}
    readers = [(row.name, row.seed, partial(read_prediction, row, protocol=protocol, paired=False)) for row in rows]
    videos = [clip.video for clip in clips]

    def real(id: str) -> Frames:
        return read_real(by_id[id], root, protocol)

    lines: list[SummaryLine] = []
    of_samples: list[SampleLine] = []
    unfit: dict[str, Unavailable] = {}
    features: KnownFeatures = {}
    for metric in metrics:
        if isinstance(metric, SetMetric):
            try:
                lines += set_lines(metric, readers, real, dict(zip(by_id, videos, strict=True)), protocol, features)
                if protocol.samples > 1:
                    of_samples += set_sample_lines(metric, *features[metric.features_id()], samples_of(rows), videos)
            except UnfitError as error:
                unfit[metric.name] = Unavailable(metric.name, str(error).rstrip("."))
    return lines, of_samples, unfit


def _score_part(
    rows: Sequence[Row], clips: Sequence[Clip], root: Path, metrics: Sequence[Metric], protocol: Protocol
) -> tuple[list[SummaryLine], dict[str, Unavailable]]:
    """Summary lines for metrics of whole sets on part of the frames, and why some have none, by name."""
    lines, _, unfit = score_sets(rows, clips, root, protocol, metrics)
    return lines, unfit


def spreads_of(
    rows: Sequence[Row],
    clips: Sequence[Clip],
    protocol: Protocol,
    metrics: Sequence[ClipMetric],
    journal_path: Path,
    workers: int | None,
) -> Spreads:
    """How much the samples of each clip differ, from the journal if it is known."""
    by_id = {clip.id: clip for clip in clips}

    def content(id: str, row: Row) -> str:
        return content_key(by_id[id], row, protocol)

    return spreads(rows, list(by_id), protocol, metrics, content, journal_path, workers)


def _decoded(
    jobs: Sequence[tuple[Clip, Row, str, list[ClipMetric]]],
    root: Path,
    protocol: Protocol,
    workers: int | None,
) -> Iterator[tuple[Frames, Frames] | BenchError]:
    """Decode pairs of clips in order, a few ahead of the arithmetic, so that memory does not grow with their number.

    The jobs of one clip are adjacent and share its real side.
    """
    workers = workers or processors()

    def read(clip: Clip, row: Row, real: Future[Frames]) -> tuple[Frames, Frames] | BenchError:
        try:
            # The real side was submitted first: it is finished or running, so waiting for it cannot deadlock.
            return read_prediction(row, clip.id, protocol), real.result()
        except BenchError as error:
            return error

    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[tuple[Frames, Frames] | BenchError]] = deque()
        for clip, same in groupby(jobs, key=lambda job: job[0]):
            real = pool.submit(read_real, clip, root, protocol)
            for _, row, *_ in same:
                ahead.append(pool.submit(read, clip, row, real))
                if len(ahead) > 2 * workers:
                    yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
