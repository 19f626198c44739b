"""No text of a rater becomes a formula, whichever file it is in."""

from __future__ import annotations

import csv as reader
import io

import pandas as pd
import pytest

from study_app.pipeline import export
from study_app.pipeline.csv_files import csv, unescaped
from study_app.store.store import Store
from tests.study_app.store.test_store import Person

ATTACKS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\n=1", "＝1", "'=1", "''=1", "-"]
HARMLESS = ["", "a=b", "-5", "+1.5", "'quoted'", "left", "video0-1"]


def test_formulas_are_escaped_and_read_back_as_they_were() -> None:
    table = pd.DataFrame({"text": ATTACKS + HARMLESS, "number": range(len(ATTACKS) + len(HARMLESS))})
    written = csv(table)
    cells = [row["text"] for row in reader.DictReader(io.StringIO(written, newline=""))]
    assert cells == [f"'{text}" for text in ATTACKS] + HARMLESS
    back = unescaped(pd.read_csv(io.StringIO(written), dtype={"text": str}, keep_default_na=False))
    pd.testing.assert_frame_equal(back, table)


@pytest.mark.parametrize("attack", ["=cmd|' /C calc'!A0", "@SUM(A1)", "+1+1"])
def test_no_file_of_a_study_has_a_rater_s_formula(sqlite: str, attack: str) -> None:
    person = Person(Store(sqlite))
    person.study.skip(person.token, person.view().trials[0], attack)
    person.study.exclude(person.study.raters()["rater"][0], attack, "test")
    watch = person.study.watch()
    study = person.study
    files = {**export.outcomes(study).files, **export.beside(study)}
    tables = [text for name, text in files.items() if name.endswith(".csv")]
    tables += [csv(watch.skips), csv(watch.raters), csv(watch.audit)]
    cells = [cell for text in tables for row in reader.reader(io.StringIO(text, newline="")) for cell in row]
    assert f"'{attack}" in cells
    assert not [cell for cell in cells if cell.startswith(attack[:1]) and cell[1:2].isalpha()]
