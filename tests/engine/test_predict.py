from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.data.clips import Clip, build_manifest
from bench.engine.devices import threads
from bench.engine.generate import for_generation
from bench.engine.model_factory import build
from bench.engine.predict import Job, predict_clips, predicted
from bench.interface import VideoModel


@pytest.fixture(scope="module")
def clips(sky: Path) -> Sequence[Clip]:
    return build_manifest("sky", sky).clips


def videos(model: VideoModel, clips: Sequence[Clip], root: Path) -> list[Tensor]:
    jobs = [Job([clip], model.rows) for clip in clips]
    found = list(predicted(model, jobs, root, "cpu"))
    assert [job for job, _ in found] == jobs
    return [video for _, of_group in found for of_clip in of_group for video in of_clip.values()]


def test_the_number_of_threads_changes_no_bit(sky: Path, clips: Sequence[Clip]) -> None:
    model = for_generation(build("mdgan", {"width": 8, "time_padding": "replicate"}, 64).eval())
    right = [
        video for clip in clips for video in predict_clips(model, Job([clip], model.rows), sky, "cpu")[0].values()
    ]  # the tests' own one thread
    for count in (1, 2, 3):
        with threads(count):
            found = videos(model, clips, sky)
            assert torch.get_num_threads() == count
        assert len(found) == len(right) == 2 * len(clips)
        assert all(torch.equal(one, other) for one, other in zip(found, right, strict=True))


class Remembering(VideoModel):
    """A third party's model that keeps its state on itself while it works."""

    rows = ("remembering",)

    def __init__(self, locked: bool = False) -> None:
        super().__init__(8, 4)
        self.weight = torch.nn.Parameter(torch.ones(3, 1, 1))
        self.used: set[int] = set()
        if locked:
            self.lock = threading.Lock()  # which cannot be copied

    def _continue(self, first_frames: Tensor, rows: Sequence[str]) -> Mapping[str, Tensor]:
        self.state = first_frames * self.weight
        self.used.add(threading.get_ident())
        time.sleep(0.02)  # while another thread gets as far
        return dict.fromkeys(rows, self.state.unsqueeze(2).expand(-1, -1, 4, -1, -1))


@pytest.mark.parametrize("locked", [False, True])
def test_a_model_that_keeps_state_or_cannot_be_copied_is_right(locked: bool, sky: Path, clips: Sequence[Clip]) -> None:
    model = Remembering(locked).eval()
    right = [predict_clips(model, Job([clip], model.rows), sky, "cpu")[0]["remembering"] for clip in clips]
    model.used.clear()
    with threads(3):
        found = videos(model, clips, sky)
    assert all(torch.equal(one, other) for one, other in zip(found, right, strict=True))
    assert len(model.used) == (1 if locked else 0)  # a copy in each thread, or the model itself in one


def test_copies_share_their_weights(sky: Path, clips: Sequence[Clip]) -> None:
    model = Remembering().eval()
    with threads(2):
        before = videos(model, clips[:2], sky)
        model.weight.data.mul_(0.5)
        after = videos(model, clips[:2], sky)
    assert all(torch.equal(one * 0.5, other) for one, other in zip(before, after, strict=True))
