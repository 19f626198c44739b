"""The scoring plan, and the metrics that can be computed for it."""

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

#: Ways to choose the frames of a longer clip that are used.
SAMPLINGS = ("first", "random")


@dataclass(frozen=True)
class ScoringPlan:
    """How rows are scored.

    Attributes:
        resolution: both sides are resized to this size (antialiased bilinear).
        metrics: registered names.
        frames: "all", "future", or "context10-future" if the first 10 frames are given.
        count: score only this many clips: those with the smallest SHA-256 of their ID.
        allow_partial: score only the clips that all rows have; every table then says so.
        dataset: name of the dataset on the tables; by default the manifest's.
        workers: number of decoding threads; no result depends on it.
        offline: do not fetch missing weights.
        length: number of frames per clip.
        clip_length: use only this many frames of each clip; 0 for all.
        sampling: which frames are used: "first", or "random" by the hash of a clip's ID.
        width: width of the frames if they are not square and are scored as they are, else 0.
        samples: score only this many samples of each clip, the first ones; by default all that a method has.
        best: a clip's number is the expected best of this many of its samples; 1 for their mean.
        choices: all other settings that differ from their defaults.
        horizon: numbers of first scored frames to include, for curves of metrics of whole sets.
        windows: length and step of windows of scored frames, for such curves.
        primary: the metric on which a claim rests, named before scoring; empty for none.
        features: features of third-party networks, as texts that `bench.pipeline.features` reads.
        sources: feature sources that `features` describes, by name, for metrics such as `NAME.frechet`.
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
        """Refuse unknown choices of frames and sampling, and a best of more samples than are scored."""
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
        """Number of frames used from each clip."""
        return self.clip_length or -(-self.length // self.choices.stride)

    @property
    def scored_frames(self) -> int:
        """Number of frames scored in each clip."""
        return self.looked_at - skipped_frames(self.frames)

    def protocol(self, manifest: Manifest, clips: Sequence[Clip], partial: bool, metrics: Sequence[Metric]) -> Protocol:
        """The protocol of this plan's numbers.

        Args:
            manifest: manifest of the data.
            clips: scored clips.
            partial: whether required clips were left out.
            metrics: computed metrics.
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
    """Hash of the IDs and contents of clips, as it appears in the protocol."""
    return digest([[clip.id, clip.sha256] for clip in clips])


def make_metric(name: str, plan: ScoringPlan) -> Metric:
    """Create a metric by name.

    A metric on user-supplied features gets their source. If the plan has no such source, a `BenchError` is raised.
    """
    kind = METRICS.load(name)
    if not (features := METRICS.prefix(name)):
        metric: Metric = kind()
        return metric
    if features not in plan.sources:
        raise BenchError(f"The metric {name} needs features: give bench score --features {features}=MINE.npz:REAL.npz.")
    of_features: Metric = kind(plan.sources[features])
    return of_features


def load_metrics(plan: ScoringPlan, clips: int) -> tuple[list[Metric], list[Unavailable]]:
    """Instantiate a plan's metrics; those that cannot be computed on this many clips are returned with the reason.

    Missing weights are fetched first, unless the plan or the environment variable `BENCH_OFFLINE` forbids it. Without a
    network, the attempt takes seconds, and the metric is left out.

    Raises:
        BenchError: none of the metrics can be computed.
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
