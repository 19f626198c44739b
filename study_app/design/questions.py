"""What a study asks: before the first trial, at each trial, and after the last; read from a file, kept in its settings.

Without such a file a trial is the paper's: two clips, one question, one forced choice. Only that fills its tables.
Grades are those of absolute category rating (ITU-T P.910, section on ACR): 5 excellent to 1 bad.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bench.errors import BenchError

#: What a trial shows: two clips, of which one is chosen; or one clip, which gets a grade.
PAIRS, SCALE = "pairs", "scale"
#: Where questions stand that are not about clips: the first two before the first trial, the last after the last.
PARTS = ("screening", "demographic", "closing")
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
            return len(answer) <= LONGEST_ANSWER
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
