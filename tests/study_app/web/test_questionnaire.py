"""Studies that ask more than the paper's question, in a real browser and by keyboard."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from study_app.design.question_file import parse
from study_app.design.settings import StudyTexts
from study_app.pipeline.create import create
from study_app.store.messages import Answer
from study_app.store.store import Store
from study_app.web import preview
from tests.study_app.conftest import PASSWORD, AppProcess, study_request
from tests.study_app.web.test_browser import AT_REST, Visitor, axe, axe_at_rest, drawn_tokens, shoot, wait_until
from tests.study_app.web.test_browser import press as press_admin

pytestmark = pytest.mark.browser

ABOUT_RATERS = {
    "screening": [
        {"id": "eyes", "text": "Can you see this screen well?", "choices": ["yes", "no"], "eligible": ["yes"]},
        {
            "id": "age",
            "text": "How old are you?",
            "type": "number",
            "minimum": 0,
            "maximum": 120,
            "eligible": [18, 120],
        },
    ],
    "demographic": [
        {"id": "gender", "text": "Gender", "choices": ["woman", "man", "other"], "optional": True},
    ],
    "closing": [{"id": "remarks", "text": "Anything else?", "type": "text", "optional": True}],
}
TWO_QUESTIONS = {
    "cannot_tell": True,
    "trial": [
        {"id": "realistic", "text": "Which is more realistic?"},
        {"id": "motion", "text": "Which moves more naturally?"},
    ],
}
SHORT = {"workload": 4, "practice": 1, "catch": 0, "catch_pass": 0}


def make(run: Path, folder: Path, asked: dict[str, Any], **changes: object) -> Path:
    create(folder / "study.db", study_request(run, questions=parse(asked), **{**SHORT, **changes}))
    return folder / "study.db"


def serve(run: Path, folder: Path, asked: dict[str, Any], **changes: object) -> AppProcess:
    return AppProcess(str(make(run, folder, asked, **changes)), folder / "log")


@pytest.fixture(scope="module")
def unasked(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with questions before and after, ties, and two questions a pair; tests take copies."""
    folder = tmp_path_factory.mktemp("questions")
    return make(run_folder, folder, ABOUT_RATERS | TWO_QUESTIONS, ineligible_code="NOTFORME")


@pytest.fixture
def asking(unasked: Path, tmp_path: Path) -> Iterator[AppProcess]:
    """The app on a copy of that study."""
    shutil.copytree(unasked.parent, tmp_path / "copy")
    app = AppProcess(str(tmp_path / "copy" / unasked.name), tmp_path / "log")
    yield app
    app.kill()


def consent(someone: Visitor) -> None:
    someone.page.goto(someone.app.url)
    someone.page.get_by_role("checkbox").focus()
    someone.page.keyboard.press("Space")
    someone.page.get_by_role("button", name="Continue").focus()
    someone.page.keyboard.press("Enter")
    someone.page.get_by_role("heading", name="Before we begin").wait_for()


def look(someone: Visitor, name: str, narrow: bool = True) -> None:
    """Both widths, and no fault at either."""
    assert axe(someone.page) == [], name
    shoot(someone.page, f"{name}_1280")
    if narrow:
        someone.page.set_viewport_size({"width": 390, "height": 844})
        wait_until(someone.page, "document.documentElement.scrollWidth <= 390")  # once it has taken the new width
        assert axe(someone.page) == [], name
        shoot(someone.page, f"{name}_390")
        someone.page.set_viewport_size({"width": 1280, "height": 800})


def press(someone: Visitor, key: str, question: str) -> None:
    """Answer a question of a pair that has two."""
    page = someone.page
    someone.ready()
    page.get_by_role("heading", name=question).wait_for()
    page.keyboard.press(key)


def test_a_session_with_all_kinds_of_questions(chromium: Any, asking: AppProcess) -> None:
    someone = Visitor(chromium, asking)
    page = someone.page
    consent(someone)
    page.keyboard.press("Tab")  # to the first choice
    page.keyboard.press("ArrowRight")  # "no"
    page.keyboard.press("ArrowLeft")  # "yes"
    page.keyboard.press("Tab")
    page.keyboard.type("180")
    page.keyboard.press("Enter")
    page.get_by_text("Please enter a number from 0 to 120.").wait_for()
    look(someone, "screening")
    page.keyboard.press("Control+a")  # the focus is where the mistake is
    page.keyboard.type("41")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="About you").wait_for()
    page.reload()
    page.get_by_role("heading", name="About you").wait_for()  # what was answered is not asked again
    look(someone, "demographic")
    page.get_by_role("button", name="Continue").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Begin").wait_for()
    look(someone, "instructions_two_questions")
    page.get_by_role("button", name="Begin").focus()
    page.keyboard.press("Enter")
    someone.ready()
    look(someone, "trial_two_questions", narrow=False)
    places = set()
    for number in range(5):
        someone.ready()
        places.add(page.locator("canvas").first.bounding_box()["y"])
        press(someone, "ArrowDown" if number == 1 else "ArrowLeft", "Which is more realistic?")
        if number == 1:
            page.get_by_text("Question 2 of 2", exact=True).wait_for()
            shoot(page, "trial_second_question_1280")
            places.add(page.locator("canvas").first.bounding_box()["y"])
        press(someone, "ArrowRight", "Which moves more naturally?")
        if number < 4:
            page.locator(f"[role=progressbar][aria-valuenow='{number + 1}']").wait_for(state="attached")
    assert len(places) == 1  # clips stay where they are
    page.get_by_role("heading", name="One last thing").wait_for()
    assert page.locator(".code").count() == 0
    look(someone, "closing")
    page.get_by_role("textbox", name="Anything else?").focus()
    page.keyboard.type("=1+1, and thank you")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Thank you").wait_for()
    assert page.locator(".code").inner_text()
    study = Store(asking.where).open()
    first, second = study.votes(), study.votes("motion")
    assert list(first["chosen"] == "tie") == [number == 1 for number in range(5)]
    assert list(second["chosen"]) == list(second["right"])
    assert (second["response_ms"] >= first["response_ms"] + 400).all()
    assert dict(zip(study.answers()["question"], study.answers()["answer"], strict=True)) == {
        "eyes": "yes", "age": "41", "gender": "", "remarks": "=1+1, and thank you",
    }  # fmt: skip
    assert list(study.raters()["status"]) == ["complete"]
    someone.close()


def test_who_may_not_take_part(chromium: Any, asking: AppProcess) -> None:
    someone = Visitor(chromium, asking, 390, 844)
    page = someone.page
    replies: list[str] = []
    page.on("response", lambda reply: "/trial/" in reply.url and replies.append(reply.text()))
    consent(someone)
    page.get_by_role("button", name="Stop or withdraw").click()
    page.get_by_role("button", name="Continue the study").click()
    page.get_by_role("heading", name="Before we begin").wait_for()
    page.get_by_role("button", name="Continue").click()
    assert page.get_by_text("Please answer this question.").count() == 2
    page.get_by_role("radio", name="no").check()
    page.get_by_role("textbox", name="How old are you?").fill("41")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("heading", name="Thank you for your interest").wait_for()
    assert page.locator(".code").inner_text() == "NOTFORME"
    look(someone, "ineligible", narrow=False)
    page.reload()
    page.get_by_role("heading", name="Thank you for your interest").wait_for()
    study = Store(asking.where).open()
    assert len(study.votes()) == 0
    assert study.progress()["leased"].sum() == 0
    assert list(study.raters()["status"]) == ["ineligible"]
    # how to answer so that one may take part is nothing that a browser knows
    assert '"eligible"' not in "".join(replies)
    someone.close()


def test_the_tie_on_a_phone(chromium: Any, asking: AppProcess) -> None:
    from playwright.sync_api import expect

    someone = Visitor(chromium, asking, 390, 844, has_touch=True, is_mobile=True, device_scale_factor=2)
    page = someone.page
    consent(someone)
    page.get_by_role("radio", name="yes").tap()
    page.get_by_role("textbox").fill("30,5")
    page.get_by_role("button", name="Continue").tap()
    page.get_by_role("radio", name="woman").tap()
    page.get_by_role("radio", name="woman").tap()  # taken back
    expect(page.get_by_role("radio", name="woman")).not_to_be_checked()
    page.get_by_role("button", name="Continue").tap()
    page.get_by_role("button", name="Begin").tap()
    someone.ready()
    assert axe(page) == []
    shoot(page, "trial_two_questions_390")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.documentElement.scrollHeight") <= 844
    page.get_by_role("button", name="Cannot tell").evaluate("b => { b.click(); b.click(); }")  # one answer, not two
    page.get_by_text("Question 2 of 2", exact=True).wait_for()
    page.wait_for_timeout(600)
    assert someone.answered() == 0
    page.get_by_role("button", name="Upper").tap()
    page.get_by_text("The clip in the dashed frame had been altered. Take another look.").wait_for()
    study = Store(asking.where).open()
    assert (study.votes()["chosen"].iloc[0], study.answers()["answer"].iloc[1]) == ("tie", "30.5")
    someone.close()


def test_clips_on_a_scale(chromium: Any, run_folder: Path, tmp_path: Path) -> None:
    app = serve(run_folder, tmp_path, {"kind": "scale"})
    someone = Visitor(chromium, app)
    page = someone.page
    heard: list[tuple[str, bytes]] = []
    page.on("requestfinished", lambda request: heard.append((request.url, request.response().body())))
    try:
        someone.start()
        someone.ready()
        assert page.locator("canvas").count() == 1
        assert page.get_by_role("heading", name="How realistic is this clip?").is_visible()
        look(someone, "trial_scale")
        page.set_viewport_size({"width": 740, "height": 360})
        shoot(page, "trial_scale_740_360")
        assert page.evaluate("document.documentElement.scrollWidth") <= 740
        page.set_viewport_size({"width": 1280, "height": 800})
        page.keyboard.press("ArrowLeft")  # no answer here
        for key in "51234":
            someone.choose(key)
        page.get_by_role("heading", name="Thank you").wait_for()
        study = Store(app.where).open()
        assert list(study.ratings()["rating"]) == [5, 1, 2, 3, 4]
        assert set(study.screens()["layout"]) == {"alone"}
        clips = [body for url, body in heard if "/trial/clips/" in url]
        assert {len(body) for body in clips} == {study.settings.slot_bytes}  # one length for all systems
        said = b"".join(body for url, body in heard if "/trial/" in url and "/clips/" not in url).lower()
        said = said.replace(b"realistic", b"")
        for token in drawn_tokens(app.where):
            said = said.replace(token, b"")
        names = {name for name, _ in study.clips()} | {scene for _, scene in study.clips()}
        assert not [name for name in names if name != "alone" and name.encode() in said]
        someone.close()
    finally:
        app.kill()


def test_grades_with_questions_a_card_and_two_languages(chromium: Any, run_folder: Path, tmp_path: Path) -> None:
    seen = {"id": "eyes", "text": {"en": "Can you see well?", "de": "Sehen Sie gut?"}, "choices": ["a", "b"]}
    asked = {"kind": "scale", "screening": [seen]}
    app = serve(run_folder, tmp_path, asked, translations=(StudyTexts("de"),), calibration="card", distance_cm=60.0)
    try:
        someone = Visitor(chromium, app, locale="de-AT")
        page = someone.page
        page.goto(app.url)
        page.get_by_text("Wir speichern auch Ihre Antworten auf einige Fragen zu Ihrer Person.").wait_for()
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name="Weiter").click()
        page.get_by_text("Sehen Sie gut?").wait_for()
        page.get_by_role("button", name="English").click()
        page.get_by_text("Can you see well?").wait_for()
        look(someone, "screening_two_languages")
        page.get_by_role("button", name="Deutsch").click()
        page.get_by_text("Sehen Sie gut?").wait_for()
        page.get_by_role("radio").first.check()
        page.get_by_role("button", name="Weiter").click()
        page.get_by_role("button", name="Beginnen").click()
        page.get_by_role("button", name="Es passt").click()
        someone.ready()
        look(someone, "trial_scale_de")
        for key in "51234":
            someone.choose(key)
        study = Store(app.where).open()
        assert set(study.raters()["language"]) == {"de"}
        assert study.screens()["degrees"].notna().all()
        assert list(study.ratings()["rating"]) == [5, 1, 2, 3, 4]
        someone.close()
    finally:
        app.kill()


def test_a_preview_shows_the_questions(chromium: Any, unasked: Path, tmp_path: Path) -> None:
    database, name = preview.prepare(Store(unasked).open(), tmp_path)
    app = AppProcess(str(database), tmp_path / "preview log", BENCH_STUDY=name, BENCH_STUDY_PREVIEW="1")
    try:
        someone = Visitor(chromium, app)
        page = someone.page
        page.goto(app.url)
        pages = page.get_by_role("navigation").get_by_role("button")
        pages.first.wait_for()
        names = pages.all_inner_texts()
        order = [
            "Before we begin",
            "About you",
            "How it works",
            "Which is more realistic?",
            "One last thing",
            "Thank you",
        ]
        assert [name for name in names if name in order] == order
        assert names.count("Thank you for your interest") == 2  # who does not agree, and who may not take part
        for number, name in enumerate(names):
            pages.nth(number).click()
            page.get_by_role("heading", name=name, exact=True).first.wait_for()
            assert axe(page) == [], name
        page.get_by_role("button", name="Which is more realistic?").click()
        someone.ready()  # without having filled in anything
        someone.close()
    finally:
        app.kill()


def test_nobody_fills_in_examples_in_a_study(asking: AppProcess) -> None:
    from tests.study_app.web.test_http import ask

    token = "x" * 43
    Store(asking.where).open().enrol(token)
    body = json.dumps({"part": "screening", "example": True}).encode()
    status, _, _ = ask(asking, "POST", "/trial/reply", body, x_rater=token)
    assert status == 403


def test_the_admin_page_of_such_studies(chromium: Any, run_folder: Path, tmp_path: Path) -> None:
    asked = {**ABOUT_RATERS, "kind": "scale"}
    app = serve(run_folder, tmp_path, asked)
    study = Store(app.where).open()
    for rater, eyes in (("one who may", "yes"), ("one who may not", "no"), ("another who may", "yes")):
        study.enrol(rater)
        study.reply(rater, "screening", {"eyes": eyes, "age": "40"})
        view = study.reply(rater, "demographic", {})
        while view.state == "rating":
            view = study.vote(rater, view.trials[0], Answer("4", 2000))
    someone = Visitor(chromium, app, 1100, 1000)
    page = someone.page
    try:
        page.goto(f"{app.url}/?admin")
        page.get_by_role("textbox", name="Password").fill(PASSWORD)
        press_admin(page, "Enter")
        page.get_by_text("Active now").wait_for()
        press_admin(page, "Log", "radio")
        page.get_by_role("heading", name="Questions before and after").wait_for()
        press_admin(page, "Raters", "radio")
        page.get_by_text("3 of 3 raters").wait_for()
        press_admin(page, "Export", "radio")
        with page.expect_download() as download:
            press_admin(page, "Download all files")
        with zipfile.ZipFile(download.value.path()) as packed:
            answers = packed.read("answers.csv").decode().splitlines()
            assert "mos.csv" in packed.namelist()
            assert "table2.tex" not in packed.namelist()
        assert len(answers) == 1 + 3 * 2 + 2  # who may not take part is asked for nothing more
        assert axe_at_rest(page) == []
        press_admin(page, "Outcomes", "radio")
        page.get_by_text("Show outcomes anyway").wait_for()
        assert page.get_by_role("heading", name="Mean opinion scores").count() == 0
        page.locator(AT_REST).wait_for()
        page.get_by_text("Show outcomes anyway").click()
        page.get_by_role("heading", name="Mean opinion scores").wait_for()
        shoot(page, "admin_scale")
        assert axe_at_rest(page) == []
        someone.close()
    finally:
        app.kill()
