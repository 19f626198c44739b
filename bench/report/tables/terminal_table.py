"""A table in a terminal or a log: names wrap and wide tables are split, so that no digit of a value is ever cut off."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.table import Table as RichTable
from rich.text import Text

from bench.report.tables.printed_table import Grid

#: Width of a column in addition to its text: a space on both sides and a line.
FRAME = 3
#: Names are wrapped down to this width before a table is split; in a narrow terminal, down to less.
NARROW = 24


def to_rich(grid: Grid, width: int) -> list[RichTable]:
    """A grid as one table, or as several tables stacked vertically if it is wider than `width` characters.

    Each table has the column of names. The notes are printed below, at the width of the terminal, not of the table.
    """
    names = max([cell_len(grid.corner), *(cell_len(line.title) for line in grid.lines)])
    inner = width - 1
    whole = [max(_needed(grid, place), cell_len(head)) for place, head in enumerate(grid.heads)]
    if names + FRAME + sum(whole) + FRAME * len(whole) <= inner:
        return [_table(grid, range(len(whole)), names, whole)]
    values = [_needed(grid, place) for place in range(len(grid.heads))]
    least = min(names, NARROW, max(inner // 3, 1))
    parts = _parts(values, inner - least - FRAME)
    spare = min(inner - sum(values[place] + FRAME for place in part) for part in parts) - FRAME
    shown = min(names, max(spare, least))
    widest = max(inner - shown - 2 * FRAME, 1)  # of the only column in a table
    return [_table(grid, part, shown, [min(values[place], widest) for place in part]) for part in parts]


def _needed(grid: Grid, place: int) -> int:
    """Width of a column's widest value or of its head's longest word: heads may wrap, values never do."""
    words = grid.heads[place].split()
    return max(map(cell_len, [*words, *(line.cells[place].whole for line in grid.lines)]), default=1)


def _parts(values: Sequence[int], room: int) -> list[list[int]]:
    """Columns in order, split into tables: as many per table as fit, and at least one."""
    parts: list[list[int]] = [[]]
    for place in range(len(values)):
        if parts[-1] and sum(values[other] + FRAME for other in [*parts[-1], place]) > room:
            parts.append([])
        parts[-1].append(place)
    return parts


def _table(grid: Grid, part: Sequence[int], names: int, widths: Sequence[int]) -> RichTable:
    first = not part or part[0] == 0
    shown = RichTable(title=Text(grid.caption) if first else None, title_justify="left")
    shown.add_column(Text(grid.corner), overflow="fold", min_width=names, max_width=names)
    for place, width in zip(part, widths, strict=True):
        shown.add_column(Text(grid.heads[place]), justify="right", overflow="fold", min_width=width, max_width=width)
    for line in grid.lines:
        cells = (line.cells[place] for place in part)
        shown.add_row(Text(line.title), *(Text(cell.whole, style="bold" if cell.best else "") for cell in cells))
    return shown
