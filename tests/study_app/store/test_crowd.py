"""Many raters at once, and processes that die in the middle."""

from __future__ import annotations

import json
import os
import random
import secrets
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import text

from study_app.create import create
from study_app.store.store import Store
from tests.study_app.conftest import AppProcess, wish

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Acknowledged:
    """A vote of which a rater was told that it is saved."""

    trial: str
    chosen: str
    response_ms: int


def crowd(where: str, name: str, raters: int, seed: int) -> subprocess.Popen[str]:
    """Start raters in a process of their own."""
    command = [sys.executable, "-m", "tests.study_app.store.crowd", where, name, str(raters), str(seed)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def read(lines: str) -> tuple[list[Acknowledged], list[float]]:
    """What a crowd said; a line cut off by a kill was not acknowledged."""
    votes, times = [], []
    for line in lines.splitlines(keepends=True):
        if line.endswith("\n") and len(parts := line.split()) == 4:
            votes.append(Acknowledged(parts[0], parts[1], int(parts[2])))
            times.append(float(parts[3]))
    return votes, times


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


def test_fifty_raters_at_once(where: str, run_folder: Path, figures: dict[str, str]) -> None:
    # 224 slots and room for 250 trials: the last slots are fought for; everybody passes the catch rule
    create(where, wish(run_folder, name="busy", votes=2, workload=5, catch_pass=0))
    start = time.perf_counter()
    processes = [crowd(where, "busy", 25, seed) for seed in (0, 1000)]
    outputs = [process.communicate(timeout=240) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    acknowledged, times = [], []
    for out, _ in outputs:
        votes, took = read(out)
        acknowledged += votes
        times += took
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
    tilts = trials.groupby("rater").apply(lambda mine: abs((2 * (mine["left"] == mine["first"]) - 1).sum()))
    assert (tilts <= 1).mean() >= 0.9  # only who takes the very last slots has no choice of side
    kind = store.url.get_backend_name()
    busy = time.perf_counter() - start
    figures[f"50 raters at once, {kind}"] = (
        f"{len(acknowledged)} votes in {busy:.1f} s with process start ({len(acknowledged) / busy:.0f}/s), "
        f"median {1000 * np.median(times):.0f} ms, 95th percentile {1000 * np.percentile(times, 95):.0f} ms; "
        f"raters' sides within ±1: {100 * (tilts <= 1).mean():.0f} %"
    )


def test_one_rater_after_the_other_sets_the_pace(where: str, figures: dict[str, str]) -> None:
    study_name = Store(where).open().name
    process = crowd(where, study_name, 3, 5)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    votes, times = read(out)
    check(where, votes)
    kind = Store(where).url.get_backend_name()
    p95 = float(np.percentile(times, 95))
    assert p95 < 1.0  # a rater must not feel it
    figures[f"3 raters who never pause, {kind}"] = (
        f"{3 / np.mean(times):.0f} votes/s, 95th percentile {1000 * p95:.0f} ms"
    )


def test_the_last_open_slot_goes_to_one(where: str, run_folder: Path) -> None:
    one = {"comparisons": (("mdgan-2", "vgan"),), "clips": 1, "workload": 1, "practice": 0, "catch": 0, "catch_pass": 0}
    create(where, wish(run_folder, name="last", **one))
    store = Store(where)
    study = store.open("last")
    tokens = [secrets.token_urlsafe(32) for _ in range(16)]
    for token in tokens:
        study.enrol(token)
    barrier, states = threading.Barrier(len(tokens)), []

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
    assert Counter(states) == {"rating": 1, "full": 15}


def test_kill_9_loses_no_acknowledged_vote(where: str, run_folder: Path) -> None:
    create(where, wish(run_folder, name="killed", votes=4, catch_pass=0))
    rng, acknowledged, cut = random.Random(3), [], 0
    for round in range(6):
        process = crowd(where, "killed", 6, 100 * round)
        assert process.stdout
        head = [process.stdout.readline() for _ in range(rng.randrange(1, 40))]  # well in the middle of its work
        process.kill()
        out, _ = process.communicate()
        cut += process.returncode == -9
        acknowledged += read("".join(head) + out)[0]
        check(where, acknowledged)
    assert cut == 6
    assert len(acknowledged) > 60


def call(url: str, name: str, token: str, **body: object) -> dict[str, object]:
    """What the player does."""
    headers = {"X-Rater": token, "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/trial/{name}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as reply:
        return dict(json.load(reply))


def test_kill_9_of_the_app_while_people_vote(app: AppProcess, figures: dict[str, str]) -> None:
    store = Store(app.where)
    study = store.open()
    tokens = [secrets.token_urlsafe(32) for _ in range(4)]
    for token in tokens:
        study.enrol(token)
    acknowledged: list[Acknowledged] = []
    times: list[float] = []
    done, failures = threading.Event(), Counter()

    def rater(token: str, seed: int) -> None:
        rng = random.Random(seed)
        pending: tuple[str, str, int] | None = None
        while not done.is_set():
            try:
                if pending is None:
                    view = call(app.url, "state", token)
                    if view["state"] != "rating":
                        return
                    pending = (str(view["trials"][0]), rng.choice(["left", "right"]), rng.randrange(9999))
                start = time.perf_counter()
                call(app.url, "vote", token, trial=pending[0], chosen=pending[1], response_ms=pending[2],
                     replays=0, focus_losses=0)  # fmt: skip
                times.append(time.perf_counter() - start)
                acknowledged.append(Acknowledged(*pending))
                pending = None
                time.sleep(0.15)
            except (OSError, urllib.error.URLError, json.JSONDecodeError) as error:
                failures[type(error).__name__] += 1
                time.sleep(0.1)  # and send the same vote again, as the player does

    threads = [threading.Thread(target=rater, args=(token, n)) for n, token in enumerate(tokens)]
    for thread in threads:
        thread.start()
    rng = random.Random(1)
    for _ in range(4):
        time.sleep(rng.uniform(0.3, 1.2))
        app.kill()
        check(app.where, list(acknowledged))
        app.start()
    for thread in threads:
        thread.join(timeout=90)
    done.set()
    check(app.where, acknowledged)
    assert sum(failures.values()) > 0  # the kills were felt
    # every rater came to the end: 30 trials each, none twice
    assert len(study.votes()) == len(acknowledged) == 4 * 30
    figures["votes over HTTP to the app"] = f"95th percentile {1000 * np.percentile(times, 95):.0f} ms, 4 raters"
