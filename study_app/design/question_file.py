"""Reader of question files in TOML or JSON, which validates every key and value."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from bench.errors import BenchError, did_you_mean
from study_app.design.questions import (
    PAIRS,
    PARTS,
    QUESTION_TYPES,
    SCALE,
    Choice,
    Question,
    Questions,
    Text,
    TrialQuestion,
    is_number,
)
from study_app.locales import LANGUAGES

#: Pattern of the ids of questions.
ID = re.compile(r"[a-z][a-z0-9_-]{0,39}")


def read(path: Path) -> Questions:
    """Read a question file, TOML or JSON; raises a `BenchError` that describes what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"The questions {path} cannot be read: give a UTF-8 file.") from error
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise BenchError(
            f"The questions {path} cannot be read as TOML, or as JSON if the name ends in .json ({error})."
        ) from error
    try:
        return parse(value)
    except BenchError as error:
        raise BenchError(f"{path}: {error}") from error


def parse(value: Any) -> Questions:
    """Questions from plain values, as contained in a file or in a study's settings.

    Raises:
        BenchError: an unknown word, a question that could not be answered, or a duplicate id.
    """
    value = _table(value, Questions, "The questions")
    kind, tie = value.get("kind", PAIRS), value.get("cannot_tell", False)
    if kind not in (PAIRS, SCALE):
        raise BenchError(f"The kind of a study is '{PAIRS}' or '{SCALE}', not '{kind}'.")
    if not isinstance(tie, bool):
        raise BenchError("'cannot_tell' is true or false.")
    if tie and kind == SCALE:
        raise BenchError("A scale has no 'cannot tell': leave cannot_tell out.")
    trial = tuple(_trial_question(one) for one in _list(value.get("trial"), "trial"))
    parts = {part: tuple(_question(one, part) for one in _list(value.get(part), part)) for part in PARTS}
    ids = [*(one.id for one in trial), *(one.id for part in parts.values() for one in part)]
    if twice := sorted({id for id in ids if ids.count(id) > 1}):
        raise BenchError(f"The id '{twice[0]}' is used by two questions: give each its own.")
    return Questions(kind, tie, trial, **parts)


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value or [], list | tuple):
        raise BenchError(f"'{name}' is a list of questions: write [[{name}]] above each.")
    return list(value or [])


def _table(value: Any, what: type, name: str) -> dict[str, Any]:
    """A table of plain values whose keys are fields of `what`."""
    if not isinstance(value, Mapping):
        raise BenchError(f"{name} must be a table of names and values.")
    known = [field.name for field in fields(what)]
    for key in value:
        if key not in known:
            raise BenchError(f"{name} cannot have '{key}'.{did_you_mean(str(key), known)}")
    return dict(value)


def _text(value: Any, name: str) -> Text:
    texts = value if isinstance(value, Mapping) else {"": value}
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts.values()):
        raise BenchError(f"{name} needs a text, or one for each language as {{ en = '…', de = '…' }}.")
    if unknown := sorted(set(texts) - {"", *LANGUAGES}):
        raise BenchError(f"{name} has a text in '{unknown[0]}'.{did_you_mean(unknown[0], LANGUAGES)}")
    return value if isinstance(value, str) else dict(texts)


def _id(value: Mapping[str, Any], part: str) -> str:
    id = value.get("id")
    if not isinstance(id, str) or not ID.fullmatch(id):
        raise BenchError(f"Each {part} question needs an id of small letters, digits, - and _, not {id!r}.")
    return id


def _trial_question(value: Any) -> TrialQuestion:
    value = _table(value, TrialQuestion, "A trial question")
    id = _id(value, "trial")
    return TrialQuestion(id, _text(value.get("text"), f"The question '{id}'"))


def _question(value: Any, part: str) -> Question:
    value = _table(value, Question, f"A {part} question")
    id = _id(value, part)
    name = f"The question '{id}'"
    kind, optional = value.get("type", "choice"), value.get("optional", False)
    if not isinstance(kind, str) or kind not in QUESTION_TYPES:
        raise BenchError(f"{name} has an unknown type.{did_you_mean(str(kind), QUESTION_TYPES)}")
    question_type = QUESTION_TYPES[kind]
    if not isinstance(optional, bool):
        raise BenchError(f"{name}: 'optional' is true or false.")
    low, high = (_bound(value.get(end), f"{name}: '{end}'") for end in ("minimum", "maximum"))
    if (low is not None or high is not None) and not question_type.has_bounds:
        raise BenchError(f"{name} is not a number, so it cannot have a minimum or maximum.")
    if low is not None and high is not None and low > high:
        raise BenchError(f"{name} has a minimum above its maximum.")
    choices = _choices(value.get("choices") or (), question_type, name)
    question = question_type(id, _text(value.get("text"), name), kind, choices, low, high, optional)
    return replace(question, eligible=_eligible(value.get("eligible") or (), question, part))


def _bound(value: Any, name: str) -> float | None:
    if value is not None and not is_number(value):
        raise BenchError(f"{name} is a number.")
    return value


def _choices(value: Any, question_type: type[Question], name: str) -> tuple[Choice, ...]:
    if not isinstance(value, list | tuple) or question_type.has_choices != (len(value) > 1):
        raise BenchError(f"{name}: expected two or more answers, as in choices = ['yes', 'no'].")
    made = []
    for one in value:
        if isinstance(one, str):
            one = {"id": one, "text": one}
        one = _table(one, Choice, f"A choice of '{name}'")
        if not isinstance(one.get("id"), str) or not one["id"].strip():
            raise BenchError(f"{name}: each choice needs an id.")
        made.append(Choice(one["id"], _text(one.get("text"), f"{name}: the choice '{one['id']}'")))
    if len({choice.id for choice in made}) < len(made):
        raise BenchError(f"{name} has two choices with the same id.")
    return tuple(made)


def _eligible(value: Any, question: Question, part: str) -> tuple[str, ...] | tuple[float, ...]:
    if not value:
        return ()
    if part != "screening" or question.optional:
        raise question.cannot_decide()
    if not isinstance(value, list | tuple):
        raise BenchError(f"The question '{question.id}': 'eligible' is a list.")
    return question.read_eligible(value)
