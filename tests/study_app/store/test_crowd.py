"""Many raters at once, and processes that die in the middle."""

from __future__ import annotations

import http.client
import json
import random
import secrets
import signal
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import event, text

from study_app.pipeline.create import create
from study_app.store.store import Store
from tests.study_app.conftest import AppProcess, study_request
from tests.study_app.store.crowd import Acknowledged, Crowd, Told, crowd
from tests.study_app.store.test_store import Person


def check(where: str, acknowledged: list[Acknowledged]) -> None:
    """Every acknowledged vote is there once as it was cast, and nothing is half-written."""
    store = Store(where)
    with store.engine.connect() as connection:
        query = "SELECT token, chosen, response_ms FROM vote JOIN assignment ON assignment.id = assignment_id"
        kept = Counter(Acknowledged(*row) for row in connection.execute(text(query)))
        assert max(kept.values(), default=0) <= 1
        lost = [vote for vote in acknowledged if kept[vote] != 1]
        assert not lost
        halves = (
            "SELECT count(*) FROM assignment LEFT JOIN vote ON vote.assignment_id = assignment.id "
            "WHERE (state IN ('voted', 'void')) <> (vote.id IS NOT NULL)"
        )
        assert connection.execute(text(halves)).scalar() == 0
        if store.url.get_backend_name() == "sqlite":
            assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
            assert not connection.execute(text("PRAGMA foreign_key_check")).all()
    store.close()


def listen(*crowds: Crowd) -> list[Told]:
    """All that crowds tell until they have ended, as they must: without a failure."""
    with ThreadPoolExecutor(len(crowds)) as pool:
        told = [vote for votes in pool.map(lambda one: list(one.votes()), crowds) for vote in votes]
    for one in crowds:
        one.process.join()
        assert one.process.exitcode == 0
    return told


@pytest.mark.process
def test_fifty_raters_at_once(where: str, run_folder: Path, figures: dict[str, str]) -> None:
    # 224 slots and room for 250 trials: the last slots are fought for; everybody passes the catch rule
    create(where, study_request(run_folder, name="busy", votes=2, workload=5, catch_pass=0))
    start = time.perf_counter()
    processes = [crowd(where, "busy", 25, seed) for seed in (0, 1000)]
    told = listen(*processes)
    acknowledged, times = [one.vote for one in told], [one.seconds for one in told]
    check(where, acknowledged)
    store = Store(where)
    study = store.open("busy")
    progress = study.progress()
    assert (progress["votes"] == 32).all()
    assert (progress["wanted"] == 32).all()
    votes = study.votes()
    trials = votes[~votes["catch"] & ~votes["practice"]]
    assert len(votes) == len(acknowledged)
    for _, mine in trials.groupby("comparison"):
        assert abs((2 * (mine["left"] == mine["first"]) - 1).sum()) <= 1
    assert not trials.duplicated(["rater", "comparison", "clip"]).any()
    assert votes.groupby(["rater", "clip"]).size().max() <= 2
    # No more than 26 of 250 trials are too many, so at least half of the raters get all of theirs.
    assert (trials.groupby("rater").size() == study.settings.workload).sum() >= 24
    kind = store.url.get_backend_name()
    busy = time.perf_counter() - start
    figures[f"50 raters at once, {kind}"] = (
        f"{len(acknowledged)} votes in {busy:.1f} s with process start ({len(acknowledged) / busy:.0f}/s), "
        f"median {1000 * np.median(times):.0f} ms, 95th percentile {1000 * np.percentile(times, 95):.0f} ms"
    )


@pytest.mark.process
def test_raters_who_never_pause(where: str, figures: dict[str, str]) -> None:
    store = Store(where)
    told = listen(crowd(where, store.open().name, 3, 5))
    check(where, [one.vote for one in told])
    times = [one.seconds for one in told]
    figures[f"3 raters who never pause, {store.url.get_backend_name()}"] = (
        f"{3 / np.mean(times):.0f} votes/s, 95th percentile {1000 * np.percentile(times, 95):.0f} ms"
    )


@pytest.mark.process
def test_thirty_raters_who_never_pause_wait_no_longer_than_their_turn(
    where: str, run_folder: Path, figures: dict[str, str]
) -> None:
    create(where, study_request(run_folder, name="thirty", votes=5, workload=12, catch_pass=0))
    told = listen(crowd(where, "thirty", 30, 50))  # nobody was refused, or the crowd would have failed
    check(where, [one.vote for one in told])
    # Who stands in a queue of thirty lets 29 others go first, and perhaps those who come before it has joined it.
    assert np.percentile([one.others for one in told], 95) <= 45
    times, others = [one.seconds for one in told], max(one.others for one in told)
    figures[f"30 raters who never pause, {Store(where).url.get_backend_name()}"] = (
        f"{len(told)} votes, {30 / np.mean(times):.0f}/s, 95th percentile {1000 * np.percentile(times, 95):.0f} ms, "
        f"longest {1000 * max(times):.0f} ms; at most {others} others went first"
    )


def test_what_a_vote_asks_of_the_database_does_not_grow(where: str) -> None:
    store = Store(where)
    people = [Person(store) for _ in range(3)]
    asked: list[int] = []

    @event.listens_for(store.engine, "after_cursor_execute")
    def count(*_: object) -> None:
        asked[-1] += 1

    last = []
    for person in people:
        asked.append(0)
        view = person.view()
        while view.state == "rating":
            asked.append(0)
            view = person.vote(view.trials[0])
        last.append(asked.pop())  # which also ends the session, and may exclude
    assert max(asked) <= 17
    assert max(last) <= 20


def test_the_last_open_slot_goes_to_one(where: str, run_folder: Path) -> None:
    one = {"comparisons": (("mdgan-2", "vgan"),), "clips": 1, "workload": 1, "practice": 0, "catch": 0, "catch_pass": 0}
    create(where, study_request(run_folder, name="last", **one))
    store = Store(where)
    study = store.open("last")
    tokens = [secrets.token_urlsafe(32) for _ in range(16)]
    for token in tokens:
        study.enrol(token)
    barrier, states = threading.Barrier(len(tokens), timeout=300), []

    def ask(token: str) -> None:
        store = Store(where)  # a connection of its own, as another process would have
        mine = store.open("last")
        barrier.wait()
        states.append(mine.view(token).state)
        store.close()

    threads = [threading.Thread(target=ask, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(states) == {"rating": 1, "waiting": 15}


@pytest.mark.process
def test_kill_9_loses_no_acknowledged_vote(where: str, run_folder: Path) -> None:
    create(where, study_request(run_folder, name="killed", votes=4, catch_pass=0))
    rng, acknowledged, cut = random.Random(3), [], 0
    for round in range(6):
        raters = crowd(where, "killed", 6, 100 * round)
        told = raters.votes()
        head = list(islice(told, rng.randrange(1, 40)))  # well in the middle of its work
        raters.kill()
        cut += raters.process.exitcode == -signal.SIGKILL
        acknowledged += [one.vote for one in (*head, *told)]
        check(where, acknowledged)
    assert cut == 6
    assert len(acknowledged) > 60


def call(url: str, name: str, token: str, **body: object) -> dict[str, object]:
    """What the player does."""
    headers = {"X-Rater": token, "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/trial/{name}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as reply:
        return dict(json.load(reply))


@pytest.mark.process
def test_kill_9_of_the_app_while_people_vote(app: AppProcess, figures: dict[str, str]) -> None:
    store = Store(app.where)
    study = store.open()
    tokens = [secrets.token_urlsafe(32) for _ in range(4)]
    for token in tokens:
        study.enrol(token)
    acknowledged: list[Acknowledged] = []
    times: list[float] = []
    failures: Counter[str] = Counter()

    def rate(token: str, seed: int) -> None:
        rng = random.Random(seed)
        pending: Acknowledged | None = None
        last = time.monotonic()
        while True:
            try:
                if pending is None:
                    view = call(app.url, "state", token)
                    if view["state"] != "rating":
                        return
                    trial = str(view["trials"][0])
                    clips = urllib.request.Request(f"{app.url}/trial/clips/{trial}", headers={"X-Rater": token})
                    urllib.request.urlopen(clips, timeout=10).read()  # again where it fails, as no vote counts without
                    pending = Acknowledged(trial, rng.choice(["left", "right"]), rng.randrange(9999))
                start = time.perf_counter()
                call(app.url, "vote", token, **asdict(pending), replays=0, focus_losses=0)
                times.append(time.perf_counter() - start)
                acknowledged.append(pending)
                pending, last = None, time.monotonic()
                time.sleep(0.15)
            except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
                # whatever a process that dies leaves of a reply: no connection, half a head, half a body
                if not isinstance(error, urllib.error.HTTPError):  # such as that of an answer that comes too soon
                    failures[type(error).__name__] += 1
                if time.monotonic() - last > 600:  # no restart takes that long
                    raise
                time.sleep(0.1)  # and send the same vote again, as the player does

    rng = random.Random(1)
    with ThreadPoolExecutor(len(tokens)) as pool:
        sessions = [pool.submit(rate, token, n) for n, token in enumerate(tokens)]
        for _ in range(4):
            time.sleep(rng.uniform(0.3, 1.2))
            app.kill()
            check(app.where, list(acknowledged))
            app.start()
    for session in sessions:
        session.result()
    check(app.where, acknowledged)
    assert sum(failures.values()) > 0  # the kills were felt
    # every rater came to an end, most of them by the rule on catch trials: they press at random; no vote twice
    assert len(study.votes()) == len(acknowledged) > 4 * 10
    assert (study.raters()["status"] != "started").all()
    figures["votes over HTTP to the app"] = f"95th percentile {1000 * np.percentile(times, 95):.0f} ms, 4 raters"
