from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data.clips import Clip
from bench.data.predictions import Predictions
from bench.data.windows import WholeVideo, folder_videos
from bench.errors import BenchError
from bench.metrics.base import SetMetric
from bench.metrics.frechet import frechet_distance
from bench.metrics.fvd import FVD
from bench.metrics.kvd import KVD
from bench.metrics.mmd import unbiased_mmd
from bench.scoring import set_metrics, unpaired
from bench.scoring.pairing import Row
from bench.scoring.protocol import Protocol
from bench.scoring.protocol_choices import Choices
from bench.scoring.scoring_plan import ScoringPlan
from bench.scoring.set_metrics import REAL_HALVES
from bench.scoring.unpaired import SetReaders, UnpairedSets, draw_sets, frames_of_generated, unpaired_lines
from tests.coverage import sets as simulated
from tests.support.small import moving_clip

PROTOCOL = Protocol("set", 8, "all", 12, "0123456789abcdef", False, length=4, choices=Choices(unpaired=True))
RNG = np.random.default_rng(7)
#: Logits of 450 real and 500 generated videos, neither of which is as many as the other.
MIXED = RNG.standard_normal((400, 400)) / 20
REAL = (RNG.standard_normal((450, 400)) @ MIXED).astype(np.float32)
GENERATED = (RNG.standard_normal((500, 400)) @ MIXED * 1.1 + 0.05).astype(np.float32)


class Colour(SetMetric):
    """Fréchet distance of the frames' mean colours."""

    name = "colour"
    direction = "lower"
    range = "≥ 0"
    definition = "Fréchet distance of mean colours"
    dimension = 3
    per_frame = True

    def features(self, clips: Sequence[Any]) -> list[Any]:
        return [clips[n].mean(axis=(1, 2)).astype(np.float32) for n in range(len(clips))]

    def distance(self, predicted: Sequence[Any], real: Sequence[Any]) -> float:
        return frechet_distance(predicted, real)


def line_of(metric: SetMetric, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The line of 500 generated videos against 450 real ones, by their logits."""
    monkeypatch.setattr(unpaired, "GROUPS", 2)
    monkeypatch.setattr(set_metrics, "SPLITS", 2)
    real, generated = ({f"{n:03d}": row[None] for n, row in enumerate(side)} for side in (REAL, GENERATED))
    windows = {id: Clip(id, id, "test", id) for id in real}
    sets = UnpairedSets([Row("mine", None)], windows, [list(real)], [[list(generated)]])  # type: ignore[arg-type]
    protocol = replace(PROTOCOL, clips=450, choices=Choices(unpaired=True, generated=500))
    return unpaired_lines(metric, sets, protocol, (real, [generated]))[0]


@pytest.mark.heavy
def test_unequal_numbers_have_the_distance_that_pytorch_fid_has_of_the_same_logits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pytorch_fid.fid_score import calculate_frechet_distance

    moments = [(side.mean(axis=0), np.cov(side, rowvar=False)) for side in (np.float64(GENERATED), np.float64(REAL))]
    expected = calculate_frechet_distance(*moments[0], *moments[1])
    assert line_of(FVD(), monkeypatch).value == pytest.approx(expected, rel=1e-6)


@pytest.mark.heavy
def test_unequal_numbers_have_the_kernel_distance_of_every_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    def kernel(one: Any, other: Any) -> Any:
        return (np.float64(one) @ np.float64(other).T / 400 + 1) ** 3

    def within(side: Any) -> float:
        return float(kernel(side, side)[~np.eye(len(side), dtype=bool)].mean())

    expected = within(REAL) + within(GENERATED) - 2 * float(kernel(REAL, GENERATED).mean())
    line = line_of(KVD(), monkeypatch)
    assert line.value == pytest.approx(expected, rel=1e-9)
    assert line.ci_low < line.value < line.ci_high
    assert line.clips == 450


def test_names_do_not_change_the_kernel_distance_of_equally_many_videos() -> None:
    real = [row[None] for row in REAL[:12]]
    generated = [row[None] for row in GENERATED[:12]]
    windows = {f"r{n:02d}": Clip(f"r{n:02d}", f"r{n:02d}", "test", f"r{n:02d}") for n in range(12)}
    values = []
    for places in (range(12), reversed(range(12)), np.random.default_rng(0).permutation(12)):
        names = [f"g{place:02d}" for place in places]
        sets = UnpairedSets([Row("mine", None)], windows, [sorted(windows)], [[sorted(names)]])  # type: ignore[arg-type]
        features = dict(zip(windows, real, strict=True)), [dict(zip(names, generated, strict=True))]
        protocol = replace(PROTOCOL, clips=12, choices=Choices(unpaired=True, generated=12))
        line = unpaired_lines(KVD(), sets, protocol, features)[0]
        values.append((line.value, line.ci_low, line.ci_high))
    np.testing.assert_allclose(values[1:], [values[0]] * 2, rtol=1e-9)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Eight real videos of 20 frames, and twelve generated ones of 4, none named alike."""
    real, generated = tmp_path / "real", tmp_path / "generated"
    for folder, count, frames in ((real, 8, 20), (generated, 12, 4)):
        folder.mkdir()
        for number in range(count):
            name = f"{folder.name[0]}{(number * 7) % count}"  # not written in the order of their names
            np.save(folder / f"{name}.npy", moving_clip(number + count, frames, 8))
    return real, generated


def plan_of(**choices: Any) -> ScoringPlan:
    more = {key: choices.pop(key) for key in ("count", "sampling") if key in choices}
    return ScoringPlan(8, ["colour"], clip_length=4, length=4, choices=Choices(unpaired=True, **choices), **more)


def lines_of(folders: tuple[Path, Path], **choices: Any) -> dict[str, Any]:
    real, generated = folders
    rows = [Row("mine", Predictions(generated))]
    plan = plan_of(**choices)
    span = 3 * plan.choices.stride + 1
    sets = draw_sets(rows, folder_videos(real), plan, span)
    number = len(sets.generated[0][0])
    protocol = replace(PROTOCOL, clips=len(sets.draws[0]), choices=replace(plan.choices, generated=number))
    metric, readers = Colour(), SetReaders(sets, real, protocol)
    found = unpaired_lines(metric, sets, protocol, unpaired.features_of_sets(metric, readers))
    return {line.row: line for line in found}


def colours(folder: Path, cut: slice) -> list[Any]:
    return [np.load(path)[cut].mean(axis=(1, 2)) for path in sorted(folder.glob("*.npy"))]


def test_any_names_and_numbers_are_compared(folders: tuple[Path, Path]) -> None:
    found = lines_of(folders)
    expected = frechet_distance(colours(folders[1], slice(4)), colours(folders[0], slice(4)))
    assert found["mine"].value == pytest.approx(expected, rel=1e-4)
    assert 0 <= found["mine"].ci_low < found["mine"].value < found["mine"].ci_high
    assert found[REAL_HALVES].clips == 4
    assert (found["mine"].draws, math.isnan(found["mine"].draw_sd)) == (1, True)


def test_a_model_of_every_nth_frame_is_held_against_every_nth_real_frame(folders: tuple[Path, Path]) -> None:
    expected = frechet_distance(colours(folders[1], slice(4)), colours(folders[0], slice(0, 13, 4)))
    assert lines_of(folders, stride=4)["mine"].value == pytest.approx(expected, rel=1e-4)


def test_a_mirrored_copy_is_a_clip_of_the_same_video(folders: tuple[Path, Path]) -> None:
    sets = draw_sets([Row("mine", Predictions(folders[1]))], folder_videos(folders[0]), plan_of(mirror=True), 4)
    assert len(sets.draws[0]) == 16
    assert len({sets.windows[id].video for id in sets.draws[0]}) == 8
    readers = SetReaders(sets, folders[0], PROTOCOL)
    one = sets.draws[0][0]
    assert (readers.real(one + unpaired.MIRRORED) == readers.real(one)[:, :, ::-1]).all()


def test_draws_differ_follow_from_names_and_are_averaged(folders: tuple[Path, Path]) -> None:
    drawn = lines_of(folders, draws=3, sampling="random", count=6, generated=9)
    rows, videos = [Row("mine", Predictions(folders[1]))], folder_videos(folders[0])
    choices = {"draws": 3, "sampling": "random", "count": 6, "generated": 9}
    sets = draw_sets(rows, videos, plan_of(**choices), 4)
    assert [set(ids) for ids in draw_sets(rows, videos[::-1], plan_of(**choices), 4).draws] == [*map(set, sets.draws)]
    assert len({tuple(ids) for ids in sets.draws}) == 3
    assert [len(ids) for ids in sets.draws] == [6, 6, 6]
    assert len({tuple(of_draw[0]) for of_draw in sets.generated}) == 3
    read, own = SetReaders(sets, folders[0], PROTOCOL), folders[1]
    values = [
        frechet_distance(
            [np.load(own / f"{id}.npy").mean(axis=(1, 2)) for id in names[0]],
            [read.real(id).mean(axis=(1, 2)) for id in ids],
        )
        for ids, names in zip(sets.draws, sets.generated, strict=True)
    ]
    assert drawn["mine"].value == pytest.approx(np.mean(values), rel=1e-4)
    assert drawn["mine"].draw_sd == pytest.approx(np.std(values, ddof=1), rel=1e-3)
    assert drawn["mine"].draws == 3


def test_a_longer_draw_begins_with_the_shorter_ones(folders: tuple[Path, Path]) -> None:
    rows, videos = [Row("mine", Predictions(folders[1]))], folder_videos(folders[0])
    few = draw_sets(rows, videos, plan_of(draws=2, sampling="random"), 4)
    many = draw_sets(rows, videos, plan_of(draws=5, sampling="random"), 4)
    assert list(many.draws[:2]) == list(few.draws)


def test_what_cannot_be_drawn_is_said(folders: tuple[Path, Path]) -> None:
    rows, videos = [Row("mine", Predictions(folders[1]))], folder_videos(folders[0])
    with pytest.raises(BenchError, match="--generated asks for 13 videos of each method, but mine has 12"):
        draw_sets(rows, videos, plan_of(generated=13), 4)
    with pytest.raises(BenchError, match=r"All 2 draws would be the same. Give --sampling random"):
        draw_sets(rows, videos, plan_of(draws=2), 4)
    with pytest.raises(BenchError, match="at most 20 frames, but a window needs 21"):
        draw_sets(rows, videos, plan_of(), 21)
    long = [*videos, WholeVideo(videos[0].clip, 3)]
    assert draw_sets(rows, long, plan_of(), 4).notes == ["1 of 9 real videos have under 4 frames: skipped."]


def test_generated_videos_of_several_lengths_need_a_length(folders: tuple[Path, Path]) -> None:
    np.save(folders[1] / "long.npy", moving_clip(0, 6, 8))
    rows = [Row("mine", Predictions(folders[1]))]
    with pytest.raises(BenchError, match=r"has 4, .*long\.npy has 6\)\. Give --clip-length"):
        frames_of_generated(rows)
    sets = draw_sets(rows, folder_videos(folders[0]), plan_of(), 4)
    readers = SetReaders(sets, folders[0], PROTOCOL)
    assert len(readers.generated(rows[0])("long")) == 4
    assert readers.notes() == ["mine: of videos with 6 frames, 4 are used, the first ones."]
    short = replace(PROTOCOL, length=8)
    with pytest.raises(BenchError, match=r"long\.npy has 6 frames: expected 8 or more"):
        SetReaders(sets, folders[0], short).generated(rows[0])("long")


def test_two_methods_are_ranked_over_the_same_real_videos(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, generated = folders
    other = generated.parent / "other"
    other.mkdir()
    for path in generated.glob("*.npy"):
        np.save(other / f"x{path.name}", np.load(path) // 2)
    monkeypatch.setattr(Colour, "unbiased", True)
    rows = [Row("dark", Predictions(other)), Row("mine", Predictions(generated))]
    sets = draw_sets(rows, folder_videos(real), plan_of(), 4)
    readers, metric = SetReaders(sets, real, PROTOCOL), Colour()
    found = unpaired_lines(metric, sets, PROTOCOL, unpaired.features_of_sets(metric, readers))
    ranked = {line.row: line for line in found}
    assert (ranked["mine"].rank, ranked["dark"].rank) == (1, 2)
    assert ranked["dark"].p_best < 0.05
    assert math.isnan(ranked["mine"].p_best)


@pytest.mark.heavy
def test_intervals_hold_the_distance_if_either_side_is_the_smaller_one() -> None:
    found = simulated.unpaired_coverage(KVD(), 30, 1, 12, 80)
    assert found.value >= 0.88
    assert found.difference >= 0.88
    assert found.real_alone < found.value - 0.1  # most of the variance is that of the few generated videos


@pytest.mark.heavy
def test_intervals_of_the_biased_distance_hold_its_mean_at_these_numbers() -> None:
    found = simulated.unpaired_coverage(simulated.Features(), 10, 2, 20, 60)
    assert min(found.value, found.difference) >= 0.88


def test_the_kernel_distance_that_intervals_are_held_against_is_that_of_many_draws() -> None:
    rng = np.random.default_rng(3)
    x, y = (
        rng.normal(0.4, 1.1, size=(4000, simulated.DIMENSIONS)),
        rng.normal(0, 1.2, size=(4000, simulated.DIMENSIONS)),
    )
    assert unbiased_mmd(x, y) == pytest.approx(simulated.gaussian_mmd(0.4, 1.1, 1.2), rel=0.1)
