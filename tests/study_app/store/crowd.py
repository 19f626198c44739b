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

from study_app.design.flags import one_play
from study_app.store.messages import Answer
from study_app.store.store import Store
from study_app.store.study import OpenStudy
from tests.study_app import forked


@dataclass(frozen=True)
class Acknowledged:
    """A vote of which a rater was told that it is saved."""

    trial: str
    chosen: str
    response_ms: int


@dataclass(frozen=True)
class Told:
    """What a rater waited for an acknowledgement: seconds, and how many others of the crowd got theirs meanwhile."""

    vote: Acknowledged
    seconds: float
    others: int


@dataclass
class Crowd:
    """A process of raters, and what it tells."""

    process: BaseProcess
    told: Connection

    def votes(self) -> Iterator[Told]:
        """Votes as they are acknowledged; one cut off by a kill was not."""
        with suppress(EOFError, OSError):  # the end, or the end in the middle of a message
            while True:
                yield self.told.recv()

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
    store, speaker = Store(where), Speaker(telling)
    with ThreadPoolExecutor(raters) as pool:
        sessions = [pool.submit(rate, store.open(name), seed + n, speaker) for n in range(raters)]
    for session in sessions:
        session.result()
    store.close()


class Speaker:
    """Tells of one vote at a time, and counts them."""

    def __init__(self, telling: Connection) -> None:
        self.telling, self.count, self.guard = telling, 0, threading.Lock()

    def tell(self, vote: Acknowledged, seconds: float, before: int) -> None:
        """Say that a vote is acknowledged, for which a rater has waited since `before` of them had been."""
        with self.guard:
            self.telling.send(Told(vote, seconds, self.count - before))
            self.count += 1


def rate(study: OpenStudy, seed: int, speaker: Speaker) -> None:
    """One rater's whole session."""
    rng = random.Random(seed)
    token = secrets.token_urlsafe(32)
    study.enrol(token)
    view = study.view(token)
    while view.state == "rating":
        answer = Answer(rng.choice(["left", "right"]), rng.randrange(10_000))
        vote = Acknowledged(view.trials[0], answer.chosen, answer.response_ms)
        study.media(token, vote.trial)
        time.sleep(one_play(study.settings).total_seconds())
        before, start = speaker.count, time.perf_counter()
        view = study.vote(token, vote.trial, answer)
        speaker.tell(vote, time.perf_counter() - start, before)
