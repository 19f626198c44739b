from __future__ import annotations

import dataclasses
import itertools
import shutil
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data.predictions import Predictions
from bench.data.reference_folder import reference_manifest
from bench.errors import BenchError
from bench.pipeline.compare import common_protocol, compare
from bench.pipeline.score import score_folders
from bench.report.export_results import export
from bench.report.html.leaderboard import leaderboard
from bench.runfolder import RunFolder
from bench.scoring.pairing import Row
from bench.scoring.protocol import Protocol
from bench.scoring.protocol_choices import Choices
from bench.scoring.score import score
from bench.scoring.score_tables import read_summary, write_csv
from bench.scoring.scoring_plan import ScoringPlan
from bench.scoring.set_metrics import REAL_HALVES
from tests.support.small import moving_clip

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rows scored apart against one reference, and one of them under other protocols."""
    root = tmp_path_factory.mktemp("scored")
    for row, seed in (("real", 0), ("a", 1), ("b", 2)):
        (root / row).mkdir()
        for clip in range(3):
            np.save(root / row / f"{clip}.npy", moving_clip(10 * seed + clip, size=32))
    for out, row, options in (
        ("one", "a", {}),
        ("two", "b", {}),
        ("future", "b", {"frames": "future"}),
        ("small", "b", {"resolution": 16}),
        ("fewer", "b", {"count": 2}),
    ):
        plan = ScoringPlan(**{"resolution": 32, "metrics": ["mse", "ssim"], **options})  # type: ignore[arg-type]
        score_folders([str(root / row)], root / out, plan, reference=root / "real")
    return root


def test_runs_of_one_protocol_are_joined(scored: Path, tmp_path: Path) -> None:
    table = compare([scored / "one", scored / "two"], tmp_path)
    assert list(table.rows) == ["a", "b"]
    assert (tmp_path / "table.tex").exists()


def test_of_joined_rows_one_is_the_best_whatever_each_was_by_itself(scored: Path) -> None:
    table = compare([scored / "one", scored / "two"], ci=True)
    for column, head in enumerate(table.heads):
        values = {row: float(cells[column].text) for row, cells in zip(table.rows, table.cells, strict=True)}
        best = [row for row, cells in zip(table.rows, table.cells, strict=True) if cells[column].best]
        assert best == [min(values, key=lambda row: values[row] if head == "mse" else -values[row])]
    assert "Bold: best value; † not tested." in table.notes


def test_a_row_alone_is_better_than_nobody(scored: Path) -> None:
    row = (scored / "one" / "table.md").read_text().splitlines()[2]
    assert row.startswith("| a |")
    assert "**" not in row


def test_rows_of_one_name_are_told_apart_by_their_folders(scored: Path, tmp_path: Path) -> None:
    for place in ("x", "y"):
        shutil.copytree(scored / "one", tmp_path / place / "out")
    assert list(compare([scored / "one", tmp_path / "x" / "out"]).rows) == ["a (one)", "a (out)"]
    assert list(compare([tmp_path / "x" / "out", tmp_path / "y" / "out"]).rows) == ["a (x/out)", "a (y/out)"]
    with pytest.raises(BenchError, match="different folders"):
        compare([scored / "one", scored / "two" / ".." / "one"])


def test_real_halves_do_not_compete(scored: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        shutil.copytree(scored / name, tmp_path / name)
        lines = read_summary(tmp_path / name)
        real_halves = dataclasses.replace(lines[0], row=REAL_HALVES, value=0.0)
        write_csv(
            tmp_path / name / "summary.csv",
            [field.name for field in dataclasses.fields(real_halves)],
            (dataclasses.asdict(line).values() for line in [*lines, real_halves]),
        )
    table = compare([tmp_path / "one", tmp_path / "two"])
    assert list(table.rows).count(REAL_HALVES) == 1
    column = list(table.heads).index("mse")
    assert [row for row, cells in zip(table.rows, table.cells, strict=True) if cells[column].best] != [REAL_HALVES]
    assert not table.cells[list(table.rows).index(REAL_HALVES)][column].best


@pytest.mark.parametrize(
    ("other", "item"),
    [("future", "frames is 'all' and 'future'"), ("small", "resolution is 32 and 16"), ("fewer", "clips is 3 and 2")],
)
def test_protocols_that_differ_are_refused_with_what_differs(scored: Path, other: str, item: str) -> None:
    with pytest.raises(BenchError, match=item):
        compare([scored / "one", scored / other])


def test_other_weights_are_refused(scored: Path, tmp_path: Path) -> None:
    shutil.copytree(scored / "two", tmp_path / "two")
    stamp = tmp_path / "two" / "scores" / "protocol.json"
    stamp.write_text(stamp.read_text().replace('"ssim": "v1"', '"ssim": "v2"'))
    with pytest.raises(BenchError, match="ssim is v1 and v2"):
        compare([scored / "one", tmp_path / "two"])


def test_too_few_folders_and_folders_without_scores_are_named(scored: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="two or more"):
        compare([scored / "one"])
    with pytest.raises(BenchError, match="Score the predictions first"):
        compare([scored / "one", tmp_path])
    shutil.copytree(scored / "two", tmp_path / "old")
    summary = tmp_path / "old" / "summary.csv"
    summary.write_text(summary.read_text().replace(",p_best", ""))
    with pytest.raises(BenchError, match="another version"):
        compare([scored / "one", tmp_path / "old"])


#: Choices of the protocol that no two folders of which may differ in: name → options of the scoring.
CHOICES: dict[str, dict[str, Any]] = {
    "all three": {},
    "two": {"samples": 2},
    "one": {"samples": 1},
    "best of two of three": {"best": 2},
    "best of three": {"best": 3},
    "best of two": {"samples": 2, "best": 2},
    "future": {"frames": "future"},
    "smaller": {"resolution": 16},
}


@pytest.fixture(scope="module")
def chosen(scored: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A method of three samples per clip, scored under each choice."""
    root = tmp_path_factory.mktemp("chosen")
    (root / "drawn").mkdir()
    for clip in range(3):
        np.save(root / "drawn" / f"{clip}.npy", np.stack([moving_clip(7 * clip + k, size=32) for k in range(3)]))
    for name, options in CHOICES.items():
        plan = ScoringPlan(**{"resolution": 32, "metrics": ["mse"], **options})
        score_folders([f"drawn={root / 'drawn'}"], root / name, plan, reference=scored / "real")
    return root


@pytest.mark.parametrize(("one", "other"), list(combinations(CHOICES, 2)))
def test_no_two_choices_of_the_protocol_are_joined(one: str, other: str, chosen: Path) -> None:
    with pytest.raises(BenchError, match=r"cannot be compared with .*: .* is .* and "):
        compare([chosen / one, chosen / other])


def test_a_random_window_that_is_the_whole_clip_is_no_choice(scored: Path, tmp_path: Path) -> None:
    plan = ScoringPlan(32, ["mse", "ssim"], sampling="random")
    score_folders([f"b={scored / 'b'}"], tmp_path / "drawn", plan, reference=scored / "real")
    assert list(compare([scored / "one", tmp_path / "drawn"]).rows) == ["a", "b"]


def test_the_leaderboard_has_a_table_for_each_choice(chosen: Path, scored: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.json" for number in range(len(CHOICES) + 1)]
    for file, folder in zip(files, [*(chosen / name for name in CHOICES), scored / "one"], strict=True):
        export(folder, file)
    tables = leaderboard(files, tmp_path / "board")
    titles = sorted([line.title for line in table.grid.lines] for table in tables)
    # One sample is one video: nothing differs from a scoring of deterministic methods.
    assert titles == sorted([*([["drawn"]] * (len(CHOICES) - 1)), ["drawn", "a"]])


def test_methods_of_equal_samples_are_joined(chosen: Path, scored: Path, tmp_path: Path) -> None:
    plan = ScoringPlan(32, ["mse"], best=2)
    score_folders([f"other={chosen / 'drawn'}"], tmp_path / "again", plan, reference=scored / "real")
    table = compare([chosen / "best of two of three", tmp_path / "again"])
    assert list(table.rows) == ["drawn", "other"]
    assert "Samples per clip: drawn 3." in table.notes
    single = compare([chosen / "one", scored / "one"])
    assert list(single.rows) == ["drawn", "a"]


FRAME_CHOICES: dict[str, dict[str, Any]] = {
    "all": {},
    "future": {"frames": "future"},
    "context": {"frames": "context4-future"},
    "crop": {"choices": Choices(crop="centre")},
    "stride": {"choices": Choices(stride=2)},
    "window": {"clip_length": 16},
    "drawn": {"clip_length": 16, "sampling": "random"},
    "fewer": {"count": 2},
    "small": {"resolution": 16},
}


def test_no_two_choices_of_frames_are_ever_in_one_table(tmp_path: Path) -> None:
    for row, seed in (("real", 0), ("a", 1)):
        (tmp_path / row).mkdir()
        for clip in range(3):
            wide = np.concatenate([moving_clip(10 * seed + clip, size=32)] * 2, axis=2)
            np.save(tmp_path / row / f"{clip}.npy", wide)
    for name, values in FRAME_CHOICES.items():
        plan = ScoringPlan(**{"resolution": 32, "metrics": ["mse"], **values})
        manifest, length = reference_manifest(tmp_path / "real")
        rows = [Row("a", Predictions(tmp_path / "a"))]
        score(rows, manifest, tmp_path / name, dataclasses.replace(plan, length=length))
    for one, other in itertools.permutations(FRAME_CHOICES, 2):
        with pytest.raises(BenchError, match=r" is .* and "):
            common_protocol([tmp_path / one, tmp_path / other])
    protocols = [Protocol.load(RunFolder(tmp_path / name).protocol) for name in FRAME_CHOICES]
    assert len({protocol.id for protocol in protocols}) == len(FRAME_CHOICES)
    values = {name: read_summary(tmp_path / name)[0].value for name in FRAME_CHOICES}
    assert len(set(values.values())) == len(FRAME_CHOICES)  # each of them changes the number
