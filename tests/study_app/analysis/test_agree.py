from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.cli import main as cli
from bench.errors import BenchError
from bench.report.grid import to_csv, to_json, to_latex
from study_app.analysis import humans
from study_app.analysis.agree import ALL, agree
from study_app.analysis.export import export
from study_app.create import create
from study_app.simulate import PAPER_STRENGTHS, Crowd, simulate
from tests.study_app.analysis.test_statistics import votes_table
from tests.study_app.conftest import wish
from tests.study_app.runfolder import write_run

ROWS = ("mdgan-2", "vgan", "copy")


def write_scores(run: Path, clips: list[str]) -> None:
    """`good` follows the strengths of the simulated raters, `bad` is its opposite, `tied` says nothing."""
    (run / "scores").mkdir(exist_ok=True)
    worth = {"mdgan-2": 3.0, "copy": 2.0, "vgan": 1.0}
    lines = [(row, 0, clip, clip, metric, value)
             for row in ROWS for clip in clips
             for metric, value in (("ssim", worth[row] / 4), ("mse", worth[row] / 4), ("psnr", 20.0))]  # fmt: skip
    columns = ["row", "seed", "clip", "video", "metric", "value"]
    pd.DataFrame(lines, columns=columns).to_csv(run / "scores" / "per_clip.csv", index=False)
    means = [
        (row, metric, value) for row in ROWS for metric, value in (("ssim", worth[row] / 4), ("fvd", 9 - worth[row]))
    ]
    pd.DataFrame(means, columns=["row", "metric", "value"]).to_csv(run / "summary.csv", index=False)


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of three rows and a simulated study of several votes a pair."""
    folder = tmp_path_factory.mktemp("agree")
    run = write_run(folder / "run", clips=10, rows=ROWS)
    write_scores(run, [f"video{n // 2:02d}__clip__{n:03d}" for n in range(10)])
    pairs = (("mdgan-2", "vgan"), ("mdgan-2", "copy"), ("copy", "vgan"), ("vgan", "real"))
    chosen = wish(run, comparisons=pairs, clips=10, votes=3, workload=12, practice=1, catch=2, catch_pass=1)
    create(folder / "study.db", chosen)
    simulate(folder / "study.db", None, 12, Crowd({**PAPER_STRENGTHS, "copy": 0.0}))
    return run, folder / "study.db"


NAME = "study simulated 1"


def test_a_metric_that_follows_people_predicts_them(rated: tuple[Path, Path]) -> None:
    run, study = rated
    found, grid = agree(run, str(study), NAME)
    overall = found.overall.set_index("metric")
    assert overall.loc["ssim", "agrees"] > 60
    assert overall.loc["mse", "agrees"] == pytest.approx(100 - overall.loc["ssim", "agrees"])
    assert overall.loc["psnr", "agrees"] == 50.0
    assert overall.loc["psnr", "p"] == 1.0
    assert overall.loc["ssim", "p_holm"] < 0.05 < overall.loc["psnr", "p_holm"]
    assert list(found.overall["metric"]) == ["ssim", "psnr", "mse"]  # best first
    assert overall.loc["ssim", "ci_low"] < overall.loc["ssim", "agrees"] < overall.loc["ssim", "ci_high"]
    assert overall.loc["ssim", "agrees"] <= overall.loc["ssim", "ceiling"]
    assert 50 < overall.loc["ssim", "humans"] <= overall.loc["ssim", "ceiling"]
    apart = found.lines[(found.lines["metric"] == "ssim") & (found.lines["comparison"] != ALL)]
    assert set(apart["comparison"]) == {"mdgan-2 over vgan", "mdgan-2 over copy", "copy over vgan"}  # none with real
    assert apart["votes"].sum() == overall.loc["ssim", "votes"]
    assert found.sets.set_index("metric").loc["fvd", ["rank_correlation", "kendall"]].tolist() == [1.0, 1.0]
    assert any("fvd: 1.00" in note for note in grid.notes)


def test_tables_and_figure_carry_the_same_digits_and_say_that_raters_are_simulated(
    rated: tuple[Path, Path], pdflatex: Callable[[str], None]
) -> None:
    run, study = rated
    _, grid = agree(run, str(study), NAME)
    folder = run / "agreement"
    printed = [[cell.whole for cell in line.cells] for line in grid.lines]
    text = (folder / "agree.csv").read_text()
    rows = list(csv.reader(io.StringIO("".join(t for t in text.splitlines(True) if t[0] != "#"))))
    assert [row[1:] for row in rows[1:]] == printed
    stored = json.loads((folder / "agree.json").read_text())
    assert [[row[key] for key in grid.keys] for row in stored["rows"]] == printed
    for name in ("agree.csv", "agree.json", "agree.tex", "agree.md"):
        assert "Simulated raters, not people." in (folder / name).read_text()
    assert text == to_csv(grid)
    assert stored == json.loads(json.dumps(to_json(grid)))
    assert (folder / "agree.tex").read_text() == to_latex(grid)
    pdflatex(to_latex(grid))
    for name in ("agree.png", "agree.pdf"):
        assert (folder / name).stat().st_size > 5000


def test_an_export_gives_the_same_as_the_database(rated: tuple[Path, Path], tmp_path: Path) -> None:
    run, study = rated
    export(str(study), NAME, tmp_path / "exported")
    _, first = agree(run, str(study), NAME, tmp_path / "a")
    for where in (tmp_path / "exported", tmp_path / "exported" / "votes.csv"):
        _, second = agree(run, str(where), None, tmp_path / "b")
        assert second == first


def test_what_cannot_be_held_against_each_other(rated: tuple[Path, Path], tmp_path: Path) -> None:
    run, study = rated
    for arguments, sentence in (
        ((tmp_path, str(study), NAME), "no metric scores"),
        ((run, str(study), "study"), "no votes yet"),
        ((run, str(tmp_path), None), "cannot be read"),
        ((run, str(tmp_path / "none.db"), None), r"none\.db"),
    ):
        with pytest.raises(BenchError, match=sentence):
            agree(*arguments)  # type: ignore[arg-type]
    other = write_run(tmp_path / "other", clips=10, rows=ROWS, size=48)
    write_scores(other, [f"video{n // 2:02d}__clip__{n:03d}" for n in range(10)])
    with pytest.raises(BenchError, match="People saw another video"):
        agree(other, str(study), NAME)
    export(str(study), NAME, tmp_path / "exported")
    write_scores(other, [f"video{n // 2:02d}__clip__{n:03d}" for n in range(9)])
    with pytest.raises(BenchError, match=r"has no scores of .*clip__009 and 2 more"):
        agree(other, str(tmp_path / "exported"))
    votes = pd.read_csv(tmp_path / "exported" / "votes.csv", keep_default_na=False)
    votes[votes["second"] == "real"].to_csv(tmp_path / "exported" / "votes.csv", index=False)
    with pytest.raises(BenchError, match="No vote that counts is about two models"):
        agree(run, str(tmp_path / "exported"))


def test_the_verb(rated: tuple[Path, Path], tmp_path: Path) -> None:
    run, study = rated
    cli.mount_commands()
    arguments = ["agree", str(run), str(study), "--study", NAME, "--out", str(tmp_path)]
    shown = CliRunner().invoke(cli.app, arguments)
    assert shown.exit_code == 0, shown.output
    assert "Simulated raters, not people." in shown.stdout
    found = CliRunner().invoke(cli.app, [*arguments, "--json"])
    assert json.loads(found.stdout)["rows"][0]["metric"] == "ssim"


def scores_of(clips: list[str]) -> pd.DataFrame:
    """A metric that prefers a over b on every clip."""
    lines = [(row, 0, clip, "v", "mse", value) for clip in clips for row, value in (("a", 0.1), ("b", 0.2))]
    return pd.DataFrame(lines, columns=["row", "seed", "clip", "video", "metric", "value"])


def test_a_rater_is_held_against_the_others_of_a_pair() -> None:
    # c0: three of three choose a; c1: two of three; c2: one vote, which has no others
    chosen = {"c0": "aaa", "c1": "aab", "c2": "b"}
    rows = [("a", "b", clip, f"r{n}", row) for clip, votes in chosen.items() for n, row in enumerate(votes)]
    line = humans.per_clip(votes_table(rows), scores_of(list(chosen)), {"mse": "lower"}).iloc[0]
    # c0: 1 each; c1: an a meets one a and one b, which is even: 0.5 each; its b meets two a: 0
    assert line["humans"] == pytest.approx(100 * (3 + 0.5 + 0.5 + 0) / 6)
    assert line["ceiling"] == pytest.approx(100 * (3 + 2 + 1) / 7)
    assert line["agrees"] == pytest.approx(100 * 5 / 7)


def test_the_interval_covers_the_true_share() -> None:
    """Votes share raters and clips; 95 % intervals hold the true share in 90 % of studies or more."""
    clips, raters, studies = 25, 12, 120
    names = [f"c{n}" for n in range(clips)]
    scores = scores_of(names)
    votes = votes_table([("a", "b", clip, f"r{r}", "a") for clip in names for r in range(raters)])
    rng = np.random.default_rng(0)
    grid = 0.6 + 0.6 * rng.normal(size=200_000) + 0.4 * rng.normal(size=200_000)
    truth = 100 * float((1 / (1 + np.exp(-grid))).mean())
    covered = 0
    for _ in range(studies):
        odds = 0.6 + 0.6 * rng.normal(size=(clips, 1)) + 0.4 * rng.normal(size=(1, raters))
        won = rng.random((clips, raters)) < 1 / (1 + np.exp(-odds))
        cast = votes.assign(chosen=np.where(won.ravel(), "a", "b"))
        line = humans.per_clip(cast, scores, {"mse": "lower"}, resamples=200).iloc[0]
        covered += line["ci_low"] <= truth <= line["ci_high"]
    assert 0.90 <= covered / studies <= 1.0
