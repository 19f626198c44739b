"""What a study asks: before the first trial, at each trial, and after the last; read from a file, kept in its settings.

Without such a file a trial is the paper's: two clips, one question, one forced choice. Only that fills its tables.
Grades are those of absolute category rating (ITU-T P.910, section on ACR): 5 excellent to 1 bad.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, ClassVar

from bench.errors import BenchError, did_you_mean

#: What a trial shows: two clips, of which one is chosen; or one clip, which gets a grade.
PAIRS, SCALE = "pairs", "scale"
#: Where questions stand that are not about clips: the first two before the first trial, the last after the last.
PARTS = ("screening", "demographic", "closing")
#: Questions on the instructions, for studies that ask them: id → the right choice. Their words are in the locales.
COMPREHENSION_ANSWERS = {"task": "asked", "unsure": "impression"}
#: What these questions are called beside `PARTS`, and how often somebody can try.
COMPREHENSION, TRIES = "comprehension", 2
#: What can be answered at a trial, as it is stored.
SIDES, TIE, GRADES = ("left", "right"), "tie", ("1", "2", "3", "4", "5")
#: Grades that somebody who attends gives an altered clip: bad and poor.
LOW_GRADES = GRADES[:2]
#: Stands for the second system of a trial that shows one clip; no row of a run may be called so, or like a tie.
ALONE = "alone"
#: Letters of an answer in words.
LONGEST_ANSWER = 1000
#: A text, or one for each language.
Text = str | Mapping[str, str]


def in_language(text: Text, language: str) -> str:
    """A text in a language; where it is not there, in the first one that is."""
    return text if isinstance(text, str) else text.get(language) or next(iter(text.values()))


@dataclass(frozen=True)
class Choice:
    """One of the answers that can be chosen: what is stored, and what is read."""

    id: str
    text: Text


@dataclass(frozen=True)
class Question(ABC):
    """A question before or after the trials; a class below for each type.

    Attributes:
        id: names it in files and tables.
        text: what is asked.
        type: the type's name in a file of questions.
        choices: the answers of a choice.
        minimum, maximum: bounds of a number; None where it has none.
        optional: whether it can be left out.
        eligible: of a screening question, the answers with which somebody may take part; empty where it decides
            nothing.
    """

    id: str
    text: Text
    type: str
    choices: tuple[Choice, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    optional: bool = False
    eligible: tuple[str, ...] | tuple[float, ...] = ()

    #: What a browser matches an answer against, as a regular expression of the whole answer; empty where it does not.
    pattern: ClassVar[str] = ""
    #: Whether a question of this type has choices, or bounds.
    has_choices: ClassVar[bool] = False
    has_bounds: ClassVar[bool] = False

    def is_answer(self, answer: str) -> bool:
        """Whether this can be answered so; an empty answer is one that was left out."""
        return self.accepts(answer) if answer else self.optional

    @abstractmethod
    def accepts(self, answer: str) -> bool:
        """Whether an answer that is not empty is one that can be given."""

    def admits(self, answer: str) -> bool:
        """Whether somebody who answers so may take part."""
        return True

    @abstractmethod
    def example(self) -> str:
        """An answer with which somebody may take part, for previews and synthetic raters."""

    @abstractmethod
    def summary(self, answers: Sequence[str]) -> str:
        """Answers that are not empty, in a line; empty where they cannot be summed up."""

    @abstractmethod
    def describe(self, language: str) -> str:
        """What can be answered, in words."""

    def describe_eligible(self) -> str:
        """Who may take part by their answer, in words; empty where it decides nothing."""
        return "; ".join(str(answer) for answer in self.eligible)

    def read_eligible(self, values: Sequence[Any]) -> tuple[str, ...] | tuple[float, ...]:
        """The eligible answers as a file names them; a `BenchError` says what is wrong with them."""
        raise self.cannot_decide()

    def cannot_decide(self) -> BenchError:
        """The error for a question that has eligible answers and must not."""
        return BenchError(
            f"The question '{self.id}' cannot decide who takes part: 'eligible' is for screening questions with a "
            "choice or a number, which must be answered."
        )


@dataclass(frozen=True)
class ChoiceQuestion(Question):
    """One of several answers."""

    type: str = "choice"
    has_choices: ClassVar[bool] = True

    def accepts(self, answer: str) -> bool:
        """Whether it is the id of a choice."""
        return any(choice.id == answer for choice in self.choices)

    def admits(self, answer: str) -> bool:
        """Whether it is among the eligible choices."""
        return not self.eligible or answer in self.eligible

    def example(self) -> str:
        """The first eligible choice, or the first of all."""
        return str(self.eligible[0]) if self.eligible else self.choices[0].id

    def summary(self, answers: Sequence[str]) -> str:
        """How often each choice was taken."""
        counts = Counter(answers)
        return ", ".join(f"{choice.id} {counts[choice.id]}" for choice in self.choices)

    def describe(self, language: str) -> str:
        """Ids and texts of the choices."""
        return "; ".join(f"{choice.id} = {in_language(choice.text, language)}" for choice in self.choices)

    def read_eligible(self, values: Sequence[Any]) -> tuple[str, ...]:
        """Ids of choices."""
        ids = [choice.id for choice in self.choices]
        for value in values:
            if value not in ids:
                raise BenchError(
                    f"The question '{self.id}': '{value}' in 'eligible' is not one of its choices."
                    f"{did_you_mean(str(value), ids)}"
                )
        return tuple(str(value) for value in values)


@dataclass(frozen=True)
class NumberQuestion(Question):
    """A number, within bounds where it has them; of those eligible, the least and the largest are named."""

    type: str = "number"
    has_bounds: ClassVar[bool] = True
    pattern: ClassVar[str] = r"-?\d{1,12}(\.\d{1,6})?"

    def accepts(self, answer: str) -> bool:
        """Whether it is a number within the bounds."""
        number, low, high = self._number(answer), self.minimum, self.maximum
        return number is not None and (low is None or number >= low) and (high is None or number <= high)

    def admits(self, answer: str) -> bool:
        """Whether it lies between the two eligible numbers, or on one of them."""
        if not self.eligible:
            return True
        number, (low, high) = self._number(answer), self.eligible
        return number is not None and float(low) <= number <= float(high)

    def example(self) -> str:
        """The least eligible number, or a bound."""
        bounds = (n for n in (self.minimum, self.maximum) if n is not None)
        return f"{float(self.eligible[0] if self.eligible else next(bounds, 0)):g}"

    def summary(self, answers: Sequence[str]) -> str:
        """Median and range."""
        numbers = [float(answer) for answer in answers]
        return f"median {median(numbers):g}, from {min(numbers):g} to {max(numbers):g}" if numbers else ""

    def describe(self, language: str) -> str:
        """The bounds."""
        ends = [
            f"{word} {bound:g}" for word, bound in (("from", self.minimum), ("to", self.maximum)) if bound is not None
        ]
        return " ".join(["number", *ends])

    def describe_eligible(self) -> str:
        """The eligible range."""
        return "from {:g} to {:g}".format(*map(float, self.eligible)) if self.eligible else ""

    def read_eligible(self, values: Sequence[Any]) -> tuple[float, ...]:
        """The least and the largest number."""
        if len(values) != 2 or not all(is_number(value) for value in values) or values[0] > values[1]:
            raise BenchError(
                f"The question '{self.id}': 'eligible' must contain the smallest and the largest number, as in "
                "[18, 99]."
            )
        return tuple(float(value) for value in values)

    def _number(self, answer: str) -> float | None:
        return float(answer) if re.fullmatch(self.pattern, answer) else None


@dataclass(frozen=True)
class TextQuestion(Question):
    """A free text of at most `LONGEST_ANSWER` letters."""

    type: str = "text"

    def accepts(self, answer: str) -> bool:
        """Whether it is short enough."""
        return len(answer) <= LONGEST_ANSWER

    def example(self) -> str:
        """A text, or nothing where it can be left out."""
        return "" if self.optional else "An example."

    def summary(self, answers: Sequence[str]) -> str:
        """Nothing: texts are for reading."""
        return ""

    def describe(self, language: str) -> str:
        """That it is free."""
        return "any text"


#: Type of a question before or after the trials → its class.
QUESTION_TYPES: dict[str, type[Question]] = {"choice": ChoiceQuestion, "number": NumberQuestion, "text": TextQuestion}


def is_number(value: Any) -> bool:
    """Whether a value of a file is a number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


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
        """Which of a language's texts are for this kind of study, as `study_app.locales.words` has them."""
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
        return [in_language(one.text, language) for one in self.trial] or [question]

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
