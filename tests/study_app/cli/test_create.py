"""What is given to `bench study create` becomes the request that it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.errors import BenchError
from study_app.cli.main import app
from study_app.design.questions import Questions
from study_app.design.schedule import draw_schedule
from study_app.design.settings import StudyRequest, StudySettings, StudyTexts
from study_app.pipeline.create import CreatedStudy
from tests.study_app.design.test_schedule import BASE


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[StudyRequest]:
    """Wishes that are asked for; nothing is made."""
    asked: list[StudyRequest] = []

    def note(_where: Any, request: StudyRequest) -> CreatedStudy:
        asked.append(request)
        return CreatedStudy(request.name, BASE, draw_schedule(BASE, 1), ())

    monkeypatch.setattr("study_app.pipeline.create.create", note)
    return asked


def create(*words: str) -> None:
    done = CliRunner().invoke(app, ["create", "--run", "results/demo", *words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception


def test_nothing_given_is_the_request_as_it_is(requests: list[StudyRequest]) -> None:
    create()
    assert requests == [StudyRequest(runs=(Path("results/demo"),))]


def test_texts_languages_codes_and_screens(requests: list[StudyRequest], tmp_path: Path) -> None:
    ours, theirs = tmp_path / "consent.md", tmp_path / "einwilligung.txt"
    ours.write_text("# Hello")
    theirs.write_text("Guten Tag")
    create(
        *("--also", "de", "--consent", str(ours), "--consent-in", f"de={theirs}", "--question", "Which?"),
        *("--question-in", "de=Welcher Ausschnitt = besser?", "--contact", "lab@example.org", "--ethics", "2026/117"),
        *("--calibration", "card", "--distance", "60", "--code", "failed=C2", "--completion-code", "C1"),
        *("--comparison", "mdgan-2:copy", "--lease", "5", "--erased-votes", "left out"),
    )
    request = requests[0]
    assert (request.consent, request.consent_format) == ("# Hello", "markdown")
    assert request.translations == (StudyTexts("de", "Welcher Ausschnitt = besser?", "Guten Tag", "", "text"),)
    assert (request.contact, request.ethics, request.calibration, request.distance_cm) == (
        "lab@example.org",
        "2026/117",
        "card",
        60,
    )
    assert (request.completion_code, request.failed_code, request.lease_minutes) == ("C1", "C2", 5)
    assert (request.comparisons, request.erased_votes) == ((("mdgan-2", "copy"),), "left out")


def test_your_own_videos_and_who_asks(requests: list[StudyRequest]) -> None:
    create(
        *("mine=/a", "/videos/theirs.zip", "--real", "/c", "--title", "Clouds", "--lab", "A lab", "--pay", "£2"),
        *("--purpose", "We ask.", "--retention", "10 years", "--minimum-age", "16", "--comprehension"),
    )
    request = requests[0]
    assert request.folders == (("mine", Path("/a")), ("theirs", Path("/videos/theirs.zip")))
    assert request.real == Path("/c")
    assert (request.title, request.lab, request.pay, request.purpose) == ("Clouds", "A lab", "£2", "We ask.")
    assert (request.retention, request.minimum_age, request.comprehension) == ("10 years", 16, True)


def test_one_training_run_of_each_method(requests: list[StudyRequest]) -> None:
    create("mine@3=/a", "theirs=/b")
    assert requests[0].folders == (("mine", Path("/a")), ("theirs", Path("/b")))
    with pytest.raises(BenchError, match="one training run of each method, and 'mine' has several"):
        create("mine@3=/a", "mine@4=/b")


def test_questions_and_the_code_of_who_may_not_take_part(requests: list[StudyRequest], tmp_path: Path) -> None:
    path = tmp_path / "questions.toml"
    path.write_text('kind = "scale"')
    create("--questions", str(path), "--code", "ineligible=C5")
    assert requests[0].questions == Questions("scale")
    assert requests[0].ineligible_code == "C5"


@pytest.mark.parametrize(
    "words",
    [
        ("--questions", "nowhere.toml"),
        ("--question-in", "de=Welcher?"),
        ("--also", "de", "--question-in", "Welcher?"),
        ("--also", "de", "--consent-in", "en=consent.txt"),
        ("--also", "de", "--consent-in", "de=nowhere.txt"),
        ("--comparison", "mdgan-2"),
        ("--code", "lost=C1"),
    ],
)
def test_what_makes_no_sense(requests: list[StudyRequest], words: tuple[str, ...]) -> None:
    with pytest.raises(BenchError):
        create(*words)
    assert requests == []


def test_settings_with_languages_come_back_as_they_were() -> None:
    said = replace(
        BASE, translations=(StudyTexts("de", "Welcher?", "Dauert {minutes}.", "", "markdown"),), contact="us"
    )
    settings = said.with_consent("It takes {minutes}.")
    assert StudySettings.from_json(settings.to_json()) == settings
    assert settings.words("de").consent == f"Dauert {settings.minutes}."
    assert len({settings.consent_version, settings.words("de").consent_version}) == 2
    assert settings.words("fr") == settings.words("en")
    assert settings.consent_version != replace(said, contact="").with_consent("It takes {minutes}.").consent_version
    for wrong in ({"translations": (StudyTexts("en", "?", "!"),)}, {"calibration": "ruler"}, {"distance_cm": 3.0}):
        with pytest.raises(BenchError):
            replace(settings, **wrong).check()  # type: ignore[arg-type]
