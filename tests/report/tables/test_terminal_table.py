from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from bench.report.tables.printed_table import Cell, Grid, Line
from bench.report.tables.terminal_table import to_rich

NAMES = [
    "half_the_light_of_each_frame",
    "ours with frozen encoder, cosine schedule and three losses, and more",
    "雲の動画",
]
HEADS = ["MSE ↓", "PSNR (dB) ↑", "PSNR, frame (dB) ↑", "SSIM ↑", "Motion →1", "LPIPS ↓", "FVD ↓", "KVD ↓"]


def grid(interval: str = "") -> Grid:
    lines = [
        Line(str(row), title, [Cell(f"{1000 * row + column}.{column}57", interval=interval) for column in range(8)])
        for row, title in enumerate(NAMES)
    ]
    return Grid("Model", HEADS, HEADS, lines, "Reference, 4 test clips, 64×64, all 16 frames.")


def printed(table: Grid, width: int) -> str:
    console = Console(width=width, height=50, file=io.StringIO(), color_system=None)
    for part in to_rich(table, console.width):
        console.print(part)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def column_text(text: str) -> list[str]:
    """What each cell says, its lines put together, without spaces."""
    cells: list[str] = []
    open_row: list[str] = []
    for line in text.splitlines():
        if "│" in line or "┃" in line:
            parts = [re.sub(r"\s", "", part) for part in re.split("[│┃]", line)[1:-1]]
            open_row = [a + b for a, b in zip(open_row, parts, strict=True)] if len(open_row) == len(parts) else parts
        else:
            cells, open_row = cells + open_row, []
    return cells


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160, 400])
@pytest.mark.parametrize("interval", ["", "[1023.16, 2046.32]"])
def test_no_value_is_cut_at_any_width(width: int, interval: str) -> None:
    text = printed(grid(interval), width)
    assert all(len(line) <= width for line in text.splitlines())
    assert "…" not in text
    for line in grid(interval).lines:
        for cell in line.cells:
            assert cell.text in text
    if width >= 80:
        assert interval in text


@settings(max_examples=30)
@given(st.integers(12, 200), st.integers(1, 12), st.text("abc_ -雲", min_size=1, max_size=60))
def test_every_letter_of_names_and_values_is_there(width: int, columns: int, name: str) -> None:
    cells = [Cell(f"{10**place}.5") for place in range(columns)]
    keys = [f"m{place}" for place in range(columns)]
    text = printed(Grid("M", keys, keys, [Line("a", name, cells)], ""), width)
    letters = "".join(column_text(text))
    for cell in cells:
        assert cell.text in letters


def test_a_table_that_fits_is_one_and_a_wide_one_repeats_the_names() -> None:
    assert len(to_rich(grid(), 400)) == 1
    assert "PSNR, frame (dB) ↑" in printed(grid(), 400)  # no head is broken where there is room
    parts = to_rich(grid(), 80)
    assert len(parts) == 2
    assert all(part.row_count == 3 for part in parts)
    assert sum(len(part.columns) - 1 for part in parts) == 8
    assert printed(grid(), 80).count("half_the_light") == 2


def test_names_are_folded_before_a_table_is_split() -> None:
    short = Grid("Model", ["mse"], ["MSE ↓"], [Line("a", NAMES[1], [Cell("0.25")])], "")
    (part,) = to_rich(short, 60)
    text = printed(short, 60)
    assert "0.25" in text
    assert "frozen" in text
    assert len(part.columns) == 2


def test_a_table_without_columns_shows_its_names() -> None:
    assert "a name" in printed(Grid("Model", [], [], [Line("a", "a name", [])], ""), 40)
