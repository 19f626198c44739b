"""What a study asks: before the first trial, at each trial, and after the last; read from a file, kept in its settings.

Without such a file a trial is the paper's: two clips, one question, one forced choice. Only that fills its tables.
Grades are those of absolute category rating (ITU-T P.910, section on ACR): 5 excellent to 1 bad.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bench.errors import BenchError, did_you_mean
from study_app.texts import LANGUAGES

#: What a trial shows: two clips, of which one is chosen; or one clip, which gets a grade.
PAIRS, SCALE = "pairs", "scale"
#: Where questions stand that are not about clips: the first two before the first trial, the last after the last.
PARTS = ("screening", "demographic", "closing")
TYPES = ("choice", "number", "text")
#: What can be answered at a trial, as it is stored.
SIDES, TIE, GRADES = ("left", "right"), "tie", ("1", "2", "3", "4", "5")
#: Grades that somebody who attends gives an altered clip: bad and poor.
LOW_GRADES = GRADES[:2]
#: Stands for the second system of a trial that shows one clip; no row of a run may be called so, or like a tie.
ALONE = "alone"
#: Letters of an answer in words.
LONGEST = 1000
ID = re.compile(r"[a-z][a-z0-9_-]{0,39}")
#: A text, or one for each language.
Text = str | Mapping[str, str]


def said(text: Text, language: str) -> str:
    """A text in a language; where it is not there, in the first one that is."""
    return text if isinstance(text, str) else text.get(language) or next(iter(text.values()))


@dataclass(frozen=True)
class Choice:
    """One of the answers that can be chosen: what is stored, and what is read."""

    id: str
    text: Text


@dataclass(frozen=True)
class Question:
    """A question before or after the trials.

    Attributes:
        type: choice (one of `choices`), number (from `minimum` to `maximum`) or text.
        optional: whether it can be left out.
        eligible: of a screening question, the choices with which somebody may take part, or the least and the largest
            number; empty where it decides nothing.
    """

    id: str
    text: Text
    type: str = "choice"
    choices: tuple[Choice, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    optional: bool = False
    eligible: tuple[str, ...] | tuple[float, ...] = ()

    def is_answer(self, answer: str) -> bool:
        """Whether this can be answered so; an empty answer is one that was left out."""
        if not answer:
            return self.optional
        if self.type == "choice":
            return answer in [choice.id for choice in self.choices]
        if self.type == "text":
            return len(answer) <= LONGEST
        number = _number(answer)
        low, high = self.minimum, self.maximum
        return number is not None and (low is None or number >= low) and (high is None or number <= high)

    def admits(self, answer: str) -> bool:
        """Whether somebody who answers so may take part."""
        if not self.eligible:
            return True
        if self.type == "choice":
            return answer in self.eligible
        number, (low, high) = _number(answer), self.eligible
        return number is not None and float(low) <= number <= float(high)

    def example(self) -> str:
        """An answer with which somebody may take part, for previews and synthetic raters."""
        if self.type == "text":
            return "" if self.optional else "An example."
        if self.type == "choice":
            return str(self.eligible[0]) if self.eligible else self.choices[0].id
        low = self.eligible[0] if self.eligible else next((n for n in (self.minimum, self.maximum) if n is not None), 0)
        return f"{float(low):g}"


def _number(answer: str) -> float | None:
    return float(answer) if re.fullmatch(r"-?\d{1,12}(\.\d{1,6})?", answer) else None


@dataclass(frozen=True)
class TrialQuestion:
    """A question about the clips of a trial."""

    id: str
    text: Text


@dataclass(frozen=True)
class Questions:
    """All that a study asks beside the paper's question; the default asks nothing else.

    Attributes:
        kind: `PAIRS` or `SCALE`.
        cannot_tell: whether a pair can be answered with "cannot tell", which is a tie.
        trial: questions asked one after the other at each trial, the first of which judges catch trials; empty: the
            study's one question.
        screening, demographic, closing: the parts.
    """

    kind: str = PAIRS
    cannot_tell: bool = False
    trial: tuple[TrialQuestion, ...] = ()
    screening: tuple[Question, ...] = ()
    demographic: tuple[Question, ...] = ()
    closing: tuple[Question, ...] = ()

    @property
    def is_the_papers(self) -> bool:
        """Whether a trial is as in the paper: a forced choice of two, one question."""
        return self.kind == PAIRS and not self.cannot_tell and len(self.trial) < 2

    @property
    def wording(self) -> str:
        """Which of a language's texts are for this kind of study, as `study_app.texts.words` has them."""
        return TIE if self.cannot_tell else self.kind

    @property
    def answers(self) -> tuple[str, ...]:
        """What each question of a trial can be answered with."""
        return GRADES if self.kind == SCALE else (*SIDES, TIE) if self.cannot_tell else SIDES

    @property
    def further(self) -> tuple[str, ...]:
        """Ids of a trial's questions after the first."""
        return tuple(question.id for question in self.trial[1:])

    def asked(self, question: str, language: str) -> list[str]:
        """The questions of a trial as they are read; `question` is the study's one where there are no others."""
        return [said(one.text, language) for one in self.trial] or [question]

    def part(self, name: str) -> tuple[Question, ...]:
        """The questions of a part."""
        parts: dict[str, tuple[Question, ...]] = {part: getattr(self, part) for part in PARTS}
        return parts[name]

    def check(self, language: str) -> None:
        """Raise a `BenchError` for a question that raters who read `language` could not read."""
        every = [question for part in PARTS for question in self.part(part)]
        texts = [*((one.id, one.text) for one in self.trial), *((one.id, one.text) for one in every)]
        for id, text in [*texts, *((one.id, choice.text) for one in every for choice in one.choices)]:
            if not isinstance(text, str) and language not in text:
                raise BenchError(f"The question '{id}' has no text in the study's language '{language}'.")


#: The paper's question, and nothing else.
THE_PAPERS = Questions()


def read(path: Path) -> Questions:
    """Read a file of questions, TOML or JSON; a `BenchError` says what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"The questions {path} cannot be read: give a UTF-8 file.") from error
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise BenchError(f"The questions {path} are neither TOML nor, named .json, JSON ({error}).") from error
    try:
        return parse(value)
    except BenchError as error:
        raise BenchError(f"{path}: {error}") from error


def parse(value: Any) -> Questions:
    """Questions from plain values, as a file or a study's settings hold them.

    Raises:
        BenchError: a word that is none of ours, a question that could not be answered, or an id that comes twice.
    """
    value = _table(value, Questions, "The questions")
    kind, tie = value.get("kind", PAIRS), value.get("cannot_tell", False)
    if kind not in (PAIRS, SCALE):
        raise BenchError(f"The kind of a study is '{PAIRS}' or '{SCALE}', not '{kind}'.")
    if not isinstance(tie, bool):
        raise BenchError("'cannot_tell' is true or false.")
    if tie and kind == SCALE:
        raise BenchError("On a scale there is no 'cannot tell': leave cannot_tell out.")
    trial = tuple(_trial_question(one) for one in _list(value.get("trial"), "trial"))
    parts = {part: tuple(_question(one, part) for one in _list(value.get(part), part)) for part in PARTS}
    ids = [*(one.id for one in trial), *(one.id for part in parts.values() for one in part)]
    if twice := sorted({id for id in ids if ids.count(id) > 1}):
        raise BenchError(f"The id '{twice[0]}' is given to two questions: give each its own.")
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
    if kind not in TYPES:
        raise BenchError(f"{name} is of a type that there is not.{did_you_mean(str(kind), TYPES)}")
    if not isinstance(optional, bool):
        raise BenchError(f"{name}: 'optional' is true or false.")
    low, high = (_bound(value.get(end), f"{name}: '{end}'") for end in ("minimum", "maximum"))
    if (low is not None or high is not None) and kind != "number":
        raise BenchError(f"{name} is no number, so it has no minimum or maximum.")
    if low is not None and high is not None and low > high:
        raise BenchError(f"{name} has a minimum above its maximum.")
    choices = _choices(value.get("choices") or (), kind, name)
    made = Question(id, _text(value.get("text"), name), kind, choices, low, high, optional)
    eligible = _eligible(value.get("eligible") or (), made, part)
    return Question(id, made.text, kind, choices, low, high, optional, eligible)


def _bound(value: Any, name: str) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise BenchError(f"{name} is a number.")
    return value


def _choices(value: Any, kind: str, name: str) -> tuple[Choice, ...]:
    if not isinstance(value, list | tuple) or (kind == "choice") != (len(value) > 1):
        raise BenchError(f"{name}: a choice is among two answers or more, as choices = ['yes', 'no'].")
    made = []
    for one in value:
        if isinstance(one, str):
            one = {"id": one, "text": one}
        one = _table(one, Choice, f"A choice of '{name}'")
        if not isinstance(one.get("id"), str) or not one["id"].strip():
            raise BenchError(f"{name}: each choice needs an id.")
        made.append(Choice(one["id"], _text(one.get("text"), f"{name}: the choice '{one['id']}'")))
    if len({choice.id for choice in made}) < len(made):
        raise BenchError(f"{name} has two choices of one id.")
    return tuple(made)


def _eligible(value: Any, question: Question, part: str) -> tuple[str, ...] | tuple[float, ...]:
    name = f"The question '{question.id}'"
    if not value:
        return ()
    if part != "screening" or question.type == "text" or question.optional:
        raise BenchError(
            f"{name} cannot decide who takes part: 'eligible' is for screening questions with a choice or a number, "
            "which must be answered."
        )
    if not isinstance(value, list | tuple):
        raise BenchError(f"{name}: 'eligible' is a list.")
    if question.type == "number":
        if len(value) != 2 or any(_bound(one, f"{name}: 'eligible'") is None for one in value) or value[0] > value[1]:
            raise BenchError(f"{name}: 'eligible' has the least and the largest number, as [18, 99].")
        return tuple(float(one) for one in value)
    ids = [choice.id for choice in question.choices]
    for one in value:
        if one not in ids:
            raise BenchError(f"{name}: '{one}' in 'eligible' is none of its choices.{did_you_mean(str(one), ids)}")
    return tuple(str(one) for one in value)
