from __future__ import annotations

import pytest
import torch

from baselines.copy_first import CopyFirst
from bench.errors import BenchError
from bench.interface import check_frames, check_positive, check_request, check_resolution


@pytest.mark.parametrize("value", [0, -3, 1.5, True, "4"])
def test_only_whole_positive_numbers_pass(value: object):
    check_positive("M", width=1)
    with pytest.raises(BenchError, match=r"M needs .* as width, not"):
        check_positive("M", width=value)  # type: ignore[arg-type]


def test_resolution_and_frames_are_named():
    check_resolution("M", 64, (64, 128))
    check_frames("M", 32, 32)
    with pytest.raises(BenchError, match="M exists for 64 or 128 pixels, not 96"):
        check_resolution("M", 96, (64, 128))
    with pytest.raises(BenchError, match="M makes videos of 32 frames, not 16"):
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
