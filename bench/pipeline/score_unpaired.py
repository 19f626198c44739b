"""`bench score --unpaired`: sets of generated videos against sets of real ones, with any names and in any number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.data.clips import Manifest
from bench.data.dataset import Dataset
from bench.data.windows import WholeVideo, dataset_videos, folder_videos, with_hashes
from bench.errors import BenchError
from bench.files import locked
from bench.metrics.base import ClipMetric, Metric, SetMetric, Unavailable, UnfitError
from bench.runfolder import RunFolder
from bench.scoring.horizon import parts_of, write_horizon
from bench.scoring.pairing import Row
from bench.scoring.protocol import span
from bench.scoring.protocol_choices import REFERENCE_SPLITS
from bench.scoring.sample_lines import write_samples
from bench.scoring.score import Scores, check_folder
from bench.scoring.score_tables import ScoredClips, SummaryLine
from bench.scoring.scoring_plan import ScoringPlan, clips_hash, load_metrics
from bench.scoring.summary import write_scores
from bench.scoring.unpaired import (
    FeaturesOfSets,
    SetReaders,
    UnpairedSets,
    draw_sets,
    features_of_sets,
    frames_of_generated,
    unpaired_lines,
)


def score_unpaired(
    rows: Sequence[Row], real: Path | Dataset, out: Path, plan: ScoringPlan, said: Sequence[str] = ()
) -> Scores:
    """Score unpaired sets; writes the same files as `bench.scoring.score.score`, without values per clip.

    Args:
        rows: rows of the methods.
        real: a folder of real videos, or a dataset.
        out: folder for the results.
        plan: how to score, with `choices.unpaired`.
        said: notes on how the videos were read, to be read with the numbers.

    Raises:
        BenchError: a video is unreadable or too short, there are too few videos, or no metric compares whole sets.
    """
    if plan.best > 1 or plan.samples is not None:
        raise BenchError("--best and --samples need paired predictions: leave them out, or leave out --unpaired.")
    length = plan.clip_length or frames_of_generated(rows)
    plan = replace(plan, length=length, clip_length=length)
    parts_of(plan)  # raises before anything is computed
    root, videos = real_videos(real, plan, span(length, plan.choices.stride))
    sets = draw_sets(rows, videos, plan, span(length, plan.choices.stride))
    number = len(sets.generated[0][0])
    clips = with_hashes([sets.windows[id] for id in sorted(sets.windows)], root, span(length, plan.choices.stride))
    metrics, left_out = set_metrics(plan, min(number, len(sets.draws[0])))
    plan = replace(plan, choices=replace(plan.choices, generated=number))
    protocol = plan.protocol(Manifest(plan.dataset, root, ()), clips, False, metrics)
    real_clips = len(sets.draws[0]) // (2 if plan.choices.mirror else 1)
    protocol = replace(protocol, clips=real_clips, manifest=clips_hash(clips))
    readers = SetReaders(sets, root, protocol)
    out.mkdir(parents=True, exist_ok=True)
    with locked(RunFolder(out).scores_lock):
        check_folder(out, rows, protocol)
        lines, unfit = _lines(metrics, sets, readers)
        kept = [metric for metric in metrics if metric.name not in unfit]
        if not kept:
            raise BenchError(f"No metric can be computed: {'; '.join(map(str, unfit.values()))}.")
        protocol = replace(protocol, metrics={metric.name: protocol.metrics[metric.name] for metric in kept})
        left_out += unfit.values()
        notes = [*said, *sets.notes, *readers.notes()]
        notes += write_horizon(out, plan, protocol, lambda part: _lines(kept, sets, replace(readers, protocol=part)))
        write_samples(out, [])
        summary = write_scores(out, ScoredClips((), {}, {}), kept, protocol, left_out, notes, lines)
    return Scores(protocol, summary, left_out, notes)


def real_videos(real: Path | Dataset, plan: ScoringPlan, frames: int) -> tuple[Path, list[WholeVideo]]:
    """The folder of the real videos, and the videos; for a dataset, those of the chosen split."""
    split = plan.choices.reference_split
    if isinstance(real, Dataset):
        root = real.folder(plan.resolution)
        return root, dataset_videos(real.name, root, REFERENCE_SPLITS[split], frames)
    if split != "test":
        raise BenchError(
            f"--reference-split {split} chooses videos of a dataset, but --reference names a folder. Leave one "
            "of them out."
        )
    return real, folder_videos(real)


def set_metrics(plan: ScoringPlan, clips: int) -> tuple[list[Metric], list[Unavailable]]:
    """The plan's metrics of whole sets; those that compare pairs are left out with the reason.

    Raises:
        BenchError: there is no metric of whole sets among them, or none can be computed here.
    """
    from bench.registry import METRICS

    of_pairs = [name for name in plan.metrics if issubclass(METRICS.load(name), ClipMetric)]
    of_sets = [name for name in plan.metrics if name not in of_pairs]
    if not of_sets:
        known = [name for name in METRICS if issubclass(METRICS.load(name), SetMetric)]
        raise BenchError(
            f"{', '.join(of_pairs)} compare pairs, but --unpaired has none. Choose from {', '.join(known)}."
        )
    metrics, left_out = load_metrics(replace(plan, metrics=of_sets), clips)
    return metrics, [
        *(Unavailable(name, "it compares pairs, but these sets have none") for name in of_pairs),
        *left_out,
    ]


def _lines(
    metrics: Sequence[Metric], sets: UnpairedSets, readers: SetReaders
) -> tuple[list[SummaryLine], dict[str, Unavailable]]:
    """Summary lines, and why some metrics have none, by name."""
    lines: list[SummaryLine] = []
    unfit: dict[str, Unavailable] = {}
    features: dict[str, FeaturesOfSets] = {}
    for metric in metrics:
        if not isinstance(metric, SetMetric):
            continue
        try:
            key = metric.features_id()
            if key not in features:
                features[key] = features_of_sets(metric, readers)
            lines += unpaired_lines(metric, sets, readers.protocol, features[key])
        except UnfitError as error:
            unfit[metric.name] = Unavailable(metric.name, str(error).rstrip("."))
    return lines, unfit
