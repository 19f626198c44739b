from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.report.names import registered_names
from bench.report.paper import SIMULATED
from bench.report.study import find_study, read_study
from bench.runfolder import RunFolder

ROWS = ["mdgan-2", "vgan", "rnngan"]


def line(first: str, second: str, chosen: int, votes: int) -> dict[str, Any]:
    numbers = ("pos", "ci_low", "ci_high", "p", "p_holm", "crossed_low", "crossed_high")
    known = (
        dict(zip(numbers, (100 * chosen / votes, 51.25, 73.61, 0.0004, 0.02, 45.0, 80.0), strict=True)) if votes else {}
    )
    name = f"{first} over {second}"
    return {"comparison": name, "first": first, "second": second, "chosen": chosen, "votes": votes, "raters": 9,
            "clips": 16, **(known or dict.fromkeys(numbers))}  # fmt: skip


def study(simulated: bool = False, **changes: Any) -> dict[str, Any]:
    strength = {"system": "vgan", "strength": 0.5, "ci_low": 0.1, "ci_high": 0.9, "wins": 40, "votes": 64, "group": 1}
    return {
        "study": "spring",
        "simulated": simulated,
        "seed": 3,
        "schedule_sha256": "ab" * 32,
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
        "40 of 64", "62.5 [51.2, 73.6]", "[45.0, 80.0]", "< 0.001", "0.020", "9", "16",
    ]  # fmt: skip
    assert preferences.lines[0].title == "MD-GAN Stage II over VGAN"
    assert [cell.whole for cell in preferences.lines[1].cells][:3] == ["0 of 0", "–", "–"]
    assert table2.lines[0].cells[2].text == "92"  # the paper's number stands beside it; nothing was asked of Table III
    assert [cell.whole for cell in strengths.lines[0].cells] == ["0.50 [0.10, 0.90]", "40 of 64"]
    assert found.warning == ""
    assert math.isnan(found.pos[1]["pos"])
    told = " ".join(found.notes)
    for words in ("10 raters, 1 excluded", "α 0.41 over 32 pairs", "51.6 % of 64 votes", "abababababab", "A note."):
        assert words in told, words


def test_simulated_raters_are_labelled_on_every_table(tmp_path: Path) -> None:
    found = read_study(write(tmp_path, study(simulated=True)), ROWS, registered_names())
    assert found.warning == SIMULATED
    assert [grid.warning for grid in found.grids] == [SIMULATED] * 3


def test_a_study_without_votes_has_no_strengths_and_no_paper_tables(tmp_path: Path) -> None:
    empty = {"pos": [{**line("vgan", "real", 0, 0), "simulated": False}], "bradley_terry": {"strengths": []}}
    nobody = {"side_bias": {"left": 0, "votes": 0, "p": None}, "agreement": [], "raters": []}
    found = read_study(write(tmp_path, study(**empty, **nobody)), ROWS, registered_names())
    assert len(found.grids) == 1
    assert found.notes[0] == "Study “spring”: 0 raters, 0 excluded by rules fixed beforehand."


def test_which_study_is_meant(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert find_study(RunFolder(run), None) is None
    own = write(run / "study", study())
    assert find_study(RunFolder(run), None) == own
    other = write(tmp_path / "other", study())
    assert find_study(RunFolder(run), tmp_path / "other") == find_study(RunFolder(run), other) == other
    with pytest.raises(BenchError, match=r"There is no .*gone/study.json: give the folder that `bench study export"):
        find_study(RunFolder(run), tmp_path / "gone")


@pytest.mark.parametrize(
    "content",
    [{}, [], study(pos=[{"first": "vgan"}]), study(raters=3), study(pos=[{**line("vgan", "real", 1, 2), "p": "x"}])],
    ids=["empty", "list", "line", "raters", "text"],
)
def test_what_is_no_study_is_said_so(content: object, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no study.json of this version: write it anew with `bench study export`"):
        read_study(write(tmp_path, content), ROWS, registered_names())


def test_half_a_file_and_a_study_of_other_rows(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"study\.json"):
        read_study(write(tmp_path, '{"pos": ['), ROWS, registered_names())
    with pytest.raises(BenchError, match="compares vgan, which this run has no row of"):
        read_study(write(tmp_path, study()), ["mdgan-2"], registered_names())
