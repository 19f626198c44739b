from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bench.metrics.base import SetMetric, UnfitError
from bench.metrics.frechet import frechet_distance
from bench.scoring.protocol import Protocol
from bench.scoring.set_metrics import REAL_HALVES, ScoredFrames, set_lines

IDS = [f"v{n // 2}__{n:03d}" for n in range(12)]
VIDEOS = [id.split("__")[0] for id in IDS]
CLIPS = dict(zip(IDS, VIDEOS, strict=True))
PROTOCOL = Protocol("sky", 8, "all", 12, "0123456789abcdef", False, {"colour": "v1 w.pt sha256:0011223344"}, length=4)


class Colour(SetMetric):
    """Fréchet distance of the frames' mean colours: a set metric whose numbers can be checked by hand."""

    name = "colour"
    direction = "lower"
    range = "≥ 0"
    definition = "Fréchet distance of mean colours"
    dimension = 3
    per_frame = True
    seen: int = 0

    def features(self, clips: Sequence[Any]) -> list[Any]:
        self.seen = max(self.seen, len(clips[0]))
        return [clips[n].mean(axis=(1, 2)).astype(np.float32) for n in range(len(clips))]

    def distance(self, predicted: Sequence[Any], real: Sequence[Any]) -> float:
        return frechet_distance(predicted, real)


def video(id: str, seed: int = 0, offset: int = 0) -> np.ndarray:
    rng = np.random.default_rng([seed, int(id[-3:])])
    return np.clip(rng.integers(60, 120, (4, 1, 1, 3)) + offset + np.zeros((4, 8, 8, 3), int), 0, 255).astype(np.uint8)


def lines(rows: dict[str, list[int]], protocol: Protocol = PROTOCOL) -> dict[str, Any]:
    sources = [
        (row, seed, lambda id, seed=seed, offset=offset: video(id, seed, offset))
        for row, offsets in rows.items()
        for seed, offset in enumerate(offsets, start=1)
    ]
    found = set_lines(Colour(), sources, video, CLIPS, protocol)  # type: ignore[arg-type]
    return {line.row: line for line in found}


def test_a_line_is_the_distance_of_the_whole_sets_with_an_interval_about_it() -> None:
    found = lines({"near": [0], "far": [60]})
    predicted = [video(id, 1, 60).mean(axis=(1, 2)) for id in IDS]
    real = [video(id).mean(axis=(1, 2)) for id in IDS]
    assert found["far"].value == pytest.approx(frechet_distance(predicted, real), rel=1e-5)
    assert found["near"].value < found["far"].value
    for row in ("near", "far"):
        assert found[row].ci_low < found[row].value < found[row].ci_high
        assert found[row].ci_low >= 0
        assert found[row].clips == 12
    assert found["far"].protocol == PROTOCOL.id + "/colour:00112233"


def test_real_halves_divide_the_real_clips_by_source_video() -> None:
    halves = lines({"near": [0]})[REAL_HALVES]
    assert halves.value > 0
    assert halves.clips == 6  # on each side, in every division
    assert halves.ci_low < halves.value < halves.ci_high


def test_methods_are_measured_at_the_clips_of_real_against_real_too() -> None:
    found = lines({"near": [0], "far": [60]})
    assert math.isnan(found[REAL_HALVES].at_split)
    assert found["near"].at_split < found["far"].at_split
    # against the real clips of other videos: the real clips themselves come out as real vs. real
    same = set_lines(Colour(), [("real", 0, video)], video, CLIPS, PROTOCOL)  # type: ignore[arg-type]
    assert same[0].value == pytest.approx(0, abs=1e-6)
    assert same[0].at_split == pytest.approx(same[1].value)


def test_a_biased_metric_ranks_no_rows_with_few_clips_and_an_unbiased_one_does() -> None:
    class Unbiased(Colour):
        unbiased = True

    sources = [(row, 0, lambda id, offset=offset: video(id, 1, offset)) for row, offset in (("far", 60), ("near", 0))]
    few = set_lines(Colour(), sources, video, CLIPS, PROTOCOL)  # type: ignore[arg-type]
    assert {line.rank for line in few} == {0}
    assert not Colour.ranks(29)
    assert Colour.ranks(30)
    ranked = {line.row: line for line in set_lines(Unbiased(), sources, video, CLIPS, PROTOCOL)}  # type: ignore[arg-type]
    assert (ranked["near"].rank, ranked["far"].rank, ranked[REAL_HALVES].rank) == (1, 2, 0)
    assert ranked["far"].p_best < 0.05
    assert math.isnan(ranked["near"].p_best)


def test_seeds_are_averaged() -> None:
    both, one, other = lines({"row": [0, 60]}), lines({"row": [0]}), None
    sources = [("row", 2, lambda id: video(id, 2, 60))]
    other = set_lines(Colour(), sources, video, CLIPS, PROTOCOL)[0]
    assert both["row"].seeds == 2
    assert both["row"].value == pytest.approx((one["row"].value + other.value) / 2)
    assert both["row"].seed_sd > 0


def test_the_same_numbers_come_again() -> None:
    assert repr(lines({"row": [5]})) == repr(lines({"row": [5]}))


def test_frames_are_those_that_count_and_few_are_kept() -> None:
    reads: list[str] = []

    def read(id: str) -> np.ndarray:
        reads.append(id)
        return video(id)

    clips = ScoredFrames(IDS, read, slice(1, None))
    assert len(clips) == 12
    assert clips[3].shape == (3, 8, 8, 3)
    assert (clips[3] == video(IDS[3])[1:]).all()
    assert reads == [IDS[3]]


def test_one_video_has_no_interval_and_no_real_halves() -> None:
    sources = [("row", 0, lambda id: video(id, 1))]
    found = set_lines(Colour(), sources, video, dict(zip(IDS[:2], VIDEOS[:2], strict=True)), PROTOCOL)
    assert [line.row for line in found] == ["row"]
    assert math.isnan(found[0].ci_low)


def test_two_clips_have_a_distance_and_no_interval() -> None:
    class OfClips(Colour):
        per_frame = False

        def features(self, clips: Sequence[Any]) -> list[Any]:
            return [one.mean(axis=0, keepdims=True) for one in super().features(clips)]

    clips = {"a__000": "a", "b__001": "b"}
    near, *_ = set_lines(OfClips(), [("near", 0, lambda id: video(id, 1))], video, clips, PROTOCOL)
    assert near.value > 0
    assert math.isnan(near.ci_low)
    with pytest.raises(UnfitError):
        set_lines(OfClips(), [("near", 0, video)], video, {"a__000": "a"}, PROTOCOL)
