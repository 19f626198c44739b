"""Raters in a process of their own: `python -m tests.study_app.store.crowd DATABASE STUDY RATERS SEED`.

Each rater is a thread. A line goes to stdout for every vote that was acknowledged, so whoever kills this process knows
exactly which votes must be in the database.
"""

from __future__ import annotations

import random
import secrets
import sys
import threading
import time

from study_app.store.rating import Answer
from study_app.store.store import Store


def rate(store: Store, name: str, seed: int, said: threading.Lock) -> None:
    """One rater's whole session."""
    rng = random.Random(seed)
    study = store.open(name)
    token = secrets.token_urlsafe(32)
    study.enrol(token)
    view = study.view(token)
    while view.state == "rating":
        answer = Answer(rng.choice(["left", "right"]), rng.randrange(10_000))
        trial, start = view.trials[0], time.perf_counter()
        view = study.vote(token, trial, answer)
        took = time.perf_counter() - start
        with said:
            sys.stdout.write(f"{trial} {answer.chosen} {answer.response_ms} {took:.6f}\n")
            sys.stdout.flush()


def main(where: str, name: str, raters: int, seed: int) -> None:
    """All raters at once."""
    store, said = Store(where), threading.Lock()
    threads = [threading.Thread(target=rate, args=(store, name, seed + n, said)) for n in range(raters)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
