"""What passes between a rater's browser and the store, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from bench.errors import BenchError


class RefusedError(BenchError):
    """A request that this rater may not make; `gone`: the trial was theirs once."""

    def __init__(self, sentence: str, *, gone: bool = False) -> None:
        super().__init__(sentence)
        self.gone = gone


@dataclass(frozen=True)
class Answer:
    """A rater's choice (left or right) and how it came about.

    Attributes:
        response_ms: from the first frame drawn to the choice.
        replays: how often the pair began again after the first full play.
        focus_losses: how often the page was left meanwhile.
    """

    chosen: str
    response_ms: int
    replays: int = 0
    focus_losses: int = 0


@dataclass(frozen=True)
class View:
    """All that a rater's browser may know: where they are, and opaque names of the next trials.

    `place` is what the page calls the trial: practice or pair, its number, and how many there are of these.
    `state` is rating, done, full (nothing to rate), broken (clips do not load here), excluded or
    withdrawn.
    """

    state: str
    answered: int = 0
    total: int = 0
    trials: tuple[str, ...] = ()
    place: tuple[str, int, int] | None = None
