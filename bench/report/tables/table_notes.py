"""Caption, marks and notes of a table: what its intervals, marks and tests show, and what they cannot show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from bench.metrics.base import Metric, best_first
from bench.report.row_names import RowNames
from bench.report.tables.printed_table import UNTESTED, WORSE
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import Primary, SummaryLine
from bench.scoring.set_metrics import REAL_HALVES, SPLITS
from bench.statistics import ALPHA, OVER_TRAININGS, holm_over_families, scope_in_words


def caption(protocol: Protocol) -> str:
    """One sentence on what a table's numbers describe."""
    partial = ", only the clips that every method has" if protocol.partial else ""
    kind = "real" if protocol.choices.unpaired else "test"
    clips = f"{protocol.clips} {kind} clip{'s' if protocol.clips > 1 else ''}"
    name = f"{protocol.dataset[:1].upper()}{protocol.dataset[1:]}"
    return (
        ", ".join([name, f"{clips}{partial}", protocol.size, protocol.frames_in_words, *protocol.choices.words()]) + "."
    )


def mark_of(line: SummaryLine) -> str:
    """The mark of a value relative to the best of its column; real vs. real is a reference and does not compete."""
    if line.row == REAL_HALVES or line.rank == 1:
        return ""
    if line.rank == 0 or math.isnan(line.p_best):
        return UNTESTED
    return WORSE if line.p_best < ALPHA else ""


def over_metrics(summary: Sequence[SummaryLine], primary: str = "") -> list[SummaryLine]:
    """The lines with p values Holm-corrected over all metrics, except the primary one if there is one."""
    lines = list(summary)
    tested = [
        place for place, line in enumerate(lines) if math.isfinite(line.p_best) and line.rank and line.metric != primary
    ]
    corrected = holm_over_families([lines[n].p_best for n in tested], [lines[n].metric for n in tested])
    for place, p_value in zip(tested, corrected, strict=True):
        lines[place] = replace(lines[place], p_best=float(p_value))
    return lines


def inference_notes(summary: Sequence[SummaryLine], primary: Primary, holm: bool) -> Iterator[str]:
    """Yield notes on what intervals and marks show, and what they cannot show."""
    scopes = sorted({scope_in_words(line.scope) for line in summary if line.scope})
    yield f"In brackets: 95 % interval over source videos{', ' + ' and '.join(scopes) if scopes else ''}."
    competing = [line for line in summary if math.isfinite(line.value) and line.row != REAL_HALVES and line.rank != 1]
    shown = {mark_of(line) for line in competing}
    corrected = "all methods and metrics" if holm else "all methods"
    marks = [
        "Bold: best of the paired clips" if any(line.rank for line in summary) else "Bold: best value",
        *([f"{WORSE} worse than it (p < {ALPHA:g}, corrected for {corrected})"] if WORSE in shown else []),
        *(["unmarked: inconclusive"] if "" in shown else []),
        *([f"{UNTESTED} not tested"] if UNTESTED in shown else []),
    ]
    yield f"{'; '.join(marks)}."
    smallest = {line.smallest_p for line in summary if math.isfinite(line.smallest_p)}
    if smallest and max(smallest) > 0.001:
        reach = f"With so few source videos, the smallest possible p is {max(smallest):.2g}"
        yield f"{reach}{', so nothing can be marked as worse' if max(smallest) >= ALPHA else ''}."
    tested = list(dict.fromkeys(line.metric for line in competing if mark_of(line) != UNTESTED))
    yield from _metrics_note(tested, primary, holm)
    yield from _turned_note(competing)
    yield from _training_runs_note(summary)


def _metrics_note(tested: Sequence[str], primary: Primary, holm: bool) -> Iterator[str]:
    """Yield notes on testing several metrics, and on which of them was named as primary."""
    others = [metric for metric in tested if metric != primary.metric]
    if primary.metric:
        when = (
            "before scoring"
            if primary.before
            else "after the folder had scores, so these may have influenced the choice"
        )
        yield f"Primary metric, named {when}: {primary.metric}." + (" The others are exploratory." if others else "")
    if holm and len(others) > 1:
        apart = f", without {primary.metric}" if primary.metric in tested else ""
        yield f"Marks are Holm-corrected over {len(others)} metrics{apart}."
    elif len(tested) > 1 and not primary.metric:
        yield (
            f"Each of {len(tested)} metrics is tested separately at {ALPHA:.0%}, so even equal methods get a {WORSE} "
            "more often than that. Name one metric before scoring (--primary), or correct for all (--holm-metrics)."
        )


def _turned_note(competing: Sequence[SummaryLine]) -> Iterator[str]:
    """Yield a note on verdicts that depend on a single source video."""
    turned = [line for line in competing if line.turned_by]
    if turned:
        listed = "; ".join(f"{line.row}, {line.metric} (without {line.turned_by})" for line in turned)
        yield f"Leaving out one source video reverses the verdict: {listed}."


def _training_runs_note(summary: Sequence[SummaryLine]) -> Iterator[str]:
    """Yield a note on the limits of two training runs, as measured in `docs/explanation/statistics.md`."""
    if any(line.seeds == 2 and OVER_TRAININGS in line.scope for line in summary):
        yield (
            "Two training runs say little about others. If training runs vary much, 95 % intervals contain the "
            "mean in 92 to 94 % of cases, and tests at 5 % reject up to 10 % of equal methods."
        )


def split_notes(summary: Sequence[SummaryLine], metrics: Mapping[str, type[Metric]], names: RowNames) -> Iterator[str]:
    """Yield notes on real vs. real: its number of clips, and which methods are closer to real clips than it is."""
    for real in (line for line in summary if line.row == REAL_HALVES):
        methods = [line for line in summary if line.metric == real.metric and line.row != REAL_HALVES]
        if not any(math.isfinite(line.at_split) for line in methods):
            more = f"methods use {methods[0].clips}" if methods else "methods use more"
            yield f"{real.metric}: real vs. real uses {real.clips} clips per side and {more}: do not compare the two."
            continue
        yield (
            f"{real.metric}, {real.clips} clips: mean over {SPLITS} splits of the source videos, a method's clips of "
            "one side against the real clips of the other."
        )
        direction = metrics[real.metric].direction
        bound = best_first(direction, real.value)
        nearer = [names.title(line.row) for line in methods if best_first(direction, line.at_split) < bound]
        if nearer:
            yield f"{real.metric}: closer to the real clips than these are to each other: {', '.join(nearer)}."
