"""`bench compare --margin`: which methods are shown to differ by less than a margin stated beforehand."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.metrics.base import ClipMetric, Metric
from bench.pipeline.compare import common_protocol, joined_rows
from bench.registry import METRICS
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import ScoredClips, read_scores
from bench.scoring.set_metrics import REAL_HALVES
from bench.scoring.summary import of_seeds
from bench.statistics import printed_p, scope_in_words, seeds_and_videos_equivalence


def margins_of(texts: Sequence[str]) -> dict[str, float]:
    """Parse margins such as "ssim=0.02"; raises a `BenchError` for any other form."""
    margins = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            margins[name] = float(number)
        except ValueError:
            raise BenchError(f"--margin is {text!r}: expected a metric and a number, as in ssim=0.02.") from None
    return margins


def equivalent_rows(folders: Sequence[Path], margins: Mapping[str, float]) -> list[dict[str, Any]]:
    """Test every pair of rows for equivalence by two one-sided tests over source videos and training runs.

    Args:
        folders: folders of one protocol that `bench run` or `bench score` has filled.
        margins: metric → the largest difference that does not matter, in the metric's unit.

    Returns:
        One line per metric and pair, as metric, first, second, difference, ci_low, ci_high (90 %, which decides),
        margin, p, equivalent, clips, videos, scope, turned_by (videos that each change the verdict if left out). p is
        not corrected for the number of pairs.

    Raises:
        BenchError: a folder has no scores, protocols differ, a metric is missing or compares whole sets, or a margin is
            not above 0.
    """
    protocol = common_protocol(folders)
    of_clips = [_of_clips(name, protocol) for name in margins]
    scored = [read_scores(folder) for folder in folders]
    joined = joined_rows(folders, [one.rows for one in scored])
    lines = []
    for metric in of_clips:
        rows = {
            names[row]: of_seeds(one, metric, row, protocol)
            for names, one in zip(joined, scored, strict=True)
            for row in one.rows
            if row != REAL_HALVES
        }
        for first, second in itertools.combinations(rows, 2):
            pair = {"metric": metric.name, "first": first, "second": second}
            lines.append(pair | _tested(rows[first], rows[second], scored[0], margins[metric.name]))
    return lines


def _of_clips(name: str, protocol: Protocol) -> ClipMetric:
    metric: Metric = METRICS.load(name)()
    if not isinstance(metric, ClipMetric):
        raise BenchError(
            f"{name} is a distance between whole sets, which has no paired values per clip. To test its "
            "equivalence from features, use bench.statistics.leave_out."
        )
    if name not in protocol.metrics:
        raise BenchError(f"{name} was not scored here. Choose one of {', '.join(protocol.metrics)}.")
    return metric


def _tested(first: Any, second: Any, scored: ScoredClips, margin: float) -> dict[str, Any]:
    common = np.isfinite(first).all(axis=0) & np.isfinite(second).all(axis=0)
    videos = [scored.videos[clip] for clip, kept in zip(scored.ids, common, strict=True) if kept]
    if not videos:
        raise BenchError(
            "Two methods share no clip with a value of the metric, so their difference cannot be tested. Score "
            "both on the same clips."
        )
    result = seeds_and_videos_equivalence(first[:, common], second[:, common], videos, margin)
    return {
        "difference": result.difference,
        "ci_low": result.low,
        "ci_high": result.high,
        "margin": margin,
        "p": result.p_value,
        "equivalent": result.shown,
        "clips": len(videos),
        "videos": result.clusters,
        "scope": result.scope,
        "turned_by": _turned_by(first[:, common], second[:, common], np.array(videos), margin, result.shown),
    }


def _turned_by(first: Any, second: Any, videos: Any, margin: float, shown: bool) -> str:
    """The source videos, comma-separated, that each change the verdict if left out."""
    turned = []
    for video in np.unique(videos) if len(set(videos)) > 2 else ():
        kept = videos != video
        result = seeds_and_videos_equivalence(first[:, kept], second[:, kept], videos[kept].tolist(), margin)
        turned += [str(video)] if result.shown != shown else []
    return ", ".join(turned)


def printed(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The lines of `equivalent_rows`, formatted for reading."""
    return [
        {
            "metric": line["metric"],
            "rows": f"{line['first']} − {line['second']}",
            "difference": f"{line['difference']:+.4g}",
            "90 % interval": f"[{line['ci_low']:.4g}, {line['ci_high']:.4g}]",
            "margin": f"±{line['margin']:g}",
            "p": printed_p(line["p"]),
            "within the margin": ("shown" if line["equivalent"] else "not shown")
            + (f" (reversed without {line['turned_by']})" if line["turned_by"] else ""),
            "of": f"{line['clips']} clips, {line['videos']} videos, {scope_in_words(line['scope'])}",
        }
        for line in lines
    ]
