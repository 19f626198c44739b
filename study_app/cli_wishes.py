"""What `bench study create` asks for beside the basics, and how all that is given becomes a wish."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.errors import BenchError
from study_app.design.questions import read as read_questions
from study_app.design.settings import CODES, Wish, Words

Also = Annotated[
    list[str] | None, typer.Option(help="Further language, chosen by the browser or the rater; can be repeated.")
]
QuestionIn = Annotated[list[str] | None, typer.Option(help="LANGUAGE=TEXT: the question in a further language.")]
ConsentIn = Annotated[list[str] | None, typer.Option(help="LANGUAGE=FILE: the consent page in a further language.")]
Contact = Annotated[str, typer.Option(help="Whom raters can ask; below the consent text.")]
Ethics = Annotated[str, typer.Option(help="Number of the ethics board's approval; below the consent text.")]
Calibration = Annotated[str, typer.Option(help="card: raters measure their screen with a bank card first; or none.")]
Distance = Annotated[float | None, typer.Option(help="Centimetres from eye to screen; default: raters are asked.")]
ErasedVotes = Annotated[str, typer.Option(help="Votes of raters who are erased at their wish: kept, or left out.")]


def wish_of(given: Mapping[str, Any]) -> Wish:
    """The wish that options make; all that is not named otherwise has the name of the wish's own attribute."""
    taken = {name: value for name, value in given.items() if name in Wish.__dataclass_fields__}
    return Wish(
        **taken
        | {
            "runs": tuple(given["run"]),
            "comparisons": _pairs(given["comparison"]),
            "lease_minutes": given["lease"],
            "questions": read_questions(given["questions"]) if given["questions"] else Wish.questions,
            "consent": _text(given["consent"]) if given["consent"] else Wish.consent,
            "consent_format": _format(given["consent"]),
            "translations": _translations(given["also"], given["question_in"], given["consent_in"]),
            "distance_cm": given["distance"],
            **_codes(given["completion_code"], given["code"]),
        }
    )


def _pairs(texts: list[str] | None) -> tuple[tuple[str, str], ...] | None:
    if not texts:
        return None
    pairs = [tuple(text.split(":")) for text in texts]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise BenchError("A comparison is written FIRST:SECOND, for example mdgan-2:vgan.")
    return tuple((pair[0], pair[1]) for pair in pairs)


def _codes(completion: str, texts: list[str] | None) -> dict[str, str]:
    """The completion code, and the settings that `--code` names."""
    codes = [text.partition("=") for text in texts or []]
    if any(f"{outcome}_code" not in CODES[1:] or not code for outcome, _, code in codes):
        raise BenchError("A code is written failed=CODE, technical=CODE, withdrawn=CODE or ineligible=CODE.")
    return {"completion_code": completion, **{f"{outcome}_code": code for outcome, _, code in codes}}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"The text {path} cannot be read: give a UTF-8 file.") from error


def _format(consent: Path | None) -> str:
    return "markdown" if consent and consent.suffix.lower() in (".md", ".markdown") else Wish.consent_format


def _translations(also: list[str] | None, questions: list[str] | None, consents: list[str] | None) -> tuple[Words, ...]:
    """The further languages, each with the texts that are given for it."""
    asked = dict(_of_languages("--question-in", also, questions))
    files = {language: Path(file) for language, file in _of_languages("--consent-in", also, consents)}
    return tuple(
        Words(
            language,
            asked.get(language, ""),
            _text(files[language]) if language in files else "",
            consent_format=_format(files.get(language)),
        )
        for language in also or []
    )


def _of_languages(option: str, also: list[str] | None, texts: list[str] | None) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in texts or []]
    if any(language not in (also or []) or not text for language, _, text in pairs):
        raise BenchError(f"{option} is written LANGUAGE=…, of a language that --also names.")
    return [(language, text) for language, _, text in pairs]
