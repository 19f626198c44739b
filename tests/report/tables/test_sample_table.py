from __future__ import annotations

from math import nan

from bench.report.row_names import RowNames
from bench.report.tables.sample_table import make_sample_table
from bench.scoring.sample_lines import SampleLine

LINES = [
    SampleLine("a", "ssim", "mean", 1, 0.7, 0.6, 0.8, 3),
    SampleLine("a", "ssim", "best", 2, 0.75, 0.65, 0.85, 3),
    SampleLine("a", "ssim", "best", 3, 0.8, 0.7, 0.9, 3),
    SampleLine("a", "ssim", "spread", 0, 0.9, nan, nan, 3),
    SampleLine("a", "fvd", "mean", 0, 500.123, nan, nan, 3),
    SampleLine("a", "fvd", "sd", 0, 20.5, nan, nan, 3),
    SampleLine("a", "fvd", "pooled", 0, 450.0, nan, nan, 3),
    SampleLine("copy", "ssim", "mean", 1, 0.5, 0.4, 0.6, 1),
    SampleLine("copy", "fvd", "mean", 0, 300.0, nan, nan, 1),
]


def test_a_line_is_a_statistic_of_a_method_and_only_of_what_there_is() -> None:
    grid = make_sample_table(LINES, 2, RowNames({"a": "Model A"}), "Sky, 3 clips.", ["Protocol x."])
    cells = {line.title: [cell.whole for cell in line.cells] for line in grid.lines}
    assert cells == {
        "Model A, mean of 3": ["0.7000 [0.6000, 0.8000]", "500.12 ± 20.50"],
        "Model A, best of 2 of 3": ["0.7500 [0.6500, 0.8500]", "–"],
        "Model A, best of 3 of 3": ["0.8000 [0.7000, 0.9000]", "–"],
        "Model A, spread": ["0.9000", "–"],
        "Model A, pooled": ["–", "450.00"],
        "copy, one video": ["0.5000 [0.4000, 0.6000]", "300.00"],
    }
    assert grid.heads == ["SSIM ↑", "FVD ↓"]
    assert [note.partition(":")[0] for note in grid.notes] == [
        "Mean",
        "Best of k of n",
        "Spread",
        "Pooled",
        "Protocol x.",
    ]
    assert not any(cell.best for line in grid.lines for cell in line.cells)


def test_without_set_metrics_nothing_is_said_of_pooled_sets() -> None:
    grid = make_sample_table([line for line in LINES if line.metric == "ssim"], 1, RowNames(), "Sky.")
    assert [line.title for line in grid.lines][:3] == ["a, mean of 3", "a, best of 3 of 3", "a, spread"]
    assert not any(note.startswith("Pooled") for note in grid.notes)
