"""Mean opinion scores, ties, and what leaves a study of its answers."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from bench.errors import BenchError
from study_app.analysis import mean_opinion_scores, preference_scores, questionnaire, ranking, rater_quality
from study_app.design.question_file import parse
from study_app.store.tidy_tables import RATING_COLUMNS, VOTE_COLUMNS
from tests.coverage import grades
from tests.study_app.design.test_questions import SETTINGS

pytestmark = pytest.mark.heavy

SYSTEMS = ("good", "bad")


def given(values: dict[str, np.ndarray], simulated: bool = False) -> pd.DataFrame:
    """Grades [raters, videos] of systems as a table of ratings."""
    rows = []
    for system, table in values.items():
        for (rater, video), grade in np.ndenumerate(table):
            rows.append(["s", system, f"v{video}", f"v{video}", int(grade), f"r{rater}", False, False, 900, 0, 0, "t"])
    table = pd.DataFrame(rows, columns=RATING_COLUMNS[:-3])
    return table.assign(simulated=simulated, excluded="", flags="")


def simulated(seed: int, gap: float = 1.0, raters: int = 12, videos: int = 20) -> pd.DataFrame:
    """Raters who use the scale higher or lower, and videos that are easier or harder."""
    rng = np.random.default_rng(seed)
    leaning, clip = rng.normal(0, 0.4, (raters, 1)), rng.normal(0, 0.5, (1, videos))
    means = {"good": 3.3, "bad": 3.3 - gap}
    felt = {name: mean + leaning + clip + rng.normal(0, 0.6, (raters, videos)) for name, mean in means.items()}
    return given({name: np.clip(np.rint(value), 1, 5) for name, value in felt.items()})


def test_means_by_hand() -> None:
    table = given({"good": np.array([[5, 4], [4, 3]]), "bad": np.array([[1, 1], [2, 1]])})
    mos = mean_opinion_scores.mos_table(table, (*SYSTEMS, "never")).set_index("system")
    assert list(mos.columns) == mean_opinion_scores.MOS_COLUMNS[1:]
    assert list(mos["mos"])[:2] == [4.0, 1.25]
    assert list(mos.loc["good", [f"grade_{n}" for n in range(1, 6)]]) == [0, 0, 1, 2, 1]
    assert (mos["ci_low"].iloc[:2] >= 1).all()
    assert (mos["ci_high"].iloc[:2] <= 5).all()
    assert mos.loc["good", "sd"] == pytest.approx(math.sqrt(2 / 3))
    assert mos.loc["never", "ratings"] == 0
    assert math.isnan(mos.loc["never", "mos"])
    lone = mean_opinion_scores.mos_table(table[table["rater"] == "r0"], SYSTEMS)
    assert lone[["ci_low", "ci_high"]].to_numpy().tolist() == [[1.0, 5.0]] * 2  # one rater says nothing of others


def test_practice_catch_and_excluded_grades_enter_no_mean() -> None:
    table = given({"good": np.array([[5, 4], [4, 3]])})
    for column, value in (("catch", True), ("practice", True), ("excluded", "withdrawn")):
        marked = table.copy()
        marked.loc[0, column] = value
        assert mean_opinion_scores.mos_table(marked, ("good",))["ratings"][0] == 3
    with pytest.raises(BenchError, match="must not be mixed"):
        mean_opinion_scores.mos_table(pd.concat([table, table.assign(simulated=True)]), ("good",))
    with pytest.raises(BenchError, match="not grades"):
        mean_opinion_scores.mos_table(pd.DataFrame(columns=VOTE_COLUMNS).assign(simulated=False), ("good",))


def test_intervals_cover_what_other_raters_and_videos_would_say(figures: dict[str, str]) -> None:
    truth = mean_opinion_scores.mos_table(simulated(10_000, raters=300, videos=400), SYSTEMS).set_index("system")["mos"]
    covered, apart = [], []
    for seed in range(150):
        table = simulated(seed)
        mos = mean_opinion_scores.mos_table(table, SYSTEMS).set_index("system")
        covered += [mos.loc[name, "ci_low"] <= truth[name] <= mos.loc[name, "ci_high"] for name in SYSTEMS]
        gap = mean_opinion_scores.differences(table, SYSTEMS).iloc[0]
        apart.append(gap["ci_low"] <= truth["good"] - truth["bad"] <= gap["ci_high"])
    figures["coverage of MOS and of differences"] = f"{np.mean(covered):.3f} and {np.mean(apart):.3f} of 0.95"
    assert 0.91 <= np.mean(covered) <= 0.99
    assert 0.91 <= np.mean(apart) <= 0.99


def test_intervals_hold_means_near_the_end_of_the_scale(figures: dict[str, str]) -> None:
    """At 4.9 of 5 an interval that is symmetric in grades holds the mean too rarely."""
    ours, symmetric = grades.covered(3.2, 12, 20, 400)
    figures["coverage of a MOS of 4.9"] = f"{ours:.3f}; symmetric in grades {symmetric:.3f}"
    assert ours >= 0.915
    assert symmetric < 0.91


def test_grades_that_are_all_the_best_are_tosses_of_a_coin() -> None:
    table = mean_opinion_scores.mos_table(given({"good": np.full((6, 9), 5)}), ("good",)).iloc[0]
    assert table["ci_low"] == pytest.approx(1 + 4 * 0.025 ** (1 / 6))
    assert (table["mos"], table["ci_high"], table["p910"]) == (5.0, 5.0, pytest.approx(5.0))


def test_differences_find_what_there_is() -> None:
    there, none = (mean_opinion_scores.differences(simulated(3, gap), SYSTEMS).iloc[0] for gap in (1.0, 0.0))
    assert there["difference"] > 0.7
    assert there["p"] < 0.01
    assert there["p_holm"] == there["p"]
    assert none["p"] > 0.05
    assert mean_opinion_scores.differences(given({"good": np.array([[5, 4]])}), SYSTEMS).empty


def votes(chosen: list[str]) -> pd.DataFrame:
    """Votes of ten raters on as many videos, a over b."""
    rows = [
        ["s", "a over b", "a", "b", f"v{n // 2}", f"v{n // 2}", "a", "b", choice, f"r{n % 4}", False, False, 900, 0, 0]
        for n, choice in enumerate(chosen)
    ]
    table = pd.DataFrame(rows, columns=VOTE_COLUMNS[:-4])
    return table.assign(time_utc="t", simulated=False, excluded="", flags="")[VOTE_COLUMNS]


def test_ties_are_in_no_share_and_stand_beside_it() -> None:
    decided, tied = ["a"] * 12 + ["b"] * 4, ["tie"] * 4
    with_ties = votes(decided + tied)
    comparisons = [("a", "b")]
    pos = preference_scores.pos_table(with_ties, comparisons)
    pd.testing.assert_frame_equal(pos, preference_scores.pos_table(votes(decided), comparisons))
    assert (pos["chosen"][0], pos["votes"][0], pos["pos"][0]) == (12, 16, 75.0)
    ties = preference_scores.ties_table(with_ties, comparisons).iloc[0]
    assert list(preference_scores.ties_table(with_ties, comparisons).columns) == preference_scores.TIE_COLUMNS
    assert (ties["votes"], ties["ties"], ties["share"], ties["pos"], ties["half"]) == (20, 4, 20.0, 75.0, 70.0)
    assert ties["ci_low"] < 20 < ties["ci_high"]
    only = preference_scores.ties_table(votes(tied), comparisons).iloc[0]
    assert math.isnan(only["pos"])
    assert only["half"] == 50
    assert preference_scores.ties_table(votes([]), comparisons)["votes"][0] == 0
    strengths = ranking.bradley_terry(with_ties)
    pd.testing.assert_frame_equal(strengths, ranking.bradley_terry(votes(decided)))
    assert rater_quality.side_bias(with_ties)[:2] == (12, 16)
    raters = rater_quality.rater_table(with_ties)
    assert raters["votes"].sum() == 20
    pd.testing.assert_frame_equal(rater_quality.agreement(with_ties), rater_quality.agreement(votes(decided)))


def test_answers_and_their_dictionary() -> None:
    asked = parse(
        {
            "screening": [
                {
                    "id": "age",
                    "text": {"en": "Age?", "de": "Alter?"},
                    "type": "number",
                    "minimum": 0,
                    "eligible": [18, 99],
                }
            ],
            "demographic": [{"id": "g", "text": "Gender", "choices": ["f", "m"], "optional": True}],
            "closing": [{"id": "free", "text": "Else?", "type": "text", "optional": True}],
        }
    )
    settings = SETTINGS.__class__(**{**vars(SETTINGS), "questions": asked, "language": "de"})
    told = questionnaire.dictionary(settings)
    assert list(told.columns) == questionnaire.DICTIONARY_COLUMNS
    assert told.to_numpy().tolist() == [
        ["screening", "age", "number", "no", "Alter?", "number from 0", "from 18 to 99"],
        ["demographic", "g", "choice", "yes", "Gender", "f = f; m = m", ""],
        ["closing", "free", "text", "yes", "Else?", "any text", ""],
    ]
    rows = [["age", "-5"], ["free", "=HYPERLINK(1)"], ["free", ""], ["free", "fine"]]
    answers = pd.DataFrame(rows, columns=["question", "answer"]).assign(time_utc=datetime(2026, 1, 2, tzinfo=UTC))
    table = questionnaire.answers_table(answers)
    assert list(table["answer"]) == ["-5", "=HYPERLINK(1)", "", "fine"]  # the writer of the file escapes it
    assert set(table["time_utc"]) == {"2026-01-02T00:00:00+00:00"}
