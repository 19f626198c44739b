"""One rater's session, drawn in full before it begins: pure functions of the study's seed and the rater's number.

If the side of each trial offset the rater's imbalance so far, a comparison would alternate: left, right, left, right. A
rater who pressed the keys in turn would choose the same method every time. Sides are therefore coin tosses, except
where a toss would take a session further than `BIG_STICK` from balance (big-stick design: Soares and Wu, Communications
in Statistics 1983).

Any pattern of answers that ignores the clips is right in half of the trials. A rater who counts sides can predict the
next one only at the distance `BIG_STICK`, in the last trials as in the others. The slots balance each comparison.

Studies of version 0.2 drew with equal probability from all orders of a session that balance its sides to ±1. There, the
last trials offset the first ones, so a rater who counts can predict the very last one. These studies keep that order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from study_app.design.schedule import shuffled
from study_app.design.settings import BALANCED

#: Maximum difference between the numbers of left and right sides in a session.
BIG_STICK = 6


@dataclass(frozen=True)
class Turn:
    """The comparison and side that a rater's trial should have, if such a slot is open."""

    comparison: int
    first_on_left: bool


@lru_cache(maxsize=1024)
def turns(seed: int, rater: int, workload: int, comparisons: int, sides_are: str) -> tuple[Turn, ...]:
    """The trials of one rater, in order.

    Comparisons are balanced to ±1 over the session. Their order is drawn separately, so a comparison reveals nothing
    about the side. If trials do not divide evenly, the comparisons or sides that get one more are drawn at random.

    Args:
        seed: seed of the study.
        rater: number of the rater.
        workload: trials per session.
        comparisons: number of comparisons in the study.
        sides_are: one of `settings.SIDES`.
    """
    draw = _balanced_sides if sides_are == BALANCED else _big_stick_sides
    sides = draw(seed, rater, workload)
    names = shuffled(range(comparisons), seed, "more trials", rater)
    compared = [names[place % comparisons] for place in shuffled(range(workload), seed, "session comparisons", rater)]
    return tuple(Turn(comparison, left) for comparison, left in zip(compared, sides, strict=True))


def _balanced_sides(seed: int, rater: int, workload: int) -> list[bool]:
    more_left = shuffled((True, False), seed, "more left", rater)[0]
    lefts = (workload + more_left) // 2
    return [place < lefts for place in shuffled(range(workload), seed, "session sides", rater)]


def _big_stick_sides(seed: int, rater: int, workload: int) -> list[bool]:
    sides: list[bool] = []
    tilt = 0
    for place in range(workload):
        left = shuffled((True, False), seed, "tossed side", rater, place)[0]
        if abs(tilt) == BIG_STICK:
            left = tilt < 0
        sides.append(left)
        tilt += 1 if left else -1
    return sides


@dataclass(frozen=True)
class Seat:
    """A practice or catch trial of one rater: its pair, its position, and its side."""

    kind: str
    pair: int
    position: int
    first_on_left: bool


def seats(seed: int, rater: int, practice: int, catch: int, workload: int) -> list[Seat]:
    """Positions of one rater's practice and catch trials: practice first, catch trials anywhere among the trials.

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
