"""The addresses that the pair player calls: state, vote, skip, media. Stateless, so any app process can answer.

Each call carries the rater's token in a header; a page of another site cannot set it, so no call can be forged.
Replies tell a browser nothing but opaque names of its next trials. They are sent after the commit, never before.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bench.errors import BenchError
from study_app.design import media
from study_app.store.rating import Answer, RefusedError, View
from study_app.web.serving import log, serving

TOKEN_HEADER = "x-rater"
#: Largest body of a call, in bytes.
LARGEST = 4096
#: What a rater reads when something is wrong that only the people who run the study can mend.
SORRY = "Your answer could not be saved just now. Please keep this page open: it is sent again by itself."


class Headers:
    """Adds headers that keep pages out of frames, types as declared, and addresses with ids out of referrers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; add the headers to the answer's."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Referrer-Policy"] = "no-referrer"
                headers["X-Content-Type-Options"] = "nosniff"
                headers["X-Frame-Options"] = "SAMEORIGIN"
            await send(message)

        await self.app(scope, receive, with_headers)


def _number(body: dict[str, Any], key: str) -> int:
    value = body.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**31:
        raise RefusedError("The answer is not one that can be given.")
    return round(value)


def state(token: str, body: dict[str, Any]) -> View:
    """Where the rater is."""
    return serving().view(token)


def vote(token: str, body: dict[str, Any]) -> View:
    """Record a vote; what comes next."""
    answer = Answer(
        str(body.get("chosen")),
        _number(body, "response_ms"),
        _number(body, "replays"),
        _number(body, "focus_losses"),
    )
    return serving().vote(token, str(body.get("trial")), answer)


def skip(token: str, body: dict[str, Any]) -> View:
    """Record that clips did not load; what comes next."""
    return serving().skip(token, str(body.get("trial")), str(body.get("reason", "")))


def _call(work: Callable[[str, dict[str, Any]], View]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        body: Any = None
        raw = bytearray()
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > LARGEST:
                return JSONResponse({"message": "too long"}, 413)
        try:
            body = json.loads(bytes(raw) or b"{}")
        except (ValueError, RecursionError):  # a few thousand brackets are valid JSON, and too deep
            body = None
        if not isinstance(body, dict):
            return JSONResponse({"message": "not understood"}, 400)
        return await _answer(lambda: JSONResponse(asdict(work(request.headers.get(TOKEN_HEADER, ""), body))))

    return endpoint


async def _answer(work: Callable[[], Response]) -> Response:
    try:
        response = await run_in_threadpool(work)
    except RefusedError as refusal:
        response = JSONResponse({"message": str(refusal)}, 410 if refusal.gone else 403)
    except BenchError as error:
        log.error("%s", error)  # for the people who run the study; the rater reads a polite line
        response = JSONResponse({"message": SORRY}, 503)
    response.headers["Cache-Control"] = "no-store, no-transform"
    return response


async def clips(request: Request) -> Response:
    """Both clips of a trial in one message, of the same length for every trial of a study."""

    def work() -> Response:
        study = serving()
        token, trial = request.headers.get(TOKEN_HEADER, ""), request.path_params["trial"]
        left, right = study.media(token, trial)
        data = media.message(left, right, study.settings.slot_bytes)
        # compressed on the way, messages of one length would have lengths that tell clips apart again
        return Response(data, media_type="application/octet-stream", headers={"Content-Encoding": "identity"})

    return await _answer(work)


ROUTES = [
    Route("/trial/state", _call(state), methods=["POST"]),
    Route("/trial/vote", _call(vote), methods=["POST"]),
    Route("/trial/skip", _call(skip), methods=["POST"]),
    Route("/trial/clips/{trial}", clips, methods=["GET"]),
]
