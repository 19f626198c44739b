"""The table of methods with several samples per clip: mean, best of k, spread, and one set of all samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from bench.metrics.base import Metric, SetMetric
from bench.registry import METRICS
from bench.report.row_names import RowNames, names_of
from bench.report.tables.printed_table import NO_VALUE, Cell, Grid, Line
from bench.report.tables.table_notes import caption
from bench.runfolder import RunFolder
from bench.scoring.protocol import Protocol
from bench.scoring.sample_lines import BEST, MEAN, POOLED, SD, SPREAD, SampleLine, read_samples

#: File name of this table, without extension.
STEM = "table_samples"
#: Explanations of the table's statistics; only those that occur in the table are printed.
EXPLAINED = {
    MEAN: "Mean: over a clip's samples. For FID, FVD and KVD each sample is a set with one video per clip, and ± is "
    "the standard deviation over samples (MCVD's fvd_traj_mean, whose deviation divides by K; this one divides "
    "by K − 1).",
    BEST: (
        "Best of k of n: expected best of k samples drawn without replacement from a clip's n, chosen for each "
        "metric by comparison with the real clip. It improves with k for any stochastic model."
    ),
    SPREAD: "Spread: mean over pairs of a clip's samples of the metric between the two (motion: of |ln ratio|). For a "
    "model that always gives the same video, MSE and LPIPS are 0 and SSIM is 1.",
    POOLED: "Pooled: one set of all samples of all clips against the real clips (MCVD's fvd).",
}


def sample_table(out: Path) -> Grid | None:
    """The sample table of a folder's stored scores; None if no method has several samples."""
    lines = read_samples(out)
    if not lines:
        return None
    protocol = Protocol.load(RunFolder(out).protocol)
    return make_sample_table(lines, protocol.best, names_of(out), caption(protocol), [f"Protocol {protocol.id}."])


def make_sample_table(
    lines: Sequence[SampleLine], best: int, names: RowNames, caption: str, notes: Sequence[str] = ()
) -> Grid:
    """Lay out the numbers, with one line per method and statistic and one column per metric.

    Args:
        lines: lines of `scores/samples.csv`.
        best: k of the protocol; its best@k is shown next to the best of all samples.
        names: display names of the methods.
        caption: what the numbers describe.
        notes: further notes to read with the numbers.
    """
    metrics: dict[str, type[Metric]] = {
        name: METRICS.load(name) for name in dict.fromkeys(line.metric for line in lines)
    }
    found = {(line.row, line.metric, line.statistic, line.k): line for line in lines}
    shown, used = [], set()
    for row, samples in {line.row: line.samples for line in lines}.items():
        wanted = [(MEAN, 1, f"mean of {samples}" if samples > 1 else "one video")]
        wanted += [(BEST, k, f"best of {k} of {samples}") for k in sorted({best, samples} - {1})]
        wanted += [(SPREAD, 0, "spread"), (POOLED, 0, "pooled")]
        for statistic, k, words in wanted:
            cells = [_cell(found, (row, name, statistic, k), metric) for name, metric in metrics.items()]
            if any(cell is not NO_VALUE for cell in cells):
                used.add(statistic)
                shown.append(Line(f"{row}, {words}", f"{names.title(row)}, {words}", cells))
    return Grid(
        corner="Method, samples per clip",
        keys=list(metrics),
        heads=[metric.head for metric in metrics.values()],
        lines=shown,
        caption=f"Several samples per clip: {caption[:1].lower()}{caption[1:]}",
        notes=[*(text for statistic, text in EXPLAINED.items() if statistic in used), *notes],
        key="method",
    )


def _cell(
    found: dict[tuple[str, str, str, int], SampleLine], key: tuple[str, str, str, int], metric: type[Metric]
) -> Cell:
    row, name, statistic, k = key
    of_set = issubclass(metric, SetMetric)
    line = found.get((row, name, statistic, 0 if of_set else k))
    if line is None or not math.isfinite(line.value):
        return NO_VALUE
    text = f"{line.value:.{metric.decimals}f}"
    deviation = found.get((row, name, SD, 0))
    if statistic == MEAN and deviation is not None and math.isfinite(deviation.value):
        text = f"{text} ± {deviation.value:.{metric.decimals}f}"
    bounded = math.isfinite(line.ci_low) and math.isfinite(line.ci_high)
    interval = f"[{line.ci_low:.{metric.decimals}f}, {line.ci_high:.{metric.decimals}f}]" if bounded else ""
    return Cell(text, interval=interval)
