"""A web server that a script cannot exhaust: caps on connections, time-outs for requests, and a short log."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
from typing import Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from study_app.web import calls

if sys.platform != "win32":
    import resource

#: Maximum number of open connections, in total and from one network address: far more than raters need, and fewer than
#: the files that a process may open.
MOST, MOST_OF_ONE = 768, 128
#: Number of files that a process may open; the system's default is often lower than the limit that it allows.
FILES = 4096
#: Seconds within which a request must arrive, counted from its first byte; number of checks within which a reply must
#: have been read.
PATIENCE, LOOKS = 20.0, 30
#: Minimum seconds between two log lines from the same place in the code.
BETWEEN_LINES = 1.0


_Protocol: Any = AutoHTTPProtocol


class GuardedProtocol(_Protocol):
    """Uvicorn's HTTP protocol, which also closes excess connections and those whose requests do not end."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Accept a connection, or close it if there are too many."""
        super().connection_made(transport)
        self._cycle_seen: Any = None
        self._looks = 0
        if len(self.connections) > MOST or self._from_here() > MOST_OF_ONE:
            logging.getLogger(__name__).warning("closed a connection because there are too many")
            transport.abort()
            return
        self._again()

    def _from_here(self) -> int:
        """Number of connections from the address of this one; 0 behind a proxy, where all share one address."""
        if calls.is_behind_a_proxy() or not self.client:
            return 0
        here = calls.of_one(self.client[0])
        return sum(bool(other.client) and calls.of_one(other.client[0]) == here for other in self.connections)

    def _again(self) -> None:
        self._timer = self.loop.call_later(PATIENCE, self._look)

    def _look(self) -> None:
        """Close the connection if its pending request or reply has not progressed since the last check."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        under_way = cycle is not None and not cycle.response_complete and not cycle.more_body
        self._looks = self._looks + 1 if cycle is self._cycle_seen else 0
        if cycle is None or (cycle is self._cycle_seen and (not under_way or self._looks > LOOKS)):
            self.transport.abort()
            return
        self._cycle_seen = cycle
        self._again()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the checks."""
        if hasattr(self, "_timer"):
            self._timer.cancel()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, *event: Any) -> None:
        """Hand the connection over and stop the checks; a WebSocket may be silent for any length of time."""
        self._timer.cancel()
        super().handle_websocket_upgrade(*event)


class Sparing(logging.Filter):
    """Passes one record per second from each place in the code, with the number of those that it suppressed."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, int], float] = {}
        self._held: dict[tuple[str, int], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        place, now = (record.pathname, record.lineno), time.monotonic()
        if now - self._last.get(place, -BETWEEN_LINES) < BETWEEN_LINES:
            self._held[place] = self._held.get(place, 0) + 1
            return False
        self._last[place] = now
        if held := self._held.pop(place, 0):
            record.msg, record.args = f"{record.getMessage()} ({held} similar messages were suppressed)", ()
        return True


def allow_files() -> None:
    """Let this process open as many files as the system allows, up to `FILES`."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def log_sparingly() -> None:
    """Write the log to standard error; requests are not logged, because their addresses may contain a person's ID."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.INFO)  # logs where the server listens
    logging.getLogger("uvicorn.access").disabled = True
    spare_every_handler()


def spare_every_handler() -> None:
    """Add a `Sparing` filter to each handler, including those that Streamlit creates when it starts."""
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        if not any(isinstance(one, Sparing) for one in handler.filters):
            handler.addFilter(Sparing())


class Server(uvicorn.Server):
    """Uvicorn's server, with a log that stays short even after Streamlit has started."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then filter the log."""
        await super().startup(sockets)
        spare_every_handler()
