from __future__ import annotations

import pytest
import torch

from baselines.copy_first import CopyFirst
from bench.errors import BenchError
from bench.interface import StochasticModel, check_frames, check_positive, check_request, check_resolution
from tests.support.small import Noisy


@pytest.mark.parametrize("value", [0, -3, 1.5, True, "4"])
def test_only_whole_positive_numbers_pass(value: object):
    check_positive("M", width=1)
    with pytest.raises(BenchError, match=r"M needs .* as width, not"):
        check_positive("M", width=value)  # type: ignore[arg-type]


def test_resolution_and_frames_are_named():
    check_resolution("M", 64, (64, 128))
    check_frames("M", 32, 32)
    with pytest.raises(BenchError, match="M supports 64 or 128 pixels, not 96"):
        check_resolution("M", 96, (64, 128))
    with pytest.raises(BenchError, match="M generates videos of 32 frames, not 16"):
        check_frames("M", 16, 32)


def test_request_defaults_to_the_last_row_and_refuses_what_cannot_be_predicted():
    model = CopyFirst(8, 2).eval()
    frames = torch.zeros(2, 3, 8, 8)
    assert check_request(model, frames, None) == "copy"
    with pytest.raises(BenchError, match=r"no result row 'copi'.* Did you mean 'copy'"):
        check_request(model, frames, "copi")
    for wrong in (torch.zeros(3, 8, 8), torch.zeros(2, 1, 8, 8), torch.zeros(2, 3, 8, 9)):
        with pytest.raises(BenchError, match=r"\[N, 3, 8, 8\]"):
            check_request(model, wrong, None)
    with pytest.raises(BenchError, match=r"training mode.*eval"):
        check_request(model.train(), frames, None)


def test_a_sample_depends_on_its_clip_and_number_alone():
    model = Noisy(8, 4).eval()
    frames = torch.rand(3, 3, 8, 8) * 2 - 1
    first, second = (model.predict(frames, sample=k, clips="abc") for k in range(2))
    assert not torch.equal(first, second)
    torch.manual_seed(1)
    assert torch.equal(model.predict(frames.flip(0), sample=0, clips="cba"), first.flip(0))
    assert torch.equal(model.predict_rows(frames[1:2], model.rows, 1, ["b"])["noisy"], second[1:2])
    assert not torch.equal(model.predict(frames, clips="xyz"), first)


def test_clips_without_names_are_told_apart_by_their_first_frames():
    model = Noisy(8, 4).eval()
    frames = torch.rand(2, 3, 8, 8) * 2 - 1
    found = model.predict(frames)
    assert torch.equal(model.predict(frames[1:]), found[1:])
    assert torch.equal(model._continue(frames, model.rows)["noisy"], found)
    drawn = (found - frames.unsqueeze(2))[:, 0, :, 0, 0]
    assert not torch.allclose(drawn[0], drawn[1], atol=1e-3)
    assert not torch.equal(model.predict(frames, sample=1), found)


def test_a_deterministic_model_has_one_video_whatever_the_sample():
    model, frames = CopyFirst(8, 2).eval(), torch.rand(2, 3, 8, 8)
    assert torch.equal(model.predict(frames, sample=7), model.predict(frames))
    assert not isinstance(model, StochasticModel)


def test_names_and_samples_that_do_not_fit_are_refused():
    model, frames = Noisy(8, 2).eval(), torch.zeros(2, 3, 8, 8)
    with pytest.raises(BenchError, match="1 clip names were given for 2 first frames"):
        model.predict(frames, clips=["a"])
    with pytest.raises(BenchError, match="with sample -1"):
        model.predict(frames, sample=-1)
