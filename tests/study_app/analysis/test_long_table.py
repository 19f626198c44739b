"""The table for other programs, and the R script where R is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from study_app.analysis.long_table import LONG_DICTIONARY, R_SCRIPT, dictionary, long_table
from study_app.design.questions import TIE
from tests.coverage.people import World, table_of_votes


def some_votes() -> pd.DataFrame:
    world = World(20, 20, 3, 2, 0.65)
    clip, video, rater = world.layout()
    won = world.wins(1)[0]
    table = table_of_votes(["a"] * len(clip), ["b"] * len(clip), clip, video, rater)
    chosen = np.where(won > 0, "a", "b").astype(object)
    chosen[:7] = TIE
    table = table.assign(chosen=chosen, left="a", right="b", response_ms=900)
    table.loc[10, "excluded"] = "withdrawn"
    table.loc[11, "catch"] = True
    return table


def test_every_column_is_in_the_dictionary_and_what_does_not_count_is_left_out() -> None:
    votes = some_votes()
    table = long_table(votes)
    assert list(table.columns) == list(LONG_DICTIONARY) == list(dictionary()["column"])
    assert len(table) == len(votes) - 2
    assert table["first"].isna().sum() == table["tie"].sum() == 7
    decided = votes[(votes["chosen"] != TIE) & (votes["excluded"] == "") & ~votes["catch"]]
    assert table["first"].sum() == (decided["chosen"] == "a").sum()
    assert list(table[table["rater"] == "3"]["trial"]) == list(range(1, (table["rater"] == "3").sum() + 1))


@pytest.mark.process
def test_the_script_fits_the_crossed_model(tmp_path: Path) -> None:
    if not shutil.which("Rscript"):
        pytest.skip("R is not installed: apt-get install r-base-core r-cran-lme4")
    long_table(some_votes()).to_csv(tmp_path / "votes_long.csv", index=False)
    (tmp_path / "model.R").write_text(R_SCRIPT)
    subprocess.run(["Rscript", "model.R"], cwd=tmp_path, check=True, capture_output=True)
    line = pd.read_csv(tmp_path / "crossed_logistic.csv").iloc[0]
    assert line["votes"] == long_table(some_votes())["first"].notna().sum()
    assert line["low"] < line["log_odds"] < line["high"]


def test_the_script_reads_columns_that_there_are() -> None:
    for name in ("comparison", "first", "rater", "video"):
        assert name in LONG_DICTIONARY
        assert name in R_SCRIPT
    assert "glmer(first ~ 1 + (1 | rater) + (1 | video)" in R_SCRIPT
    assert R_SCRIPT.count("(") == R_SCRIPT.count(")")
    assert R_SCRIPT.count("{") == R_SCRIPT.count("}")
