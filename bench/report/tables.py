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
from bench.metrics.base import Metric, SetMetric, Unavailable, best_first
from bench.protocol import Protocol
from bench.registry import METRICS
from bench.scores import SummaryLine
from bench.sets import DRAWS, FLOOR, LARGEST

#: How a paper names the rows of the built-in models.
TITLES = {
    "mdgan-1": "MD-GAN Stage I",
    "mdgan-2": "MD-GAN Stage II",
    "vgan": "VGAN",
    "rnngan": "RNN-GAN",
    "copy": "Copy of first frame",
    "real": "Real",
    FLOOR: "Real, half against half",
}
#: Set behind a value whose difference to the best one is not significant.
TIED = "°"
SIGNIFICANCE = 0.05
ARROWS = {"lower": "↓", "higher": "↑", "one": "→1"}
LATEX_ARROWS = {"lower": r"$\downarrow$", "higher": r"$\uparrow$", "one": r"$\rightarrow 1$"}


def title(row: str) -> str:
    """A row's name in print."""
    return TITLES.get(row, row)


@dataclass(frozen=True)
class Cell:
    """A printed value.

    Attributes:
        text: digits, with the spread over seeds where there are several.
        best: whether it is the best of its column.
        interval: its 95 % interval, empty where there is none or none is asked for.
        tied: whether its difference to the best is not significant (Holm-corrected p of 0.05 or more).
    """

    text: str
    best: bool = False
    interval: str = ""
    tied: bool = False

    @property
    def whole(self) -> str:
        """Value, mark and interval as one text."""
        return self.text + (TIED if self.tied else "") + (f" {self.interval}" if self.interval else "")


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


def make_table(
    summary: Sequence[SummaryLine],
    protocol: Protocol,
    left_out: Sequence[Unavailable] = (),
    notes: Sequence[str] = (),
    ci: bool = False,
) -> Table:
    """Lay a summary out as a table: rows of models, columns of metrics, the best value of each column marked.

    Args:
        summary: lines of `summary.csv`.
        protocol: of the scoring.
        left_out: metrics that could not be computed.
        notes: what else has to be read with the numbers.
        ci: print 95 % intervals, and mark what does not differ significantly from the best.
    """
    rows = list(dict.fromkeys(line.row for line in summary))
    heads = list(dict.fromkeys(line.metric for line in summary))
    lines = {(line.row, line.metric): line for line in summary}
    metrics: dict[str, type[Metric]] = {name: METRICS.load(name) for name in heads}
    columns = [_column([lines.get((row, name)) for row in rows], metrics[name], ci) for name in heads]
    return Table(
        rows=rows,
        heads=heads,
        cells=[list(line) for line in zip(*columns, strict=True)],
        metrics=metrics,
        caption=_caption(protocol),
        notes=[*_notes(summary, metrics, protocol, ci), *notes, *map(str, left_out), f"Protocol {protocol.id}."],
    )


def _column(lines: Sequence[SummaryLine | None], metric: type[Metric], ci: bool) -> list[Cell]:
    def printed(value: float) -> str:
        return f"{value:.{metric.decimals}f}"

    # The floor is what distances are read against, not a competitor.
    values = [line.value for line in lines if line and line.row != FLOOR and math.isfinite(line.value)]
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
            known = ci and math.isfinite(line.ci_low)
            interval = f"[{printed(line.ci_low)}, {printed(line.ci_high)}]" if known else ""
            tied = ci and line.p_best >= SIGNIFICANCE
            # What prints the same is marked the same.
            cells.append(Cell(text + spread, text == best and line.row != FLOOR, interval, tied))
    return cells


def _caption(protocol: Protocol) -> str:
    later = f"the {protocol.length - 1} frames after the given one"
    which = {"all": f"all {protocol.length} frames", "future": later}[protocol.frames]
    size = f"{protocol.resolution}×{protocol.resolution}"
    partial = ", only the clips that every row has" if protocol.partial else ""
    clips = f"{protocol.clips} test clip{'s' if protocol.clips > 1 else ''}"
    return f"{protocol.dataset[:1].upper()}{protocol.dataset[1:]}, {clips}{partial}, {size}, {which}."


def _notes(
    summary: Sequence[SummaryLine], metrics: Mapping[str, type[Metric]], protocol: Protocol, ci: bool
) -> list[str]:
    notes = []
    if ci:
        notes.append(
            f"In brackets: 95 % bootstrap interval over videos. {TIED} does not differ significantly from the best."
        )
    for name, metric in metrics.items():
        if issubclass(metric, SetMetric):
            frames = protocol.length - (protocol.frames == "future")
            samples = protocol.clips * (frames if metric.per_frame else 1)
            biased = f"; with fewer than {metric.dimension} samples ({samples}) it is biased upwards"
            notes.append(f"{name}: {protocol.clips} clips{biased if samples < metric.dimension else ''}.")
            if ci:
                notes.append(f"{name}: interval from {DRAWS} bootstrap samples, none above {LARGEST} samples.")
        if weights := protocol.metrics.get(name, "").partition(" ")[2]:
            notes.append(f"{name}: weights {weights}.")
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
        writer.writerow([row, *(cell.whole for cell in cells)])
    return text.getvalue() + "".join(f"# {note}\n" for note in (table.caption, *table.notes))


def to_markdown(table: Table) -> str:
    """A pipe table, best values bold."""
    heads = [f"{table.head(name)} {ARROWS[table.metrics[name].direction]}" for name in table.heads]
    lines = ["| " + " | ".join(["Model", *heads]) + " |", "|---" * 1 + "|---:" * len(heads) + "|"]
    for row, cells in zip(table.rows, table.cells, strict=True):
        marked = [cell.whole.replace(cell.text, f"**{cell.text}**", 1) if cell.best else cell.whole for cell in cells]
        lines.append("| " + " | ".join(text.replace("|", "\\|") for text in (title(row), *marked)) + " |")
    return "\n".join([*lines, "", table.caption, "", *(f"- {note}" for note in table.notes)]) + "\n"


def escape_latex(text: str) -> str:
    """Make text safe for LaTeX, with `×`, `±` and dashes in its own words."""
    words = {character: f"\\{character}" for character in "&%$#_{}"}
    words |= {"×": r"$\times$", "±": r"$\pm$", "–": "--", TIED: r"$^\circ$", "\\": r"\textbackslash{}"}
    words |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
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
        marked = [
            escape_latex(cell.whole).replace(text, rf"\textbf{{{text}}}", 1) if cell.best else escape_latex(cell.whole)
            for cell in cells
            if (text := escape_latex(cell.text))
        ]
        lines.append("    " + " & ".join([escape_latex(title(row)), *marked]) + r" \\")
    lines += [r"    \bottomrule", r"  \end{tabular}", ""]
    lines += [rf"  \par\smallskip{{\footnotesize {escape_latex(note)}}}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def to_rich(table: Table) -> RichTable:
    """For the terminal; the notes are printed below it, at the terminal's width and not the table's."""
    shown = RichTable(title=Text(table.caption), title_justify="left")
    shown.add_column("Model", no_wrap=True)
    for name in table.heads:
        shown.add_column(f"{table.head(name)} {ARROWS[table.metrics[name].direction]}", justify="right", no_wrap=True)
    for row, cells in zip(table.rows, table.cells, strict=True):
        shown.add_row(Text(title(row)), *(Text(cell.whole, style="bold" if cell.best else "") for cell in cells))
    return shown


def write_tables(table: Table, out: Path) -> None:
    """Write `table.csv`, `table.tex` and `table.md`."""
    write_text(out / "table.csv", to_csv(table))
    write_text(out / "table.tex", to_latex(table))
    write_text(out / "table.md", to_markdown(table))
