from __future__ import annotations

import torch

from baselines.copy_first import CopyFirst


def test_every_frame_is_the_first():
    first = torch.rand(2, 3, 6, 6) * 2 - 1
    video = CopyFirst(6, 5).eval().predict(first)
    assert video.shape == (2, 3, 5, 6, 6)
    for t in range(5):
        assert torch.equal(video[:, :, t], first)


def test_the_video_is_a_copy_of_its_own():
    first = torch.zeros(1, 3, 4, 4)
    video = CopyFirst(4, 3).eval().predict(first, "copy")
    video[:, :, 0] = 1
    assert not first.any()
    assert not video[:, :, 1].any()


def test_there_is_nothing_to_train():
    model = CopyFirst(4, 3)
    assert list(model.parameters()) == []
    assert list(model.stages()) == []
