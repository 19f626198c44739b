from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.predictions import PredictionWriter
from bench.metrics.mse import MSE
from bench.metrics.ssim import SSIM
from bench.report.html.clip_strips import LARGEST, StripStore, extreme_groups, sample_groups, strip_uri
from bench.report.row_names import registered_names
from bench.runfolder import RunFolder
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import ScoredClips

IDS = ("a__000", "b__000", "c__000")


def clip(level: int, size: int = 16) -> np.ndarray:
    """Frame t is everywhere `level` + 4·t."""
    return np.broadcast_to((level + 4 * np.arange(32, dtype=np.uint8))[:, None, None, None], (32, size, size, 3)).copy()


def opened(uri: str) -> np.ndarray:
    head, _, text = uri.partition(",")
    assert head == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for row, level in (("real", 0), ("mine", 60)):
        writer = PredictionWriter(tmp_path / "predictions" / row, {})
        for number, id in enumerate(IDS):
            writer.write(id, clip(level + 10 * number))
        writer.close()
    return tmp_path


def scored(values: dict[str, float], column: str) -> ScoredClips:
    columns = {("mine", 0, id): {column: np.full(32, value)} for id, value in values.items()}
    columns |= {("other", 0, id): {column: np.full(32, 0.5)} for id in values}
    return ScoredClips(tuple(values), {id: id[0] for id in values}, columns)


PROTOCOL = Protocol("sky", 16, "all", 3, "0" * 64, False)


def test_a_strip_holds_every_frame_from_top_to_bottom() -> None:
    shown = opened(strip_uri(clip(20)))
    assert shown.shape == (32 * 16, 16, 3)
    assert np.abs(shown.reshape(32, 16, 16, 3).astype(int) - clip(20)).max() <= 4  # it is slightly compressed


def test_a_large_clip_is_made_small_enough_for_the_format() -> None:
    assert opened(strip_uri(clip(0, 600))).shape == (32 * LARGEST, LARGEST, 3)


def test_a_clip_that_is_shown_twice_is_stored_once(run: Path) -> None:
    strips = StripStore(RunFolder(run), registered_names())
    groups = sample_groups(strips, ["mine", "gone"], [IDS[0], IDS[1]])
    assert [tile.label for tile in groups[0].tiles] == ["Real", "mine"]  # a row without predictions has no tile
    assert strips.tile("real", IDS[0], "again").strip == groups[0].tiles[0].strip
    assert (len(strips.sources), strips.frames) == (4, 32)
    assert groups[1].tiles[1].aria_label == "mine, clip b__000"


@pytest.mark.parametrize(
    ("metric", "best", "worst"), [(SSIM(), "b__000", "c__000"), (MSE(), "c__000", "b__000")], ids=["ssim", "mse"]
)
def test_best_and_worst_follow_the_metrics_direction(run: Path, metric: SSIM | MSE, best: str, worst: str) -> None:
    strips = StripStore(RunFolder(run), registered_names())
    values = {"a__000": 0.5, "b__000": 0.9, "c__000": 0.1}
    groups = extreme_groups(strips, scored(values, metric.name), metric, PROTOCOL)
    assert [group.heading for group in groups] == ["mine"]
    assert groups[0].text == f"best {best}; worst {worst}"
    head = metric.title
    labels = [tile.label for tile in groups[0].tiles]
    assert labels == ["best: real", f"{head} {values[best]:.3f}", "worst: real", f"{head} {values[worst]:.3f}"]
    assert [tile.aria_label for tile in groups[0].tiles] == [
        f"{row}, clip {id}" for id in (best, worst) for row in ("Real", "mine")
    ]


def test_a_clip_without_a_value_is_neither_best_nor_worst(run: Path) -> None:
    values = {"a__000": float("nan"), "b__000": 0.3, "c__000": 0.4}
    groups = extreme_groups(StripStore(RunFolder(run), registered_names()), scored(values, "ssim"), SSIM(), PROTOCOL)
    assert groups[0].text == "best c__000; worst b__000"
    nothing = dict.fromkeys(IDS, float("nan"))
    assert (
        extreme_groups(StripStore(RunFolder(run), registered_names()), scored(nothing, "ssim"), SSIM(), PROTOCOL) == []
    )


def test_a_number_over_several_samples_says_that_the_first_is_shown(run: Path) -> None:
    columns = {("mine", 0, id): {"ssim": np.full((2, 32), 0.1 * n)} for n, id in enumerate(IDS)}
    several = ScoredClips(IDS, {id: id for id in IDS}, columns)
    groups = extreme_groups(StripStore(RunFolder(run), registered_names()), several, SSIM(), PROTOCOL)
    assert groups[0].tiles[1].label == "SSIM 0.200 over 2 samples, the first shown"
