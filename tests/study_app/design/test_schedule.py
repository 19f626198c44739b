"""The schedule: balanced, limited, and rebuilt byte for byte."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from study_app.design.schedule import ALTERED, REAL, SCENE_LIMIT, capacity, draw_schedule
from study_app.design.settings import StudySettings
from study_app.store.store import Store

BASE = StudySettings(
    name="s", run="", dataset="", comparisons=(("a", "b"), ("a", REAL)), scenes=tuple(f"c{n}" for n in range(20)),
    clips=9, votes=1, workload=10, practice=2, catch=4, catch_pass=3, frames=32, size=8, rate=10.0, slot_bytes=1,
    lease_minutes=1.0, question="?", consent="!", consent_version="1", completion_code="", completion_url="",
)  # fmt: skip


def test_the_schedule_in_the_database_is_the_one_that_the_seed_gives(sqlite: str) -> None:
    store = Store(sqlite)
    study = store.open()
    kept = study.schedule().to_bytes()
    assert kept == draw_schedule(StudySettings.from_json(study.settings.to_json()), study.row.seed).to_bytes()
    assert kept != draw_schedule(study.settings, study.row.seed + 1).to_bytes()
    assert study.schedule().sha256 == study.row.schedule_sha256


def test_the_schedule_of_a_seed_does_not_change_between_versions() -> None:
    # A study made by one version must be rebuilt by the next; the numbers are the versions' own.
    assert draw_schedule(BASE, 1).sha256 == "81c91733699c5505158546c0c28e2133aa4a9ade2138fe9c17e6c5a470a906d0"


@effort(max_examples=40, deadline=None)
@given(st.integers(0, 2**40), st.integers(1, 20), st.integers(1, 4))
def test_sides_are_balanced_in_every_comparison_and_pair(seed: int, clips: int, votes: int) -> None:
    schedule = draw_schedule(replace(BASE, clips=clips, votes=votes), seed)
    tilt: Counter[tuple[str, str]] = Counter()
    pair_tilt: Counter[int] = Counter()
    for slot in schedule.slots:
        pair = schedule.trials[slot.pair]
        sign = 1 if slot.first_on_left else -1
        tilt[pair.first, pair.second] += sign
        pair_tilt[slot.pair] += sign
    assert len(schedule.slots) == 2 * clips * votes
    assert max(map(abs, tilt.values())) <= 1
    assert max(map(abs, pair_tilt.values())) <= 1
    assert [slot.priority for slot in schedule.slots] == list(range(len(schedule.slots)))
    first_votes = [slot.repeat for slot in schedule.slots]
    assert first_votes == sorted(first_votes)


@effort(max_examples=40, deadline=None)
@given(st.integers(0, 2**40), st.integers(1, 20))
def test_practice_and_catch_trials_keep_away_from_trials_where_they_can(seed: int, clips: int) -> None:
    schedule = draw_schedule(replace(BASE, clips=clips), seed)
    trials = {pair.scene for pair in schedule.trials}
    checks = [pair.scene for pair in schedule.practice + schedule.catch]
    assert len(set(checks)) == len(checks)
    altered = schedule.practice + schedule.catch
    assert {pair.first for pair in altered} == {REAL}
    assert Counter(pair.second for pair in altered) == dict.fromkeys(ALTERED, 2)  # each kind as often
    if clips <= 20 - 6:
        assert not trials & set(checks)
    seen = Counter(checks)
    for pair in schedule.trials:
        seen[pair.scene] += 1
    assert capacity(schedule) <= SCENE_LIMIT * 20 - len(checks)
