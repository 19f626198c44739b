"""How rows are scored, and which metrics can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.config import is_offline
from bench.data.clips import FRAMES, Clip, Manifest
from bench.errors import BenchError
from bench.files import digest
from bench.metrics.base import Metric, Unavailable
from bench.progress import console
from bench.registry import METRICS
from bench.scoring.protocol import DEFINITION, Protocol, span
from bench.scoring.protocol_choices import Choices, skipped_frames

#: Which frames of a longer clip are looked at.
SAMPLINGS = ("first", "random")


@dataclass(frozen=True)
class ScoringPlan:
    """How rows are scored.

    Attributes:
        resolution: both sides are brought to this size (antialiased bilinear).
        metrics: registered names.
        frames: "all", "future", or "context10-future" where the first 10 frames are given.
        count: score the clips with the smallest SHA-256 of their id only.
        allow_partial: score what there is; stamped on the tables.
        dataset: its name on the tables, by default the manifest's.
        workers: threads that decode; no number depends on it.
        offline: do not fetch missing weights.
        length: frames of a clip.
        clip_length: look at so many frames of each clip only; 0 for all.
        sampling: which those are: "first", or "random" by the hash of a clip's id.
        width: of the frames where they are not square and scored as they are, else 0.
        samples: score the first ones of each clip only; by default all that a method has.
        best: a clip's number is the expected best of this many of its samples; 1 for their mean.
        choices: what else is done otherwise than by default.
        horizon: numbers of first scored frames, for curves of metrics of whole sets.
        windows: length and step of windows of scored frames, for such curves.
        primary: the metric on which a claim rests, named before scoring; empty for none.
        features: of third-party networks, as texts that `bench.pipeline.features` reads,
        sources: and what they name, which metrics called `NAME.frechet` and the like compare.
    """

    resolution: int
    metrics: Sequence[str]
    frames: str = "all"
    count: int | None = None
    allow_partial: bool = False
    dataset: str = ""
    workers: int | None = None
    offline: bool = False
    length: int = FRAMES
    clip_length: int = 0
    sampling: str = "first"
    width: int = 0
    samples: int | None = None
    best: int = 1
    choices: Choices = field(default_factory=Choices)
    horizon: tuple[int, ...] = ()
    windows: tuple[int, int] | None = None
    primary: str = ""
    features: Sequence[str] = ()
    sources: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse frames and windows that nobody knows, and a best of more samples than are scored."""
        if self.best < 1 or (self.samples is not None and self.samples < self.best):
            raise BenchError(
                f"The best of {self.best} needs {self.best} samples per clip, not {self.samples}. Raise "
                "--samples, or lower --best."
            )
        skipped_frames(self.frames)
        if self.sampling not in SAMPLINGS:
            raise BenchError(f"sampling is '{self.sampling}': expected one of {', '.join(SAMPLINGS)}.")

    @property
    def looked_at(self) -> int:
        """How many frames of a clip are looked at."""
        return self.clip_length or -(-self.length // self.choices.stride)

    @property
    def scored_frames(self) -> int:
        """How many frames of a clip are scored."""
        return self.looked_at - skipped_frames(self.frames)

    def protocol(self, manifest: Manifest, clips: Sequence[Clip], partial: bool, metrics: Sequence[Metric]) -> Protocol:
        """What the numbers of this plan mean.

        Args:
            manifest: of the data.
            clips: that are scored.
            partial: whether clips were left out that were due.
            metrics: that are computed.
        """
        needed = span(self.looked_at, self.choices.stride)
        if needed > self.length and not self.choices.unpaired:
            apart = f" at stride {self.choices.stride}, which spread over {needed}," if self.choices.stride > 1 else ""
            raise BenchError(f"The clips have {self.length} frames: {self.looked_at} of them{apart} cannot be scored.")
        if self.scored_frames < 1:
            raise BenchError(
                f"{self.looked_at} frames of a clip are read, of which {skipped_frames(self.frames)} are given, "
                "so no frame remains to be scored. Give a smaller --context."
            )
        cut = needed < self.length and not self.choices.unpaired
        return Protocol(
            dataset=self.dataset or manifest.dataset,
            resolution=self.resolution,
            frames=self.frames,
            clips=len(clips),
            manifest=clips_hash(clips),
            partial=partial,
            metrics={metric.name: f"v{metric.version} {metric.weights_id()}".strip() for metric in metrics},
            length=self.looked_at,
            width=self.width,
            whole=self.length if cut else 0,
            sampling=self.sampling if cut or self.choices.unpaired else "first",  # a whole clip is one window
            definition=DEFINITION,
            choices=self.choices,
        )


def clips_hash(clips: Sequence[Clip]) -> str:
    """Hash of the ids and contents of clips, as it is in the protocol."""
    return digest([[clip.id, clip.sha256] for clip in clips])


def make_metric(name: str, plan: ScoringPlan) -> Metric:
    """A metric by its name; one of a user's features with their source, a `BenchError` where the plan has none."""
    kind = METRICS.load(name)
    if not (features := METRICS.prefix(name)):
        metric: Metric = kind()
        return metric
    if features not in plan.sources:
        raise BenchError(f"The metric {name} needs features: give bench score --features {features}=MINE.npz:REAL.npz.")
    of_features: Metric = kind(plan.sources[features])
    return of_features


def load_metrics(plan: ScoringPlan, clips: int) -> tuple[list[Metric], list[Unavailable]]:
    """Instantiate a plan's metrics; those that have no number for so many clips come back with the reason instead.

    Missing weights are fetched first, unless the plan or the environment's `BENCH_OFFLINE` says offline; where there is
    no network that takes seconds, and the metric is left out.

    Raises:
        BenchError: none of them can be computed.
    """
    offline = plan.offline or is_offline()
    metrics: list[Metric] = []
    left_out: list[Unavailable] = []
    for name in plan.metrics:
        metric = make_metric(name, plan)
        unfit = metric.unfit(clips, plan.scored_frames, min(plan.resolution, plan.width or plan.resolution))
        reason = unfit or metric.unavailable()
        if reason and not unfit and not offline:
            try:
                reason = metric.obtain()
            except BenchError as error:
                console().print(f"{name}: {error}", style="yellow", markup=False, soft_wrap=True)
        if reason:
            left_out.append(reason)
        else:
            metrics.append(metric)
    if not metrics:
        raise BenchError(f"None of the metrics can be computed here: {'; '.join(map(str, left_out))}.")
    return metrics, left_out
