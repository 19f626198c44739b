"""A web server that a script cannot fill: caps on connections, time-outs for requests, and a log that stays short."""

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

#: Open connections at most, in all and from one network address: far more than raters need, and fewer than a process
#: may open files.
MOST, MOST_OF_ONE = 768, 128
#: Files that a process may open, which the system often limits to fewer than it allows.
FILES = 4096
#: Seconds in which a request must have come, from its first byte on; and looks at a reply until it must have been read.
PATIENCE, LOOKS = 20.0, 30
#: Seconds between two lines of the log from one place of the program.
BETWEEN_LINES = 1.0


_Protocol: Any = AutoHTTPProtocol


class GuardedProtocol(_Protocol):
    """Uvicorn's HTTP, which closes connections that come in crowds, or with requests that do not end."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take a connection, or close it where there are too many."""
        super().connection_made(transport)
        self._cycle_seen: Any = None
        self._looks = 0
        if len(self.connections) > MOST or self._from_here() > MOST_OF_ONE:
            logging.getLogger(__name__).warning("closed a connection because there are too many")
            transport.abort()
            return
        self._again()

    def _from_here(self) -> int:
        """Connections from the address of this one; a proxy's are everybody's."""
        if calls.is_behind_a_proxy() or not self.client:
            return 0
        here = calls.of_one(self.client[0])
        return sum(bool(other.client) and calls.of_one(other.client[0]) == here for other in self.connections)

    def _again(self) -> None:
        self._timer = self.loop.call_later(PATIENCE, self._look)

    def _look(self) -> None:
        """Close the connection if nothing has changed since the last look that a request or a reply waits for."""
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
        """Look no more."""
        if hasattr(self, "_timer"):
            self._timer.cancel()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, *event: Any) -> None:
        """Hand the connection over; a WebSocket is silent for as long as it likes."""
        self._timer.cancel()
        super().handle_websocket_upgrade(*event)


class Sparing(logging.Filter):
    """Lets one record a second through from each place of the program, with the number of those that it held back."""

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
    """Write the log to standard error. No request is logged: its address may hold the ID of a person."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.INFO)  # where it listens
    logging.getLogger("uvicorn.access").disabled = True
    spare_every_handler()


def spare_every_handler() -> None:
    """Let `Sparing` judge what each handler writes, also those that Streamlit makes when it starts."""
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        if not any(isinstance(one, Sparing) for one in handler.filters):
            handler.addFilter(Sparing())


class Server(uvicorn.Server):
    """Uvicorn's server, whose log stays short after Streamlit has started too."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then look after the log."""
        await super().startup(sockets)
        spare_every_handler()
