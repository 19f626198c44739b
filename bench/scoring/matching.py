"""Selection of what is scored: rows, clips and metrics that fit together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.data.clips import Clip, Manifest, sample
from bench.metrics.base import Metric, Unavailable
from bench.scoring.pairing import Row, check_best, pair, samples_of, with_given, with_samples, without_paired
from bench.scoring.protocol import Protocol
from bench.scoring.scoring_plan import ScoringPlan, load_metrics


@dataclass(frozen=True)
class Matched:
    """Rows, clips and metrics that fit together, before anything is decoded.

    Attributes:
        rows: one for each sample of each row.
        clips: clips to score.
        loaded: metrics that can be computed here.
        left_out: metrics that cannot be computed, and why.
        protocol: protocol of the scoring.
    """

    rows: list[Row]
    clips: list[Clip]
    loaded: list[Metric]
    left_out: list[Unavailable]
    protocol: Protocol


def match(rows: Sequence[Row], manifest: Manifest, plan: ScoringPlan) -> Matched:
    """Pair rows with the test clips and load the metrics; raise a `BenchError` if they do not fit together."""
    test = manifest.split("test")
    test_ids = {clip.id for clip in test}
    each = with_samples(rows, test_ids, plan.samples)
    samples = samples_of(each)
    check_best(samples, plan.best)
    clips, waived = pair(each, sample(test, plan.count), test_ids, plan.allow_partial)
    loaded, left_out = load_metrics(plan, len(clips))
    protocol = replace(plan.protocol(manifest, clips, waived, loaded), samples=max(samples.values()), best=plan.best)
    each = with_given(each, clips, manifest.root, protocol)
    loaded, unpaired = without_paired(each, clips, protocol, loaded)
    return Matched(each, clips, loaded, [*left_out, *unpaired], with_metrics(protocol, loaded))


def with_metrics(protocol: Protocol, metrics: Sequence[Metric]) -> Protocol:
    """The protocol, restricted to these metrics."""
    return replace(protocol, metrics={metric.name: protocol.metrics[metric.name] for metric in metrics})
