"""A table of any content, ready for print as CSV, JSON, LaTeX and Markdown, all with the same digits.

For terminals, see `bench.report.tables.terminal_table`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.files import write_json, write_text
from bench.metrics.base import Direction, best_first

#: Mark after a value that is significantly worse than the best one, and after a value that was not tested.
WORSE, UNTESTED = "*", "†"
#: A table with more numeric columns than this spans both columns of a two-column page.
ACROSS = 4
#: Shrinks content that is wider than its column to the width of the column, and leaves everything else unchanged.
FITTING = r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
#: Arrows and other special characters that appear in texts, with their LaTeX equivalents.
_LATEX = {"↓": r"$\downarrow$", "↑": r"$\uparrow$", "→": r"$\rightarrow$", "×": r"$\times$", "±": r"$\pm$"}
_LATEX |= {
    "–": "--",
    "−": "$-$",
    WORSE: r"$^*$",
    UNTESTED: r"$^\dagger$",
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
}
_LATEX |= {"^": r"\textasciicircum{}", "α": r"$\alpha$", "≥": r"$\geq$", "≤": r"$\leq$", "·": r"$\cdot$"}
_LATEX |= {character: f"\\{character}" for character in "&%$#_{}"}
_LATEX |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}"}
#: Greek capitals that do not look like Latin ones.
_GREEK_CAPITALS = {"GAMMA", "DELTA", "THETA", "LAMBDA", "XI", "PI", "SIGMA", "UPSILON", "PHI", "PSI", "OMEGA"}


@dataclass(frozen=True)
class Cell:
    """A printed value.

    Attributes:
        text: digits, with the spread over seeds if there are several.
        best: whether it is the best of its column.
        interval: its 95 % interval; empty if there is none or none is requested.
        mark: how it compares with the best: `WORSE`, `UNTESTED`, or empty if inconclusive.
    """

    text: str
    best: bool = False
    interval: str = ""
    mark: str = ""

    @property
    def whole(self) -> str:
        """Value, mark and interval as one text."""
        return self.text + self.mark + (f" {self.interval}" if self.interval else "")


#: The cell of a row without a value.
NO_VALUE = Cell("–")


@dataclass(frozen=True)
class ColumnEntry:
    """A number of a column, before it is formatted.

    Attributes:
        value: the number; NaN if the row has none.
        seeds, seed_sd: number of training runs, and the standard deviation over them.
        ci_low, ci_high: its 95 % interval; NaN if there is none.
        mark: how it compares with the best: `WORSE`, `UNTESTED`, or empty.
        competes: whether it can be marked as the best; real vs. real cannot.
        no_value: cell that is printed if the value is not finite.
    """

    value: float = math.nan
    seeds: int = 1
    seed_sd: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    mark: str = ""
    competes: bool = True
    no_value: Cell = NO_VALUE


def best_values(values: Iterable[float], direction: Direction) -> list[float]:
    """A list with the best of several finite values; empty if there are none."""
    known = list(values)
    return [min(known, key=lambda value: best_first(direction, value))] if known else []


def format_column(
    entries: Sequence[ColumnEntry], decimals: int, best: Collection[float], ci: bool = True
) -> list[Cell]:
    """Format one column of a table and mark its best values.

    Args:
        entries: one per row.
        decimals: digits after the point.
        best: the best values. Values that print the same are also marked as best, unless they are known to be worse.
        ci: print intervals and marks.
    """

    def digits(value: float) -> str:
        return f"{value:.{decimals}f}"

    best_texts = {digits(value) for value in best}
    cells = []
    for entry in entries:
        if not math.isfinite(entry.value):
            cells.append(entry.no_value)
            continue
        text = digits(entry.value)
        spread = f" ± {digits(entry.seed_sd)}" if entry.seeds > 1 and math.isfinite(entry.seed_sd) else ""
        bounded = ci and math.isfinite(entry.ci_low) and math.isfinite(entry.ci_high)
        interval = f"[{digits(entry.ci_low)}, {digits(entry.ci_high)}]" if bounded else ""
        is_best = text in best_texts and entry.mark != WORSE and entry.competes
        cells.append(Cell(text + spread, is_best, interval, entry.mark if ci and not is_best else ""))
    return cells


@dataclass(frozen=True)
class Line:
    """A row: its key, its display name, and one cell per column."""

    key: str
    title: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Grid:
    """A table ready for print.

    Attributes:
        corner: head of the column of names, such as "Method".
        keys: machine-readable names of the columns.
        heads: printed names of the columns, such as "MSE ↓".
        lines: the rows.
        caption: what the numbers describe.
        notes: notes to read with the numbers.
        key: machine-readable name of the column of names.
        warning: a note that must not be overlooked, for example that raters are simulated; bold where the format has
            bold text.
    """

    corner: str
    keys: Sequence[str]
    heads: Sequence[str]
    lines: Sequence[Line]
    caption: str
    notes: Sequence[str] = ()
    key: str = "row"
    warning: str = ""

    def __post_init__(self) -> None:
        """Reject a table with missing cells: this is a bug, not a user error."""
        widths = {len(self.keys), len(self.heads), *(len(line.cells) for line in self.lines)}
        if len(widths) != 1:
            raise ValueError(f"The rows and heads of a table differ in length: {sorted(widths)}.")

    @property
    def remarks(self) -> list[str]:
        """Warning, caption and notes, in reading order."""
        return [*([self.warning] if self.warning else []), self.caption, *self.notes]


def to_csv(grid: Grid) -> str:
    """The table as CSV; caption and notes are trailing lines that begin with `#`."""
    rows = [[grid.key, *grid.keys], *([line.key, *(cell.whole for cell in line.cells)] for line in grid.lines)]
    lines = [",".join(map(_quoted, row)) for row in rows]
    return "\n".join([*lines, *(f"# {note}" for note in grid.remarks)]) + "\n"


def _quoted(text: str) -> str:
    """A CSV field, quoted if a reader could misinterpret its content, for example `#` as a comment."""
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",#\n\r]|^\s|\s$', text) else text


def to_json(grid: Grid) -> dict[str, object]:
    """The table as JSON values, with heads, caption and notes; digits are text, so that no reader rounds them."""
    rows = [
        {grid.key: line.key} | {key: cell.whole for key, cell in zip(grid.keys, line.cells, strict=True)}
        for line in grid.lines
    ]
    warning = {"warning": grid.warning} if grid.warning else {}
    heads = {grid.key: grid.corner} | dict(zip(grid.keys, grid.heads, strict=True))
    return {**warning, "caption": grid.caption, "heads": heads, "rows": rows, "notes": list(grid.notes)}


def to_markdown(grid: Grid) -> str:
    """The table as a Markdown pipe table, with the best values in bold."""

    def row(texts: Sequence[str]) -> str:
        return "| " + " | ".join(re.sub(r"([|<])", r"\\\1", text) for text in texts) + " |"

    lines = [row([grid.corner, *grid.heads]), "|---" + "|---:" * len(grid.heads) + "|"]
    for line in grid.lines:
        marked = [
            cell.whole.replace(cell.text, f"**{cell.text}**", 1) if cell.best else cell.whole for cell in line.cells
        ]
        lines.append(row([line.title, *marked]))
    warning = [f"**{grid.warning}**", ""] if grid.warning else []
    return "\n".join([*lines, "", *warning, grid.caption, "", *(f"- {note}" for note in grid.notes)]) + "\n"


def escape_latex(text: str) -> str:
    """Escape text for LaTeX; arrows, `×`, `±`, dashes and Greek letters become LaTeX commands."""
    return "".join(_LATEX.get(character) or _greek(character) for character in text)


def _greek(character: str) -> str:
    """The LaTeX command for a Greek letter; any other character unchanged."""
    letter = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", unicodedata.name(character, ""))
    name = {"LAMDA": "LAMBDA"}.get(letter[2], letter[2]) if letter else ""
    if letter is None or (letter[1] == "CAPITAL" and name not in _GREEK_CAPITALS) or name == "OMICRON":
        return character
    return rf"$\{name.lower() if letter[1] == 'SMALL' else name.capitalize()}$"


def beyond_latin(text: str) -> str:
    """The letters of a text that pdfLaTeX cannot typeset."""
    return "".join(dict.fromkeys(c for c in escape_latex(text) if ord(c) > 0x24F and unicodedata.category(c)[0] == "L"))


def to_latex(grid: Grid) -> str:
    """The table as a booktabs table for a paper: best values in bold, notes as comments for the authors.

    A table with more than four numeric columns spans the page (`table*`), with intervals below the values. Any table
    that is still too wide is scaled down.
    """
    wide = len(grid.heads) > ACROSS
    warning = rf"\textbf{{{escape_latex(grid.warning)}}} " if grid.warning else ""
    foreign = beyond_latin("".join([grid.warning, grid.caption, *(line.title for line in grid.lines)]))
    environment = "table*" if wide else "table"
    lines = [
        r"% Needs \usepackage{booktabs,graphicx}.",
        *([f"% Compile with XeLaTeX or LuaLaTeX, with a font that has {foreign}."] if foreign else []),
        *([f"% {grid.warning}"] if grid.warning else []),
        rf"\begin{{{environment}}}[t]",
        r"  \centering",
        f"  \\caption{{{warning}{escape_latex(grid.caption)}}}",
        *([r"  \footnotesize\setlength{\tabcolsep}{4pt}"] if wide else []),
        FITTING,
        f"  \\begin{{tabular}}{{l{'r' * len(grid.heads)}}}",
        r"    \toprule",
        "    " + " & ".join(escape_latex(head) for head in (grid.corner, *grid.heads)) + r" \\",
        r"    \midrule",
    ]
    for line in grid.lines:
        below = [rf"{{\scriptsize {escape_latex(cell.interval)}}}" if cell.interval else "" for cell in line.cells]
        cells = [_latex_cell(cell, cell.text + cell.mark if wide else cell.whole) for cell in line.cells]
        lines.append("    " + " & ".join([escape_latex(line.title), *cells]) + r" \\")
        if wide and any(below):
            lines.append("    " + " & ".join(["", *below]) + r" \\")
    lines += [r"    \bottomrule", r"  \end{tabular}}", rf"\end{{{environment}}}"]
    return "\n".join([*lines, *(f"% {part}" for note in grid.notes for part in note.splitlines())]) + "\n"


def _latex_cell(cell: Cell, shown: str) -> str:
    """The shown part of a cell in LaTeX, with its value in bold if it is the best."""
    text, whole = escape_latex(cell.text), escape_latex(shown)
    return whole.replace(text, rf"\textbf{{{text}}}", 1) if cell.best else whole


def write_grid(grid: Grid, out: Path, stem: str = "table") -> list[Path]:
    """Write `<stem>.csv`, `.json`, `.tex` and `.md` to a folder, and return their paths."""
    write_text(out / f"{stem}.csv", to_csv(grid))
    write_json(out / f"{stem}.json", to_json(grid))
    write_text(out / f"{stem}.tex", to_latex(grid))
    write_text(out / f"{stem}.md", to_markdown(grid))
    return [out / f"{stem}.{ending}" for ending in ("csv", "json", "tex", "md")]
