"""The committed results are what the code makes of their own numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from bench.config import as_command
from bench.metrics.base import SetMetric
from bench.registry import METRICS
from bench.report.row_names import registered_names
from bench.report.tables.paper_tables import pos_table
from bench.report.tables.printed_table import to_csv, to_json, to_latex, to_markdown
from bench.report.tables.score_table import read_protocol, stored_table
from bench.report.tables.study_tables import read_study
from bench.scoring.score_tables import read_summary
from tests.support.small import REPOSITORY

REFERENCE = REPOSITORY / "results" / "reference"
FOLDERS = sorted(path for path in REFERENCE.iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_table_follows_from_its_summary(folder: Path) -> None:
    grid = stored_table(folder).grid
    assert (folder / "table.csv").read_text() == to_csv(grid)
    assert (folder / "table.tex").read_text() == to_latex(grid)
    assert (folder / "table.md").read_text() == to_markdown(grid)
    assert json.loads((folder / "table.json").read_text()) == to_json(grid)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_summary_follows_from_its_clips(folder: Path) -> None:
    clips = pd.read_csv(folder / "scores" / "per_clip.csv")
    for line in read_summary(folder):
        if issubclass(METRICS.load(line.metric), SetMetric):  # of all clips at once
            continue
        values = clips[(clips["row"] == line.row) & (clips["metric"] == line.metric)]["value"]
        assert len(values) == read_protocol(folder).clips * line.seeds
        metric = METRICS.load(line.metric)
        mean = metric.from_scale(metric.on_scale(values.to_numpy()).mean())
        assert mean == pytest.approx(line.value, rel=1e-9)


def printed(folder: Path) -> list[str]:
    """The table of a folder as the account prints it: likeness and whole sets, and a second table of change."""
    change = tuple(METRICS.load(name).head for name in ("tof", "tlp", "jerk", "flickering", "cvvdp"))
    lines = [line for line in (folder / "table.md").read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    second = [n for n, head in enumerate(cells[0]) if head in change]
    tables = []
    for kept in ([n for n in range(1, len(cells[0])) if n not in second], second):
        shown = [[line[0], *(line[n] for n in kept)] for line in cells]
        shown = [line for line in shown if set(line[1:]) != {"–"}]  # real vs. real has no clips
        if kept:
            rule = "|" + "|".join(shown[1]) + "|"
            tables.append("\n".join([_row(shown[0]), rule, *map(_row, shown[2:])]))
    return tables


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_account_names_the_run(folder: Path) -> None:
    text = (REFERENCE / "README.md").read_text()
    run = json.loads((folder / "run.json").read_text())
    assert not run["provenance"]["commit"].endswith("-dirty")
    assert set(run["steps"].values()) == {"done"}
    assert f"--preset {'medium' if folder.name.endswith('-medium') else 'small'}" in as_command(run["config"])
    for table in printed(folder):
        assert table in text


def test_the_study_is_of_simulated_raters_and_says_so_everywhere() -> None:
    folder = REFERENCE / "synthetic" / "study"
    found = read_study(folder / "study.json", ["mdgan-1", "mdgan-2", "vgan", "rnngan", "copy"], registered_names())
    assert found.warning
    assert pd.read_csv(folder / "votes.csv")["simulated"].all()
    for name in ("table2", "table3"):
        assert (folder / f"{name}.md").read_text() == to_markdown(pos_table(name, found.pos))
    for path in [*folder.glob("table*"), *(REFERENCE / "synthetic" / "agreement").glob("agree.[ctmj]*")]:
        assert re.search("[Ss]imulated raters", path.read_text()), path
