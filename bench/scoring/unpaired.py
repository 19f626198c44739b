"""Unpaired sets: generated videos, with any names and in any number, against windows of real videos.

A draw is a choice of real windows and of generated videos. It is determined by their names and the draw's number, so
that neither the order of a folder nor the number of workers changes a single byte.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.data.clips import Clip
from bench.data.readers.video import Frames
from bench.data.windows import WholeVideo, drawn, windows
from bench.errors import BenchError
from bench.metrics.base import SetMetric, UnfitError
from bench.metrics.networks.parallel_map import one_core_each
from bench.progress import task
from bench.scoring.pairing import Row
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import SummaryLine
from bench.scoring.scoring_plan import ScoringPlan
from bench.scoring.set_metrics import Features, ScoredFrames, real_halves_line
from bench.statistics import THESE_TRAININGS, Interval, LeaveOneOutDistances, TwoSetDistances, leave_out, over_seeds

#: Number of groups of videos that are left out in turn, on each side.
GROUPS = 40
#: Suffix of the ID of a window that is mirrored from left to right.
MIRRORED = " mirrored"

#: Features by a clip's ID: of the real windows, and of each row's videos.
FeaturesOfSets = tuple[dict[str, Features], list[dict[str, Features]]]


@dataclass(frozen=True)
class UnpairedSets:
    """The sets that are compared.

    Attributes:
        rows: rows of the methods, one for each training run.
        windows: real windows of all draws by ID, including mirrored copies.
        draws: IDs of the real windows in each draw.
        generated: names of each row's videos in each draw.
        notes: notes to be read with the numbers.
    """

    rows: Sequence[Row]
    windows: Mapping[str, Clip]
    draws: Sequence[Sequence[str]]
    generated: Sequence[Sequence[Sequence[str]]]
    notes: list[str] = field(default_factory=list)


def frames_of_generated(rows: Sequence[Row]) -> int:
    """Number of frames in the generated videos.

    Raises:
        BenchError: the videos differ in length.
    """
    lengths: dict[int, Path] = {}
    for row in rows:
        for id in row.predictions.ids:
            lengths.setdefault(row.predictions.length(id), row.predictions.path(id))
    if len(lengths) > 1:
        listed = ", ".join(f"{path} has {length}" for length, path in sorted(lengths.items()))
        raise BenchError(
            f"The generated videos differ in length ({listed}). Give --clip-length, to which longer videos are cut."
        )
    return next(iter(lengths))


def draw_sets(rows: Sequence[Row], videos: Sequence[WholeVideo], plan: ScoringPlan, span: int) -> UnpairedSets:
    """Draw the sets to compare.

    Args:
        rows: rows of the methods.
        videos: real videos.
        plan: plan with the choices, the number of real clips and the sampling.
        span: number of consecutive frames in a window.

    Raises:
        BenchError: there are fewer generated videos than requested, all real videos are too short, or all draws would
            be the same.
    """
    choices, notes = plan.choices, []
    long = [video for video in videos if video.frames >= span]
    if not long:
        longest = max((video.frames for video in videos), default=0)
        raise BenchError(
            f"The real videos have at most {longest} frames, but a window needs {span}. Give a smaller "
            "--clip-length or --stride."
        )
    if len(long) < len(videos):
        notes.append(f"{len(videos) - len(long)} of {len(videos)} real videos have under {span} frames: skipped.")
    fewest = min(len(row.predictions.ids) for row in rows)
    if choices.generated > fewest:
        lacking = [f"{row.name} has {len(row.predictions.ids)}" for row in rows]
        raise BenchError(
            f"--generated asks for {choices.generated} videos of each method, but {', '.join(lacking)}. Generate "
            "more, or give a smaller number."
        )
    count = choices.generated or fewest
    notes += [
        f"{row.name}: {count} of {len(row.predictions.ids)} videos, drawn by name."
        for row in rows
        if len(row.predictions.ids) > count
    ]
    found: dict[str, Clip] = {}
    draws, generated = [], []
    for draw in range(choices.draws):
        clips = {
            clip.id: clip
            for clip in windows(long, span, choices.per_video, draw if plan.sampling == "random" else None)
        }
        ids = drawn(list(clips), plan.count or len(clips), draw)
        draws.append(ids)
        found |= {id: clips[id] for id in ids}
        generated.append([drawn(row.predictions.ids, count, draw) for row in rows])
    if choices.draws > 1 and all(draws[0] == ids for ids in draws) and all(generated[0] == ids for ids in generated):
        raise BenchError(
            f"All {choices.draws} draws would be the same. Give --sampling random, give fewer --clips or "
            "--generated than there are, or leave --draws out."
        )
    if plan.count and plan.count > len(draws[0]):
        notes.append(f"There are only {len(draws[0])} real clips; --clips asks for {plan.count}.")
    if choices.mirror:
        found |= {id + MIRRORED: clip for id, clip in found.items()}
        draws = [[*ids, *(id + MIRRORED for id in ids)] for ids in draws]
    return UnpairedSets(rows, found, draws, generated, notes)


@dataclass(frozen=True)
class SetReaders:
    """Read both sides at the protocol's size.

    Attributes:
        sets: the sets that are compared.
        root: folder of the real videos.
        protocol: protocol of the scoring.
        cut: rows whose longer videos were cut, with the numbers of frames found.
    """

    sets: UnpairedSets
    root: Path
    protocol: Protocol
    cut: dict[str, set[int]] = field(default_factory=dict)

    def real(self, id: str) -> Frames:
        """The frames of a real window that are used."""
        protocol = self.protocol
        frames = self.sets.windows[id].read(self.root, frames=protocol.span)[:: protocol.choices.stride]
        return protocol.fit(np.ascontiguousarray(frames[:, :, ::-1]) if id.endswith(MIRRORED) else frames)

    def generated(self, row: Row) -> Callable[[str], Frames]:
        """A reader of one method's videos: as they are, or every N-th of their first frames if they are longer."""
        protocol = self.protocol

        def read(id: str) -> Frames:
            frames = row.predictions.read(id)
            if len(frames) == protocol.length:
                return protocol.fit(frames)
            if len(frames) < protocol.span:
                path, stride = row.predictions.path(id), protocol.choices.stride
                spread = (
                    f", or {protocol.span} or more, of which one of {stride} is taken" if stride > 1 else " or more"
                )
                raise BenchError(f"{path} has {len(frames)} frames: expected {protocol.length}{spread}.")
            self.cut.setdefault(row.name, set()).add(len(frames))
            return protocol.fit(frames[: protocol.span : protocol.choices.stride])

        return read

    def notes(self) -> list[str]:
        """Notes on what was done to generated videos before the comparison."""
        taken = f"one of {self.protocol.choices.stride}" if self.protocol.choices.stride > 1 else "the first ones"
        return [
            f"{row}: of videos with {' or '.join(map(str, sorted(lengths)))} frames, {self.protocol.length} are "
            f"used, {taken}."
            for row, lengths in self.cut.items()
        ]


def features_of_sets(metric: SetMetric, readers: SetReaders) -> FeaturesOfSets:
    """Features of every window and every generated video that appears in any draw."""
    sets, scored = readers.sets, readers.protocol.scored
    with task(f"{metric.name}: features", 1 + len(sets.rows)) as progress:
        ids = sorted(sets.windows)
        real = dict(zip(ids, metric.features_of(None, ids, ScoredFrames(ids, readers.real, scored)), strict=True))
        progress.advance()
        generated = []
        for number, row in enumerate(sets.rows):
            ids = sorted({id for draw in sets.generated for id in draw[number]})
            read = readers.generated(row)
            found = metric.features_of((row.name, row.seed, 0), ids, ScoredFrames(ids, read, scored))
            generated.append(dict(zip(ids, found, strict=True)))
            progress.advance()
    return real, generated


def unpaired_lines(
    metric: SetMetric, sets: UnpairedSets, protocol: Protocol, features: FeaturesOfSets
) -> list[SummaryLine]:
    """One line of the summary for each method, and one for real vs. real.

    The value is the mean over draws and training runs. The interval is that of the first draw, shifted to the mean.

    Raises:
        UnfitError: the metric has no number for these sets.
    """
    real, generated = features
    names = list(dict.fromkeys(row.name for row in sets.rows))
    runs = {name: [number for number, row in enumerate(sets.rows) if row.name == name] for name in names}
    distances = np.array(
        [
            [
                _distance(metric, sets, (generated[number], sets.generated[draw][number]), (real, ids))
                for draw, ids in enumerate(sets.draws)
            ]
            for number in range(len(sets.rows))
        ]
    )  # [rows, draws]
    left = None
    if sum(map(len, real.values())) <= metric.largest:
        with contextlib.suppress(UnfitError):  # too few videos to leave one out
            left = left_out(metric, sets, features, list(runs.values()))
    means = [float(distances[numbers].mean()) for numbers in runs.values()]
    best = int(np.argmin(means)) if metric.ranks(protocol.smaller_side) and len(names) > 1 else -1
    places = np.argsort(np.argsort(means)) + 1 if best >= 0 else np.zeros(len(names), int)
    stamp, lines = protocol.id_of(metric.name), []
    for place, (name, numbers) in enumerate(runs.items()):
        interval = left.interval(place) if left else Interval(math.nan, math.nan, math.nan, 0)
        moved = means[place] - interval.mean
        low, high = interval.low + moved, interval.high + moved
        low = low if metric.unbiased or math.isnan(low) else max(low, 0.0)
        high = high if math.isnan(high) else min(high, metric.most)
        seeds, over_draws = over_seeds(distances[numbers].mean(axis=1)), over_seeds(distances[numbers].mean(axis=0))
        line = SummaryLine(
            *(protocol.dataset, name, metric.name, means[place], low, high),
            *(protocol.smaller_side, 0, len(numbers), seeds.std, stamp),
            draws=len(sets.draws),
            draw_sd=over_draws.std,
        )
        p_best = math.nan
        if left and best >= 0 and place != best and not math.isnan(low):
            p_best = left.difference(place, best, rows=len(names)).p_value
        scope = "" if math.isnan(low) else THESE_TRAININGS
        lines.append(replace(line, p_best=p_best, rank=int(places[place]), scope=scope))
    ids = sets.draws[0]
    videos = [sets.windows[id].video for id in ids]
    return [*lines, *real_halves_line(metric, [real[id] for id in ids], videos, protocol)]


def _distance(
    metric: SetMetric,
    sets: UnpairedSets,
    generated: tuple[Mapping[str, Features], Sequence[str]],
    real: tuple[Mapping[str, Features], Sequence[str]],
) -> float:
    """Distance from generated videos to windows of real ones.

    Both sides are given as features by ID and the IDs to use. Each generated video is its own source video.
    """
    sides = [[of[id] for id in ids] for of, ids in (generated, real)]
    own, videos = [f"generated {id}" for id in generated[1]], [sets.windows[id].video for id in real[1]]
    return metric.distance_of_videos(sides[0], sides[1], own, videos, paired=False)


def left_out(
    metric: SetMetric, sets: UnpairedSets, features: FeaturesOfSets, runs: Sequence[Sequence[int]]
) -> TwoSetDistances:
    """Distances in the first draw without groups of real videos, and without groups of each method's own videos."""
    real, ids = features[0], sets.draws[0]
    videos = [sets.windows[id].video for id in ids]

    def to_real(numbers: NDArray[np.intp]) -> list[float]:
        kept = real, [ids[n] for n in numbers]
        sides = [[(features[1][run], sets.generated[0][run]) for run in of_row] for of_row in runs]
        return [float(np.mean([_distance(metric, sets, side, kept) for side in of_row])) for of_row in sides]

    def of_run(run: int) -> LeaveOneOutDistances:
        own = sets.generated[0][run]

        def distances(numbers: NDArray[np.intp]) -> list[float]:
            return [_distance(metric, sets, (features[1][run], [own[n] for n in numbers]), (real, ids))]

        return leave_out(distances, own, GROUPS, without=_each(distances))

    return TwoSetDistances(
        leave_out(to_real, videos, GROUPS, without=_each(to_real)), [[of_run(run) for run in of_row] for of_row in runs]
    )


def _each(distances: Callable[[NDArray[np.intp]], list[float]]) -> Callable[[NDArray[np.intp]], NDArray[np.float64]]:
    """A function that computes the distances without each group in turn, several groups in parallel."""

    def without(groups: NDArray[np.intp]) -> NDArray[np.float64]:
        kept = [np.flatnonzero(groups != group) for group in range(int(groups.max()) + 1)]
        return np.array(one_core_each(distances, kept), np.float64)

    return without
