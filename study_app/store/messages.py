"""The data exchanged between a rater's browser and the store, and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.errors import BenchError

#: Refusal of an answer that our own pages would never send.
NOT_AN_ANSWER = "The answer is not one that can be given."


class RefusedError(BenchError):
    """A request that this rater may not make; `gone` if the trial was once theirs."""

    def __init__(self, sentence: str, *, gone: bool = False) -> None:
        super().__init__(sentence)
        self.gone = gone


class TooSoonError(RefusedError):
    """An answer sent before its pair can have been seen; it is accepted if sent again after `wait` seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__("The pair cannot have been seen yet: send the answer again.")
        self.wait = wait


@dataclass(frozen=True)
class Screen:
    """How a rater saw the clips that they voted on.

    It contains no more than that, so as not to tell people apart.

    Attributes:
        clip_px: side of a clip in CSS pixels; multiplied by `pixel_ratio`, in pixels of the screen.
        width, height: size of the window in CSS pixels, to the nearest 50.
        layout: beside, stacked (the left clip is on top), low (the buttons are at the sides) or alone (one clip).
        pointer: coarse (a finger) or fine.
        browser: browser family, without a version.
        dropped: frames of the first full play that were never drawn.
        pauses: how often the clips were halted, if known.
        dots_per_mm: pixels of the screen per millimetre, if the rater has measured it with a card.
        distance_cm: distance from eye to screen, as requested by the study or entered by the rater.
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
    """Visual angle in degrees of a length on the screen, for an eye in front of its middle."""
    if not dots_per_mm or not distance_cm:
        return None
    return math.degrees(2 * math.atan(screen_px / dots_per_mm / 2 / (10 * distance_cm)))


@dataclass(frozen=True)
class Further:
    """The answer to a further question of a trial, with its response time as in `Answer`."""

    chosen: str
    response_ms: int


@dataclass(frozen=True)
class Answer:
    """A rater's answer to a trial and how it came about.

    Attributes:
        chosen: left or right, a tie if the study allows ties, or the grade of a single clip.
        response_ms: time from the first frame drawn to the choice.
        replays: how often the pair restarted after the first full play.
        focus_losses: how often the page lost focus meanwhile.
        screen: how the clips were seen, if the browser has reported it.
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
    """All that a rater's browser may know: the rater's progress, and opaque names of the next trials.

    `place` is what the page shows for the trial: practice or pair, its number, and the total of that kind.

    `feedback` is about the practice trial just answered: the altered clip was seen or missed, or the rater could not
    tell (unsure). `altered` is the side of that clip.

    `state` is rating, asked (questions of `part` are open; those of the part comprehension are about the instructions),
    done, waiting (pairs may come back), full (nothing to rate), broken (clips do not load here), excluded, ineligible
    (because of the questions before the trials) or withdrawn. If the study is paused or closed, `state` is that.
    """

    state: str
    answered: int = 0
    total: int = 0
    trials: tuple[str, ...] = ()
    place: tuple[str, int, int] | None = None
    feedback: str | None = None
    part: str | None = None
    altered: str | None = None
