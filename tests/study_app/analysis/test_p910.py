"""P.910's Annex E against its model: plain loops, raters of known bias and noise, and where it fails."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from study_app.analysis.mean_opinion_scores import STEADY, clip_table
from study_app.analysis.p910 import recover
from tests.study_app.analysis.nflx_public import GRADES


def drawn(seed: int, clips: int = 40, raters: int = 24) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    quality, bias, noise = rng.uniform(1.5, 4.5, clips), rng.normal(0, 0.5, raters), rng.uniform(0.5, 1.5, raters)
    clip, rater = np.repeat(np.arange(clips), raters), np.tile(np.arange(raters), clips)
    kept = rng.random(len(clip)) < 0.8
    clip, rater = clip[kept], rater[kept]
    return quality[clip] + bias[rater] + noise[rater] * rng.normal(size=len(clip)), clip, rater, quality, bias, noise


def test_it_is_where_the_likelihood_is_level() -> None:
    """Quality, bias and noise each are the likeliest given the others, by plain loops."""
    grades, clip, rater, *_ = drawn(1)
    found = recover(grades, clip, rater)
    rest = grades - found.quality[clip] - found.bias[rater]
    for number in range(40):
        mine = clip == number
        assert np.sum(rest[mine] / found.noise[rater[mine]] ** 2) == pytest.approx(0.0, abs=1e-4)
    for number in range(24):
        mine = rater == number
        assert np.mean(rest[mine]) == pytest.approx(0.0, abs=1e-6)
        assert np.mean(rest[mine] ** 2) == pytest.approx(found.noise[number] ** 2, rel=1e-4)


def test_biased_and_erratic_raters_are_known_and_quality_is_nearer_the_truth_than_means() -> None:
    grades, clip, rater, quality, bias, noise = drawn(2, clips=300)
    found = recover(grades, clip, rater)
    means = np.bincount(clip, grades) / np.bincount(clip)
    shift = bias.mean()
    assert np.sqrt(np.mean((found.quality - quality - shift) ** 2)) < 0.8 * np.std(means - quality - shift)
    assert list(found.bias) == pytest.approx(list(bias - shift), abs=0.25)
    assert list(found.noise) == pytest.approx(list(noise), rel=0.25)
    assert found.bias.mean() == pytest.approx(0.0, abs=1e-12)


def test_it_may_follow_a_single_rater_who_is_far_steadier_than_the_others() -> None:
    """The likelihood has no maximum there; nothing in the annex prevents it, so the study says so."""
    rng = np.random.default_rng(0)
    noise = np.array([0.05, *[1.0] * 7])
    clip, rater = np.repeat(np.arange(40), 8), np.tile(np.arange(8), 40)
    grades = rng.uniform(1.5, 4.5, 40)[clip] + noise[rater] * rng.normal(size=320)
    found = recover(grades, clip, rater)
    assert found.noise[0] < 1e-3
    assert found.error.max() < 1e-3


def test_raters_who_are_alike_give_the_plain_mean() -> None:
    rng = np.random.default_rng(3)
    table = rng.integers(1, 6, 20)[:, None] + np.array([[0.3, -0.3]]) * np.array([[1], [-1]] * 10)
    found = recover(table.ravel(), np.repeat(np.arange(20), 2), np.tile([0, 1], 20))
    assert list(found.quality) == pytest.approx(list(table.mean(axis=1)), abs=1e-6)


@pytest.mark.parametrize(("raters", "shown", "follows"), [(8, 20, True), (24, 40, False)])
def test_with_few_grades_it_follows_a_single_rater_though_all_are_alike(raters: int, shown: int, follows: bool) -> None:
    """Four grades a clip: the plain mean is nearer the truth. 24 grades a clip: nobody gets all weight."""
    alone, nearer = 0, 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        clip = np.concatenate([rng.permutation(40)[:shown] for _ in range(raters)])
        rater = np.repeat(np.arange(raters), shown)
        place = np.unique(clip, return_inverse=True)[1]
        quality, bias = rng.normal(3, 0.8, place.max() + 1), rng.normal(0, 0.5, raters)
        grades = np.clip(np.round(quality[place] + bias[rater] + rng.normal(0, 0.7, len(place))), 1, 5)
        found, means = recover(grades, place, rater), np.bincount(place, grades) / np.bincount(place)
        alone += bool(found.error.min() < STEADY)
        nearer += bool(np.std(found.quality - quality) < np.std(means - quality))
    assert (alone > 35) if follows else (alone < 5)
    assert nearer < 15


def test_the_public_grades_of_netflix_have_the_numbers_that_sureal_has() -> None:
    """Those of its own tests: of plain means, and of the likeliest quality, bias and noise."""
    table = np.array([[int(grade) for grade in line] for line in GRADES.split()])
    clip, rater = (of.ravel() for of in np.indices(table.shape))
    columns = {"system": "s", "clip": clip.astype(str), "video": clip.astype(str), "rater": rater.astype(str)}
    ratings = pd.DataFrame({**columns, "rating": table.ravel()})
    checks = {"catch": False, "practice": False, "excluded": "", "simulated": False}
    means = clip_table(ratings.assign(**checks))["mos"]
    assert (len(means), means[0], means.mean()) == (
        79,
        pytest.approx(4.884615, abs=1e-6),
        pytest.approx(3.544791, abs=1e-6),
    )
    found = recover(table.ravel().astype(float), clip, rater)
    assert found.quality.var() == pytest.approx(1.4355485462, abs=1e-6)
    assert found.bias.var() == pytest.approx(0.0890325856, abs=1e-6)
    assert (found.noise.sum(), found.noise.var()) == (
        pytest.approx(15.681766, abs=1e-4),
        pytest.approx(0.0125656, abs=1e-6),
    )
