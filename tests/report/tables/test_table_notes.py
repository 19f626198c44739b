from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bench.report.row_names import registered_names
from bench.report.tables.score_table import ScoreTable, make_table
from bench.report.tables.table_notes import mark_of, over_metrics
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import Primary, SummaryLine
from bench.scoring.set_metrics import REAL_HALVES
from bench.statistics import OVER_TRAININGS, THESE_TRAININGS

PROTOCOL = Protocol("sky", 64, "all", 16, "0123456789abcdef", False)
#: p against the best, by metric; the first row is the best one.
P_VALUES = {"mse": (math.nan, 0.02, 0.3), "ssim": (math.nan, 0.001, 0.03), "motion": (math.nan, 0.2, 0.4)}


def lines(p_values: dict[str, tuple[float, ...]] = P_VALUES) -> list[SummaryLine]:
    return [
        SummaryLine(
            "sky", row, metric, place + 1.0, place + 0.9, place + 1.1, 16, 0, 1, math.nan, PROTOCOL.id,
            p_best=p_value, rank=place + 1, smallest_p=0.0001, scope=THESE_TRAININGS,
        )
        for metric, of in p_values.items()
        for place, (row, p_value) in enumerate(zip("abc", of, strict=True))
    ]  # fmt: skip


def marks(table: ScoreTable) -> set[tuple[str, str]]:
    return {
        (row, head)
        for row, cells in zip(table.rows, table.cells, strict=True)
        for head, cell in zip(table.heads, cells, strict=True)
        if cell.mark == "*"
    }


def shown(summary: list[SummaryLine], **more: object) -> ScoreTable:
    return make_table(summary, PROTOCOL, registered_names(), ci=True, **more)  # type: ignore[arg-type]


def test_holm_over_metrics_takes_marks_away_and_says_so() -> None:
    assert marks(shown(lines())) == {("b", "mse"), ("b", "ssim"), ("c", "ssim")}
    corrected = shown(lines(), holm=True)
    assert marks(corrected) == {("b", "ssim")}
    assert "Marks are Holm-corrected over 3 metrics." in corrected.notes
    p_values = {(line.row, line.metric): line.p_best for line in over_metrics(lines())}
    # sorted: .001 of three metrics, .02 of three, .03 of three (mse still has .3), then never less
    expected = {("b", "ssim"): 0.003, ("b", "mse"): 0.06, ("c", "ssim"): 0.09, ("b", "motion"): 0.4}
    assert {key: p_values[key] for key in expected} == pytest.approx(expected)


def test_a_primary_metric_stands_apart_from_the_correction() -> None:
    table = shown(lines(), holm=True, primary=Primary("mse"))
    assert marks(table) == {("b", "mse"), ("b", "ssim")}
    assert "Primary metric, named before scoring: mse. The others are exploratory." in table.notes
    assert "Marks are Holm-corrected over 2 metrics, without mse." in table.notes
    late = shown(lines(), primary=Primary("mse", before=False))
    assert any("named after the folder had scores" in note for note in late.notes)


def test_several_metrics_get_one_note_and_one_metric_none() -> None:
    def said(table: ScoreTable) -> list[str]:
        return [note for note in table.notes if "is tested separately" in note]

    (note,) = said(shown(lines()))
    assert "Each of 3 metrics" in note
    assert "--primary" in note
    assert not said(shown([line for line in lines() if line.metric == "mse"]))
    assert not said(shown(lines(), primary=Primary("mse")))
    assert not said(make_table(lines(), PROTOCOL, registered_names()))


def test_a_verdict_that_one_video_turns_is_told() -> None:
    summary = [replace(line, turned_by="v7" if (line.row, line.metric) == ("b", "mse") else "") for line in lines()]
    assert "Leaving out one source video reverses the verdict: b, mse (without v7)." in shown(summary).notes


def test_two_training_runs_are_told_to_say_little() -> None:
    def said(seeds: int) -> bool:
        summary = [replace(line, seeds=seeds, seed_sd=0.1, scope=OVER_TRAININGS) for line in lines()]
        return any("Two training runs say little" in note for note in shown(summary).notes)

    assert [said(seeds) for seeds in (1, 2, 3)] == [False, True, False]


def of_sets(at_split: float = math.nan, metric: str = "fvd") -> list[SummaryLine]:
    method = SummaryLine("sky", "copy", metric, 573.0, 500, 600, 16, 0, 1, math.nan, PROTOCOL.id, at_split=at_split)
    return [method, SummaryLine("sky", REAL_HALVES, metric, 1167.0, 821, 1824, 8, 0, 1, math.nan, PROTOCOL.id)]


def test_real_against_real_has_its_number_and_methods_at_that_number_beside_it() -> None:
    table = shown(of_sets(1300.0))
    assert list(table.heads) == ["fvd", "fvd@8"]
    assert list(table.grid.heads) == ["FVD ↓", "FVD, 8 clips ↓"]
    assert [line.title for line in table.grid.lines] == [
        "Copy of first frame",
        "Real vs. real (split-half, N = 8)",
    ]
    assert [[cell.text for cell in line] for line in table.cells] == [["573.00", "1300.00"], ["–", "1167.00"]]
    assert not any("closer to the real clips" in note for note in table.notes)
    nearer = shown(of_sets(900.0))
    assert "fvd: closer to the real clips than these are to each other: Copy of first frame." in nearer.notes


@pytest.mark.parametrize(("metric", "nearer"), [("v.frechet", 900.0), ("v.recall", 1300.0)])
def test_what_is_closer_than_real_clips_follows_from_the_metrics_direction(metric: str, nearer: float) -> None:
    for at_split in (900.0, 1300.0, 1167.0, math.nan):
        found = any("closer to the real clips" in note for note in shown(of_sets(at_split, metric)).notes)
        assert found == (at_split == nearer)


def test_a_folder_without_methods_at_that_number_is_told_not_to_compare() -> None:
    table = shown(of_sets())
    assert list(table.heads) == ["fvd"]
    assert "fvd: real vs. real uses 8 clips per side and methods use 16: do not compare the two." in table.notes


def test_only_what_is_significantly_worse_is_marked() -> None:
    best, worse, other = lines()[:3]
    assert [mark_of(line) for line in (best, worse, other)] == ["", "*", ""]
    assert mark_of(replace(worse, rank=0)) == "†"
    assert mark_of(replace(worse, row=REAL_HALVES)) == ""
