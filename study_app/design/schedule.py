"""The schedule of a study: pure functions of its settings and its seed.

Every random order is a sort by the SHA-256 of seed, purpose and item. The schedule is therefore byte-for-byte identical
on any machine and any version of Python.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from bench.runfolder import REAL
from study_app.design.questions import ALONE, SCALE
from study_app.design.settings import StudySettings

#: What catch trials show next to the real clip: clips altered in one of several ways, see `catch_clips`.
ALTERED = ("shuffled", "tiles", "blotches")
#: How often a rater may see the same first frame.
SCENE_LIMIT = 2
T = TypeVar("T")


@dataclass(frozen=True)
class PairPlan:
    """Two clips of one scene; POS counts votes for `first`, and `second` is `ALONE` if a trial shows one clip."""

    first: str
    second: str
    scene: str


@dataclass(frozen=True)
class SlotPlan:
    """One required vote: `pair` is an index into the schedule's trials; slots are assigned by ascending priority."""

    pair: int
    repeat: int
    first_on_left: bool
    priority: int


@dataclass(frozen=True)
class Schedule:
    """All pairs of a study, and the slots of its trials."""

    trials: tuple[PairPlan, ...]
    slots: tuple[SlotPlan, ...]
    practice: tuple[PairPlan, ...]
    catch: tuple[PairPlan, ...]

    def to_bytes(self) -> bytes:
        """One line of JSON per pair or slot."""
        lines: list[list[object]] = []
        for kind in ("trials", "practice", "catch"):
            lines += [[kind, p.first, p.second, p.scene] for p in getattr(self, kind)]
        lines += [["slot", s.pair, s.repeat, s.first_on_left, s.priority] for s in self.slots]
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()

    @property
    def sha256(self) -> str:
        """Hash of `to_bytes`."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


def shuffled(items: Iterable[T], seed: int, *purpose: object) -> list[T]:
    """The items in an order that depends only on seed, purpose and the items."""

    def rank(item: T) -> bytes:
        return hashlib.sha256(json.dumps([seed, *purpose, item], default=str).encode()).digest()

    return sorted(items, key=rank)


def draw_schedule(settings: StudySettings, seed: int) -> Schedule:
    """Draw the scenes, the sides and the order.

    Sides are balanced to ±1 in every comparison, and within a pair to ±1 over its repeats. All pairs get their
    first vote before any gets its second. If there are enough scenes, practice and catch trials use scenes that no
    trial uses.
    """
    order = shuffled(settings.scenes, seed, "scenes")
    scenes, spare = sorted(order[: settings.clips]), order[settings.clips :]
    trials, sides = [], []
    for number, (first, second) in enumerate(settings.comparisons):
        turn = shuffled(scenes, seed, "sides", first, second)
        left = {scene: (place + number) % 2 == 0 for place, scene in enumerate(turn)}
        for scene in scenes:
            trials.append(PairPlan(first, second, scene))
            sides.append(left[scene])
    wanted = [(pair, repeat) for repeat in range(settings.votes) for pair in range(len(trials))]
    places = {key: place for place, key in enumerate(shuffled(wanted, seed, "order"))}
    ranked = sorted(wanted, key=lambda key: (key[1], places[key]))
    slots = tuple(
        SlotPlan(pair, repeat, sides[pair] ^ (repeat % 2 == 1), priority)
        for priority, (pair, repeat) in enumerate(ranked)
    )
    apart = len(spare) >= settings.practice + settings.catch
    pool = spare if apart else shuffled(order, seed, "checks")
    practised, caught = pool[: settings.practice], pool[settings.practice :][: settings.catch]
    kinds = shuffled(ALTERED, seed, "altered")
    # without real clips, each method's clips are altered, and each in every way
    whole = [REAL] if settings.has_real else [name for name in settings.systems for _ in kinds]
    if settings.questions.kind == SCALE:
        alone = tuple(replace(slot, first_on_left=True) for slot in slots)
        # practice shows both ends of the scale, with scenes whose clips cannot appear a second time
        shown = [
            whole[i % len(whole)] if apart and i % 2 else kinds[i // 2 % len(kinds)] for i in range(len(practised))
        ]
        practice = tuple(PairPlan(name, ALONE, scene) for name, scene in zip(shown, practised, strict=True))
        catch = tuple(PairPlan(kinds[i % len(kinds)], ALONE, scene) for i, scene in enumerate(caught))
        return Schedule(tuple(trials), alone, practice, catch)
    # practice has a right answer, so that raters can be told whether they saw the difference
    altered = [
        PairPlan(whole[i % len(whole)], kinds[i % len(kinds)], scene) for i, scene in enumerate(practised + caught)
    ]
    return Schedule(tuple(trials), slots, tuple(altered[: len(practised)]), tuple(altered[len(practised) :]))


def capacity(schedule: Schedule) -> int:
    """Maximum number of trials for one rater: no pair twice, and a scene at most `SCENE_LIMIT` times in total."""
    checks = Counter(pair.scene for pair in schedule.practice + schedule.catch)
    pairs = Counter(pair.scene for pair in schedule.trials)
    return sum(min(count, max(SCENE_LIMIT - checks[scene], 0)) for scene, count in pairs.items())


@dataclass(frozen=True)
class Addition:
    """One addition to a study.

    Attributes:
        seed: seed for the sides and order of the addition.
        votes: further votes for every pair.
        scenes: further scenes for every comparison; their pairs get as many votes as the others have.
    """

    seed: int
    votes: int = 0
    scenes: tuple[str, ...] = ()


def extended_schedule(before: Schedule, comparisons: Sequence[tuple[str, str]], added: Addition) -> Schedule:
    """The schedule with an addition.

    Sides stay balanced to ±1 in every comparison, and within a pair to ±1 over its repeats. If all clips are on the
    left, as when each is shown alone, new ones are too. New slots follow all existing ones. Among the new slots, pairs
    get their votes in turns as before.
    """
    votes, at = len(before.slots) // len(before.trials), len(before.slots)
    trials, sides = list(before.trials), _sides(before)
    for number, (first, second) in enumerate(comparisons):
        first_on_left = [
            left
            for pair, left in zip(before.trials, sides, strict=False)
            if (pair.first, pair.second) == (first, second)
        ]
        lead = 2 * sum(first_on_left) - len(first_on_left)
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


def schedule_before(schedule: Schedule, trials: int, slots: int) -> Schedule:
    """A schedule as it was with the given number of trials and slots."""
    return Schedule(schedule.trials[:trials], schedule.slots[:slots], schedule.practice, schedule.catch)


def _sides(schedule: Schedule) -> list[bool]:
    """Whether the first vote of each pair has the first method on the left."""
    sides = [False] * len(schedule.trials)
    for slot in schedule.slots:
        sides[slot.pair] = slot.first_on_left ^ (slot.repeat % 2 == 1)
    return sides
