"""What a metric says of itself, and that tables and figures ask nothing but that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from bench.metrics.base import ARROWS, ClipMetric, Column, Frames, Metric, SetMetric
from bench.registry import METRICS
from bench.report.figures.curves import all_curves, over_time_figure
from bench.report.row_names import RowNames
from bench.report.tables.score_table import make_table
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import ScoredClips, SummaryLine

PROTOCOL = Protocol("sky", 64, "all", 4, "0123456789abcdef", False)


class Loudness(ClipMetric):
    """A third party's metric that knows everything a table or a figure may want to print."""

    name = "loudness"
    label = "Loudness"
    curve_label = "Loudness of the frame"
    unit = "dB"
    direction = "one"
    range = "[0, inf)"
    decimals = 1
    no_value = "the real clip is silent"
    no_value_cell = "silent"
    definition = "how loud a video looks"
    columns = ("loudness_prediction", "loudness_real")

    def compute(self, prediction: Frames, real: Frames) -> Mapping[str, Column]:
        """A number a frame."""
        return dict.fromkeys(self.columns, np.ones(len(real)))

    def clip(self, columns: Mapping[str, Column]) -> float:
        """Ratio of the means."""
        return float(np.mean(columns["loudness_prediction"]) / np.mean(columns["loudness_real"]))

    @classmethod
    def curve(cls, means: Mapping[str, Column]) -> Column:
        """Ratio by frame."""
        return means["loudness_prediction"] / means["loudness_real"]

    @classmethod
    def note(cls, clips: int, frames: int) -> str:
        """With how many it was measured."""
        return f"measured by ear on {clips} clips of {frames} frames"


class Plain(Loudness):
    """Says no more than it must."""

    name = "plain"
    label = curve_label = unit = ""
    columns = ("plain",)
    curve = ClipMetric.__dict__["curve"]


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = {"loudness": Loudness, "plain": Plain}
    monkeypatch.setattr(METRICS, "_targets", dict.fromkeys(metrics, "theirs"))
    monkeypatch.setattr(METRICS, "load", metrics.__getitem__)


def line(row: str, value: float, left_out: int = 0) -> SummaryLine:
    return SummaryLine("sky", row, "loudness", value, 0, 1, 4 - left_out, left_out, 1, np.nan, PROTOCOL.id)


@pytest.mark.usefixtures("registered")
def test_a_third_partys_metric_has_column_mark_and_notes() -> None:
    table = make_table([line("near", 0.8), line("far", 2.0, 1), line("none", np.nan, 4)], PROTOCOL, RowNames())
    assert table.grid.heads == ["Loudness (dB) →1"]
    assert [cells[0].text for cells in table.cells] == ["0.8", "2.0", "silent"]
    assert [cells[0].best for cells in table.cells] == [True, False, False]
    assert "loudness: measured by ear on 4 clips of 32 frames." in table.notes
    assert "far, loudness: 1 of 4 clips left out (the real clip is silent)." in table.notes


@pytest.mark.usefixtures("registered")
def test_a_third_partys_metric_has_a_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.axes import Axes

    drawn: dict[str, list[object]] = {"title": [], "plot": [], "axhline": []}
    plain_set, plain_plot, plain_line = Axes.set, Axes.plot, Axes.axhline

    def keep_title(self: Axes, **kwargs: object) -> object:
        drawn["title"].append(kwargs.get("title"))
        return plain_set(self, **kwargs)

    def keep_curve(self: Axes, x: np.ndarray, y: np.ndarray, **kwargs: object) -> object:
        drawn["plot"].append(y.tolist())
        return plain_plot(self, x, y, **kwargs)

    def keep_line(self: Axes, y: float, **kwargs: object) -> object:
        drawn["axhline"].append(y)
        return plain_line(self, y, **kwargs)

    monkeypatch.setattr(Axes, "set", keep_title)
    monkeypatch.setattr(Axes, "plot", keep_curve)
    monkeypatch.setattr(Axes, "axhline", keep_line)
    columns = {"loudness_prediction": np.array([1.0, 3.0]), "loudness_real": np.array([2.0, 2.0])}
    columns["plain"] = np.array([5.0, 6.0])
    curves = all_curves(ScoredClips(("a",), {"a": "a"}, {("row", 0, "a"): columns}))
    over_time_figure(curves, ["row"], RowNames(), tmp_path / "o.png")
    assert drawn == {
        "title": ["Loudness of the frame (dB) →1", "PLAIN →1"],
        "plot": [[0.5, 1.5], [5.0, 6.0]],
        "axhline": [1, 1],
    }


def test_heads_are_what_they_were_when_others_composed_them() -> None:
    heads = {
        "mse": "MSE ↓",
        "psnr": "PSNR (dB) ↑",
        "psnr_frame": "PSNR, frame (dB) ↑",
        "ssim": "SSIM ↑",
        "motion": "Motion →1",
        "lpips": "LPIPS ↓",
        "fid": "FID ↓",
        "fvd": "FVD ↓",
        "kvd": "KVD ↓",
        "fvd_videogpt": "FVD, VideoGPT's port ↓",
    }
    assert {name: METRICS.load(name).head for name in heads} == heads
    assert METRICS.load("psnr_frame").curve_head == "PSNR of the frame (dB) ↑"
    assert METRICS.load("ssim").curve_head == METRICS.load("ssim")().head


def test_a_set_metric_says_how_many_clips_and_whether_they_are_too_few() -> None:
    class Each(SetMetric):
        name, direction, range, definition, dimension, per_frame = "each", "lower", "≥ 0", "", 100, False

    class Frame(Each):
        per_frame = True

    assert Each.note(10, 32) == "10 clips; with fewer than 100 samples (10) it is biased upwards"
    assert Each.note(100, 32) == "100 clips"
    assert Frame.note(10, 32) == "10 clips"


@pytest.mark.parametrize("name", list(METRICS))
def test_every_metric_says_what_has_to_be_known_of_it(name: str) -> None:
    metric: type[Metric] = METRICS.load(name)
    assert metric.name == name
    assert metric.head == f"{metric.title} {ARROWS[metric.direction]}"
    assert metric.range
    assert metric.definition
    if not metric.needs_weights:
        assert metric().obtain() is None


def test_what_only_compares_with_other_peoples_code_is_no_default() -> None:
    assert "fvd_videogpt" in METRICS
    assert "fvd_videogpt" not in METRICS.defaults()
    assert {"mse", "psnr", "psnr_frame", "ssim", "motion", "lpips", "fid", "fvd", "kvd"} <= set(METRICS.defaults())


@pytest.mark.parametrize(
    ("name", "fits", "short", "words"),
    [
        ("ssim", (1, 1, 11), (1, 1, 10), "it needs frames of at least 11 × 11 pixels, but their shorter side has 10"),
        ("lpips", (1, 1, 31), (1, 1, 8), "it needs frames of at least 31 × 31 pixels, but their shorter side has 8"),
        ("motion", (1, 2, 1), (1, 1, 64), "it needs 2 scored frames per clip, but there are 1"),
        ("fvd", (2, 9, 1), (2, 8, 64), "it needs 9 scored frames per clip, but there are 8"),
        ("kvd", (2, 9, 1), (1, 9, 64), "it needs 2 clips, but there is only 1"),
    ],
)
def test_what_does_not_fit_is_left_out_with_its_reason(
    name: str, fits: tuple[int, int, int], short: tuple[int, int, int], words: str
) -> None:
    metric = METRICS.load(name)
    assert metric.unfit(*fits) is None
    assert str(metric.unfit(*short)) == f"{name} left out: {words}"


@pytest.mark.parametrize("name", ["mse", "psnr", "psnr_frame", "ssim", "motion"])
def test_what_is_said_to_fit_does(name: str) -> None:
    metric: ClipMetric = METRICS.load(name)()
    size, frames = metric.min_size, metric.min_frames
    x, y = np.random.default_rng(0).integers(0, 256, (2, frames, size, size, 3), dtype=np.uint8)
    assert np.isfinite(metric.clip(metric.compute(x, y)))


def test_a_set_metric_is_computed_anew_without_each_group() -> None:
    class Means(SetMetric):
        name, direction, range, definition, dimension, per_frame = "means", "lower", "≥ 0", "", 1, False

        def features(self, clips: Sequence[Frames]) -> list[np.ndarray]:
            return []

        def distance(self, predicted: Sequence[np.ndarray], real: Sequence[np.ndarray]) -> float:
            return float(np.sum(predicted) - np.sum(real))

    parts = [np.array([[value]], np.float32) for value in (1, 2, 4)]
    zeros = [np.zeros((1, 1), np.float32)] * 3
    np.testing.assert_array_equal(Means().without_each(parts, zeros, np.array([0, 1, 0])), [2, 5])
