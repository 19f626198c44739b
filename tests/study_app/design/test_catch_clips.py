"""Clips of catch trials: nobody who attends may miss what is wrong, whatever the scene."""

from __future__ import annotations

import numpy as np
import pytest

from bench.errors import BenchError
from bench.scoring.row_notes import first_frame_psnr
from study_app.design import catch_clips
from study_app.design.schedule import ALTERED
from tests.study_app.runfolder import sky


def test_the_schedule_has_the_ways_that_there_are() -> None:
    assert set(ALTERED) == set(catch_clips.WAYS)


@pytest.mark.parametrize("way", ALTERED)
def test_an_altered_clip_begins_like_the_real_one_and_then_differs(way: str) -> None:
    still = np.repeat(sky(2, frames=1), 32, axis=0)
    flat = np.full((8, 6, 7, 3), 90, np.uint8)
    for clip in (sky(1), still, flat):  # motion; a scene where nothing moves; one without anything in it
        kept = clip.copy()
        changed = catch_clips.alter(way, clip, np.random.default_rng(0))
        assert (changed.shape, changed.dtype) == (clip.shape, np.uint8)
        np.testing.assert_array_equal(clip, kept)
        assert first_frame_psnr(changed, clip) == np.inf
        assert np.abs(changed[1:].astype(int) - clip[1:]).mean() >= catch_clips.VISIBLE
    again = catch_clips.alter(way, flat, np.random.default_rng(0))
    np.testing.assert_array_equal(changed, again)


def test_shuffled_frames_are_the_clip_s_own() -> None:
    clip = sky(1)
    changed = catch_clips.shuffled(clip, np.random.default_rng(0))
    assert sorted(frame.tobytes() for frame in changed) == sorted(frame.tobytes() for frame in clip)


def test_tiles_keep_their_places_in_all_frames() -> None:
    clip = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1).repeat(3, axis=0).repeat(3, axis=3)
    changed = catch_clips.tiles(clip, np.random.default_rng(0))
    assert sorted(changed[1].ravel()) == sorted(clip[1].ravel())
    np.testing.assert_array_equal(changed[1], changed[2])
    assert (changed[1, ..., 0] != clip[1, ..., 0]).sum() == catch_clips.MOVED


def test_blotches_grow() -> None:
    clip = np.full((32, 16, 16, 3), 128, np.uint8)
    spread = catch_clips.blotches(clip, np.random.default_rng(0)).astype(float).std(axis=(1, 2, 3))
    assert spread[0] == 0
    assert spread[-8:].mean() > 2 * spread[1:9].mean() > 10


def test_a_single_frame_cannot_be_altered() -> None:
    with pytest.raises(BenchError, match="at least two frames"):
        catch_clips.alter("tiles", sky(1, frames=1), np.random.default_rng(0))
