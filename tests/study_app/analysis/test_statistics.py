"""The statistics, against simulated raters of known preference and against closed forms."""

from __future__ import annotations

import itertools
import tracemalloc
from dataclasses import replace
from pathlib import Path

import krippendorff
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import binom, binomtest, t, ttest_1samp

from bench.errors import BenchError
from bench.statistics.two_way_clusters import Crossing, shares
from study_app.analysis import metric_agreement, preference_scores, ranking, rater_quality
from study_app.analysis.bradley_terry import centred, fit, strengths, table_of_wins
from study_app.analysis.pair_agreement import PairedVotes, predictable
from study_app.analysis.within_comparison_auc import within
from study_app.design import power
from study_app.design.schedule import REAL
from study_app.pipeline.simulate import PAPER_STRENGTHS, Crowd, left_share, simulate
from study_app.store.store import Store
from study_app.store.tidy_tables import VOTE_COLUMNS, comparison_name
from tests.coverage import fixed_taste, paired_votes, people

pytestmark = pytest.mark.heavy

REPEATS = 1000


def votes_table(rows: list[tuple[str, str, str, str, str]], **columns: object) -> pd.DataFrame:
    """Votes from (first, second, clip, rater, chosen), each clip a video; the first is on the left in every other."""
    filled = []
    for n, (first, second, clip, rater, chosen) in enumerate(rows):
        left, right = (first, second) if n % 2 else (second, first)
        head = ["s", comparison_name(first, second), first, second, clip, clip, left, right, chosen, rater]
        filled.append([*head, False, False, 4000, 0, 0, "2026-01-01T00:00:00+00:00", False, "", ""])
    return pd.DataFrame(filled, columns=VOTE_COLUMNS).assign(**columns)


@pytest.mark.parametrize("truth", [0.6, 0.75])
def test_exact_intervals_cover_when_votes_are_independent(truth: float) -> None:
    rng = np.random.default_rng(1)
    intervals = {k: binomtest(k, 100).proportion_ci(0.95, method="exact") for k in range(101)}
    drawn = rng.binomial(100, truth, 20 * REPEATS)
    hits = np.mean([intervals[k].low <= truth <= intervals[k].high for k in drawn])
    assert 0.93 <= hits <= 0.97


@pytest.mark.parametrize(
    "world",
    [
        people.World(20, 100, 1, 3, 0.6),
        people.World(28, 20, 5, 1, 0.5),
        people.World(28, 20, 5, 3, 0.75),
        people.World(28, 20, 5, 5, 0.5),
        people.World(10, 20, 1, 1, 0.92),
    ],
)
def test_intervals_over_raters_and_videos_cover_and_their_test_keeps_its_size(
    world: people.World, figures: dict[str, str]
) -> None:
    found = people.pos(world, 2000)
    assert 0.94 <= found.covered <= 0.99
    if world.preference == 0.5:
        assert found.rejected <= 0.06 < found.exact  # votes taken as independent find what is not there
    figures[f"coverage, {world.raters} raters × {world.videos} videos × {world.clips} clips × {world.votes} votes"] = (
        f"{100 * found.covered:.1f} %; at {world.preference:g} rejected {100 * found.rejected:.1f} %, "
        f"by the exact test {100 * found.exact:.1f} %"
    )


def test_the_variance_over_raters_and_videos_is_that_of_two_way_clusters() -> None:
    """As statsmodels has it, but for its own correction for few clusters, which is the same where groups are equal."""
    from statsmodels.stats.sandwich_covariance import S_crosssection

    rng = np.random.default_rng(0)
    rater, video = (grid.ravel() for grid in np.meshgrid(np.arange(8), np.arange(6)))  # each rater on each video
    wins = (rng.random(48) < 0.5 + 0.4 * rng.normal(size=8)[rater] + 0.4 * rng.normal(size=6)[video]).astype(float)
    away = wins - wins.mean()

    def clustered(groups: np.ndarray) -> float:
        count = len(set(groups))
        return float(S_crosssection(away[:, None], groups)[0, 0]) / 48**2 * count / (count - 1)

    expected = clustered(rater) + clustered(video) - clustered(8 * video + rater)
    crossing = Crossing.of(rater, video)
    assert float(crossing.variance(away)) == pytest.approx(max(expected, float(np.sum(away**2)) / 48**2))
    assert expected > float(np.sum(away**2)) / 48**2
    assert crossing.known
    assert crossing.freedom == pytest.approx(5)


def test_independent_votes_have_the_interval_of_wilson_and_the_score_test() -> None:
    wins = np.repeat([1.0, 0.0], [14, 6])
    found = shares(wins, Crossing.of(range(20), range(20)))
    t19 = t.ppf(0.975, 19)
    roots = np.roots([1 + t19**2 / 20, -2 * 0.7 - t19**2 / 20, 0.7**2])  # (share − s)² = t² s (1 − s) / n
    assert sorted([float(found.low), float(found.high)]) == pytest.approx(sorted(roots), rel=0.06)
    assert found.p_value == pytest.approx(2 * t.sf(0.2 / np.sqrt(0.25 / 20), 19), rel=0.1)
    some = shares((np.random.default_rng(1).random((500, 60)) < 0.6).astype(float), Crossing.of(range(60), range(60)))
    assert ((some.p_value < 0.05) == ((some.low > 0.5) | (some.high < 0.5))).all()


def test_of_one_rater_or_one_video_nothing_is_said() -> None:
    for raters, videos in (([0] * 9, range(9)), (range(9), [0] * 9)):
        found = shares(np.ones(9), Crossing.of(raters, videos))
        assert (found.low, found.high, found.p_value) == (0.0, 1.0, 1.0)


def test_votes_that_all_agree_are_worth_a_toss_a_rater_or_a_video() -> None:
    for raters, videos in ((3, 20), (20, 3), (8, 5), (40, 60)):
        votes = 3 * max(raters, videos)
        least = min(raters, videos)
        for won in (np.ones(votes), np.zeros(votes)):
            found = shares(won, Crossing.of(np.arange(votes) % raters, np.arange(votes) % videos))
            assert found.p_value >= binomtest(least, least, 0.5).pvalue
            low, high = binomtest(int(won[0]) * least, least).proportion_ci(0.95, method="exact")
            assert found.low <= low + 1e-12
            assert high - 1e-12 <= found.high
    assert float(shares(np.ones(60), Crossing.of(np.arange(60) % 3, np.arange(60) // 3)).p_value) == 0.25


@pytest.mark.parametrize("raters", [2, 3, 4, 5])
def test_few_raters_of_fixed_taste_are_not_taken_for_people_at_large(raters: int) -> None:
    for slips in (0.0, 0.02):
        covered, found = fixed_taste.pos(raters, 20, slips, 1000)
        assert covered >= 0.93
        assert found <= 0.07
    assert fixed_taste.strengths(raters, 20, 0.0, 40) == 0.0
    assert fixed_taste.strengths(raters, 20, 0.02, 40) <= 0.1


def test_strengths_of_votes_that_all_agree_are_those_of_as_many_tosses() -> None:
    """Three raters of 20 votes each: p is that of three tosses, and the bound that of Clopper and Pearson for them."""
    rows = [("a", "b", f"c{n}", f"r{n % 3}", "a") for n in range(60)]
    found = ranking.contrasts(votes_table(rows)).iloc[0]
    assert found["p"] == pytest.approx(0.25)
    assert found["ci_low"] == pytest.approx(np.log(0.025 ** (1 / 3) / (1 - 0.025 ** (1 / 3))))
    assert found["ci_high"] == np.inf


def test_an_interval_holds_its_share_to_the_last_bit() -> None:
    for votes in range(2, 300):
        crossing = Crossing.of(np.arange(votes) % 8, np.arange(votes) % 5)
        for wins in (np.zeros(votes), np.ones(votes)):
            found = shares(wins, crossing)
            assert found.low <= found.share <= found.high


@pytest.mark.parametrize("alike", [0.0, 0.4])
def test_bradley_terry_recovers_strengths_and_covers_them(alike: float, figures: dict[str, str]) -> None:
    found = people.bradley_terry((1.2, 0.4, -0.4, -1.2), alike, 100)
    assert (found["strength"] - found["truth"]).abs().max() < 0.06
    assert 0.93 <= found["hit"].mean() <= 0.99
    figures[f"coverage of Bradley–Terry intervals, {alike:g} of a rater's votes alike"] = (
        f"{100 * found['hit'].mean():.1f} %"
    )


def test_bradley_terry_covers_a_system_that_nearly_always_wins() -> None:
    found = people.bradley_terry((3.6, -0.8, -1.2, -1.6), 0.0, 100)
    assert 0.05 < found.loc["a", "bound"] < 0.95  # in some studies it wins every vote, in some it does not
    assert found["hit"].min() >= 0.93


def test_two_systems_have_half_a_win_more_each() -> None:
    """Firth's penalty of a single share, in closed form; and its interval over raters and videos."""
    rows = [("a", "b", f"c{n}", f"r{n // 4}", "a" if n % 4 else "b") for n in range(40)]
    table = ranking.bradley_terry(votes_table(rows)).set_index("system")
    log_odds = np.log(30.5 / 10.5)
    assert table.loc["a", "strength"] == pytest.approx(log_odds / 2)
    pair = ranking.contrasts(votes_table(rows)).iloc[0]
    assert pair["difference"] == pytest.approx(log_odds)
    error = np.sqrt(1 / (40 * (30.5 / 41) * (10.5 / 41)))  # votes here are less alike than independent ones
    assert pair["ci_high"] - pair["difference"] == pytest.approx(t.ppf(0.975, 9) * error, rel=1e-6)


def test_strengths_are_those_of_choix_but_for_the_penalty() -> None:
    import choix

    rng = np.random.default_rng(0)
    wins = rng.integers(100, 400, (5, 5)) * (1 - np.eye(5))
    found = strengths(wins.astype(np.float64))[0]
    np.testing.assert_allclose(found, choix.ilsr_pairwise_dense(wins.astype(np.float64)), atol=2e-3)


def test_simulated_raters_through_the_store_are_recovered(sqlite: str) -> None:
    crowd = Crowd(PAPER_STRENGTHS)
    store = Store(sqlite)
    twin, count = simulate(store, store.open(), 6, crowd, seed=4)
    study = store.open(twin.name)
    votes = study.votes()
    assert count == len(votes)
    table = preference_scores.pos_table(votes, study.settings.comparisons)
    assert table["simulated"].all()
    for _, row in table.iterrows():
        truth = left_share(crowd, row["first"], row["second"], "any", 0.0, 4)
        # 16 votes a comparison, seven looked at: a band that a right tally leaves once in ten thousand runs
        k = round(truth * row["votes"])
        low, high = binom.ppf([1e-5, 1 - 1e-5], row["votes"], truth)
        assert low <= row["chosen"] <= high, (row["comparison"], k)
    strengths = ranking.bradley_terry(votes).set_index("system")["strength"]
    assert strengths.idxmax() == REAL
    assert strengths["mdgan-2"] > strengths["rnngan"]


def test_pos_counts_the_first_whatever_the_side_and_the_order() -> None:
    rows = [("a", "b", f"c{n}", f"r{n % 5}", "a" if n < 37 else "b") for n in range(50)]
    votes = votes_table(rows)
    line = preference_scores.pos_table(votes, [("a", "b")]).iloc[0]
    assert (line["chosen"], line["votes"], line["pos"]) == (37, 50, 74.0)
    want = binomtest(37, 50, 0.5)
    assert line["exact_p"] == pytest.approx(want.pvalue)
    assert line["exact_low"] == pytest.approx(100 * want.proportion_ci().low)
    assert line["ci_low"] < 74 < line["ci_high"]
    assert (line["p"] < 0.05) == (line["ci_low"] > 50)
    mirrored = votes.assign(first="b", second="a", comparison="b over a")
    other = preference_scores.pos_table(mirrored, [("b", "a")]).iloc[0]
    assert other["pos"] == 26.0
    assert other["ci_low"] == pytest.approx(100 - line["ci_high"])
    shuffled = votes.sample(frac=1, random_state=1)
    assert preference_scores.pos_table(shuffled, [("a", "b")]).iloc[0]["chosen"] == 37


def test_practice_catch_excluded_and_foreign_votes_never_enter_a_pos() -> None:
    votes = votes_table([("a", "b", f"c{n}", "r", "a") for n in range(6)])
    votes.loc[1, "practice"] = True
    votes.loc[2, "catch"] = True
    votes.loc[3, "excluded"] = "withdrawn"
    line = preference_scores.pos_table(votes, [("a", "b"), ("b", "c")])
    assert list(line["votes"]) == [3, 0]
    assert np.isnan(line["pos"][1])
    votes.loc[0, "simulated"] = True
    with pytest.raises(BenchError, match="must not be mixed"):
        preference_scores.pos_table(votes, [("a", "b")])


def test_holm_is_over_the_comparisons_that_have_votes() -> None:
    rows = [("a", "b", f"c{n}", f"r{n}", "a" if n < 9 else "b") for n in range(10)]
    rows += [("a", "d", f"c{n}", f"r{n}", "a" if n < 8 else "d") for n in range(10)]
    table = preference_scores.pos_table(votes_table(rows), [("a", "b"), ("a", "d"), ("b", "d")])
    small, large = table["p"][:2]
    assert small < large
    assert table["p_holm"][0] == pytest.approx(2 * small)
    assert table["p_holm"][1] == pytest.approx(max(large, 2 * small))
    assert np.isnan(table["p_holm"][2])
    assert table["exact_p"][0] == pytest.approx(binomtest(9, 10).pvalue)


def test_votes_on_one_video_are_alike() -> None:
    # ten videos of four clips; people like six of the videos and not the others
    rows = [("a", "b", f"c{n}", f"r{n % 20}", "a" if n // 4 < 6 else "b") for n in range(40)]
    votes = votes_table(rows)
    apart = preference_scores.pos_table(votes, [("a", "b")]).iloc[0]
    together = preference_scores.pos_table(votes.assign(video=[f"v{n // 4}" for n in range(40)]), [("a", "b")]).iloc[0]
    assert (apart["videos"], together["videos"], together["clips"]) == (40, 10, 40)
    assert together["ci_high"] - together["ci_low"] > 1.5 * (apart["ci_high"] - apart["ci_low"])
    assert together["p"] > apart["p"]


def test_a_system_that_wins_everything_has_a_bound_and_no_interval_of_no_width() -> None:
    votes = votes_table([("real", "a", f"c{n}", f"r{n % 10}", "real") for n in range(100)])
    table = ranking.bradley_terry(votes).set_index("system")
    least = binomtest(10, 10).proportion_ci(0.95, method="exact").low  # ten raters: ten tosses
    assert table.loc["real", "ci_low"] == pytest.approx(np.log(least / (1 - least)))
    assert table.loc["real", "ci_high"] == np.inf
    assert np.isfinite(table["strength"]).all()
    assert table.loc["a", ["ci_low", "ci_high"]].isna().all()  # it is what the other is measured from
    pair = ranking.contrasts(votes).iloc[0]
    assert pair["p"] == pytest.approx(binomtest(10, 10).pvalue)

    rows = [("real", name, f"c{n}", f"r{n % 10}", "real") for n in range(50) for name in "ab"]
    rows += [("a", "b", f"c{n}", f"r{n % 10}", "a" if n % 3 else "b") for n in range(60)]
    table = ranking.bradley_terry(votes_table(rows)).set_index("system")
    assert list(table.index) == ["real", "a", "b"]
    assert table.loc["a", "strength"] == pytest.approx(-table.loc["b", "strength"])  # the mean is theirs alone
    lower, gap = table.loc["real", "ci_low"], table.loc["a", "strength"]
    odds = [lower - gap, lower + gap]
    assert 5 * sum(np.log1p(np.exp(-o)) for o in odds) == pytest.approx(-np.log(0.025))


def test_bounds_pass_through_systems_in_between() -> None:
    # top beats middle, middle beats bottom, always; top and bottom never met
    rows = [("top", "middle", f"c{n}", f"r{n}", "top") for n in range(20)]
    rows += [("middle", "bottom", f"c{n}", f"r{n}", "middle") for n in range(20)]
    pairs = ranking.contrasts(votes_table(rows)).set_index(["first", "second"])
    once = pairs.loc[("top", "middle"), "ci_low"]
    assert pairs.loc[("middle", "bottom"), "ci_low"] == pytest.approx(once, abs=1e-3)
    # the likeliest place of the middle is half way, where each step has half of the evidence
    both = pairs.loc[("top", "bottom"), "ci_low"]
    assert 40 * np.log1p(np.exp(-both / 2)) == pytest.approx(-np.log(0.025), abs=1e-3)
    assert both > 2 * once
    # one that only lost to the top is above or below the rest by no votes at all
    rows += [("top", "other", f"c{n}", f"r{n}", "top") for n in range(20)]
    pairs = ranking.contrasts(votes_table(rows)).set_index(["first", "second"])
    key = ("middle", "other") if ("middle", "other") in pairs.index else ("other", "middle")
    assert list(pairs.loc[key, ["ci_low", "ci_high", "p"]]) == [-np.inf, np.inf, 1.0]


def test_ranks_are_as_sure_as_the_differences() -> None:
    rng = np.random.default_rng(2)
    truth = {"a": 2.0, "b": 0.1, "c": 0.0, "d": -2.0}
    rows = []
    for first, second in itertools.combinations(truth, 2):
        share = 1 / (1 + np.exp(truth[second] - truth[first]))
        rows += [
            (first, second, f"c{n}", f"r{n % 12}", first if won else second)
            for n, won in enumerate(rng.random(80) < share)
        ]
    pairs = ranking.contrasts(votes_table(rows))
    ranks = ranking.rank_sets(pairs).set_index("system")
    assert ranks.loc[["a", "b", "c", "d"], ["best", "worst"]].to_numpy().tolist() == [[1, 1], [2, 3], [2, 3], [4, 4]]
    assert (pairs["p_holm"] >= pairs["p"]).all()
    few = ranking.rank_sets(ranking.contrasts(votes_table(rows[::20])))
    assert (few["worst"] - few["best"]).max() == 3  # few votes allow every rank


def test_systems_that_nothing_connects_are_said_to_be_apart() -> None:
    rows = [("a", "b", "c", "r", "a"), ("c", "d", "c", "r", "d"), ("b", "e", "c", "r", "e")]
    votes = votes_table(rows)
    assert sorted(ranking.connectivity(votes)) == [["a", "b", "e"], ["c", "d"]]
    assert set(ranking.bradley_terry(votes)["group"]) == {1, 2}
    assert ranking.connectivity(votes.iloc[:0]) == []
    assert len(ranking.bradley_terry(votes.iloc[:0])) == 0


def test_agreement_is_of_models_and_not_of_sides() -> None:
    agreeing = [("a", "b", f"c{n}", f"r{r}", "a" if n % 2 else "b") for r in range(3) for n in range(20)]
    perfect = rater_quality.agreement(votes_table(agreeing)).iloc[0]
    assert (perfect["alpha"], perfect["pairs"]) == (1.0, 20)  # though sides alternate from row to row
    rng = np.random.default_rng(0)
    chance = [("a", "b", f"c{n}", f"r{r}", rng.choice(["a", "b"])) for r in range(4) for n in range(300)]
    assert abs(rater_quality.agreement(votes_table(chance))["alpha"][0]) < 0.06
    once = rater_quality.agreement(votes_table(agreeing[:20]))
    assert once["alpha"].isna().all()
    assert (once["pairs"] == 0).all()
    assert list(rater_quality.agreement(votes_table([]))["comparison"]) == ["all"]


def test_that_one_system_is_better_is_no_agreement_on_clips() -> None:
    found = [people.chance_alpha(8, 100, 3, seed) for seed in range(6)]
    assert np.abs(found).max() < 0.05
    assert abs(np.mean(found)) < 0.02


def test_agreement_over_all_comparisons_adds_up_disagreement_within_them() -> None:
    rng = np.random.default_rng(1)
    rows = [("a", "b", f"c{n}", f"r{r}", "a" if n % 3 else "b") for r in range(3) for n in range(30)]
    rows += [("a", "d", f"c{n}", f"r{r}", rng.choice(["a", "d"])) for r in range(2) for n in range(40)]
    rows += [("b", "d", f"c{n}", "r0", "b") for n in range(9)]  # one vote a pair says nothing
    found = rater_quality.agreement(votes_table(rows)).set_index("comparison")["alpha"]
    observed = expected = 0.0
    for raters, mine in ((3, rows[:90]), (2, rows[90:170])):
        table = pd.DataFrame(mine, columns=["first", "second", "clip", "rater", "chosen"])
        first = (table["chosen"] == table["first"]).groupby(table["clip"]).sum().to_numpy()
        observed += float(np.sum(2 * first * (raters - first) / (raters - 1)))
        won, votes = first.sum(), len(mine)
        expected += 2 * won * (votes - won) / (votes - 1)
    assert found["all"] == pytest.approx(1 - observed / expected)
    assert found["a over b"] == 1.0
    assert np.isnan(found["b over d"])


def test_side_bias_and_raters_catch_trials() -> None:
    votes = votes_table([("a", "b", f"c{n}", f"r{n % 4}", "a") for n in range(40)])
    toward = [0.5, 0.7, 0.6, 0.9]
    lean = [n // 4 < 10 * toward[n % 4] for n in range(40)]
    votes["chosen"] = np.where(lean, votes["left"], votes["right"])
    left, n, p = rater_quality.side_bias(votes)
    assert (left, n) == (27, 40)
    assert p == pytest.approx(ttest_1samp(toward, 0.5).pvalue)
    votes["chosen"] = votes["left"]
    assert rater_quality.side_bias(votes) == (40, 40, 2 * 0.5**4)  # four raters, whatever their votes
    assert np.isnan(rater_quality.side_bias(votes.assign(rater="r0"))[2])
    catch = votes_table(
        [("real", "scrambled", f"k{n}", "r0", "real" if n else "scrambled") for n in range(4)], catch=True
    )
    table = rater_quality.rater_table(pd.concat([votes, catch], ignore_index=True))
    assert list(table.loc[0, ["votes", "catch_right", "catch_had"]]) == [10, 3, 4]
    votes.loc[votes.index[0], "excluded"] = "the slot went to somebody else"
    assert list(rater_quality.rater_table(votes)["excluded"]) == ["", "", "", ""]
    votes.loc[votes["rater"] == "r0", "excluded"] = "asked twice"
    assert list(rater_quality.rater_table(votes)["excluded"]) == ["asked twice", "", "", ""]


def test_raters_who_each_lean_to_a_side_of_their_own_have_no_side_in_common() -> None:
    over_raters, over_votes = people.side_bias(16, 40, 0.5, 4000)
    assert over_raters <= 0.06
    assert over_votes > 0.2


def test_the_power_table() -> None:
    assert power.exact_power(198, 0.60) < 0.8 <= power.exact_power(199, 0.60)  # reached, and lost again
    assert power.trials_needed(0.60, 0.8) == 210
    assert power.exact_power(209, 0.60) < 0.8
    assert all(power.exact_power(n, 0.60) >= 0.8 for n in range(210, 600))
    assert power.trials_needed(0.505, 0.8) == 0  # more than are looked at
    assert power.exact_power(100, 0.60) < 0.5
    assert list(power.table()["trials_for_80_power"])[1] == 210
    corrected = power.table(7)["trials_for_80_power_holm_7"][1]
    assert all(power.exact_power(n, 0.60, 0.05 / 7) >= 0.8 for n in range(corrected, corrected + 200))
    assert power.exact_power(corrected - 1, 0.60, 0.05 / 7) < 0.8
    for n in (5, 17, 60):  # against scipy's own test, outcome by outcome
        reject = [k for k in range(n + 1) if binomtest(k, n).pvalue <= power.ALPHA]
        assert power.exact_power(n, 0.7) == pytest.approx(sum(binom.pmf(k, n, 0.7) for k in reject))


def test_simulated_power_is_the_exact_one_where_votes_are_independent_and_less_where_they_are_not() -> None:
    plain = power.Design(comparisons=7, raters=100, clips=210, videos=210, rater_sd=0.0, clip_sd=0.0)
    found = power.simulated_power(plain, 1500)
    assert found.alone == pytest.approx(power.exact_power(210, 0.6), abs=0.06)  # t knows of fewer raters than votes
    assert found.corrected == pytest.approx(power.exact_power(210, 0.6, 0.05 / 7), abs=0.06)
    alike = replace(plain, raters=28, rater_sd=0.4, clip_sd=0.7)
    one = power.simulated_power(alike, 1500)
    eight = power.simulated_power(replace(alike, clips=26, videos=26, votes=8), 1500)
    assert eight.alone + 0.05 < one.alone < found.alone - 0.03
    nothing = power.simulated_power(replace(alike, preference=0.5), 1500)
    assert nothing.alone <= 0.06
    assert power.simulated_power(alike, 300) == power.simulated_power(alike, 300)


def test_the_preference_of_a_design_is_the_share_of_all_votes() -> None:
    design = power.Design(raters=40, clips=60, videos=12, votes=2, preference=0.7, rater_sd=0.8, clip_sd=1.0)
    grid = np.random.default_rng(0).normal(size=1_000_000) * np.hypot(0.8, 1.0)
    centre = power.centre(0.7, float(np.hypot(0.8, 1.0)))
    assert float(expit(centre + grid).mean()) == pytest.approx(0.7, abs=2e-3)
    assert design.of_size(300, 5) == replace(design, clips=60, votes=5, videos=12)
    assert design.of_size(60, 2).videos == 6


def test_designs_that_make_no_study() -> None:
    for changes, sentence in (
        ({"comparisons": 0}, "comparisons of at least 1"),
        ({"raters": 1}, "fewer than two raters"),
        ({"votes": 31}, "nobody sees a pair twice"),
        ({"videos": 101}, "100 videos at most"),
        ({"preference": 1.0}, "between 0 and 1"),
        ({"clip_sd": -1.0}, "below 0"),
    ):
        with pytest.raises(BenchError, match=sentence):
            power.Design(**changes).check()  # type: ignore[arg-type]


def test_the_safe_number_is_read_off_the_curve() -> None:
    curve = pd.DataFrame(
        {"votes": [100, 200, 400], "per_pair": 1, "clips": 0, "alone": 1.0, "corrected": [0.2, 0.6, 0.9]}
    )
    assert power.safe_votes(curve, 1) == 334
    assert power.safe_votes(curve.assign(corrected=0.5), 1) is None


COLUMNS = ["row", "seed", "clip", "video", "metric", "value"]


def test_humans_against_metrics() -> None:
    rows = [("a", "b", f"c{n}", f"r{r}", "a" if n < 8 or r == 0 else "b") for n in range(10) for r in range(3)]
    rows += [("a", "real", "c0", "r9", "real")]
    scores = [("a", 0, f"c{n}", "v", "psnr", 30.0) for n in range(10)]
    scores += [("b", 0, f"c{n}", "v", "psnr", 20.0 if n < 8 else 40.0) for n in range(10)]
    scores += [(row, 0, f"c{n}", "v", "mse", 1.0) for row in "ab" for n in range(10)]
    scored = pd.DataFrame(scores, columns=COLUMNS)
    votes = votes_table(rows)
    table = metric_agreement.per_clip(votes, scored, {"psnr": "higher", "mse": "lower", "ssim": "higher"}).set_index(
        "metric"
    )
    psnr, mse = table.loc["psnr"], table.loc["mse"]
    assert psnr["votes"] == 30  # pairs with the real clip are left out
    assert psnr["agrees"] == pytest.approx(100 * 28 / 30)
    # 26 votes for a, 24 of them on clips that psnr finds better; 4 for b, all on the others
    assert psnr["auc"] == pytest.approx((24 * 4 + 2 * 4 * 0.5) / (26 * 4))
    assert psnr["ci_low"] <= psnr["auc"] <= psnr["ci_high"]
    assert (psnr["systems_right"], psnr["comparisons"], psnr["videos"]) == (1, 1, 10)
    assert list(mse[["agrees", "auc", "p", "systems_right"]]) == [50.0, 0.5, 1.0, 0]
    reversed_ = metric_agreement.per_clip(votes, scored, {"psnr": "lower"}).set_index("metric").loc["psnr"]
    assert reversed_["agrees"] == pytest.approx(100 * 2 / 30)
    assert reversed_["auc"] == pytest.approx(1 - psnr["auc"])
    assert reversed_["systems_right"] == 0
    other = [("b", 1, f"c{n}", "v", "psnr", 99.0) for n in range(10)]  # a second training, which nobody saw
    both = pd.DataFrame(scores + other, columns=COLUMNS)
    shown = metric_agreement.per_clip(votes, both, {"psnr": "higher"}, {"a": 0, "b": 0}).set_index("metric")
    assert shown.loc["psnr", "agrees"] == psnr["agrees"]
    assert metric_agreement.directions(both) == {"psnr": "higher", "mse": "lower"}


def test_scores_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no metric scores"):
        metric_agreement.read_scores(tmp_path / "none.csv")


@pytest.mark.parametrize("name", ["None", "NA", "null", "nan"])
def test_scores_of_a_method_whose_name_looks_like_a_missing_value(name: str, tmp_path: Path) -> None:
    path = tmp_path / "per_clip.csv"
    path.write_text(f"row,seed,clip,video,metric,value\n{name},0,NA,null,mse,0.5\n{name},0,b,v,mse,nan\n")
    scores = metric_agreement.read_scores(path)
    assert list(scores["row"]) == [name, name]
    assert list(scores["clip"]) == ["NA", "b"]
    assert list(scores["video"]) == ["null", "v"]
    assert scores["value"].tolist()[0] == 0.5
    assert np.isnan(scores["value"][1])
    assert scores["seed"].tolist() == [0, 0]


def test_identical_clips_are_best_stills_worst_and_half_as_far_as_double() -> None:
    rows = [("a", "b", f"c{n}", f"r{n}", "a" if n < 2 else "b") for n in range(4)]
    votes = votes_table(rows)

    def one(metric: str, direction: str, a: list[float], b: list[float]) -> float:
        scores = [(row, 0, f"c{n}", "v", metric, value)
                  for row, column in (("a", a), ("b", b)) for n, value in enumerate(column)]  # fmt: skip
        table = metric_agreement.per_clip(votes, pd.DataFrame(scores, columns=COLUMNS), {metric: direction})
        return float(table.loc[0, "agrees"])

    inf = float("inf")
    assert one("psnr", "higher", [inf, inf, inf, 20.0], [30.0, inf, 30.0, inf]) == 100 * (1 + 0.5 + 0 + 1) / 4
    assert one("motion", "one", [0.5, 0.9, 0.0, 0.0], [2.0, 0.0, 0.01, 0.0]) == 100 * (0.5 + 1 + 1 + 0.5) / 4


def test_the_area_within_comparisons_is_that_of_pairs_of_votes() -> None:
    rng = np.random.default_rng(2)
    comparison = np.repeat(["x", "y"], [30, 20])
    better, first = np.round(rng.normal(size=50), 1), rng.random(50) < 0.5
    votes = pd.DataFrame({"comparison": comparison, "rater": np.arange(50) % 7, "video": np.arange(50) % 9})
    right = total = 0.0
    for one, other in itertools.product(np.flatnonzero(first), np.flatnonzero(~first)):
        if comparison[one] == comparison[other]:
            total += 1
            right += 1.0 if better[one] > better[other] else 0.5 if better[one] == better[other] else 0.0
    found = within(better, first, votes)
    assert found.auc == pytest.approx(right / total)
    # what a metric adds to all clips of a comparison says nothing of clips
    moved = within(better + np.where(comparison == "x", 100.0, 0.0), first, votes)
    assert (moved.auc, moved.p_value) == (found.auc, found.p_value)
    # by leaving out one video after another, from the pairs that are left
    videos = votes["video"].to_numpy()
    left = np.array([within(better[videos != v], first[videos != v], votes[videos != v]).auc for v in range(9)])
    error = np.sqrt(8 / 9 * np.sum((left - found.auc) ** 2))
    alone = within(better, first, votes.assign(rater=np.arange(50)))
    odds = np.log(alone.high / (1 - alone.high)) - np.log(alone.auc / (1 - alone.auc))
    assert odds * alone.auc * (1 - alone.auc) >= 0.98 * t.ppf(0.975, 8) * error
    assert np.isnan(within(better, np.ones(50, dtype=bool), votes).auc)


@pytest.mark.parametrize(("raters", "videos", "clips", "votes"), [(20, 20, 5, 1), (20, 12, 4, 3)])
def test_a_metric_that_knows_only_systems_does_not_agree_within_comparisons(
    raters: int, videos: int, clips: int, votes: int
) -> None:
    beside = people.metric_beside_people(people.World(raters, videos, clips, votes), 300)
    assert beside.found <= 0.07
    assert beside.covered >= 0.91


def test_what_could_be_predicted_is_estimated_from_two_sides() -> None:
    chosen = {"c0": "aaa", "c1": "aab", "c2": "b"}  # the last has one vote, which nobody can agree with
    rows = [("a", "b", clip, f"r{n}", row) for clip, votes in chosen.items() for n, row in enumerate(votes)]
    agree = (3 * 1 + 3 * 1 / 3) / 6  # pairs of raters who agree: 3 of 3, 1 of 3
    found = predictable(votes_table(rows))
    assert (found.least, found.most) == pytest.approx((agree, (1 + np.sqrt(2 * agree - 1)) / 2))
    assert found.low <= found.least <= found.most <= found.high
    assert np.isnan(predictable(votes_table(rows[-1:])).least)
    rng = np.random.default_rng(3)
    noise = votes_table([("a", "b", f"c{n}", f"r{r}", rng.choice(["a", "b"])) for n in range(1500) for r in range(3)])
    found = predictable(noise)
    assert found.least == pytest.approx(0.5, abs=0.02)
    assert found.least <= found.most < 0.62
    share = rng.uniform(0, 1, 3000)  # the best guess of a pair's majority meets 75 % of votes
    cast = votes_table(
        [("a", "b", f"c{n}", f"r{r}", "a" if rng.random() < s else "b") for n, s in enumerate(share) for r in (0, 1)]
    )
    found = predictable(cast)
    assert found.least < 0.75 < found.most
    assert (found.least, found.most) == pytest.approx((2 / 3, (1 + np.sqrt(1 / 3)) / 2), abs=0.025)


@pytest.mark.parametrize("panel", [paired_votes.PANELS[0], paired_votes.PANELS[3]])
def test_what_can_be_predicted_and_alpha_lie_in_their_intervals(panel: paired_votes.Panel) -> None:
    between, inside, alpha = paired_votes.covered(panel, 100)
    assert between < 0.9 < inside  # as bounds, the two estimates would hold it too rarely
    assert alpha >= 0.9


def test_alpha_is_that_of_the_krippendorff_package_and_its_interval_is_the_plain_jackknifes() -> None:
    """Leaving out raters, videos and cells one by one, with everything computed anew."""
    votes = paired_votes.Panel(6, 8, 3, unequal=True).draw(np.random.default_rng(2))
    votes["video"] = (votes["clip"].astype(int) // 2).astype(str)

    def alpha(of: pd.DataFrame) -> float:
        observed = expected = 0.0
        for _, part in of.groupby("comparison"):
            counts = pd.crosstab(part["clip"], part["chosen"]).reindex(columns=["a", "b"], fill_value=0).to_numpy()
            counts = counts[counts.sum(axis=1) >= 2]
            n = counts.sum(axis=0)
            chance = 2.0 * n[0] * n[1] / (n.sum() - 1)
            expected += chance
            observed += chance * (1 - krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))
        return 1 - observed / expected

    def left_out(by: list[str]) -> float:
        groups = votes.groupby(by).ngroup()
        moved = [alpha(votes[groups != group]) - alpha(votes) for group in groups.unique()]
        return (len(moved) - 1) / len(moved) * float(np.sum(np.square(moved)))

    paired = PairedVotes.of(votes)
    assert paired is not None
    found = paired.alpha()
    assert found.value == pytest.approx(alpha(votes), abs=1e-10)
    assert (paired.agreement().value, paired.count) == (pytest.approx(_agreeing(votes)), 16)
    variance = left_out(["rater"]) + left_out(["video"]) - left_out(["rater", "video"])
    half = t.ppf(0.975, paired.crossing.freedom) * np.sqrt(variance)
    # a rater whose cell has two pairs takes both away; the sums are those of single votes
    assert found.value - found.low >= 0.95 * half


def _agreeing(votes: pd.DataFrame) -> float:
    same = total = 0.0
    for _, pair in votes.groupby(["comparison", "clip"]):
        ordered = [(x, y) for (i, x), (j, y) in itertools.product(enumerate(pair["chosen"]), repeat=2) if i != j]
        same += len(pair) * float(np.mean([x == y for x, y in ordered]))
        total += len(pair)
    return same / total


def test_rank_correlation_with_set_metrics_is_called_descriptive() -> None:
    strengths = pd.DataFrame({"system": ["real", "a", "b", "c"], "strength": [3.0, 1.0, 0.0, -1.0], "group": 1})
    summary = pd.DataFrame({"row": ["a", "b", "c"], "metric": "fvd", "value": [1.0, 2.0, 3.0]})
    line = metric_agreement.per_set(strengths, summary, {"fvd": "lower"}).iloc[0]
    assert line["rank_correlation"] == pytest.approx(1.0)
    assert line["note"] == "descriptive: 3 systems"


def test_groups_of_systems_that_no_vote_connects_have_no_rank_correlation() -> None:
    votes = votes_table([(*pair, f"c{n}", "r", pair[0]) for n in range(4) for pair in (("a", "b"), ("c", "d"))])
    strengths = ranking.bradley_terry(votes)
    assert strengths["group"].nunique() == 2
    summary = pd.DataFrame({"row": ["a", "b", "c", "d"], "metric": "fvd", "value": [1.0, 2.0, 3.0, 4.0]})
    line = metric_agreement.per_set(strengths, summary, {"fvd": "lower"}).iloc[0]
    assert np.isnan([line["rank_correlation"], line["kendall"]]).all()
    assert line["note"] == "none: no vote connects 2 groups of methods"


def test_memory_does_not_grow_with_votes_times_methods_squared() -> None:
    """20,000 votes on 24 methods: with a table of 23 × 23 a vote it would be 170 MB and more."""
    rng = np.random.default_rng(0)
    one, other = np.array([(a, b) for a, b in rng.integers(0, 24, (21_000, 2)) if a != b]).T
    won = rng.random(len(one)) < expit((other - one) / 6)
    winner, loser = np.where(won, one, other), np.where(won, other, one)
    crossing = Crossing.of(np.arange(len(one)) // 100, rng.integers(0, 300, len(one)))
    tracemalloc.start()
    found = fit(winner, loser, 24, crossing)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    assert np.isfinite(found.covariance).all()
    assert peak < 110


def test_leaving_out_one_vote_in_closed_form_is_leaving_it_out() -> None:
    """Cells of one vote and cells of several, against a Newton step without each, one by one."""
    rng = np.random.default_rng(7)
    one, other = np.array([(a, b) for a, b in rng.integers(0, 4, (90, 2)) if a != b]).T
    rater, video = rng.integers(0, 9, len(one)), rng.integers(0, 7, len(one))
    crossing = Crossing.of(rater, video)
    found = fit(one, other, 4, crossing)
    basis = centred(4)
    information = strengths(table_of_wins(one, other, 4))[1]
    design = basis[one] - basis[other]
    lost = 1 / (1 + np.exp(found.strengths[one] - found.strengths[other]))
    total = np.zeros((3, 3))
    for clusters, sign in ((crossing.raters, 1), (crossing.videos, 1), (crossing.cells, -1)):
        for group in range(clusters.count):
            mine = clusters.index == group
            rest = information - (design[mine] * (lost * (1 - lost))[mine, None]).T @ design[mine]
            pull = np.linalg.solve(rest, (design[mine] * lost[mine, None]).sum(axis=0))
            total += sign * (clusters.count - 1) / clusters.count * np.outer(pull, pull)
    assert found.covariance == pytest.approx(basis @ total @ basis.T, abs=1e-9)
