"""The table that a paper prints, from a summary: CSV, LaTeX, Markdown and the terminal, all with the same digits."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table as RichTable
from rich.text import Text

from bench.files import write_text
from bench.metrics.base import Metric, Unavailable, best_first
from bench.protocol import Protocol
from bench.registry import METRICS
from bench.scores import SummaryLine

#: How a paper names the rows of the built-in models.
TITLES = {
    "mdgan-1": "MD-GAN Stage I",
    "mdgan-2": "MD-GAN Stage II",
    "vgan": "VGAN",
    "rnngan": "RNN-GAN",
    "copy": "Copy of first frame",
    "real": "Real",
}
ARROWS = {"lower": "↓", "higher": "↑", "one": "→1"}
LATEX_ARROWS = {"lower": r"$\downarrow$", "higher": r"$\uparrow$", "one": r"$\rightarrow 1$"}


def title(row: str) -> str:
    """A row's name in print."""
    return TITLES.get(row, row)


@dataclass(frozen=True)
class Cell:
    """A printed value and whether it is the best of its column."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Table:
    """A table ready for print.

    Attributes:
        rows: names of the rows.
        heads: metric names.
        cells: a line a row, a cell a metric.
        metrics: the metrics' own account of themselves.
        caption: what the numbers are of.
        notes: what has to be read with them: protocol, clips left out, metrics left out.
    """

    rows: Sequence[str]
    heads: Sequence[str]
    cells: Sequence[Sequence[Cell]]
    metrics: Mapping[str, type[Metric]]
    caption: str
    notes: Sequence[str]

    def head(self, name: str) -> str:
        """A column's head without its arrow."""
        return self.metrics[name].title or name.upper()


def make_table(summary: Sequence[SummaryLine], protocol: Protocol, left_out: Sequence[Unavailable] = ()) -> Table:
    """Lay a summary out as a table: rows of models, columns of metrics, the best value of each column marked."""
    rows = list(dict.fromkeys(line.row for line in summary))
    heads = list(dict.fromkeys(line.metric for line in summary))
    lines = {(line.row, line.metric): line for line in summary}
    metrics: dict[str, type[Metric]] = {name: METRICS.load(name) for name in heads}
    columns = [_column([lines.get((row, name)) for row in rows], metrics[name]) for name in heads]
    return Table(
        rows=rows,
        heads=heads,
        cells=[list(line) for line in zip(*columns, strict=True)],
        metrics=metrics,
        caption=_caption(protocol),
        notes=[*_notes(summary, metrics), *map(str, left_out), f"Protocol {protocol.id}."],
    )


def _column(lines: Sequence[SummaryLine | None], metric: type[Metric]) -> list[Cell]:
    def printed(value: float) -> str:
        return f"{value:.{metric.decimals}f}"

    values = [line.value for line in lines if line is not None and math.isfinite(line.value)]
    best = printed(min(values, key=lambda v: best_first(metric.direction, v))) if values else None
    cells = []
    for line in lines:
        if line is None:
            cells.append(Cell("–"))
        elif not math.isfinite(line.value):
            cells.append(Cell("identical" if metric.name.startswith("psnr") and line.left_out else "–"))
        else:
            text = printed(line.value)
            spread = f" ± {printed(line.seed_sd)}" if line.seeds > 1 else ""
            cells.append(Cell(text + spread, text == best))  # what prints the same is marked the same
    return cells


def _caption(protocol: Protocol) -> str:
    which = {"all": "all 32 frames", "future": "the 31 frames after the given one"}[protocol.frames]
    size = f"{protocol.resolution}×{protocol.resolution}"
    partial = ", only the clips that every row has" if protocol.partial else ""
    clips = f"{protocol.clips} test clip{'s' if protocol.clips > 1 else ''}"
    return f"{protocol.dataset.capitalize()}, {clips}{partial}, {size}, {which}."


def _notes(summary: Sequence[SummaryLine], metrics: Mapping[str, type[Metric]]) -> list[str]:
    notes = []
    for line in summary:
        if line.left_out:
            why = "the real clip stands still" if line.metric == "motion" else "identical to the real clip"
            total = line.clips + line.left_out
            notes.append(f"{title(line.row)}, {line.metric}: {line.left_out} of {total} clips left out ({why}).")
    seeds = {line.seeds for line in summary}
    if seeds and max(seeds) > 1:
        notes.append(f"Mean ± standard deviation over {max(seeds)} training seeds.")
    return notes


def to_csv(table: Table) -> str:
    """Comma-separated, notes as trailing lines that begin with `#`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", *table.heads])
    for row, cells in zip(table.rows, table.cells, strict=True):
        writer.writerow([row, *(cell.text for cell in cells)])
    return text.getvalue() + "".join(f"# {note}\n" for note in (table.caption, *table.notes))


def to_markdown(table: Table) -> str:
    """A pipe table, best values bold."""
    heads = [f"{table.head(name)} {ARROWS[table.metrics[name].direction]}" for name in table.heads]
    lines = ["| " + " | ".join(["Model", *heads]) + " |", "|---" * 1 + "|---:" * len(heads) + "|"]
    for row, cells in zip(table.rows, table.cells, strict=True):
        marked = [f"**{cell.text}**" if cell.best else cell.text for cell in cells]
        lines.append("| " + " | ".join([title(row), *marked]) + " |")
    return "\n".join([*lines, "", table.caption, "", *(f"- {note}" for note in table.notes)]) + "\n"


def escape_latex(text: str) -> str:
    """Make text safe for LaTeX, with `×`, `±` and dashes in its own words."""
    text = text.replace("\\", r"\textbackslash{}")
    for character in "&%$#_{}":
        if character not in "{}":
            text = text.replace(character, f"\\{character}")
    words = {"×": r"$\times$", "±": r"$\pm$", "–": "--", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(words.get(character, character) for character in text)


def to_latex(table: Table) -> str:
    """A booktabs table for a paper: best values bold, arrows for the direction, notes under the rules."""
    heads = [f"{escape_latex(table.head(n))} {LATEX_ARROWS[table.metrics[n].direction]}" for n in table.heads]
    lines = [
        "% Needs \\usepackage{booktabs}.",
        r"\begin{table}[t]",
        r"  \centering",
        f"  \\caption{{{escape_latex(table.caption)}}}",
        f"  \\begin{{tabular}}{{l{'r' * len(heads)}}}",
        r"    \toprule",
        "    " + " & ".join(["Model", *heads]) + r" \\",
        r"    \midrule",
    ]
    for row, cells in zip(table.rows, table.cells, strict=True):
        texts = [escape_latex(cell.text) for cell in cells]
        marked = [rf"\textbf{{{text}}}" if cell.best else text for text, cell in zip(texts, cells, strict=True)]
        lines.append("    " + " & ".join([escape_latex(title(row)), *marked]) + r" \\")
    lines += [r"    \bottomrule", r"  \end{tabular}", ""]
    lines += [rf"  \par\smallskip{{\footnotesize {escape_latex(note)}}}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def to_rich(table: Table) -> RichTable:
    """For the terminal."""
    shown = RichTable(title=table.caption, title_justify="left", caption="\n".join(table.notes), caption_justify="left")
    shown.add_column("Model", no_wrap=True)
    for name in table.heads:
        shown.add_column(f"{table.head(name)} {ARROWS[table.metrics[name].direction]}", justify="right", no_wrap=True)
    for row, cells in zip(table.rows, table.cells, strict=True):
        shown.add_row(title(row), *(Text(cell.text, style="bold" if cell.best else "") for cell in cells))
    return shown


def write_tables(table: Table, out: Path) -> None:
    """Write `table.csv`, `table.tex` and `table.md`."""
    write_text(out / "table.csv", to_csv(table))
    write_text(out / "table.tex", to_latex(table))
    write_text(out / "table.md", to_markdown(table))
