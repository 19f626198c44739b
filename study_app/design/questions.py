"""Questions of a study before the first trial, at each trial and after the last, read from a file into its settings.

Without such a file, a trial is that of the paper: two clips, one question, one forced choice. Only such trials fill the
paper's tables. Grades are those of absolute category rating (ITU-T P.910, section on ACR): 5 excellent to 1 bad.
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
#: Parts with questions that are not about clips: the first two before the first trial, the third after the last trial.
PARTS = ("screening", "demographic", "closing")
#: Questions on the instructions, for studies that use them: id → the correct choice. Their texts are in the locales.
COMPREHENSION_ANSWERS = {"task": "asked", "unsure": "impression"}
#: Name of these questions as a further part besides `PARTS`, and the number of tries that a rater has.
COMPREHENSION, TRIES = "comprehension", 2
#: Possible answers at a trial, as stored.
SIDES, TIE, GRADES = ("left", "right"), "tie", ("1", "2", "3", "4", "5")
#: Grades that an attentive rater gives an altered clip: bad and poor.
LOW_GRADES = GRADES[:2]
#: Placeholder for the second method of a trial that shows one clip; no row of a run may have this name, or a tie's.
ALONE = "alone"
#: Maximum length of a free-text answer, in characters.
LONGEST_ANSWER = 1000
#: A text, or one text per language.
Text = str | Mapping[str, str]


def in_language(text: Text, language: str) -> str:
    """A text in a language, or in the first available one if that is missing."""
    return text if isinstance(text, str) else text.get(language) or next(iter(text.values()))


@dataclass(frozen=True)
class Choice:
    """One of the answers that can be chosen: the stored id and the displayed text."""

    id: str
    text: Text


@dataclass(frozen=True)
class Question(ABC):
    """A question before or after the trials; each type has a subclass below.

    Attributes:
        id: its name in files and tables.
        text: the text of the question.
        type: the type's name in a question file.
        choices: the possible answers of a choice.
        minimum, maximum: bounds of a number; None if there are none.
        optional: whether raters may skip it.
        eligible: the answers to a screening question with which a rater may take part; empty if it decides nothing.
    """

    id: str
    text: Text
    type: str
    choices: tuple[Choice, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    optional: bool = False
    eligible: tuple[str, ...] | tuple[float, ...] = ()

    #: Regular expression that the browser matches against the whole answer; empty if it does not check.
    pattern: ClassVar[str] = ""
    #: Whether a question of this type has choices, or bounds.
    has_choices: ClassVar[bool] = False
    has_bounds: ClassVar[bool] = False

    def is_answer(self, answer: str) -> bool:
        """Whether an answer is valid; an empty answer means that the question was skipped."""
        return self.accepts(answer) if answer else self.optional

    @abstractmethod
    def accepts(self, answer: str) -> bool:
        """Whether a non-empty answer is valid."""

    def admits(self, answer: str) -> bool:
        """Whether a rater with this answer may take part."""
        return True

    @abstractmethod
    def example(self) -> str:
        """An answer with which a rater may take part, for previews and synthetic raters."""

    @abstractmethod
    def summary(self, answers: Sequence[str]) -> str:
        """One line that sums up non-empty answers; empty if they cannot be summed up."""

    @abstractmethod
    def describe(self, language: str) -> str:
        """The possible answers, in words."""

    def describe_eligible(self) -> str:
        """The answers with which a rater may take part, in words; empty if the question decides nothing."""
        return "; ".join(str(answer) for answer in self.eligible)

    def read_eligible(self, values: Sequence[Any]) -> tuple[str, ...] | tuple[float, ...]:
        """The eligible answers as given in a file; raises a `BenchError` that describes what is wrong with them."""
        raise self.cannot_decide()

    def cannot_decide(self) -> BenchError:
        """The error for a question that has eligible answers but must not have any."""
        return BenchError(
            f"The question '{self.id}' cannot decide who takes part: 'eligible' is for screening questions with a "
            "choice or a number, which must be answered."
        )


@dataclass(frozen=True)
class ChoiceQuestion(Question):
    """A choice of one of several answers."""

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
        """How often each choice was selected."""
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
    """A number, within optional bounds; the eligible numbers are given by the smallest and the largest."""

    type: str = "number"
    has_bounds: ClassVar[bool] = True
    pattern: ClassVar[str] = r"-?\d{1,12}(\.\d{1,6})?"

    def accepts(self, answer: str) -> bool:
        """Whether it is a number within the bounds."""
        number, low, high = self._number(answer), self.minimum, self.maximum
        return number is not None and (low is None or number >= low) and (high is None or number <= high)

    def admits(self, answer: str) -> bool:
        """Whether it is between the two eligible numbers, inclusive."""
        if not self.eligible:
            return True
        number, (low, high) = self._number(answer), self.eligible
        return number is not None and float(low) <= number <= float(high)

    def example(self) -> str:
        """The smallest eligible number, or a bound."""
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
        """The smallest and the largest number."""
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
    """A free text of at most `LONGEST_ANSWER` characters."""

    type: str = "text"

    def accepts(self, answer: str) -> bool:
        """Whether it is short enough."""
        return len(answer) <= LONGEST_ANSWER

    def example(self) -> str:
        """A text; empty if the question is optional."""
        return "" if self.optional else "An example."

    def summary(self, answers: Sequence[str]) -> str:
        """Empty, because texts cannot be summed up."""
        return ""

    def describe(self, language: str) -> str:
        """A note that any text is possible."""
        return "any text"


#: Type of a question before or after the trials → its class.
QUESTION_TYPES: dict[str, type[Question]] = {"choice": ChoiceQuestion, "number": NumberQuestion, "text": TextQuestion}


def is_number(value: Any) -> bool:
    """Whether a value from a file is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True)
class TrialQuestion:
    """A question about the clips of a trial."""

    id: str
    text: Text


@dataclass(frozen=True)
class Questions:
    """All questions of a study in addition to the paper's; the default adds none.

    Attributes:
        kind: `PAIRS` or `SCALE`.
        cannot_tell: whether a pair can be answered with "cannot tell", which is a tie.
        trial: questions asked one after the other at each trial, the first of which judges catch trials; empty: the
            study's single question.
        screening, demographic, closing: the questions of each part.
    """

    kind: str = PAIRS
    cannot_tell: bool = False
    trial: tuple[TrialQuestion, ...] = ()
    screening: tuple[Question, ...] = ()
    demographic: tuple[Question, ...] = ()
    closing: tuple[Question, ...] = ()

    @property
    def is_the_papers(self) -> bool:
        """Whether a trial is as in the paper: one question, a forced choice between two clips."""
        return self.kind == PAIRS and not self.cannot_tell and len(self.trial) < 2

    @property
    def wording(self) -> str:
        """Name of the texts for this kind of study, as in `study_app.locales.words`."""
        return TIE if self.cannot_tell else self.kind

    @property
    def answers(self) -> tuple[str, ...]:
        """Possible answers to each question of a trial."""
        return GRADES if self.kind == SCALE else (*SIDES, TIE) if self.cannot_tell else SIDES

    @property
    def further(self) -> tuple[str, ...]:
        """Ids of a trial's questions after the first."""
        return tuple(question.id for question in self.trial[1:])

    def asked(self, question: str, language: str) -> list[str]:
        """The questions of a trial as raters read them; `question` is the study's own, used if there are no others."""
        return [in_language(one.text, language) for one in self.trial] or [question]

    def part(self, name: str) -> tuple[Question, ...]:
        """The questions of a part."""
        parts: dict[str, tuple[Question, ...]] = {part: getattr(self, part) for part in PARTS}
        return parts[name]

    def check(self, language: str) -> None:
        """Raise a `BenchError` for a question without a text that readers of `language` understand."""
        every = [question for part in PARTS for question in self.part(part)]
        texts = [*((one.id, one.text) for one in self.trial), *((one.id, one.text) for one in every)]
        for id, text in [*texts, *((one.id, choice.text) for one in every for choice in one.choices)]:
            if not isinstance(text, str) and language not in text:
                raise BenchError(f"The question '{id}' has no text in the study's language '{language}'.")


#: The paper's question, and nothing else.
THE_PAPERS = Questions()
