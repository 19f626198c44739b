"""One rater's session, drawn whole before it begins: pure functions of the study's seed and the rater's number.

If each trial had the side that undoes the rater's tilt, one comparison would be left, right, left, right, and whoever
pressed the keys in turn would choose the same system every time. So all orders of a session that balance the sides are
equally probable: a pattern that does not look at the clips is right in half of the trials, whatever it is. What can be
known of a balanced order by somebody who knows every side so far is that the last trials make up for the first ones;
there is no balanced order without that, and here there is nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from study_app.design.schedule import shuffled


@dataclass(frozen=True)
class Turn:
    """What a trial of one rater should be, if such a slot is open: which comparison, which side."""

    comparison: int
    first_on_left: bool


@lru_cache(maxsize=1024)
def turns(seed: int, rater: int, workload: int, comparisons: int) -> tuple[Turn, ...]:
    """The trials of one rater, in order.

    Sides are balanced to ±1 over the session, and so are the comparisons, each in an order of its own: which comparison
    comes says nothing of the side. Where numbers are odd, it is drawn who has one more.
    """
    more_left = shuffled((True, False), seed, "more left", rater)[0]
    lefts = (workload + more_left) // 2
    sides = [place < lefts for place in shuffled(range(workload), seed, "session sides", rater)]
    names = shuffled(range(comparisons), seed, "more trials", rater)
    compared = [names[place % comparisons] for place in shuffled(range(workload), seed, "session comparisons", rater)]
    return tuple(Turn(comparison, left) for comparison, left in zip(compared, sides, strict=True))


@dataclass(frozen=True)
class Seat:
    """A practice or catch trial of one rater: which pair, at which place, on which side."""

    kind: str
    pair: int
    position: int
    first_on_left: bool


def seats(seed: int, rater: int, practice: int, catch: int, workload: int) -> list[Seat]:
    """Where one rater's practice and catch trials come: practice first, catch trials anywhere among the trials.

    Sides are balanced to ±1 in each kind.
    """
    free = shuffled(range(practice, practice + workload + catch), seed, "catch places", rater)
    places = {"practice": list(range(practice)), "catch": sorted(free[:catch])}
    result = []
    for kind, positions in places.items():
        pairs = shuffled(range(len(positions)), seed, kind, rater)
        turn = {position: i % 2 == 0 for i, position in enumerate(shuffled(positions, seed, kind, "sides", rater))}
        result += [Seat(kind, pair, position, turn[position]) for pair, position in zip(pairs, positions, strict=True)]
    return result
