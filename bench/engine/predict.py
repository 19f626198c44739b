"""Predict videos from first frames; neither other clips nor the number of threads change a byte of a video."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from bench.data.batches import to_tensor
from bench.data.clips import Clip
from bench.engine.devices import threads
from bench.interface import VideoModel
from bench.metrics.networks.parallel_map import one_core_each


@dataclass(frozen=True)
class Job:
    """Clips that are predicted together.

    Attributes:
        clips: clips whose first frames are continued.
        rows: rows to predict for them.
        sample: number of the sample, for a stochastic model.
    """

    clips: Sequence[Clip]
    rows: Sequence[str]
    sample: int = 0


@torch.inference_mode()
def predict_clips(model: VideoModel, job: Job, root: Path, device: str) -> list[dict[str, torch.Tensor]]:
    """For each clip, the videos by row, from its first frame only, float `[3, T, H, W]` in [-1, 1]."""
    clips, names = job.clips, [clip.id for clip in job.clips]
    first = [clip.read(root, model.resolution, frames=1) for clip in clips]
    frames = torch.cat([to_tensor(frame[None], device) for frame in first])  # [N, 3, 1, H, W]
    made = model.predict_rows(frames[:, :, 0], job.rows, job.sample, names)
    videos = {row: video.float().cpu() for row, video in made.items()}
    return [{row: video[number] for row, video in videos.items()} for number in range(len(clips))]


def predicted(
    model: VideoModel, jobs: Sequence[Job], root: Path, device: str
) -> Iterator[tuple[Job, list[dict[str, torch.Tensor]]]]:
    """Yield the videos of each job, in order; on a CPU, several jobs run in parallel, each on one core.

    The number of threads changes the last bits of a convolution, and so an occasional grey level. With one core per
    job, it changes no byte.
    """
    if torch.device(device).type != "cpu":
        for job in jobs:
            yield job, predict_clips(model, job, root, device)
        return
    copies = _ThreadModels(model)
    with threads(torch.get_num_threads() if copies.possible() else 1):
        for start in range(0, len(jobs), count := torch.get_num_threads()):
            few = jobs[start : start + count]
            found = one_core_each(lambda job: predict_clips(copies.model, job, root, device), few)
            yield from zip(few, found, strict=True)


class _ThreadModels(threading.local):
    """One model per thread: all share the same weights in memory, and each has its own state if it keeps any."""

    def __init__(self, model: VideoModel) -> None:
        shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
        try:
            self.model, self._copied = copy.deepcopy(model, shared), True
        except Exception:  # a third-party model may contain anything
            self.model, self._copied = model, False

    def possible(self) -> bool:
        """Whether there can be several models; a model that cannot be copied runs on one thread only."""
        return self._copied
