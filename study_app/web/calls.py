"""A call from the rater's page: what is read of a request, within which time, and what is refused unread."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

#: Set if a proxy on this machine is in front of the app; its headers are then trusted to identify the client.
PROXY_VARIABLE = "BENCH_STUDY_PROXY"
#: Seconds within which a call's body must arrive.
PATIENCE = 20.0
THIS_MACHINE = ("127.0.0.1", "::1", "::ffff:127.0.0.1")


@dataclass(frozen=True)
class Call:
    """A call from the rater's page: its headers and its body.

    Attributes:
        token: identifies the rater; empty at a first visit.
        agent: the browser's description of itself.
        languages: the browser's languages, as in `Accept-Language`.
        address: the network address that the call came from.
        body: a JSON object; its values can be anything.
        cookies: sent by the browser.
        secure: whether the call came over TLS.
        kept: cookies for the browser, name → value and lifetime in seconds (None: until the browser is closed), set by
            the function that answers.
    """

    token: str
    agent: str
    languages: str
    address: str
    body: Mapping[str, Any]
    cookies: Mapping[str, str] = field(default_factory=dict)
    secure: bool = False
    kept: dict[str, tuple[str, int | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, request: Request, body: Mapping[str, Any]) -> Call:
        """Build a call from a request's headers and its parsed body."""
        header = request.headers
        named = (header.get("x-rater", ""), header.get("user-agent", ""), header.get("accept-language", ""))
        secure = request.url.scheme == "https" or (is_behind_a_proxy() and header.get("x-forwarded-proto") == "https")
        return cls(*named, address(request), body, request.cookies, secure)

    def text(self, key: str) -> str:
        """A value as text; empty if missing."""
        return str(self.body.get(key, ""))

    def texts(self, key: str) -> dict[str, str]:
        """An object of texts; empty if missing."""
        value = self.body.get(key)
        return {str(name): str(text) for name, text in value.items()} if isinstance(value, dict) else {}

    @property
    def trial(self) -> str:
        """The browser's name for a trial."""
        return self.text("trial")

    @property
    def requested_language(self) -> str:
        """The language that the rater has just chosen."""
        return str(self.body.get("language") or "")[:20]


def is_behind_a_proxy() -> bool:
    """Whether the app was started as being behind a proxy."""
    return os.environ.get(PROXY_VARIABLE, "") == "1"


def address(request: Request) -> str:
    """The network address of a request; if there is a proxy on this machine, the address that it forwards."""
    direct = request.client.host if request.client else ""
    return forwarded(direct, request.headers.get("x-forwarded-for", ""))


def forwarded(direct: str, header: str) -> str:
    """The last address in a proxy's header, else the direct one, in the form of `of_one`."""
    told = header.rpartition(",")[2].strip() if is_behind_a_proxy() and direct in THIS_MACHINE else ""
    return of_one(told or direct)


@lru_cache(4096)
def of_one(address: str) -> str:
    """Address that represents one subscriber: the /64 network for IPv6, because each subscriber has 2^64 addresses."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return address if found.is_loopback else str(ipaddress.ip_network((found, 64), strict=False))


def check_origin(request: Request) -> None:
    """Refuse a call that another site's page made a browser send.

    Such a page can send forms and plain text, but no JSON unless we allowed it, which we do not. Browsers also report
    which site a call comes from.

    Raises:
        HTTPException: 415 or 403.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "send application/json")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "calls of other sites are refused")


async def read(request: Request, largest: int) -> dict[str, Any]:
    """Read the JSON object in a call.

    Raises:
        HTTPException: 408 if it does not arrive in time, 413 if it is too long, 400 if it is not an object of texts
            that can be stored.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            raw = await _receive(request, largest)
    except TimeoutError as error:
        raise HTTPException(408, "too slow", {"Connection": "close"}) from error
    try:
        body = json.loads(raw or b"{}")
        written = json.dumps(body, ensure_ascii=False)
        written.encode()  # a lone surrogate is not a character
    except (ValueError, RecursionError) as error:  # thousands of nested brackets are valid JSON, but too deep
        raise HTTPException(400, "not understood") from error
    if not isinstance(body, dict) or "\\u0000" in written:  # PostgreSQL cannot store it
        raise HTTPException(400, "not understood")
    return body


async def _receive(request: Request, largest: int) -> bytes:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > largest:
            raise HTTPException(413, "too long")
    return bytes(raw)
