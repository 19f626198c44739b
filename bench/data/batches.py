"""Training batches from a pack: the seed and the step alone determine which clips a step sees.

A resumed training run therefore sees the same clips as an uninterrupted one. Several processes share a batch without
repeats.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from bench.data.packed_clips import Pack


def clip_numbers(clips: int, batch: int, seed: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose the clips of a step's batch, and which of them to mirror if the run uses flips.

    Every epoch is a separate permutation. Batches continue across its end, so that no clip is ever left out.

    Args:
        clips: number of clips.
        batch: number of clips in a global batch.
        seed: seed of the training run.
        step: step number, counted from 0.

    Returns:
        Clip numbers and flip decisions, `[batch]` each.

    >>> first, second = (clip_numbers(clips=4, batch=2, seed=0, step=step)[0].tolist() for step in (0, 1))
    >>> sorted(first + second)  # two steps of two clips are an epoch
    [0, 1, 2, 3]
    """
    positions = np.arange(step * batch, (step + 1) * batch)
    numbers, flips = np.empty(batch, np.int64), np.empty(batch, bool)
    for epoch in np.unique(positions // clips):
        here = positions // clips == epoch
        rng = np.random.default_rng([seed, int(epoch)])
        numbers[here] = rng.permutation(clips)[positions[here] % clips]
        flips[here] = rng.integers(0, 2, clips, np.uint8)[positions[here] % clips]
    return numbers, flips


def to_tensor(frames: np.ndarray, device: torch.device | str) -> Tensor:
    """Move uint8 `[N, T, H, W, 3]` to a device and convert it to float32 `[N, 3, T, H, W]` in [-1, 1]."""
    return to_values(torch.from_numpy(np.array(frames)).to(device, non_blocking=True))


def to_values(frames: Tensor) -> Tensor:
    """Convert uint8 `[N, T, H, W, 3]` to float32 `[N, 3, T, H, W]` in [-1, 1], on the same device."""
    return frames.permute(0, 4, 1, 2, 3).float() / 127.5 - 1.0


def batches(
    pack: Pack,
    batch: int,
    seed: int,
    steps: range,
    *,
    flip: bool = False,
    rank: int = 0,
    ranks: int = 1,
) -> Iterator[np.ndarray]:
    """Yield this process's share of each step's batch, uint8 `[batch / ranks, T, H, W, 3]`, read one step ahead."""

    def read(step: int) -> np.ndarray:
        numbers, flips = clip_numbers(len(pack), batch, seed, step)
        frames = np.stack([pack.frames[number] for number in numbers[rank::ranks]])
        if flip:
            mirrored = flips[rank::ranks]
            frames[mirrored] = frames[mirrored, :, :, ::-1]
        return frames

    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(read, steps[0]) if steps else None
        for step in steps:
            assert ahead is not None
            now, ahead = ahead, reader.submit(read, step + 1) if step + 1 in steps else None
            yield now.result()
