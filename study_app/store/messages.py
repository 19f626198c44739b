"""What passes between a rater's browser and the store, and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.errors import BenchError

#: The refusal of what a browser sends and no page of ours would.
NOT_AN_ANSWER = "The answer is not one that can be given."


class RefusedError(BenchError):
    """A request that this rater may not make; `gone`: the trial was theirs once."""

    def __init__(self, sentence: str, *, gone: bool = False) -> None:
        super().__init__(sentence)
        self.gone = gone


class TooSoonError(RefusedError):
    """An answer that comes before its pair can have been seen; it is taken when it comes again after `wait` seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__("The pair cannot have been seen yet: send the answer again.")
        self.wait = wait


@dataclass(frozen=True)
class Screen:
    """How a rater saw the clips that they voted on. No more than that: nothing here is to tell people apart.

    Attributes:
        clip_px: a clip's side in CSS pixels; times `pixel_ratio`: in the screen's own.
        width, height: of the window in CSS pixels, to the nearest 50.
        layout: beside, stacked (the left clip is the upper one) or low (the buttons are at the sides).
        pointer: coarse (a finger) or fine.
        browser: its family, without a version.
        dropped: frames of the first full play that were never drawn.
        pauses: how often the clips were halted, where that can be told.
        dots_per_mm: pixels of the screen to the millimetre, where the rater has measured it with a card.
        distance_cm: from eye to screen, as the study asks for it or the rater said.
    """

    clip_px: float
    pixel_ratio: float
    width: int
    height: int
    layout: str
    pointer: str
    browser: str
    dropped: int
    pauses: int | None = None
    dots_per_mm: float | None = None
    distance_cm: float | None = None


def visual_angle(screen_px: float, dots_per_mm: float | None, distance_cm: float | None) -> float | None:
    """The angle, in degrees, under which a length on the screen is seen by an eye in front of its middle."""
    if not dots_per_mm or not distance_cm:
        return None
    return math.degrees(2 * math.atan(screen_px / dots_per_mm / 2 / (10 * distance_cm)))


@dataclass(frozen=True)
class Further:
    """The answer to a further question of a trial, and when it was given, as in `Answer`."""

    chosen: str
    response_ms: int


@dataclass(frozen=True)
class Answer:
    """A rater's answer to a trial and how it came about.

    Attributes:
        chosen: left or right; where the study has them a tie, or the grade of the one clip.
        response_ms: from the first frame drawn to the choice.
        replays: how often the pair began again after the first full play.
        focus_losses: how often the page was left meanwhile.
        screen: how the clips were seen, where the browser has said it.
        further: answers to the trial's other questions, in their order.
    """

    chosen: str
    response_ms: int
    replays: int = 0
    focus_losses: int = 0
    screen: Screen | None = None
    further: tuple[Further, ...] = ()


@dataclass(frozen=True)
class View:
    """All that a rater's browser may know: where they are, and opaque names of the next trials.

    `place` is what the page calls the trial: practice or pair, its number, and how many there are of these.
    `feedback` says of the practice trial that was just answered whether the altered clip was seen or missed, or that
    the rater could not tell (unsure); `altered` is the side that it was on.
    `state` is rating, asked (questions of `part` are open; those of the part comprehension are about the instructions),
    done, full (nothing to rate), broken (clips do not load here), excluded, ineligible (by the questions before the
    trials), withdrawn, or paused or closed where the study is.
    """

    state: str
    answered: int = 0
    total: int = 0
    trials: tuple[str, ...] = ()
    place: tuple[str, int, int] | None = None
    feedback: str | None = None
    part: str | None = None
    altered: str | None = None
