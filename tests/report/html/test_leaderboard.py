from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.errors import BenchError
from bench.report.html.leaderboard import leaderboard
from bench.report.results_file import MetricFacts, Results, ResultsRow, RowScore, write_results
from bench.scoring.protocol import Protocol
from bench.scoring.protocol_choices import Choices
from tests.support.small import REPOSITORY

FACTS = {"mse": MetricFacts("MSE", "lower", 3, "mean squared error", "v1"), "fvd": MetricFacts("FVD", "lower", 1)}
ALERT = "<script>document.title = 'taken over'</script>"


def results(by: str, protocol: str = "v2/sky/64px", **rows: float) -> Results:
    entries = [
        ResultsRow(row, row.upper(), {"mse": RowScore(value, value - 0.1, value + 0.1)}) for row, value in rows.items()
    ]
    return Results("measured", FACTS, entries, "sky", by, {"id": protocol, "clips": 4})


def written(folder: Path, *files: Results) -> list[Path]:
    paths = [folder / f"{number}.json" for number in range(len(files))]
    for path, content in zip(paths, files, strict=True):
        write_results(content, path)
    return paths


def test_one_table_for_each_protocol(tmp_path: Path) -> None:
    files = [results("A", ours=0.5, copy=0.2), results("B", ours=0.4, copy=0.2), results("C", "v2/beach", ours=0.1)]
    tables = leaderboard(written(tmp_path, *files), tmp_path / "page")
    assert [[line.title for line in table.grid.lines] for table in tables] == [
        ["OURS (A)", "COPY (A)", "OURS (B)"],  # what is equal is shown once
        ["OURS"],
    ]
    assert [[line.cells[0].best for line in table.grid.lines] for table in tables] == [[False, True, False], [True]]
    assert tables[0].grid.lines[0].cells[0].interval == "[0.400, 0.600]"
    table = pd.read_csv(tmp_path / "page" / "leaderboard.csv")
    assert list(table["value"]) == [0.5, 0.2, 0.4, 0.2, 0.1]
    assert set(table["protocol"]) == {"v2/sky/64px", "v2/beach"}


def test_a_table_says_what_keeps_it_apart_from_earlier_ones(tmp_path: Path) -> None:
    whole = Protocol("sky", 64, "all", 4, "0123456789abcdef", False)
    cropped = replace(whole, choices=Choices(unpaired=True, crop="centre", draws=10))
    files = [replace(results(by, a=0.5), protocol=p.to_dict()) for by, p in (("A", whole), ("B", cropped))]
    older = {key: value for key, value in whole.to_dict().items() if key not in ("width", "whole", "sampling")}
    files.append(replace(results("C", b=0.5), protocol=older))
    first, second = leaderboard(written(tmp_path, *files), tmp_path / "page")
    assert not first.apart
    assert [line.title for line in first.grid.lines] == ["A (A)", "B (C)"]  # what an older file lacks is the default
    assert list(second.apart) == [
        f"Not comparable with {whole.id}: unpaired (--unpaired) is False and True; crop (--crop) is 'squash' and "
        "'centre'; draws (--draws) is 1 and 10."
    ]
    assert "Not comparable with" in (tmp_path / "page" / "index.html").read_text()


def test_numbers_that_are_not_computed_alike_are_refused(tmp_path: Path) -> None:
    other = replace(results("B", a=0.4), metrics={"mse": MetricFacts("MSE", "lower", computed="v2")})
    with pytest.raises(BenchError, match=r"1\.json cannot be compared with .*0\.json: mse is v1 and v2\."):
        leaderboard(written(tmp_path, results("A", a=0.5), other), tmp_path / "page")
    other = replace(results("B", a=0.4), protocol={"id": "v2/sky/64px", "clips": 5})
    with pytest.raises(BenchError, match="clips is 4 and 5"):
        leaderboard(written(tmp_path, results("A", a=0.5), other), tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_published_figures_stand_apart_with_their_source(tmp_path: Path) -> None:
    source = {"title": "A paper", "where": "Table IV"}
    printed = Results("published", FACTS, [ResultsRow("a", "A", {"mse": RowScore(0.001)})], "sky", source=source)
    tables = leaderboard(written(tmp_path, results("A", a=0.5), printed), tmp_path / "page")
    assert [len(table.grid.lines) for table in tables] == [1, 1]
    assert tables[0].grid.lines[0].cells[0].best  # the printed figure is no competitor
    page = (tmp_path / "page" / "index.html").read_text()
    assert page.index("A paper, Table IV") > page.index("not measured here")


def test_a_set_metric_of_too_few_clips_has_no_best_row(tmp_path: Path) -> None:
    facts = {"fvd": replace(FACTS["fvd"], ranked=False)}
    entries = [ResultsRow(row, row, {"fvd": RowScore(value)}) for row, value in (("a", 1.0), ("b", 2.0))]
    tables = leaderboard(written(tmp_path, replace(results("A"), metrics=facts, rows=entries)), tmp_path / "page")
    assert not any(line.cells[0].best for line in tables[0].grid.lines)


@pytest.mark.browser
def test_our_first_entries_make_a_page_that_fits_a_telephone(tmp_path: Path, chromium: Any) -> None:
    sent = results(ALERT, a=0.5)
    paths = [*sorted((REPOSITORY / "results" / "leaderboard").glob("*.json")), *written(tmp_path, sent)]
    tables = leaderboard(paths, tmp_path / "page")
    assert {table.files[0].kind for table in tables} == {"measured", "published"}
    context = chromium.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.goto((tmp_path / "page" / "index.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("table").count() == len(tables)
    assert page.title().startswith("Leaderboard")
    assert troubles == []
    context.close()


@pytest.mark.browser
def test_a_column_is_sorted_upwards_and_downwards(tmp_path: Path, chromium: Any) -> None:
    leaderboard(written(tmp_path, results("A", a=0.5, b=0.25, c=0.75)), tmp_path / "page")
    page = chromium.new_context().new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.goto((tmp_path / "page" / "index.html").as_uri())
    head = page.locator("thead th").nth(1)
    for sort, rows in (("ascending", ["B", "A", "C"]), ("descending", ["C", "A", "B"])):
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == sort
        assert page.locator("tbody th").all_text_contents() == rows
    assert troubles == []
    page.context.close()
