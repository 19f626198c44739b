"""The statistics, against simulated raters of known preference and against closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, binomtest

from bench.errors import BenchError
from study_app.analysis import humans, quality, ranking, tally
from study_app.design import power
from study_app.design.schedule import REAL
from study_app.simulate import PAPER_STRENGTHS, Crowd, left_share, simulate
from study_app.store.records import VOTE_COLUMNS, comparison_name
from study_app.store.store import Store

REPEATS = 1000


def votes_table(rows: list[tuple[str, str, str, str, str]], **columns: object) -> pd.DataFrame:
    """Votes from (first, second, clip, rater, chosen); the first is on the left in every other row."""
    filled = []
    for n, (first, second, clip, rater, chosen) in enumerate(rows):
        left, right = (first, second) if n % 2 else (second, first)
        head = ["s", comparison_name(first, second), first, second, clip, left, right, chosen, rater]
        filled.append([*head, False, False, 4000, 0, 0, "2026-01-01T00:00:00+00:00", False, "", ""])
    return pd.DataFrame(filled, columns=VOTE_COLUMNS).assign(**columns)


def crossed_world(
    rng: np.random.Generator, raters: int, clips: int, votes: int, gap: float, sd: float
) -> tuple[np.ndarray, pd.Series, pd.Series]:
    """Votes whose log odds are gap + rater + clip, every clip rated by `votes` raters."""
    of_rater, of_clip = rng.normal(0, sd, raters), rng.normal(0, sd, clips)
    clip = np.repeat(np.arange(clips), votes)
    rater = rng.permutation(np.arange(len(clip)) % raters)
    share = 1 / (1 + np.exp(-(gap + of_rater[rater] + of_clip[clip])))
    return (rng.random(len(clip)) < share).astype(float), pd.Series(rater), pd.Series(clip)


@pytest.mark.parametrize("truth", [0.6, 0.75])
def test_exact_intervals_cover_when_votes_are_independent(truth: float) -> None:
    rng = np.random.default_rng(1)
    intervals = {k: binomtest(k, 100).proportion_ci(0.95, method="exact") for k in range(101)}
    drawn = rng.binomial(100, truth, 20 * REPEATS)
    hits = np.mean([intervals[k].low <= truth <= intervals[k].high for k in drawn])
    assert 0.93 <= hits <= 0.97


@pytest.mark.parametrize(("raters", "votes", "gap", "sd"), [(20, 3, 0.4, 0.6), (40, 5, 1.5, 0.7)])
def test_crossed_intervals_cover_where_exact_ones_do_not(
    raters: int, votes: int, gap: float, sd: float, figures: dict[str, str]
) -> None:
    effects = np.random.default_rng(9).normal(0, np.hypot(sd, sd), 2_000_000)
    truth = float((1 / (1 + np.exp(-(gap + effects)))).mean())
    rng = np.random.default_rng(2)
    crossed = exact = 0
    for repeat in range(REPEATS):
        wins, rater, clip = crossed_world(rng, raters, 100, votes, gap, sd)
        low, high = tally.crossed_interval(wins, rater, clip, resamples=200, seed=repeat)
        crossed += low <= truth <= high
        plain = binomtest(int(wins.sum()), len(wins)).proportion_ci(0.95, method="exact")
        exact += plain.low <= truth <= plain.high
    assert 0.93 <= crossed / REPEATS <= 0.97
    assert exact / REPEATS < 0.90
    figures[f"coverage, {raters} raters × 100 clips × {votes} votes"] = (
        f"crossed {100 * crossed / REPEATS:.1f} %, exact {100 * exact / REPEATS:.1f} % of {REPEATS} repeats"
    )


def test_bradley_terry_recovers_strengths_and_covers_them(figures: dict[str, str]) -> None:
    systems = ["a", "b", "c", "d"]
    truth = pd.Series([1.2, 0.4, -0.4, -1.2], systems)
    rng = np.random.default_rng(3)
    pairs = [(x, y) for i, x in enumerate(systems) for y in systems[i + 1 :] for _ in range(60)]
    rows = [(first, second, f"c{n % 60}", f"r{n % 17}", first) for n, (first, second) in enumerate(pairs)]
    votes = votes_table(rows)
    share = 1 / (1 + np.exp(votes["second"].map(truth) - votes["first"].map(truth)))
    estimates, hits = [], []
    for repeat in range(80):
        chosen = np.where(rng.random(len(votes)) < share, votes["first"], votes["second"])
        table = ranking.bradley_terry(votes.assign(chosen=chosen), resamples=100, seed=repeat).set_index("system")
        estimates.append(table["strength"][systems])
        hits.append((table["ci_low"] <= truth) & (truth <= table["ci_high"]))
    assert np.abs(np.mean(estimates, axis=0) - truth).max() < 0.06
    coverage = float(np.mean(hits))
    assert 0.93 <= coverage <= 0.97
    figures["coverage of Bradley–Terry intervals"] = f"{100 * coverage:.1f} % of {np.size(hits)}"


def test_simulated_raters_through_the_store_are_recovered(sqlite: str) -> None:
    crowd = Crowd(PAPER_STRENGTHS)
    name, count = simulate(sqlite, None, 6, crowd, seed=4)
    store = Store(sqlite)
    study = store.open(name)
    votes = study.votes()
    assert count == len(votes)
    table = tally.pos_table(votes, study.settings.comparisons)
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
    line = tally.pos_table(votes, [("a", "b")]).iloc[0]
    assert (line["chosen"], line["votes"], line["pos"]) == (37, 50, 74.0)
    want = binomtest(37, 50, 0.5)
    assert line["p"] == pytest.approx(want.pvalue)
    assert line["ci_low"] == pytest.approx(100 * want.proportion_ci().low)
    mirrored = votes.assign(first="b", second="a", comparison="b over a")
    other = tally.pos_table(mirrored, [("b", "a")]).iloc[0]
    assert other["pos"] == 26.0
    assert other["crossed_low"] == pytest.approx(100 - line["crossed_high"])
    shuffled = votes.sample(frac=1, random_state=1)
    assert tally.pos_table(shuffled, [("a", "b")]).iloc[0]["chosen"] == 37


def test_practice_catch_excluded_and_foreign_votes_never_enter_a_pos() -> None:
    votes = votes_table([("a", "b", f"c{n}", "r", "a") for n in range(6)])
    votes.loc[1, "practice"] = True
    votes.loc[2, "catch"] = True
    votes.loc[3, "excluded"] = "withdrawn"
    line = tally.pos_table(votes, [("a", "b"), ("b", "c")])
    assert list(line["votes"]) == [3, 0]
    assert np.isnan(line["pos"][1])
    votes.loc[0, "simulated"] = True
    with pytest.raises(BenchError, match="never tallied together"):
        tally.pos_table(votes, [("a", "b")])


def test_holm_is_over_the_comparisons_that_have_votes() -> None:
    rows = [("a", "b", f"c{n}", f"r{n}", "a" if n < 9 else "b") for n in range(10)]
    rows += [("a", "d", f"c{n}", f"r{n}", "a" if n < 8 else "d") for n in range(10)]
    table = tally.pos_table(votes_table(rows), [("a", "b"), ("a", "d"), ("b", "d")])
    small, large = binomtest(9, 10).pvalue, binomtest(8, 10).pvalue
    assert table["p_holm"][0] == pytest.approx(2 * small)
    assert table["p_holm"][1] == pytest.approx(max(large, 2 * small))
    assert np.isnan(table["p_holm"][2])


def test_a_system_that_wins_everything_keeps_a_finite_strength() -> None:
    rows = [("real", "a", f"c{n}", f"r{n % 4}", "real") for n in range(30)]
    rows += [("a", "b", f"c{n}", f"r{n % 4}", "a" if n % 3 else "b") for n in range(30)]
    table = ranking.bradley_terry(votes_table(rows))
    assert list(table["system"]) == ["real", "a", "b"]
    assert np.isfinite(table[["strength", "ci_low", "ci_high"]].to_numpy()).all()


def test_systems_that_nothing_connects_are_said_to_be_apart() -> None:
    rows = [("a", "b", "c", "r", "a"), ("c", "d", "c", "r", "d"), ("b", "e", "c", "r", "e")]
    votes = votes_table(rows)
    assert sorted(ranking.connectivity(votes)) == [["a", "b", "e"], ["c", "d"]]
    assert set(ranking.bradley_terry(votes)["group"]) == {1, 2}
    assert ranking.connectivity(votes.iloc[:0]) == []
    assert len(ranking.bradley_terry(votes.iloc[:0])) == 0


def test_agreement_is_of_models_and_not_of_sides() -> None:
    agreeing = [("a", "b", f"c{n}", f"r{r}", "a" if n % 2 else "b") for r in range(3) for n in range(20)]
    perfect = quality.agreement(votes_table(agreeing)).iloc[0]
    assert (perfect["alpha"], perfect["pairs"]) == (1.0, 20)  # though sides alternate from row to row
    rng = np.random.default_rng(0)
    chance = [("a", "b", f"c{n}", f"r{r}", rng.choice(["a", "b"])) for r in range(4) for n in range(300)]
    assert abs(quality.agreement(votes_table(chance))["alpha"][0]) < 0.06
    once = quality.agreement(votes_table(agreeing[:20]))
    assert once["alpha"].isna().all()
    assert (once["pairs"] == 0).all()


def test_side_bias_and_raters_catch_trials() -> None:
    votes = votes_table([("a", "b", f"c{n}", "r", "a") for n in range(40)])
    votes["chosen"] = votes["left"]
    left, n, p = quality.side_bias(votes)
    assert (left, n) == (40, 40)
    assert p == pytest.approx(2 * 0.5**40)
    catch = votes_table(
        [("real", "scrambled", f"k{n}", "r", "real" if n else "scrambled") for n in range(4)], catch=True
    )
    table = quality.rater_table(pd.concat([votes, catch], ignore_index=True))
    assert list(table.loc[0, ["votes", "catch_right", "catch_had"]]) == [40, 3, 4]


def test_the_power_table() -> None:
    assert power.trials_needed(0.60, 0.8) == 199
    assert power.exact_power(198, 0.60) < 0.8 <= power.exact_power(199, 0.60)
    assert power.exact_power(100, 0.60) < 0.5
    assert list(power.table()["trials_for_80_power"])[:3] == [786, 199, 90]
    for n in (5, 17, 60):  # against scipy's own test, outcome by outcome
        reject = [k for k in range(n + 1) if binomtest(k, n).pvalue <= power.ALPHA]
        assert power.exact_power(n, 0.7) == pytest.approx(sum(binom.pmf(k, n, 0.7) for k in reject))


def test_humans_against_metrics(tmp_path: Path) -> None:
    rows = [("a", "b", f"c{n}", f"r{r}", "a" if n < 8 or r == 0 else "b") for n in range(10) for r in range(3)]
    rows += [("a", "real", "c0", "r9", "real")]
    scores = [("a", 0, f"c{n}", "v", "psnr", 30.0) for n in range(10)]
    scores += [("b", 0, f"c{n}", "v", "psnr", 20.0 if n < 8 else 40.0) for n in range(10)]
    scores += [(row, 0, f"c{n}", "v", "mse", 1.0) for row in "ab" for n in range(10)]
    columns = ["row", "seed", "clip", "video", "metric", "value"]
    scored = pd.DataFrame(scores, columns=columns)
    votes = votes_table(rows)
    table = humans.per_clip(votes, scored, {"psnr": "higher", "mse": "lower", "ssim": "higher"}).set_index("metric")
    assert table.loc["psnr", "votes"] == 30  # pairs with the real clip are left out
    assert table.loc["psnr", "agrees"] == pytest.approx(100 * 28 / 30)
    assert table.loc["psnr", "ceiling"] == pytest.approx(100 * 28 / 30)
    assert table.loc["mse", "agrees"] == 50.0
    assert table.loc["psnr", "ci_low"] <= table.loc["psnr", "agrees"] <= table.loc["psnr", "ci_high"]
    reversed_ = humans.per_clip(votes, scored, {"psnr": "lower"}).set_index("metric")
    assert reversed_.loc["psnr", "agrees"] == pytest.approx(100 * 2 / 30)
    other = [("b", 1, f"c{n}", "v", "psnr", 99.0) for n in range(10)]  # a second training, which nobody saw
    both = pd.DataFrame(scores + other, columns=columns)
    shown = humans.per_clip(votes, both, {"psnr": "higher"}, {"a": 0, "b": 0}).set_index("metric")
    assert shown.loc["psnr", "agrees"] == table.loc["psnr", "agrees"]
    assert humans.directions(both) == {"psnr": "higher", "mse": "lower"}
    with pytest.raises(BenchError, match="no metric scores"):
        humans.read_scores(tmp_path / "none.csv")


def test_rank_correlation_with_set_metrics_is_called_descriptive() -> None:
    strengths = pd.DataFrame({"system": ["real", "a", "b", "c"], "strength": [3.0, 1.0, 0.0, -1.0]})
    summary = pd.DataFrame({"row": ["a", "b", "c"], "metric": "fvd", "value": [1.0, 2.0, 3.0]})
    line = humans.per_set(strengths, summary, {"fvd": "lower"}).iloc[0]
    assert line["rank_correlation"] == pytest.approx(1.0)
    assert line["note"] == "descriptive: 3 systems"
