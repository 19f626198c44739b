from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.report.row_names import registered_names
from bench.report.tables.paper_tables import SIMULATED
from bench.report.tables.study_tables import find_study, read_study
from bench.runfolder import RunFolder

ROWS = ["mdgan-2", "vgan", "rnngan"]


def line(first: str, second: str, chosen: int, votes: int) -> dict[str, Any]:
    numbers = ("pos", "ci_low", "ci_high", "p", "p_holm", "exact_low", "exact_high", "exact_p")
    values = (100 * chosen / max(votes, 1), 45.0, 80.0, 0.0004, 0.02, 51.25, 73.61, 0.0001)
    known = dict(zip(numbers, values, strict=True)) if votes else {}
    name = f"{first} over {second}"
    return {"comparison": name, "first": first, "second": second, "chosen": chosen, "votes": votes, "raters": 9,
            "clips": 16, "videos": 12, **(known or dict.fromkeys(numbers))}  # fmt: skip


def study(simulated: bool = False, **changes: Any) -> dict[str, Any]:
    strength = {"system": "vgan", "strength": 0.5, "ci_low": 0.1, "ci_high": 0.9, "wins": 40, "votes": 64, "group": 1}
    return {
        "study": "spring",
        "simulated": simulated,
        "seed": 3,
        "schedule_sha256": "ab" * 32,
        "kind": "pairs",
        "asked": ["Which is more realistic?"],
        "fills_the_papers_tables": True,
        "pos": [
            {**one, "simulated": simulated} for one in (line("mdgan-2", "vgan", 40, 64), line("vgan", "real", 0, 0))
        ],
        "bradley_terry": {"strengths": [strength], "connected": [["mdgan-2", "vgan"]]},
        "agreement": [{"comparison": "all", "alpha": 0.4123, "pairs": 32}],
        "side_bias": {"left": 33, "votes": 64, "p": 0.9},
        "raters": [{"excluded": ""}] * 9 + [{"excluded": "catch trials"}],
        "notes": ["A note."],
    } | changes


def write(folder: Path, content: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "study.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_the_preferences_are_told_with_both_intervals_and_both_p_values(tmp_path: Path) -> None:
    found = read_study(write(tmp_path, study()), ROWS, registered_names())
    preferences, table2, strengths = found.grids
    assert [cell.whole for cell in preferences.lines[0].cells] == [
        "40 of 64", "62.5 [45.0, 80.0]", "< 0.001", "0.020", "[51.2, 73.6]", "< 0.001", "9", "12",
    ]  # fmt: skip
    assert preferences.lines[0].title == "MD-GAN Stage II over VGAN"
    assert [cell.whole for cell in preferences.lines[1].cells][:3] == ["0 of 0", "–", "–"]
    assert table2.lines[0].cells[2].text == "92"  # the paper's number stands beside it; nothing was asked of Table III
    assert [cell.whole for cell in strengths.lines[0].cells] == ["0.50 [0.10, 0.90]", "40 of 64"]
    assert found.warning == ""
    assert math.isnan(found.pos[1]["pos"])
    notes = " ".join(found.notes)
    for words in (
        "10 raters; 1 excluded by the registered rule",
        "α 0.41 over 32 pairs",
        "51.6 % of 64 votes",
        "abababababab",
        "A note.",
    ):
        assert words in notes, words


def test_simulated_raters_are_labelled_on_every_table(tmp_path: Path) -> None:
    found = read_study(write(tmp_path, study(simulated=True)), ROWS, registered_names())
    assert found.warning == SIMULATED
    assert [grid.warning for grid in found.grids] == [SIMULATED] * 3


def test_a_study_without_votes_has_no_strengths_and_no_paper_tables(tmp_path: Path) -> None:
    empty = {"pos": [{**line("vgan", "real", 0, 0), "simulated": False}], "bradley_terry": {"strengths": []}}
    nobody = {"side_bias": {"left": 0, "votes": 0, "p": None}, "agreement": [], "raters": []}
    found = read_study(write(tmp_path, study(**empty, **nobody)), ROWS, registered_names())
    assert len(found.grids) == 1
    why = "0 excluded by the registered rule, 0 by hand, 0 withdrew"
    assert found.notes[0] == f"Study “spring”: 0 raters; {why}."


def test_a_study_with_ties_fills_no_table_of_the_papers(tmp_path: Path) -> None:
    ties = {"fills_the_papers_tables": False, "ties": [{"votes": 70, "ties": 6}, {"votes": 10, "ties": 0}]}
    plain, tied = (
        read_study(write(tmp_path / name, study(**changes)), ROWS, registered_names())
        for name, changes in (("plain", {}), ("ties", ties))
    )
    assert len(plain.grids) - len(tied.grids) == 1
    assert not [grid for grid in tied.grids if "Paper" in grid.heads]
    assert "Raters could not tell in 6 of 80 trials." in tied.notes


def test_grades_are_means_and_no_preferences(tmp_path: Path) -> None:
    mean = {"system": "vgan", "ratings": 40, "mos": 2.25, "ci_low": 1.5, "ci_high": 3.0, "raters": 5}
    nothing = {**mean, "system": "real", "ratings": 0, "mos": None, "ci_low": None, "ci_high": None, "raters": 0}
    content = {"study": "s", "simulated": True, "kind": "scale", "mos": [mean, nothing], "notes": ["A note."]}
    content["asked"] = ["How realistic is this clip?"]
    found = read_study(write(tmp_path, content), ROWS, registered_names())
    assert (list(found.pos), found.warning) == ([], SIMULATED)
    texts = [[cell.text for cell in line.cells] for line in found.grids[0].lines]
    assert texts == [["2.25", "40", "5"], ["–", "0", "0"]]
    assert found.grids[0].lines[0].cells[0].interval == "[1.50, 3.00]"
    assert found.notes == ["Study “s”.", "A note."]


def test_every_question_of_a_trial_has_its_table_with_its_words(tmp_path: Path) -> None:
    questions = ["Which is more realistic?", "Which moves <more>?"]
    further = {"motion": {"pos": [line("mdgan-2", "vgan", 10, 64)]}}
    content = study(fills_the_papers_tables=False, asked=questions, further=further)
    first, _, second = read_study(write(tmp_path / "two", content), ROWS, registered_names()).grids
    assert [grid.caption.partition(" on ")[2] for grid in (first, second)] == [f"“{text}”." for text in questions]
    assert [grid.lines[0].cells[0].text for grid in (first, second)] == ["40 of 64", "10 of 64"]
    mean = {"system": "vgan", "ratings": 40, "mos": 2.25, "ci_low": 1.5, "ci_high": 3.0, "raters": 5}
    graded = {"study": "s", "simulated": False, "kind": "scale", "mos": [mean], "notes": [], "asked": questions}
    content = {**graded, "further": {"motion": {"mos": [{**mean, "mos": 4.5}]}}}
    one, two = read_study(write(tmp_path / "grades", content), ROWS, registered_names()).grids
    assert (one.lines[0].cells[0].text, two.lines[0].cells[0].text) == ("2.25", "4.50")
    assert "on “Which moves <more>?”" in two.caption


def test_which_study_is_meant(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert find_study(RunFolder(run), None) is None
    own = write(run / "study", study())
    assert find_study(RunFolder(run), None) == own
    other = write(tmp_path / "other", study())
    assert find_study(RunFolder(run), tmp_path / "other") == find_study(RunFolder(run), other) == other
    with pytest.raises(
        BenchError, match=r"The file .*gone/study.json does not exist\. Give the folder written by `bench study export"
    ):
        find_study(RunFolder(run), tmp_path / "gone")


@pytest.mark.parametrize(
    "content",
    [{}, [], study(pos=[{"first": "vgan"}]), study(raters=3), study(pos=[{**line("vgan", "real", 1, 2), "p": "x"}])],
    ids=["empty", "list", "line", "raters", "text"],
)
def test_what_is_no_study_is_said_so(content: object, tmp_path: Path) -> None:
    with pytest.raises(
        BenchError, match=r"not a study.json of this version\. Write it again with `bench study export`"
    ):
        read_study(write(tmp_path, content), ROWS, registered_names())


def test_half_a_file_and_a_study_of_other_rows(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"study\.json"):
        read_study(write(tmp_path, '{"pos": ['), ROWS, registered_names())
    with pytest.raises(BenchError, match="compares vgan, which this run does not contain"):
        read_study(write(tmp_path, study()), ["mdgan-2"], registered_names())


def test_exclusions_are_counted_by_their_reasons_and_open_intervals_say_which_end(tmp_path: Path) -> None:
    reasons = ["", "catch trials", "withdrawn", "withdrawn", "came twice", "catch trials, came twice"]
    strengths = [
        {"system": "real", "strength": 3.1, "ci_low": 2.2, "ci_high": None, "wins": 9, "votes": 9, "group": 1},
        {"system": "vgan", "strength": -3.1, "ci_low": None, "ci_high": -2.2, "wins": 0, "votes": 9, "group": 1},
    ]
    changes = {
        "raters": [{"excluded": reason} for reason in reasons],
        "bradley_terry": {"strengths": strengths, "connected": [["real", "vgan"]]},
    }
    found = read_study(write(tmp_path, study(**changes)), ROWS, registered_names())
    assert "6 raters; 2 excluded by the registered rule, 1 by hand, 2 withdrew" in found.notes[0]
    changes["raters"].append({"excluded": "unfinished: 1 of 1 catch trials right"})
    left = read_study(write(tmp_path, study(**changes)), ROWS, registered_names()).notes[0]
    assert "registered rule, 1 left before their attention could be judged, 1 by hand" in left
    assert [line.cells[0].whole for line in found.grids[-1].lines] == ["3.10 (≥ 2.20)", "-3.10 (≤ -2.20)"]
