"""What is added to a schedule leaves it as it was, balanced, and can be drawn again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from study_app.design.schedule import Addition, Schedule, draw_schedule, extended_schedule, schedule_before
from study_app.design.settings import StudySettings
from tests.study_app.design.test_schedule import BASE

NEW = tuple(f"n{n}" for n in range(7))


def draw_whole_schedule(settings: StudySettings, seed: int, additions: Iterable[Addition]) -> Schedule:
    """The whole schedule of a study, drawn anew."""
    schedule = draw_schedule(settings, seed)
    for added in additions:
        schedule = extended_schedule(schedule, settings.comparisons, added)
    return schedule


@effort(max_examples=40, deadline=None)
@given(st.integers(0, 2**40), st.integers(1, 20), st.integers(1, 3), st.integers(0, 7), st.integers(0, 2))
def test_sides_stay_balanced_and_what_was_there_stays(seed: int, clips: int, votes: int, more: int, times: int) -> None:
    settings = replace(BASE, clips=clips, votes=votes)
    additions = [Addition(seed + 1, 0, NEW[:more]), Addition(seed, times, ()), Addition(seed, 1, NEW[more:])]
    before = draw_schedule(settings, seed)
    schedule = draw_whole_schedule(settings, seed, additions)
    assert schedule_before(schedule, len(before.trials), len(before.slots)) == before
    assert len(schedule.trials) == 2 * (clips + 7)
    assert len(schedule.slots) == len(schedule.trials) * (votes + times + 1)
    tilt: Counter[object] = Counter()
    for slot in schedule.slots:
        pair = schedule.trials[slot.pair]
        sign = 1 if slot.first_on_left else -1
        tilt[pair.first, pair.second] += sign
        tilt[slot.pair] += sign
    assert max(map(abs, tilt.values())) <= 1
    assert [slot.priority for slot in schedule.slots] == list(range(len(schedule.slots)))
    assert len({(slot.pair, slot.repeat) for slot in schedule.slots}) == len(schedule.slots)
    assert (schedule.practice, schedule.catch) == (before.practice, before.catch)


def test_an_addition_of_a_seed_does_not_change_between_versions() -> None:
    schedule = draw_whole_schedule(BASE, 1, [Addition(5, 1, NEW[:3]), Addition(5, 1)])
    assert schedule.sha256 == "1faa7cf2ee240ec4430b26a586c77be19a6661759804b7549a5f9e25bece2048"
    assert schedule.sha256 != draw_whole_schedule(BASE, 1, [Addition(6, 1, NEW[:3]), Addition(5, 1)]).sha256
    assert extended_schedule(draw_schedule(BASE, 1), BASE.comparisons, Addition(1)) == draw_schedule(BASE, 1)


def test_clips_that_are_shown_alone_stay_on_their_side() -> None:
    before = draw_schedule(BASE, 1)
    alone = replace(before, slots=tuple(replace(slot, first_on_left=True) for slot in before.slots))
    schedule = extended_schedule(alone, BASE.comparisons, Addition(5, 2, NEW))
    assert all(slot.first_on_left for slot in schedule.slots)
    assert len(schedule.slots) == 3 * len(schedule.trials)
