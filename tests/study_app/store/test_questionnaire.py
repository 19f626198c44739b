"""Studies that ask more than the paper's question, in the store, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bench.errors import BenchError
from bench.report.row_names import registered_names
from bench.report.tables.study_tables import read_study
from study_app.analysis import questionnaire
from study_app.design.question_file import parse
from study_app.design.questions import COMPREHENSION, COMPREHENSION_ANSWERS
from study_app.design.settings import StudyRequest, StudyTexts
from study_app.locales import texts, words
from study_app.pipeline import copies, export
from study_app.pipeline.create import create
from study_app.pipeline.extend import extend
from study_app.pipeline.registration import registration
from study_app.pipeline.simulate import Crowd, simulate
from study_app.pipeline.status import lines, status
from study_app.store.messages import Answer, Further, RefusedError
from study_app.store.store import Store
from study_app.store.study import OpenStudy
from tests.study_app.conftest import study_request
from tests.study_app.store.test_store import Person, rows, run

ASKED = {
    "cannot_tell": True,
    "trial": [{"id": "realistic", "text": "Which?"}, {"id": "motion", "text": "Which moves?"}],
    "screening": [{"id": "eyes", "text": "?", "choices": ["yes", "no"], "eligible": ["yes"]}],
    "demographic": [{"id": "age", "text": "?", "type": "number", "minimum": 0, "optional": True}],
    "closing": [{"id": "remarks", "text": "?", "type": "text", "optional": True}],
}
TWO = Answer("left", 3000, further=(Further("right", 4000),))


def made(where: str, folder: Path, asked: dict[str, Any], **changes: object) -> str:
    """Another study in a database; short."""
    settings = {"name": "asked", "clips": 8, "workload": 6, "practice": 1, "catch": 0, "catch_pass": 0}
    create(where, study_request(folder, questions=parse(asked), **{**settings, **changes}))
    return "asked"


@pytest.fixture
def person(where: str, run_folder: Path) -> Person:
    """A rater of a study with everything, who has agreed."""
    return Person(Store(where), study=made(where, run_folder, ASKED, ineligible_code="OUT"))


def ready(person: Person) -> OpenStudy:
    """The same, as far as the first pair."""
    person.study.reply(person.token, "screening", {"eyes": "yes"})
    person.study.reply(person.token, "demographic", {})
    return person.study


def test_a_session_with_questions_before_and_after(person: Person) -> None:
    study, token = person.study, person.token
    view = person.view()
    assert (view.state, view.part, view.trials) == ("asked", "screening", ())
    assert study.reply(token, "closing", {"remarks": "first"}) == view  # nobody ends a session that has not begun
    for wrong in ({}, {"eyes": "maybe"}, {"eyes": ""}):
        with pytest.raises(RefusedError, match="can be given"):
            study.reply(token, "screening", wrong)
    view = study.reply(token, "screening", {"eyes": "yes", "else": "ignored"})
    assert (view.state, view.part) == ("asked", "demographic")
    assert study.reply(token, "screening", {"eyes": "no"}) == view  # it came again and changes nothing
    with pytest.raises(RefusedError, match="can be given"):
        study.reply(token, "demographic", {"age": "-3"})
    view = study.reply(token, "demographic", {})
    assert view.state == "rating"
    while view.state == "rating":
        view = person.vote(view.trials[0], TWO)
    assert (view.state, view.part, view.answered) == ("asked", "closing", 7)
    rater = study.rater(token)
    assert rater
    assert rater.completed_at is None
    assert study.ending(token) is None  # so there is no code yet
    assert study.reply(token, "closing", {"remarks": " all well "}).state == "done"
    ending = study.ending(token)
    assert ending
    assert ending.outcome == "complete"
    given = study.answers()
    assert list(given["question"]) == ["eyes", "age", "remarks"]
    assert list(given["answer"]) == ["yes", "", "all well"]
    counts = questionnaire.counts(study.answers(), study.settings).set_index("question")
    assert list(counts["answered"]) == [1, 0, 1]
    assert list(counts["answers"]) == ["yes 1, no 0", "", ""]  # of texts nothing is counted but that they are there
    assert person.view().state == "done"


def test_who_is_not_eligible_holds_no_pair_and_counts_nowhere(where: str, person: Person) -> None:
    assert person.view().part == "screening"
    assert person.study.progress()["leased"].sum() > 0
    assert person.study.reply(person.token, "screening", {"eyes": "no"}).state == "ineligible"
    assert person.study.progress()["leased"].sum() == 0
    assert person.study.reply(person.token, "screening", {"eyes": "yes"}).state == "ineligible"  # for good
    assert person.view().state == "ineligible"
    raters = person.study.raters()
    assert (raters["status"][0], raters["code"][0], raters["passed"][0]) == ("ineligible", "OUT", "")
    assert list(person.study.answers()["answer"]) == ["no"]
    assert list(person.study.watch().raters["state"]) == ["ineligible"]
    assert "1 were not eligible based on their answers." in lines(status(Store(where).open("asked")))
    token = rows(person.store, "SELECT token FROM assignment WHERE state = 'expired' LIMIT 1")
    assert token  # the pair that was held, which somebody else can have now


def test_nobody_is_asked_for_a_study_that_is_full(person: Person) -> None:
    while (view := ready(person).view(person.token)).state == "rating":
        person.vote(view.trials[0], TWO)
    live = "UPDATE assignment SET state = 'voted' WHERE state = 'leased'"
    others = [Person(person.store, study="asked") for _ in range(12)]
    for other in others:
        view = ready(other).view(other.token)
        while view.state == "rating":
            view = other.vote(view.trials[0], TWO)
    run(person.store, live)
    late = Person(person.store, study="asked")
    assert late.view().state == "full"
    assert len(late.study.answers()) > 0


def test_all_answers_of_a_pair_are_one_vote(person: Person) -> None:
    study = ready(person)
    trial = person.view().trials[0]
    for wrong in (
        Answer("left", 3000),
        replace(TWO, further=(*TWO.further, *TWO.further)),
        replace(TWO, further=(Further("3", 1),)),
        replace(TWO, further=(Further("left", -1),)),
        replace(TWO, chosen="5"),
    ):
        with pytest.raises(RefusedError, match="can be given"):
            person.vote(trial, wrong)
    assert rows(person.store, "SELECT count(*) FROM vote") == [(0,)]
    person.vote(trial, replace(TWO, chosen="tie"))
    person.vote(trial, TWO)  # it came again
    assert rows(person.store, "SELECT chosen FROM vote") == [("tie",)]
    assert rows(person.store, "SELECT question, chosen, response_ms FROM opinion") == [("motion", "right", 4000)]
    first, second = study.votes(), study.votes("motion")
    assert list(first["chosen"]) == ["tie"]
    assert list(second["chosen"]) == list(second["right"])
    assert list(first.drop(columns=["chosen", "response_ms"])) == list(second.drop(columns=["chosen", "response_ms"]))
    for statement in ("UPDATE opinion SET chosen = 'left'", "DELETE FROM opinion", "UPDATE reply SET answer = 'x'"):
        with pytest.raises(DBAPIError, match="append only"):
            run(person.store, statement)
    with pytest.raises(DBAPIError):
        run(person.store, "INSERT INTO opinion (vote_id, question, chosen, response_ms) VALUES (1, 'x', 'both', 1)")
    run(person.store, "DELETE FROM reply")  # what people write of themselves can be erased


def test_practice_with_ties(person: Person) -> None:
    ready(person)
    assert person.vote(person.view().trials[0], replace(TWO, chosen="tie")).feedback == "unsure"


def test_a_tie_is_no_right_catch_trial(where: str, run_folder: Path) -> None:
    store = Store(where)
    name = made(where, run_folder, {"cannot_tell": True}, catch=4, catch_pass=3)
    person = Person(store, study=name)
    view = person.view()
    while view.state == "rating":
        view = person.vote(view.trials[0], Answer("tie", 3000))
    assert view.state == "excluded"
    assert "catch trials: 0 of 2 right" in person.study.votes()["excluded"].iloc[0]


def test_the_papers_study_takes_no_tie_and_no_grade(where: str) -> None:
    person = Person(Store(where))
    for wrong in ("tie", "5"):
        with pytest.raises(RefusedError, match="can be given"):
            person.vote(person.view().trials[0], Answer(wrong, 3000))
    assert person.study.answers().empty
    with pytest.raises(BenchError, match="votes and no grades"):
        person.study.ratings()


def test_grades_of_single_clips(where: str, run_folder: Path, tmp_path: Path) -> None:
    store = Store(where)
    name = made(where, run_folder, {"kind": "scale"}, catch=4, catch_pass=3, practice=2, workload=10)
    person = Person(store, study=name)
    view, given = person.view(), {}
    while view.state == "rating":
        trial = view.trials[0]
        left, right = person.study.media(person.token, trial)
        assert left
        assert right == b""
        caught = rows(store, f"SELECT kind FROM comparison c JOIN pair p ON p.comparison_id = c.id JOIN assignment a "
                             f"ON a.pair_id = p.id WHERE a.token = '{trial}'")[0][0]  # fmt: skip
        grade = "2" if caught == "catch" else "4"
        with pytest.raises(RefusedError, match="can be given"):
            person.vote(trial, Answer("left", 3000))
        view = person.vote(trial, Answer(grade, 3000))
        assert view.feedback is None  # nothing is right or wrong
        given[caught] = given.get(caught, 0) + 1
    assert (view.state, given) == ("done", {"practice": 2, "catch": 4, "trial": 10})
    assert list(person.study.raters()["passed"]) == ["yes"]
    ratings = person.study.ratings()
    trials = ratings[~ratings["catch"] & ~ratings["practice"]]
    assert set(trials["rating"]) == {4}
    assert set(trials["system"]) <= {"real", "mdgan-1", "mdgan-2", "vgan", "rnngan"}
    assert trials["system"].value_counts().max() == 2  # ten clips of five systems
    with pytest.raises(BenchError, match="grades and no votes"):
        person.study.votes()
    careless = Person(store, study=name)
    view = careless.view()
    while view.state == "rating":
        view = careless.vote(view.trials[0], Answer("5", 3000))
    assert view.state == "excluded"
    assert "MOS" in registration(person.study).text
    files = [path.name for path in export.export(Store(where).open(name), tmp_path / "out")]
    of_grades = ["ratings.csv", "mos.csv", "mos_differences.csv", "mos_clips.csv", "reliability.csv"]
    assert files == [*of_grades, "study.json", "raters.csv", "screens.csv"]


def test_copies_of_such_studies(where: str, run_folder: Path, tmp_path: Path) -> None:
    name = made(where, run_folder, ASKED)
    assert copies.pilot(Store(where), Store(where).open(name)).name == "asked pilot 1"
    assert Store(where).open("asked pilot 1").settings.questions == parse(ASKED)
    twin, votes = simulate(Store(where), Store(where).open(name), 3, Crowd({"real": 2.0}))
    assert votes == 21
    study = Store(where).open(twin.name)
    assert set(study.raters()["status"]) == {"complete"}
    assert set(study.answers()["answer"]) <= {"yes", "0", ""}
    files = [path.name for path in export.export(Store(where).open(twin.name), tmp_path / "out")]
    assert files == [
        *("votes.csv", "pos.csv", "ties.csv", "strengths_ties.csv"),
        *("votes_long.csv", "votes_long_dictionary.csv", "crossed_logistic.R"),
        *("votes_motion.csv", "pos_motion.csv", "ties_motion.csv", "strengths_ties_motion.csv", "study.json"),
        *("raters.csv", "screens.csv", "answers.csv", "answers_dictionary.csv"),
    ]
    rows_shown = sorted({name for pair in study.settings.comparisons for name in pair} - {"real"})
    page = read_study(tmp_path / "out" / "study.json", rows_shown, registered_names())
    asked = [grid.caption.partition(" on ")[2] for grid in page.grids if grid.key == "comparison"]
    assert asked == ["“Which?”.", "“Which moves?”."]
    with Store(where).engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM opinion")).scalar() == 21


def test_what_an_erased_rater_has_said_of_themselves_is_gone(where: str, run_folder: Path) -> None:
    person = Person(Store(where), study=made(where, run_folder, ASKED))
    person.study.reply(person.token, "screening", {"eyes": "yes"})
    person.study.reply(person.token, "demographic", {"age": "41"})
    person.vote(person.view().trials[0], TWO)
    other = Person(person.store, study="asked")
    ready(other)
    pseudonym = person.study.erase("they wrote to us", "a test", rater=person.study.raters()["rater"][0])
    left = person.study.answers()
    assert set(left["rater"]) == {person.study.raters()["rater"][1]} != {pseudonym}
    assert list(left["question"]) == ["eyes", "age"]
    assert rows(person.store, "SELECT chosen FROM opinion") == [("right",)]  # a part of the vote, which counts on
    with pytest.raises(DBAPIError, match="append only"):
        run(person.store, "UPDATE opinion SET chosen = 'left'")


def test_a_study_of_single_clips_is_added_to(where: str, run_folder: Path) -> None:
    name = made(where, run_folder, {"kind": "scale"}, practice=2)
    wanted = 5 * 8
    assert f"now needs {wanted + 10}" in extend(
        Store(where).open(name), StudyRequest(runs=(run_folder,), votes=0, clips=2)
    )
    assert f"now needs {2 * (wanted + 10)}" in extend(Store(where).open(name), StudyRequest(runs=(), votes=1))
    study = Store(where).open(name)
    assert all(slot.first_on_left for slot in study.schedule().slots)
    assert registration(study).intact
    assert status(Store(where).open(name))["schedule_intact"]
    for _ in range(4):
        person = Person(Store(where), study=name)
        view = person.view()
        while view.state == "rating":
            left, right = person.study.media(person.token, view.trials[0])
            assert left
            assert right == b""
            view = person.vote(view.trials[0], Answer("3", 3000))
    assert len(study.ratings()) == 4 * (6 + 2)


def test_questions_in_all_languages_of_a_study(where: str, run_folder: Path) -> None:
    both = {"en": "Can you see?", "de": "Sehen Sie gut?"}
    asked = {"kind": "scale", "screening": [{"id": "eyes", "text": both, "choices": ["yes", "no"]}]}
    made(where, run_folder, asked, translations=(StudyTexts("de"),), calibration="card")
    settings = Store(where).open("asked").settings
    english, german = settings.words("en"), settings.words("de")
    for own in (english, german):
        said = words(own.language, "scale")
        assert own.question == said["question"] != texts(own.language)["question"]
        parts = ("why", "task", "measured", "voluntary", "stored", "questions", "not_stored", "published")
        consent = "\n\n".join(said["consent"][part] for part in parts)
        assert own.consent == consent.replace("{minutes}", str(settings.minutes))
    only = {"trial": [{"id": "which", "text": {"en": "Which?"}}]}
    with pytest.raises(BenchError, match="'which' has no text in the study's language 'de'"):
        made(where, run_folder, only, name="other", translations=(StudyTexts("de"),))
    twice = {"trial": [{"id": "which", "text": "Which?"}]}
    with pytest.raises(BenchError, match="given twice"):
        made(where, run_folder, twice, name="other", translations=(StudyTexts("de", "Welcher?"),))


def test_the_instructions_are_asked_about_with_two_tries(where: str, run_folder: Path) -> None:
    made(where, run_folder, {}, comprehension=True, ineligible_code="OUT")
    right, wrong = dict(COMPREHENSION_ANSWERS), {"task": "brighter", "unsure": "impression"}
    study = Store(where).open("asked")
    for token, tries, state in (("a", [right], "rating"), ("b", [wrong, right], "rating"), ("c", [wrong] * 2, "no")):
        study.enrol(token)
        view = study.view(token)
        assert (view.state, view.part) == ("asked", COMPREHENSION)
        with pytest.raises(RefusedError):
            study.reply(token, COMPREHENSION, {"task": "asked"})
        for answers in tries:
            assert view.part == COMPREHENSION
            view = study.reply(token, COMPREHENSION, answers)
        assert view.state == ("ineligible" if state == "no" else state)
        assert study.reply(token, COMPREHENSION, right).state == view.state  # no third try
    ended = study.ending("c")
    assert ended is not None
    assert (ended.outcome, ended.code) == ("ineligible", "OUT")
    kept = study.answers()
    assert list(kept["answer"]) == ["right", "wrong", "right", "wrong", "wrong"]
    assert set(kept["question"]) == {"comprehension_1", "comprehension_2"}
    assert "two short questions" in study.settings.consent
