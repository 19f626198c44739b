from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable
from typing import Any

import pytest

from bench.report.row_names import registered_names
from bench.report.tables.paper_tables import paper, pos_table, table4
from bench.report.tables.printed_table import Grid, to_csv, to_json, to_latex, to_markdown
from bench.scoring.score_tables import SummaryLine

NAMES = registered_names()


def line(row: str, metric: str, value: float, seeds: int = 1) -> SummaryLine:
    return SummaryLine("beach", row, metric, value, 0, 1, 9, 0, seeds, 0.00123, "v1")


def preference(first: str, second: str, votes: int, pos: float, low: float, high: float) -> dict[str, Any]:
    interval = {"ci_low": low, "ci_high": high}
    return {"first": first, "second": second, "votes": votes, "pos": pos, **interval, "simulated": False}


VOTES = [
    preference("mdgan-2", "vgan", 100, 88.0, 80.1, 93.6),
    preference("real", "vgan", 50, 90.0, 78.2, 96.7),
    preference("mdgan-2", "real", 40, 20.0, 9.0, 36.0),
    preference("rnngan", "real", 0, math.nan, math.nan, math.nan),
]
SCORES = [
    line(row, metric, value)
    for row, values in {"mdgan-1": (0.01, 20.0, 0.9), "mdgan-2": (0.02, 19.0, 0.8), "copy": (0.001, 30.0, 0.95)}.items()
    for metric, value in zip(("mse", "psnr", "ssim"), values, strict=True)
]


def cells(grid: Grid, key: str) -> list[str]:
    return next([cell.whole for cell in found.cells] for found in grid.lines if found.key == key)


def test_every_line_of_the_papers_tables_has_its_number() -> None:
    lines = {
        (first, second) for _, comparisons in paper().preference_tables.values() for _, first, second in comparisons
    }
    assert lines == set(paper().preferences)
    assert [line.cells[2].text for line in pos_table("table2", VOTES).lines] == ["92", "97", "5", "1", "16"]
    assert [line.cells[2].text for line in pos_table("table3", VOTES).lines] == ["70", "16", "8"]


def test_preferences_stand_beside_the_papers() -> None:
    two, three = pos_table("table2", VOTES), pos_table("table3", VOTES)
    assert cells(two, "mdgan-2 over vgan") == ["88 [80, 94]", "100", "92"]
    assert cells(two, "vgan over real") == ["10 [3, 22]", "50", "5"]  # the study had it the other way round
    assert cells(two, "rnngan over real") == ["–", "0", "1"]
    assert cells(three, "mdgan-2 over real") == ["20 [9, 36]", "40", "16"]
    assert "imulated" not in to_latex(two) + to_markdown(two) + to_csv(two)


def test_simulated_raters_are_named_everywhere() -> None:
    grid = pos_table("table3", [{**vote, "simulated": True} for vote in VOTES])
    for text in (to_latex(grid), to_markdown(grid), to_csv(grid), json.dumps(to_json(grid))):
        assert "Simulated raters, not people." in text
    assert grid.heads[0] == "Ours (simulated)"


def test_table_4_has_the_papers_rows_in_the_papers_order_and_then_ours() -> None:
    grid = table4(SCORES, "Beach.", NAMES, ["A deviation."])
    assert [found.key for found in grid.lines] == ["vgan", "rnngan", "mdgan-1", "mdgan-2", "copy"]
    assert cells(grid, "vgan") == ["–", "0.0958", "–", "11.5586", "–", "0.6035"]
    assert cells(grid, "mdgan-1") == ["0.0100", "0.0530", "20.0000", "14.8982", "0.9000", "0.7624"]
    assert cells(grid, "copy") == ["0.0010", "–", "30.0000", "–", "0.9500", "–"]
    best = {
        (found.key, key) for found in grid.lines for key, cell in zip(grid.keys, found.cells, strict=True) if cell.best
    }
    assert best == {("copy", name) for name in ("mse", "psnr", "ssim")} | {
        ("mdgan-2", f"{name}_paper") for name in ("mse", "psnr", "ssim")
    }
    assert grid.notes == ["A deviation."]


def test_the_spread_over_seeds_is_printed() -> None:
    grid = table4([line("vgan", "mse", 0.5, seeds=3), line("vgan", "psnr", math.nan)], "Beach.", NAMES)
    assert cells(grid, "vgan")[:3] == ["0.5000 ± 0.0012", "0.0958", "–"]


@pytest.mark.parametrize(
    "grid", [pos_table("table2", VOTES), table4(SCORES, "Beach.", NAMES)], ids=["table2", "table4"]
)
def test_csv_latex_json_and_markdown_carry_the_same_digits(grid: Grid) -> None:
    printed = [[cell.whole for cell in found.cells] for found in grid.lines]
    rows = list(csv.reader(io.StringIO("".join(t for t in to_csv(grid).splitlines(True) if t[0] != "#"))))
    assert [row[1:] for row in rows[1:]] == printed
    stored: Any = json.loads(json.dumps(to_json(grid)))["rows"]
    assert [[row[key] for key in grid.keys] for row in stored] == printed
    titles = tuple(found.title for found in grid.lines)
    for text, start in ((to_latex(grid), "    "), (to_markdown(grid), "| ")):
        body = re.sub(r"\\textbf\{([^}]*)\}|\*\*([^*]*)\*\*", r"\1\2", text).replace("--", "–")
        own = [t for t in body.splitlines() if t.startswith(tuple(start + name for name in titles))]
        assert [[cell.strip(" \\|") for cell in re.split(r" & | \| ", row)][1:] for row in own] == printed


@pytest.mark.process
def test_the_papers_tables_compile(pdflatex: Callable[[str], None]) -> None:
    simulated = [{**vote, "simulated": True} for vote in VOTES]
    tables = [
        pos_table("table2", simulated),
        pos_table("table3", VOTES),
        table4(SCORES, "Beach & sky, 100 %.", NAMES, ["a_b"]),
    ]
    pdflatex("\n".join(map(to_latex, tables)))


def test_the_papers_numbers_are_as_published() -> None:
    assert paper().measured["mdgan-2"] == (0.0422, 16.1951, 0.8019)
    assert min(paper().measured.values())[0] == 0.0422
