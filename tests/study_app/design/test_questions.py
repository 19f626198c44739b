"""What a file of questions may hold, and what it is taken to say."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from study_app.design.question_file import parse, read
from study_app.design.questions import GRADES, LONGEST_ANSWER, THE_PAPERS, TextQuestion
from study_app.design.schedule import capacity, draw_schedule
from study_app.design.settings import StudySettings
from tests.docs.pages import blocks

FILE = """
cannot_tell = true

[[trial]]
id = "realistic"
text = { en = "Which is more realistic?", de = "Was wirkt echter?" }
[[trial]]
id = "motion"
text = "Which moves more naturally?"

[[screening]]
id = "age"
text = "How old are you?"
type = "number"
eligible = [18, 99]

[[demographic]]
id = "screen"
text = "What do you look at?"
choices = ["a phone", { id = "laptop", text = { en = "a laptop", de = "ein Notebook" } }]
optional = true

[[closing]]
id = "remarks"
text = "Anything else?"
type = "text"
optional = true
"""
SETTINGS = StudySettings(
    name="s", run="/r", dataset="sky", comparisons=(("a", "b"), ("a", "real")),
    scenes=tuple(f"v{n}" for n in range(40)), clips=20, votes=2, workload=10, practice=2, catch=4, catch_pass=3,
    frames=32, size=64, rate=10.0, slot_bytes=1024, lease_minutes=15.0, question="Which?", consent="Yes.",
    consent_version="1", completion_code="", completion_url="",
)  # fmt: skip


def test_a_file_says_the_same_in_toml_in_json_and_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "q.toml").write_text(FILE)
    asked = read(tmp_path / "q.toml")
    (tmp_path / "q.json").write_text(json.dumps(asdict(asked)))
    assert read(tmp_path / "q.json") == asked
    settings = replace(SETTINGS, questions=asked)
    assert StudySettings.from_json(settings.to_json()) == settings
    assert asked.further == ("motion",)
    assert asked.answers == ("left", "right", "tie")
    assert asked.asked("?", "de") == ["Was wirkt echter?", "Which moves more naturally?"]
    assert [choice.id for choice in asked.demographic[0].choices] == ["a phone", "laptop"]


def test_settings_without_questions_are_the_papers() -> None:
    stored = json.loads(SETTINGS.to_json())
    del stored["questions"], stored["ineligible_code"]  # as an earlier version wrote them
    assert StudySettings.from_json(json.dumps(stored)).questions == THE_PAPERS
    assert THE_PAPERS.is_the_papers
    assert THE_PAPERS.asked("Which?", "en") == ["Which?"]
    assert parse({}) == THE_PAPERS


@pytest.mark.parametrize(
    ("asked", "papers"),
    [
        ({"cannot_tell": True}, False),
        ({"kind": "scale"}, False),
        ({"trial": [{"id": "a", "text": "?"}, {"id": "b", "text": "?"}]}, False),
        ({"trial": [{"id": "a", "text": "?"}]}, True),
        ({"closing": [{"id": "a", "text": "?", "type": "text"}]}, True),  # a trial is still the paper's
    ],
)
def test_which_studies_fill_the_papers_tables(asked: dict[str, Any], papers: bool) -> None:
    assert parse(asked).is_the_papers is papers


def test_what_is_an_answer_and_who_may_take_part() -> None:
    choice = parse({"screening": [{"id": "a", "text": "?", "choices": ["x", "y", "z"], "eligible": ["x", "y"]}]})
    one = choice.screening[0]
    assert [one.is_answer(answer) for answer in ("x", "z", "", "w")] == [True, True, False, False]
    assert [one.admits(answer) for answer in ("x", "y", "z")] == [True, True, False]
    number = parse(
        {"screening": [{"id": "a", "text": "?", "type": "number", "minimum": 0, "maximum": 120, "eligible": [18, 99]}]}
    ).screening[0]
    given = ("18", "30.5", "0", "120", "121", "-1", "", "many", "1e3", "nan", "12 345")
    assert [number.is_answer(answer) for answer in given] == [True] * 4 + [False] * 7
    assert [number.admits(answer) for answer in ("17", "18", "99", "99.5")] == [False, True, True, False]
    text = TextQuestion("a", "?", optional=True)
    assert [text.is_answer(answer) for answer in ("", "x" * LONGEST_ANSWER, "x" * (LONGEST_ANSWER + 1))] == [
        True,
        True,
        False,
    ]
    for question in (one, number, text):
        assert question.is_answer(question.example())
        assert question.admits(question.example())


def one(**fields: Any) -> dict[str, Any]:
    return {"screening": [{"id": "a", "text": "?", "choices": ["x", "y"], **fields}]}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"kinds": "scale"}, "cannot have 'kinds'. Did you mean 'kind'"),
        ({"kind": "triples"}, "'pairs' or 'scale', not 'triples'"),
        ({"kind": "scale", "cannot_tell": True}, "A scale has no 'cannot tell'"),
        ({"cannot_tell": "yes"}, "true or false"),
        ({"trial": "Which?"}, "a list of questions"),
        ({"trial": ["Which?"]}, "must be a table"),
        ({"trial": [{"id": "a", "text": " "}]}, "needs a text"),
        ({"trial": [{"id": "a", "text": {"fr": "?"}}]}, "has a text in 'fr'"),
        ({"trial": [{"id": "a", "text": "?"}], **one()}, "used by two questions"),
        (one(id="A b"), "small letters"),
        (one(id=None), "small letters"),
        (one(type="date"), "has an unknown type"),
        (one(type=["choice"]), "has an unknown type"),
        (one(choices=["x"]), "two or more answers"),
        (one(choices=["x", "x"]), "two choices with the same id"),
        (one(type="text"), "two or more answers"),
        (one(minimum=3), "not a number, so it cannot have a minimum"),
        (one(optional=1), "'optional' is true or false"),
        (one(eligible=["z"]), "not one of its choices"),
        (one(eligible="x"), "'eligible' is a list"),
        (one(eligible=["x"], optional=True), "cannot decide who takes part"),
        (one(type="number", choices=[], eligible=[99, 18]), "smallest and the largest"),
        (one(type="number", choices=[], minimum=5, maximum=4), "minimum above its maximum"),
        (one(type="number", choices=[], minimum="5"), "'minimum' is a number"),
        ({"closing": one(eligible=["x"])["screening"]}, "cannot decide who takes part"),
        ([], "must be a table"),
    ],
)
def test_what_makes_no_questions_is_said_in_a_sentence(asked: Any, sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        parse(asked)


def test_files_that_are_no_questions(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("kind = ")
    (tmp_path / "b.json").write_text("{")
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe")
    for name, sentence in (
        ("a.toml", "cannot be read as TOML"),
        ("b.json", "or as JSON"),
        ("c.toml", "cannot be read"),
    ):
        with pytest.raises(BenchError, match=sentence):
            read(tmp_path / name)
    with pytest.raises(BenchError, match="cannot be read"):
        read(tmp_path / "none.toml")


def test_texts_have_to_be_there_in_the_studys_language() -> None:
    asked = parse({"trial": [{"id": "a", "text": {"en": "Which?"}}]})
    asked.check("en")
    with pytest.raises(BenchError, match="'a' has no text in the study's language 'de'"):
        asked.check("de")


def test_a_scale_shows_each_clip_alone() -> None:
    systems = tuple((name, "alone") for name in ("a", "b", "real"))
    settings = replace(SETTINGS, comparisons=systems, questions=parse({"kind": "scale"}))
    schedule = draw_schedule(settings, 3)
    assert {(pair.first, pair.second) for pair in schedule.trials} == set(systems)
    assert all(slot.first_on_left for slot in schedule.slots)
    assert len(schedule.slots) == 3 * 20 * 2
    assert {pair.second for pair in schedule.catch} == {"alone"}
    assert "real" not in {pair.first for pair in schedule.catch}
    assert [pair.first == "real" for pair in schedule.practice] == [False, True]  # both ends of the scale
    assert capacity(schedule) >= settings.workload
    crowded = draw_schedule(replace(settings, clips=40), 3)  # practice shares scenes with the trials
    assert "real" not in {pair.first for pair in crowded.practice}
    assert parse({"kind": "scale"}).answers == GRADES


def test_ties_and_further_questions_leave_the_schedule_as_it_is() -> None:
    before = draw_schedule(SETTINGS, 3)
    assert before.sha256 == "0d778432609908dfb3ab7eb33754a091465aac07c086579bef6fbb790dd31b87"
    asked = parse({"cannot_tell": True, "trial": [{"id": "a", "text": "?"}, {"id": "b", "text": "?"}], **one(id="c")})
    assert draw_schedule(replace(SETTINGS, questions=asked), 3) == before


def test_a_session_is_longer_with_questions() -> None:
    asked = parse({"trial": [{"id": "a", "text": "?"}, {"id": "b", "text": "?"}], **one(id="c")})
    assert replace(SETTINGS, workload=50, questions=asked).minutes > replace(SETTINGS, workload=50).minutes


def test_the_documentations_files_can_be_read(tmp_path: Path) -> None:
    files = [text for language, text in blocks("docs/how-to/run-a-study.md") if language == "toml"]
    assert len(files) == 2
    for text in files:
        (tmp_path / "q.toml").write_text(text)
        read(tmp_path / "q.toml").check("de")
