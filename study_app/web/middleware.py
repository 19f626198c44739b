"""Routes requests: raters get a small page of their own without a WebSocket; everything else is passed on.

Streamlit serves four megabytes and covers its page when the connection fails. That is right for the people who run a
study, but wrong for raters.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.responses import FileResponse, PlainTextResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

FILES = Path(__file__).parent / "rater"
ROUTES = [Mount("/rater", StaticFiles(directory=FILES))]
#: What the rater's page may load: its own files, and clips that it has fetched.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
#: Addresses of the app by request method: our own, and those of Streamlit's that its page needs. Nothing else is
#: served: neither Streamlit's page, which it would show at any address, nor its metrics.
PLACES = {
    "GET": re.compile(
        r"/|/favicon\.(png|ico)|/(rater|static|component|media)/.+|/trial/clips/[^/]+"
        r"|/_stcore/(health|host-config|bidi-components/.+)"
    ),
    "POST": re.compile(r"/trial/[a-z]+|/admin/session"),
    "websocket": re.compile(r"/_stcore/stream"),
}


class Front:
    """Answers `/` with the rater's page unless `?admin` is requested, and adds headers to every response.

    The headers keep pages out of frames, content types as declared, and addresses with IDs out of referrers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        rater = _is_rater(scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Referrer-Policy"] = "no-referrer"
                headers["X-Content-Type-Options"] = "nosniff"
                headers["X-Frame-Options"] = "SAMEORIGIN"
                if rater or scope["path"].startswith("/rater/"):
                    headers["Cache-Control"] = "no-cache"  # the browser checks each time whether it has changed
                if rater:
                    headers["Content-Security-Policy"] = POLICY
            await send(message)

        if not _is_there(scope):
            nothing = WebSocketClose() if scope["type"] == "websocket" else PlainTextResponse("Nothing is here.", 404)
            await nothing(scope, receive, with_headers)
            return
        answer = FileResponse(FILES / "page.html") if rater else self.app
        await answer(scope, receive, with_headers)


def _is_there(scope: Scope) -> bool:
    if scope["type"] == "lifespan":
        return True
    method = scope.get("method", "websocket").replace("HEAD", "GET")
    return method in PLACES and PLACES[method].fullmatch(scope["path"]) is not None


def _is_rater(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or scope["path"] != "/":
        return False
    return "admin" not in parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
