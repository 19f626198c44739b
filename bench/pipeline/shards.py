"""Scoring in shards: each shard computes the values of one part of the clips, and a command without a shard finishes.

A shard writes to its own journal and to the feature cache. It takes no lock, so shards may run on several machines that
share a network drive. Each process of one `torchrun` fills one shard. The final scoring finds the values by content, so
its output is byte-identical to that of a single process.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from bench.data.clips import Clip, Manifest, sample
from bench.data.readers.video import Frames
from bench.errors import BenchError
from bench.files import disk_error
from bench.metrics.base import ClipMetric, RowKey, SetMetric
from bench.progress import task
from bench.runfolder import RunFolder
from bench.scoring.matching import match
from bench.scoring.pairing import Row, read_prediction, read_real
from bench.scoring.protocol import Protocol
from bench.scoring.score import check_folder, compute, spreads_of, without_failures
from bench.scoring.scoring_plan import ScoringPlan, load_metrics
from bench.scoring.set_metrics import ScoredFrames

Item = TypeVar("Item")


@dataclass(frozen=True)
class Shard:
    """One of several parts of the clips.

    Attributes:
        number: number of this part, from 1.
        count: number of parts.
    """

    number: int
    count: int

    @staticmethod
    def parse(text: str) -> Shard:
        """Parse `NUMBER/COUNT`.

        >>> Shard.parse("3/16")
        Shard(number=3, count=16)
        """
        parts = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        if not parts or not 1 <= int(parts[1]) <= int(parts[2]):
            raise BenchError(f"--shard is '{text}': expected NUMBER/COUNT from 1/COUNT to COUNT/COUNT, as in 3/16.")
        return Shard(int(parts[1]), int(parts[2]))

    def of(self, items: Sequence[Item]) -> list[Item]:
        """This part of the items; parts differ in size by one at most."""
        return list(items[self.number - 1 :: self.count])

    def journal(self, folder: RunFolder) -> Path:
        """Path of a journal that no other process writes, not even another attempt at the same shard."""
        return folder.scores / f"journal-{self.number}-of-{self.count}-{uuid.uuid4().hex[:8]}.jsonl"


def fill(rows: Sequence[Row], manifest: Manifest, out: Path, plan: ScoringPlan, shard: Shard) -> int:
    """Compute what `score`, called with the same arguments, needs for a shard's clips; returns the number of clips.

    Raises:
        BenchError: as for `score`; all clips of the shard that cannot be read are named.
    """
    matched = match(rows, manifest, plan)
    protocol, root, share = matched.protocol, manifest.root, shard.of(matched.clips)
    try:
        check_folder(out, matched.rows, protocol)
        of_clips = [metric for metric in matched.loaded if isinstance(metric, ClipMetric)]
        journal = shard.journal(RunFolder(out))
        _, failures = compute(matched.rows, share, root, protocol, of_clips, journal, plan.workers)
        readable = without_failures(share, failures, plan) if failures else share
        if protocol.samples > 1 and readable:
            spreads_of(matched.rows, readable, protocol, of_clips, journal, plan.workers)
        of_sets = [metric for metric in matched.loaded if isinstance(metric, SetMetric)]
        if readable:
            keep_features(of_sets, matched.rows, readable, root, protocol)
    except OSError as error:
        raise disk_error(error, out) from error
    return len(share)


def fill_together(
    rows: Sequence[Row],
    manifest: Manifest,
    out: Path,
    plan: ScoringPlan,
    *,
    rank: int,
    count: int,
    wait: Callable[[], None],
) -> None:
    """Compute what the clips need, one share on each of `count` processes; all of them call this function.

    Args:
        rows, manifest, out, plan: as for `score`, which the first process calls next.
        rank: rank of this process, from 0; the first one fetches missing weights.
        count: number of processes.
        wait: waits for all processes.
    """
    if rank == 0:
        load_metrics(plan, len(sample(manifest.split("test"), plan.count)))
    wait()
    fill(rows, manifest, out, replace(plan, offline=True), Shard(rank + 1, count))
    wait()


def keep_features(
    metrics: Sequence[SetMetric], rows: Sequence[Row], clips: Sequence[Clip], root: Path, protocol: Protocol
) -> None:
    """Compute the features of clips and cache them, once for metrics that share them."""
    by_id = {clip.id: clip for clip in clips}
    ids = list(by_id)
    sides: list[tuple[RowKey | None, Callable[[str], Frames]]] = [
        (None, lambda id: read_real(by_id[id], root, protocol))
    ]
    sides += [((row.name, row.seed, row.sample), partial(read_prediction, row, protocol=protocol)) for row in rows]
    known = set()
    with task("features", len(metrics) * len(sides)) as progress:
        for metric in metrics:
            done = metric.features_id() in known
            known.add(metric.features_id())
            for key, read in sides:
                if not done:
                    metric.features_of(key, ids, ScoredFrames(ids, read, protocol.scored))
                progress.advance()
