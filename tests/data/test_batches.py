from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.data.batches import batches, clip_numbers, to_tensor
from bench.data.clips import build_manifest
from bench.data.packed_clips import pack


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(1, 8), st.integers(0, 5))
def test_every_epoch_sees_every_clip_once(clips: int, batch: int, seed: int) -> None:
    steps = range(-(-3 * clips // batch))
    seen = np.concatenate([clip_numbers(clips, batch, seed, step)[0] for step in steps])[: 3 * clips]
    for epoch in range(3):
        assert sorted(seen[epoch * clips : (epoch + 1) * clips]) == list(range(clips))


def test_a_step_depends_on_seed_and_step_alone() -> None:
    first = [clip_numbers(10, 4, 1, step)[0].tolist() for step in range(6)]
    assert [clip_numbers(10, 4, 1, step)[0].tolist() for step in reversed(range(6))] == first[::-1]
    assert [clip_numbers(10, 4, 2, step)[0].tolist() for step in range(6)] != first


def test_processes_share_a_batch_without_repeats(sky: Path, tmp_path: Path) -> None:
    manifest = build_manifest("sky", sky)
    packed = pack(manifest.clips, manifest.root, 16, tmp_path)
    whole = list(batches(packed, 4, 0, range(3)))
    parts = [list(batches(packed, 4, 0, range(3), rank=rank, ranks=2)) for rank in range(2)]
    for step in range(3):
        shared = np.stack([parts[0][step], parts[1][step]], axis=1).reshape(whole[step].shape)
        assert (shared == whole[step]).all()


def test_flips_mirror_from_left_to_right_and_never_in_time(sky: Path, tmp_path: Path) -> None:
    manifest = build_manifest("sky", sky)
    packed = pack(manifest.clips, manifest.root, 16, tmp_path)
    plain = np.concatenate(list(batches(packed, 6, 0, range(4))))
    flipped = np.concatenate(list(batches(packed, 6, 0, range(4), flip=True)))
    mirrored = [not (a == b).all() for a, b in zip(plain, flipped, strict=True)]
    assert 0 < sum(mirrored) < len(mirrored)
    for a, b, turned in zip(plain, flipped, mirrored, strict=True):
        assert ((a[:, :, ::-1] if turned else a) == b).all()


def test_tensors_are_in_range_with_channels_first() -> None:
    frames = np.zeros((2, 3, 4, 5, 3), np.uint8)
    frames[..., 1] = 255
    clips = to_tensor(frames, "cpu")
    assert clips.shape == (2, 3, 3, 4, 5)
    assert clips.dtype == torch.float32
    assert (clips[:, 0] == -1).all()
    assert (clips[:, 1] == 1).all()
