from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.metrics.base import UnfitError
from bench.metrics.kvd import KVD
from bench.metrics.mmd import Side, kernel_sums, mmd_without_each, unbiased_mmd
from tests.coverage import sets

pytestmark = pytest.mark.heavy


def plain(x: np.ndarray, y: np.ndarray) -> float:
    """Every pair by itself, as the definition reads."""

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((np.dot(a, b) / len(a) + 1) ** 3)

    n, m = len(x), len(y)
    same_x = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    same_y = sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    cross = [kernel(x[i], y[j]) for i in range(n) for j in range(m) if n != m or i != j]
    return same_x + same_y - 2 * sum(cross) / len(cross)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (5, 9), (13, 7), (11, 11)])
def test_it_is_a_plain_double_loop(n: int, m: int) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, 17)), rng.normal(0.3, 1.4, size=(m, 17))
    assert unbiased_mmd(x, y) == pytest.approx(plain(x, y), rel=1e-12)
    assert unbiased_mmd(y, x) == pytest.approx(unbiased_mmd(x, y), rel=1e-12)
    if n != m:
        assert unbiased_mmd(x[::-1], y) == pytest.approx(unbiased_mmd(x, y), rel=1e-12)


def test_the_rows_that_are_worked_through_at_a_time_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, y, groups = rng.normal(size=(23, 5)), rng.normal(size=(23, 5)), rng.integers(0, 4, 23)
    whole = (unbiased_mmd(x, y), mmd_without_each(x, y, groups))
    monkeypatch.setattr("bench.metrics.mmd._ROWS", 7)
    assert unbiased_mmd(x, y) == pytest.approx(whole[0], rel=1e-12)
    np.testing.assert_allclose(mmd_without_each(x, y, groups), whole[1], rtol=1e-10)


@pytest.mark.parametrize("count", [10, 40, 160])
def test_equal_sets_give_nothing_on_average_at_any_number_of_clips(count: int) -> None:
    rng = np.random.default_rng(count)
    values = [unbiased_mmd(*rng.normal(0.5, 1, size=(2, count, 20))) for _ in range(400)]
    error = np.std(values) / 20
    assert abs(np.mean(values)) < 3.5 * error
    # An estimate that compares clips with themselves would not pass: its bias is this large.
    diagonal = 2 * np.mean([np.mean((np.sum(x**2, 1) / 20 + 1) ** 3) for x in rng.normal(0.5, 1, (50, count, 20))])
    assert diagonal / count > 3.5 * error


def test_a_set_and_itself_are_no_distance_apart() -> None:
    x = np.random.default_rng(0).normal(size=(9, 400))
    assert unbiased_mmd(x, x.copy()) == pytest.approx(0, abs=1e-12)


def test_predictions_that_resemble_their_own_clips_are_no_nearer_for_that() -> None:
    # As good as the real ones and, as they start from the same frame, each like its own. All pairs taken, the values
    # would lie below 0 by far.
    rng = np.random.default_rng(3)
    values, all_pairs = [], []
    for _ in range(400):
        scene, first, second = rng.normal(0, 1, size=(3, 8, 20))
        x, y = scene + 0.3 * first, scene + 0.3 * second
        values.append(unbiased_mmd(x, y))
        own = np.mean((np.sum(x * y, 1) / 20 + 1) ** 3)
        cross = ((x @ y.T / 20 + 1) ** 3)[~np.eye(8, dtype=bool)].mean()
        all_pairs.append(values[-1] - 2 * (own - cross) / 8)
    assert abs(np.mean(values)) < 3.5 * np.std(values) / 20
    assert np.mean(all_pairs) < -10 * np.std(all_pairs) / 20


def test_the_farther_the_sets_the_larger() -> None:
    rng = np.random.default_rng(0)
    real = rng.normal(size=(200, 20))
    values = [unbiased_mmd(rng.normal(shift, 1, size=(200, 20)), real) for shift in (0, 0.2, 0.5, 1)]
    assert values == sorted(values)
    assert values[1] > 5 * abs(values[0])


@pytest.mark.parametrize("groups", [[0, 0, 1, 2, 2, 2, 3], [0, 1, 2, 3, 4, 5, 6]])
def test_leaving_out_each_video_is_computing_without_it(groups: list[int]) -> None:
    rng = np.random.default_rng(1)
    x, y, of = rng.normal(size=(7, 400)), rng.normal(0.2, 1, size=(7, 400)), np.array(groups)
    expected = [unbiased_mmd(x[of != group], y[of != group]) for group in range(max(groups) + 1)]
    sides = [[row[None].astype(np.float32) for row in side] for side in (x, y)]
    np.testing.assert_allclose(mmd_without_each(x, y, of), expected, rtol=1e-9)
    np.testing.assert_allclose(KVD().without_each(*sides, of), expected, rtol=1e-5)
    slow = super(KVD, KVD()).without_each(*sides, of)  # as for any set metric: computed anew each time
    np.testing.assert_allclose(KVD().without_each(*sides, of), slow, rtol=1e-9)


def test_sums_by_group_add_up() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(6, 4)), rng.normal(size=(8, 4))
    of_x, of_y = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 2, 0, 1, 2, 0, 1])
    videos_x, videos_y = np.arange(6), np.array([0, 6, 7, 8, 9, 5, 10, 11])  # two videos are on both sides
    apart = videos_x[:, None] != videos_y
    kernel = np.where(apart, (x @ y.T / 4 + 1) ** 3, 0)
    for sums, table in zip(kernel_sums(Side(x, videos_x, of_x), Side(y, videos_y, of_y)), (kernel, apart), strict=True):
        assert sums.whole == pytest.approx(table.sum())
        for group in range(3):
            assert sums.second[group] == pytest.approx(table[:, of_y == group].sum())
            assert sums.without_each[group] == pytest.approx(table[of_x != group][:, of_y != group].sum())


def of_videos(x: np.ndarray, y: np.ndarray, videos: list[int]) -> float:
    """The definition: pairs of clips of different videos, real and predicted, over their number."""
    pairs = [(i, j) for i in range(len(x)) for j in range(len(x)) if videos[i] != videos[j]]

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((np.dot(a, b) / len(a) + 1) ** 3)

    return sum(kernel(x[i], x[j]) + kernel(y[i], y[j]) - 2 * kernel(x[i], y[j]) for i, j in pairs) / len(pairs)


def test_clips_of_one_source_video_are_not_compared() -> None:
    rng = np.random.default_rng(5)
    x, y, videos = rng.normal(size=(9, 400)), rng.normal(0.2, 1, size=(9, 400)), [0, 0, 0, 1, 1, 2, 3, 3, 4]
    assert unbiased_mmd(x, y, videos, videos) == pytest.approx(of_videos(x, y, videos), rel=1e-11)
    sides = [[row[None].astype(np.float32) for row in side] for side in (x, y)]
    names = [f"video {number}" for number in videos]
    assert KVD().distance_of_videos(*sides, names, names) == pytest.approx(of_videos(x, y, videos), rel=1e-5)
    groups = np.array([0, 0, 0, 1, 1, 1, 0, 0, 2])  # some of several videos
    slow = super(KVD, KVD()).without_each(*sides, groups, names)  # as for any set metric: computed anew each time
    np.testing.assert_allclose(KVD().without_each(*sides, groups, names), slow, rtol=1e-9)


def test_where_every_clip_is_its_own_video_no_bit_moves() -> None:
    # what version 1 gave for these clips, which leaves out a clip and itself, and a prediction and its real clip
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(30, 400)), rng.normal(0.2, 1, size=(30, 400))
    names = [f"v{number:02d}" for number in rng.permutation(30)]
    tables = [(torch.tensor(a) @ torch.tensor(b).T).numpy() / 400 + 1 for a, b in ((x, x), (y, y), (x, y))]
    means = []
    for table in tables:
        kernel = table**3
        np.fill_diagonal(kernel, 0)
        means.append(float(np.bincount(np.zeros(30, np.intp), kernel.sum(1)).sum()) / (30 * 29))
    assert unbiased_mmd(x, y, names, names) == unbiased_mmd(x, y) == means[0] + means[1] - 2 * means[2]


def test_videos_of_several_clips_bring_no_bias() -> None:
    mean, error = sets.no_distance(6, 4, 300)
    before, _ = sets.no_distance(6, 4, 300, old=True)
    assert abs(mean) < 4 * error < before / 4


def test_sides_of_other_videos_are_compared_whole() -> None:
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(6, 20)), rng.normal(size=(5, 20))
    of_x, of_y = list("aabbcc"), list("ddeef")
    cross = np.mean((x @ y.T / 20 + 1) ** 3)
    own = []
    for side, of in ((x, np.array(of_x)), (y, np.array(of_y))):
        kernel = (side @ side.T / 20 + 1) ** 3
        own.append(kernel[of[:, None] != of].mean())
    assert unbiased_mmd(x, y, of_x, of_y) == pytest.approx(sum(own) - 2 * cross, rel=1e-12)


def test_the_order_of_sides_that_are_not_paired_changes_nothing() -> None:
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(7, 20)), rng.normal(0.3, 1, size=(7, 20))
    of_x, of_y = [f"x{n}" for n in range(7)], [f"y{n}" for n in range(7)]
    own = [((side @ side.T / 20 + 1) ** 3)[~np.eye(7, dtype=bool)].mean() for side in (x, y)]
    expected = sum(own) - 2 * np.mean((x @ y.T / 20 + 1) ** 3)
    for order in (np.arange(7), rng.permutation(7)):
        found = unbiased_mmd(x[order], y, of_x, of_y, paired=False)
        assert found == pytest.approx(expected, rel=1e-12)
        sides = [[row[None] for row in side] for side in (x[order], y)]
        assert KVD().distance_of_videos(*sides, of_x, of_y, paired=False) == found


def test_one_video_has_no_number_and_of_two_none_without_the_other() -> None:
    x = np.random.default_rng(0).normal(size=(4, 400))
    with pytest.raises(UnfitError, match="two source videos on both sides, but there are 1 and 4"):
        unbiased_mmd(x[:1], x)
    with pytest.raises(UnfitError, match="two source videos on both sides, but there are 1 and 1"):
        unbiased_mmd(x, x, "aaaa", "aaaa")
    with pytest.raises(UnfitError, match="when one group of them"):
        mmd_without_each(x, x, np.array([0, 0, 0, 1]))
    with pytest.raises(UnfitError, match="when one group of them"):
        mmd_without_each(x, x, np.array([0, 0, 1, 1]), "aabb")
    assert "unbiased" in KVD.note(3, 32)


def test_of_pooled_samples_no_pair_of_one_clip_is_compared() -> None:
    rng = np.random.default_rng(4)
    real = rng.normal(size=(6, 1, 17))
    samples = rng.normal(0.3, 1.2, size=(3, 6, 1, 17)) + real / 2  # of a clip, alike

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a[0] @ b[0] / 17 + 1) ** 3)

    pairs = [(i, j) for i in range(6) for j in range(6) if i != j]
    among = np.mean([kernel(one[i], other[j]) for one in samples for other in samples for i, j in pairs])
    cross = np.mean([kernel(one[i], real[j]) for one in samples for i, j in pairs])
    expected = among + np.mean([kernel(real[i], real[j]) for i, j in pairs]) - 2 * cross
    assert KVD().pooled([list(one) for one in samples], list(real)) == pytest.approx(expected, rel=1e-10)
    assert KVD().pooled([list(samples[0])], list(real)) == unbiased_mmd(samples[0][:, 0], real[:, 0])


def test_pooled_samples_that_are_as_good_as_real_ones_have_no_distance_on_average() -> None:
    rng, found = np.random.default_rng(5), []
    for _ in range(400):
        clips = rng.normal(size=(8, 1, 5))  # what the clips' first frames tell
        real, *samples = (list(clips + 0.3 * rng.normal(size=(8, 1, 5))) for _ in range(4))
        found.append(KVD().pooled(samples, real))
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 3 * error
    assert error < 0.05
