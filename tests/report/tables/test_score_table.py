from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable

import pytest

from bench.metrics.base import Unavailable
from bench.report.row_names import registered_names
from bench.report.tables.printed_table import escape_latex, to_csv, to_json, to_latex, to_markdown
from bench.report.tables.score_table import ScoreTable, make_table
from bench.report.tables.terminal_table import to_rich
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import SummaryLine

PROTOCOL = Protocol("synthetic-sky", 64, "future", 10, "0123456789abcdef", True)
VALUES = {
    "mdgan-1": {"mse": 0.02, "ssim": 0.80001, "motion": 0.5, "psnr": 20.0},
    "mdgan-2": {"mse": 0.03, "ssim": 0.80002, "motion": 1.4, "psnr": 22.0},
    "my_model 100%": {"mse": 0.04, "ssim": 0.7, "motion": 3.0, "psnr": math.nan},
}


def table(seeds: int = 1) -> ScoreTable:
    lines = [
        SummaryLine("d", row, metric, value, 0, 1, 9, 1 if math.isnan(value) else 0, seeds, 0.001, PROTOCOL.id)
        for row, values in VALUES.items()
        for metric, value in values.items()
    ]
    return make_table(
        lines, PROTOCOL, registered_names(), [Unavailable("fvd", "its weights are not here", "bench weights fetch fvd")]
    )


def best(table: ScoreTable, metric: str) -> list[str]:
    column = list(table.heads).index(metric)
    return [row for row, cells in zip(table.rows, table.cells, strict=True) if cells[column].best]


def test_the_best_of_each_column_follows_its_direction() -> None:
    shown = table()
    assert best(shown, "mse") == ["mdgan-1"]
    assert best(shown, "psnr") == ["mdgan-2"]
    assert best(shown, "motion") == ["mdgan-2"]  # 1.4 is nearer to 1 than 0.5 is
    assert best(shown, "ssim") == ["mdgan-1", "mdgan-2"]  # what prints the same is marked the same


def test_all_forms_carry_the_same_digits() -> None:
    shown = table()
    printed = {
        (row, name): cell.text
        for row, cells in zip(shown.rows, shown.cells, strict=True)
        for name, cell in zip(shown.heads, cells, strict=True)
    }
    lines = csv.DictReader(io.StringIO("".join(line for line in to_csv(shown.grid).splitlines(True) if line[0] != "#")))
    assert {(line["row"], name): line[name] for line in lines for name in shown.heads} == printed
    stored = json.loads(json.dumps(to_json(shown.grid)))["rows"]
    assert {(line["row"], name): line[name] for line in stored for name in shown.heads} == printed
    for text in (to_latex(shown.grid), to_markdown(shown.grid)):
        body = re.sub(r"\\textbf\{([^}]*)\}|\*\*([^*]*)\*\*", r"\1\2", text)
        rows = [line for line in body.splitlines() if line.startswith(("    MD-GAN", "    my", "| MD-GAN", "| my"))]
        cells = [[cell.strip(" \\|") for cell in re.split(r" & | \| ", row)][1:] for row in rows]
        assert [cell.replace("--", "–") for row in cells for cell in row] == [
            cell.text for row in shown.cells for cell in row
        ]


def test_what_has_to_be_read_with_the_numbers_stands_in_every_form() -> None:
    shown = table()
    for text in (to_csv(shown.grid), to_markdown(shown.grid), to_latex(shown.grid)):
        text = text.replace("\\_", "_").replace("\\%", "%")
        assert "v1/synthetic-sky/64px/future31/10clips/01234567/partial" in text
        assert "bench weights fetch fvd" in text
        assert "my_model 100%, psnr: 1 of 10 clips left out" in text
        assert "31 frames after the given one" in text
        assert "Synthetic-sky" in text
    assert str(to_rich(shown.grid, 400)[0].title) == shown.caption


def test_the_spread_over_seeds_is_printed() -> None:
    assert "0.02000 ± 0.00100" in to_csv(table(seeds=3).grid)
    assert "over 3 training seeds" in to_csv(table(seeds=3).grid)


def test_latex_has_booktabs_arrows_and_bold() -> None:
    text = to_latex(table().grid)
    for part in (
        r"\toprule",
        r"\midrule",
        r"\bottomrule",
        r"MSE $\downarrow$",
        r"SSIM $\uparrow$",
        r"\textbf{0.02000}",
    ):
        assert part in text
    assert escape_latex("a_b & 5 % × ± – #$") == r"a\_b \& 5 \% $\times$ $\pm$ -- \#\$"


@pytest.mark.process
def test_latex_compiles(pdflatex: Callable[[str], None]) -> None:
    pdflatex(to_latex(table().grid))
