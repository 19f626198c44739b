from __future__ import annotations

from math import nan
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

from bench.report.figures.best_of import best_of_figure
from bench.report.row_names import RowNames
from bench.scoring.sample_lines import SampleLine


def drawn(lines: list[SampleLine], path: Path, patch: pytest.MonkeyPatch) -> Figure:
    kept: list[Figure] = []
    patch.setattr("bench.report.figures.best_of.save_figure", lambda figure, *_, **__: kept.append(figure))
    best_of_figure(lines, RowNames({"a": "A"}), path)
    plt.close("all")
    return kept[0]


def test_a_curve_over_k_and_a_level_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [SampleLine("a", "mse", "best" if k > 1 else "mean", k, 1 / k, 0.5 / k, 2 / k, 3) for k in (1, 2, 3)]
    lines += [SampleLine("copy", "mse", "mean", 1, 0.25, 0.2, 0.3, 1), SampleLine("a", "mse", "spread", 0, 9, 9, 9, 3)]
    lines += [SampleLine("a", "fvd", "mean", 0, 9, nan, nan, 3)]
    (axis,) = (axis for axis in drawn(lines, tmp_path / "x", monkeypatch).axes if axis.lines)
    curves = {line.get_label(): line.get_xydata().tolist() for line in axis.lines}  # type: ignore[union-attr]
    assert curves == {"A": [[1, 1], [2, 0.5], [3, 1 / 3]], "copy": [[1, 0.25], [3, 0.25]]}
    assert axis.get_title() == "MSE ↓"


def test_nothing_is_drawn_without_samples(tmp_path: Path) -> None:
    best_of_figure([], RowNames(), tmp_path / "x")
    assert not list(tmp_path.iterdir())
