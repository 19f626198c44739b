from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.data.clip_arrays import ClipArray, Statement, axis_order, checked_range, stated
from bench.errors import BenchError
from tests.support.small import moving_clip


@pytest.fixture(scope="module")
def clips() -> np.ndarray:
    """uint8 [2, 5, 16, 16, 3]."""
    return np.stack([moving_clip(n, 5, 16) for n in range(2)])


ORDERS = {"NTHWC": (0, 1, 2, 3, 4), "NTCHW": (0, 1, 4, 2, 3), "NCTHW": (0, 4, 1, 2, 3), "TNHWC": (1, 0, 2, 3, 4)}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("said", [True, False])
def test_every_order_gives_the_same_frames(order: str, said: bool, clips: np.ndarray) -> None:
    array = clips.transpose(ORDERS[order])
    if not said and order not in ("NTHWC", "NTCHW"):
        if order == "NCTHW":
            with pytest.raises(BenchError, match=r"State it: NCTHW \(--axes NCTHW\)"):
                ClipArray(array, "mine")
        return
    videos = ClipArray(array, "mine", Statement(order if said else ""))
    np.testing.assert_array_equal(np.stack(list(videos)), clips)
    assert (len(videos), videos.frames, videos.size) == (2, 5, (16, 16))
    assert videos.notes() == []


def test_samples_of_each_clip_have_an_axis_of_their_own(clips: np.ndarray) -> None:
    samples = np.stack([clips, 255 - clips, clips // 2], 1)  # [N, S, T, H, W, C]
    with pytest.raises(BenchError, match=r"with samples of each clip, is not clear. State it: NSTCHW"):
        ClipArray(np.zeros((2, 3, 5, 3, 16, 3), np.uint8), "mine")
    assert ClipArray(samples, "mine").order == "NSTHWC"
    assert ClipArray(samples.transpose(0, 1, 2, 5, 3, 4), "mine").order == "NSTCHW"
    for order, array in (("NSTHWC", samples), ("STNCHW", samples.transpose(1, 2, 0, 5, 3, 4))):
        videos = ClipArray(array, "mine", Statement(order))
        assert (len(videos), videos.samples, videos.frames, videos.size) == (2, 3, 5, (16, 16))
        np.testing.assert_array_equal(np.stack(list(videos)), samples)
    grey = ClipArray(samples[..., 0], "mine", Statement("NSTHW"))
    np.testing.assert_array_equal(np.stack(list(grey))[..., 2], samples[..., 0])


def test_grey_clips_have_three_equal_channels(clips: np.ndarray) -> None:
    grey = clips[..., 1]
    for array, said in ((grey, ""), (grey[:, :, None], ""), (grey[..., None], ""), (grey.swapaxes(0, 1), "TNHW")):
        frames = np.stack(list(ClipArray(array, "mine", Statement(said))))
        np.testing.assert_array_equal(frames, np.repeat(grey[..., None], 3, -1))


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((2, 5, 3, 16, 3), r"State it: NTCHW \(--axes NTCHW\) or NTHWC \(--axes NTHWC\)"),
        ((2, 3, 16, 16, 3), r"NTHWC \(--axes NTHWC\) or NCTHW \(--axes NCTHW\)"),
        ((2, 5, 16, 16, 4), "no axis has 1 or 3 channels"),
        ((32, 64, 64, 3), r"axis 4 may be frames, columns or channels\. .*--axes NTHW.*a single video"),
        ((8, 1, 64, 64), r"axis 2 may be frames, columns or channels"),
        ((8, 64, 64), r"\[8, 64, 64\]: expected all clips as \[N, T, C, H, W\]"),
        ((0, 5, 16, 16, 3), "is empty"),
    ],
)
def test_axes_that_are_not_clear_are_refused_with_what_to_state(shape: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        ClipArray(np.zeros(shape, np.uint8), "mine")


def test_a_statement_ends_the_doubt_and_must_fit() -> None:
    array = np.arange(2 * 5 * 3 * 16 * 3, dtype=np.uint8).reshape(2, 5, 3, 16, 3)
    assert ClipArray(array, "mine", Statement("NTCHW")).size == (16, 3)
    assert ClipArray(array, "mine", Statement("NTHWC")).size == (3, 16)
    assert axis_order((2, 5, 16, 16), "NTCHW,TNHW", "mine") == "TNHW"
    with pytest.raises(BenchError, match=r"it has 4 axes, but none of the stated orders does \(NTCHW\)"):
        axis_order((2, 5, 16, 16), "NTCHW", "mine")
    with pytest.raises(BenchError, match="the order NTCHW gives it 16 channels"):
        ClipArray(np.zeros((2, 5, 16, 16, 3), np.uint8), "mine", Statement("NTCHW"))
    assert ClipArray(np.zeros((2, 1, 1, 16, 16), np.uint8), "mine").order == "NTCHW"  # both readings are equal


@settings(max_examples=50)
@given(st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-0.5, 0.5), (0.0, 1023.0)]), st.integers(0, 2**32 - 1))
def test_every_grey_level_comes_back_from_a_stated_range(value_range: tuple[float, float], seed: int) -> None:
    levels = np.random.default_rng(seed).permutation(256).astype(np.uint8).reshape(1, 1, 16, 16)
    low, high = value_range
    floats = (low + levels.astype(np.float64) / 255 * (high - low)).astype(np.float32)
    for array in (floats, floats.astype(np.float64)):
        videos = ClipArray(array, "mine", Statement("NTHW", value_range))
        np.testing.assert_array_equal(next(iter(videos))[..., 0], levels[0])
        assert videos.notes() == []


def test_floats_without_a_range_are_refused_with_the_values_that_they_have(clips: np.ndarray) -> None:
    with pytest.raises(BenchError, match=r"mine is float32 \[2, 5, 16, 16, 3\], with values from 0 to 1: .*--range"):
        ClipArray((clips / 255.0).astype(np.float32), "mine")
    with pytest.raises(BenchError, match=r"mine is int64 .*expected uint8, or the values of black and white"):
        ClipArray(clips.astype(int), "mine")
    np.testing.assert_array_equal(list(ClipArray(clips.astype(int), "mine", Statement("", (0, 255)))), clips)
    np.testing.assert_array_equal(list(ClipArray(clips, "mine", Statement("", (0, 1)))), clips)  # uint8 is clear


def test_values_outside_of_the_range_are_noted_and_far_ones_refused(clips: np.ndarray) -> None:
    floats = clips / 255.0
    floats[0, 0, 0, 0, 0], floats[1, 0, 0, 0, 0] = 1.25, -0.125
    videos = ClipArray(floats, "mine", Statement("", (0, 1)))
    frames = list(videos)
    assert frames[0][0, 0, 0, 0] == 255
    assert frames[1][0, 0, 0, 0] == 0
    (note,) = videos.notes()
    assert "% of the values are outside the stated range 0,1 (-0.125 to 1.25) and were clipped" in note
    with pytest.raises(BenchError, match=r"values from .* to .*, outside the stated range 0,1"):
        list(ClipArray(clips.astype(float), "mine", Statement("", (0, 1))))
    half = ClipArray(clips / 255.0, "mine", Statement("", (-1, 1)))
    assert len(list(half)) == 2
    assert "use only one half of the stated range -1,1" in half.notes()[0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(value: float, clips: np.ndarray) -> None:
    floats = clips / 255.0
    floats[1, 2, 3, 4, :2] = value
    with pytest.raises(BenchError, match=r"clip 1 \(counted from 0\) has 2 values that are NaN or infinite"):
        list(ClipArray(floats, "mine", Statement("", (0, 1))))


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (
            [np.zeros((5, 16, 16, 3), np.uint8)],
            "mine is a list: expected a NumPy array of videos; make one with numpy.stack",
        ),
        ("mine.npy", "mine is a str: expected a NumPy array of videos; read it with numpy.load"),
        (Path("mine.npy"), "expected a NumPy array of videos; read it with numpy.load"),
        (None, "mine is a NoneType: expected a NumPy array"),
        (
            torch.zeros(2, 5, 3, 16, 16),
            r"mine is a torch.Tensor: expected a NumPy array of videos; convert it with tensor.cpu",
        ),
        (
            np.ma.masked_equal(np.zeros((2, 5, 16, 16, 3), np.uint8), 0),
            "mine is a masked array, whose masked pixels have no",
        ),
        (np.zeros((2, 5, 16, 16, 3), complex), "mine is complex128"),
        (np.full((2, 5, 16, 16, 3), None), "mine is object"),
    ],
)
def test_what_is_no_array_gets_a_sentence(array: object, sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        ClipArray(array, "mine")


def test_statements_are_read_and_checked() -> None:
    assert stated("", "") == Statement()
    assert stated("nthw", " 0 , 255 ") == Statement("NTHW", (0, 255))
    assert stated(" nthw, NSTCHW ") == Statement("NTHW,NSTCHW")
    with pytest.raises(BenchError, match="two orders with the same number of axes"):
        stated("NTHW,TNHW")
    for axes in ("NTXHW", "NTCH", "TCHW", "NNTHW"):
        with pytest.raises(BenchError, match="are not an order of N"):
            stated(axes)
    for text in ("1", "1,0", "a,b", "0,1,2", "0,nan", "0,inf"):
        with pytest.raises(BenchError, match="two numbers, the values of black and white"):
            stated("", text)
    assert checked_range(-1, 1) == (-1.0, 1.0)
