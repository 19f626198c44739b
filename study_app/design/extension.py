"""Votes and clips that a study gets after it was made: pure functions, like `study_app.design.schedule`.

What was planned before stays as it is, to the byte. Whoever has settings, seed and every addition in turn can draw the
whole schedule again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from study_app.design.schedule import PairPlan, Schedule, SlotPlan, plan, shuffled
from study_app.design.settings import Settings


@dataclass(frozen=True)
class Addition:
    """What a study got at one time.

    Attributes:
        seed: of sides and order of what was added.
        votes: further votes of every pair.
        scenes: further scenes of every comparison; their pairs get as many votes as the others have.
    """

    seed: int
    votes: int = 0
    scenes: tuple[str, ...] = ()


def planned(settings: Settings, seed: int, additions: Iterable[Addition]) -> Schedule:
    """The whole schedule of a study, drawn anew."""
    schedule = plan(settings, seed)
    for added in additions:
        schedule = extended(schedule, settings.comparisons, added)
    return schedule


def extended(before: Schedule, comparisons: Sequence[tuple[str, str]], added: Addition) -> Schedule:
    """A schedule with an addition.

    Sides stay balanced to ±1 in every comparison, and within a pair to ±1 over its repeats; where all clips are on the
    left, as when each is shown alone, new ones are too. New slots come after all that were there; among them, pairs get
    their votes in turns as before.
    """
    votes, at = len(before.slots) // len(before.trials), len(before.slots)
    trials, sides = list(before.trials), _sides(before)
    for number, (first, second) in enumerate(comparisons):
        mine = [
            left
            for pair, left in zip(before.trials, sides, strict=False)
            if (pair.first, pair.second) == (first, second)
        ]
        lead = 2 * sum(mine) - len(mine)
        begins_left = lead < 0 or (lead == 0 and number % 2 == 0)
        turn = shuffled(added.scenes, added.seed, "added sides", at, first, second)
        left = {scene: (place % 2 == 0) == begins_left for place, scene in enumerate(turn)}
        for scene in sorted(added.scenes):
            trials.append(PairPlan(first, second, scene))
            sides.append(left[scene])
    wanted = [(pair, repeat) for repeat in range(votes) for pair in range(len(before.trials), len(trials))]
    wanted += [(pair, repeat) for repeat in range(votes, votes + added.votes) for pair in range(len(trials))]
    places = {key: place for place, key in enumerate(shuffled(wanted, added.seed, "added order", at))}
    ranked = sorted(wanted, key=lambda key: (key[1], places[key]))
    alone = at > 1 and all(slot.first_on_left for slot in before.slots)
    slots = [
        SlotPlan(pair, repeat, alone or sides[pair] ^ (repeat % 2 == 1), at + place)
        for place, (pair, repeat) in enumerate(ranked)
    ]
    return Schedule(tuple(trials), (*before.slots, *slots), before.practice, before.catch)


def cut(schedule: Schedule, trials: int, slots: int) -> Schedule:
    """A schedule as it was when it had that many trials and slots."""
    return Schedule(schedule.trials[:trials], schedule.slots[:slots], schedule.practice, schedule.catch)


def _sides(schedule: Schedule) -> list[bool]:
    """Whether the first vote of each pair has the first system on the left."""
    sides = [False] * len(schedule.trials)
    for slot in schedule.slots:
        sides[slot.pair] = slot.first_on_left ^ (slot.repeat % 2 == 1)
    return sides
