"""A limit on new sessions from one network address, so that a script cannot invent many raters."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict, deque

from bench.errors import BenchError

#: Environment variable with the number of new sessions that one address can begin in an hour; 0 means no limit.
LIMIT_VARIABLE = "BENCH_STUDY_SESSIONS"
#: Default limit: more sessions than a lab or a family needs, and too few to fill a study.
LIMIT, HOUR = 30, 3600.0
#: Number of sessions that a session failing the catch trials counts as. Random clicking nearly always fails them, but
#: passes once if it is tried often enough.
FAILED = 4
#: Maximum number of remembered addresses; they are kept in memory and nowhere else.
REMEMBERED = 10_000


class NewSessions:
    """Counts the sessions that each address has begun within the last hour, in this process."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._begun: OrderedDict[str, deque[float]] = OrderedDict()
        self._guard = threading.Lock()

    def begin(self, address: str) -> bool:
        """Whether one more session may begin; if so, it is counted."""
        with self._guard:
            begun = self._of(address)
            if self.limit and len(begun) >= self.limit:
                return False
            begun.append(time.monotonic())
            return True

    def failed(self, address: str) -> None:
        """Count a session that ended by the rule on catch trials as `FAILED` sessions."""
        with self._guard:
            self._of(address).extend([time.monotonic()] * (FAILED - 1))

    def _of(self, address: str) -> deque[float]:
        """Start times of an address's sessions in the last hour."""
        begun = self._begun.setdefault(address, deque())
        self._begun.move_to_end(address)
        while begun and begun[0] < time.monotonic() - HOUR:
            begun.popleft()
        while len(self._begun) > REMEMBERED:
            self._begun.popitem(last=False)
        return begun


def limit() -> int:
    """The limit set by the environment; a `BenchError` if it is not a number."""
    given = os.environ.get(LIMIT_VARIABLE, str(LIMIT))
    if not given.isdecimal():
        raise BenchError(f"{LIMIT_VARIABLE} is '{given}': expected a whole number, or 0 for no limit.")
    return int(given)
