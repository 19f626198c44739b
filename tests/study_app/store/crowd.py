"""Raters in a process of their own, each a thread.

Every vote that was acknowledged is told at once, so whoever kills the process knows exactly which votes must be in the
database.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from study_app.store.rating import Answer
from study_app.store.store import Store
from tests.study_app import forked


@dataclass(frozen=True)
class Acknowledged:
    """A vote of which a rater was told that it is saved."""

    trial: str
    chosen: str
    response_ms: int


@dataclass
class Crowd:
    """A process of raters, and what it tells."""

    process: BaseProcess
    told: Connection

    def votes(self) -> Iterator[tuple[Acknowledged, float]]:
        """Votes as they are acknowledged, each with the seconds it took; one cut off by a kill was not acknowledged."""
        with suppress(EOFError, OSError):  # the end, or the end in the middle of a message
            while True:
                vote, seconds = self.told.recv()
                yield Acknowledged(*vote), seconds

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.join()


def crowd(where: str, name: str, raters: int, seed: int) -> Crowd:
    """Start raters in a process of their own."""
    told, telling = forked.Pipe(duplex=False)
    process = forked.start(rate_all, where, name, raters, seed, telling)
    telling.close()  # the crowd's end is the only one left, so that its end is the end
    return Crowd(process, told)


def rate_all(where: str, name: str, raters: int, seed: int, telling: Connection) -> None:
    """All raters at once; what stops one of them fails the process."""
    store, said = Store(where), threading.Lock()
    with ThreadPoolExecutor(raters) as pool:
        sessions = [pool.submit(rate, store, name, seed + n, telling, said) for n in range(raters)]
    for session in sessions:
        session.result()
    store.close()


def rate(store: Store, name: str, seed: int, telling: Connection, said: threading.Lock) -> None:
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
            telling.send(((trial, answer.chosen, answer.response_ms), took))
