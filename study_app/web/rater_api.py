"""The endpoints of the rater's page, from arrival to withdrawal; stateless, so any app process can answer.

Each call carries the rater's token in a header. A page of another site cannot set it, so no call can be forged. Replies
reveal only opaque names of the next trials. They are sent after the commit, never before.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cache, lru_cache
from typing import Any

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bench.errors import BenchError
from study_app.design import clip_encoding
from study_app.locales import ENGLISH, texts
from study_app.store.messages import NOT_AN_ANSWER, Answer, Further, RefusedError, Screen, TooSoonError, View
from study_app.store.schema.rater_tables import Rater
from study_app.web import localisation
from study_app.web import visit as visits
from study_app.web.calls import Call, check_origin, read
from study_app.web.new_sessions import NewSessions, limit
from study_app.web.served_study import log, serving

#: Maximum size of a call's body, in bytes.
LARGEST = 4096
#: The same for a call with free texts.
LARGEST_REPLY = 65536
#: Lifetime of the cookie by which a browser is recognised, in seconds.
MONTH = 30 * 24 * 3600
#: Message to a rater about a problem that only the people who run the study can fix.
SORRY = "Your answer could not be saved just now. Please keep this page open: it sends your answer again."


def _number(values: Mapping[str, Any], key: str) -> int:
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**31:
        raise RefusedError(NOT_AN_ANSWER)
    return round(value)


#: Part of an agent string → browser family. The first match counts, because most browsers also name those that they
#: descend from.
BROWSERS = {
    "Edg": "Edge",
    "OPR": "Opera",
    "SamsungBrowser": "Samsung",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
LAYOUTS, POINTERS = ("beside", "stacked", "low", "alone"), ("fine", "coarse")


def _screen(call: Call) -> Screen | None:
    """How the clips were seen, with window sizes to the nearest 50 pixels; None if the report is not valid.

    The answer is accepted all the same: it is the rater's, and this is only their browser's.
    """
    screen = call.body.get("screen")
    screen = screen if isinstance(screen, dict) else {}
    numbers = [screen.get(key) for key in ("clip_px", "pixel_ratio", "width", "height", "dropped")]
    if not all(isinstance(n, int | float) and not isinstance(n, bool) and 0 <= n < 1e5 for n in numbers):
        return None
    if screen.get("layout") not in LAYOUTS or screen.get("pointer") not in POINTERS:
        return None
    clip_px, ratio, width, height, dropped = (float(n) for n in numbers if n is not None)
    browser = next((name for mark, name in BROWSERS.items() if mark in call.agent), "other")
    window = (50 * round(width / 50), 50 * round(height / 50))
    seen = Screen(clip_px, ratio, window[0], window[1], screen["layout"], screen["pointer"], browser, round(dropped))
    pauses, dots, distance = (_measure(screen, name, *within) for name, within in MEASURES.items())
    return replace(
        seen,
        pauses=None if pauses is None else round(pauses),
        dots_per_mm=dots if distance else None,
        distance_cm=distance if dots else None,
    )


#: Optional values that a browser may report, and their bounds: pauses; pixels of the screen per millimetre; the
#: distance.
MEASURES = {"pauses": (0, 10_000), "dots_per_mm": (1, 60), "distance_cm": (10, 500)}


def _measure(screen: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    value = screen.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return None
    return float(value)


def _further(call: Call) -> tuple[Further, ...]:
    """Answers to a trial's other questions."""
    answers = call.body.get("further", [])
    if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
        raise RefusedError(NOT_AN_ANSWER)
    return tuple(Further(str(answer.get("chosen")), _number(answer, "response_ms")) for answer in answers)


MANY = "Many people have begun from your network within the last hour. Please try again later."


@cache
def _new_sessions() -> NewSessions:
    """New sessions by address; signed links cannot be invented, so they are not counted."""
    return NewSessions(limit())


def _identify(call: Call) -> visits.Visit:
    link = call.texts("link")
    return visits.visit(serving(), link, call.token, call.cookies, call.requested_language, call.languages)


#: Number of sessions whose rater is cached, so that a call need not look the rater up twice.
REMEMBERED = 4096


@lru_cache(REMEMBERED)
def _rater(token: str) -> Rater:
    """The rater with that token, cached for what never changes; a `LookupError` if there is none yet."""
    if (known := serving().rater(token)) is None:
        raise LookupError(token)
    return known


def _check_browser(call: Call) -> None:
    """Refuse a call with a rater's token from a browser that is not theirs."""
    with suppress(LookupError):  # no such rater: the called function refuses
        if not visits.may_act(serving(), _rater(call.token), call.token, call.cookies):
            raise RefusedError(visits.NOT_THIS_BROWSER)


def hello(call: Call) -> dict[str, Any]:
    """Open the page: who the visitor is and where they left off, or, before consent, why they cannot begin."""
    here = _identify(call)
    if here.known:
        if here.visitor and not visits.may_act(here.study, here.known, here.token, call.cookies):
            call.kept[visits.cookie_of(here.token)] = here.study.guest_key(here.token), MONTH
        return visits.page_data(here, here.study.view(here.token))
    if here.kept:
        call.kept[visits.PASS] = here.kept, None
    state: str = here.study.state()
    state = here.study.room() if state == "open" else state
    return visits.page_data(here, View(state) if state != "open" else None)


def enrol(call: Call) -> dict[str, Any]:
    """Enrol a visitor who agrees to take part."""
    here = _identify(call)
    study, who = here.study, here.visitor
    if not who and not here.known and call.cookies.get(visits.PASS) != here.kept:
        raise RefusedError(visits.NOT_THIS_BROWSER)
    if not here.known and not (who and who.platform == "lab") and not _new_sessions().begin(call.address):
        raise RefusedError(MANY)
    study.enrol(here.token, who, here.language)
    if not here.known:
        cookie = (visits.cookie_of(here.token), study.owner_key(here.token)) if who else (visits.PASS, here.kept)
        call.kept[cookie[0]] = cookie[1], MONTH
    return visits.page_data(replace(here, known=study.rater(here.token)), study.view(here.token))


def decline(call: Call) -> dict[str, Any]:
    """Count a visitor who does not agree to take part, without recording who it was."""
    if _new_sessions().begin(call.address):
        serving().decline()
    return {"code": serving().settings.declined_code}


NOT_YOURS_TO_WITHDRAW = "To withdraw, use the browser in which you have agreed to take part, or give your code."


def state(call: Call) -> dict[str, Any]:
    """The rater's current view."""
    _check_browser(call)
    return asdict(serving().view(call.token))


def end(call: Call) -> dict[str, Any]:
    """The code for how the session ended."""
    return visits.ending(serving(), call.token, call.texts("link"), call.cookies)


def withdraw(call: Call) -> dict[str, Any]:
    """Remove the rater's answers, from the browser in which they agreed or with their code."""
    study = serving()
    if not visits.may_withdraw(study, call.token, call.texts("link"), call.cookies, call.text("code")):
        raise RefusedError(NOT_YOURS_TO_WITHDRAW)
    study.withdraw(call.token)
    return asdict(study.view(call.token))


def vote(call: Call) -> dict[str, Any]:
    """Record a vote and return what comes next."""
    _check_browser(call)
    response_ms, replays, focus_losses = (_number(call.body, key) for key in ("response_ms", "replays", "focus_losses"))
    answer = Answer(call.text("chosen"), response_ms, replays, focus_losses, _screen(call), _further(call))
    view = serving().vote(call.token, call.trial, answer)
    if view.state == "excluded" and _rater(call.token).platform != "lab":
        _new_sessions().failed(call.address)
    return asdict(view)


def reply(call: Call) -> dict[str, Any]:
    """Store the answers to questions before or after the trials and return what comes next."""
    _check_browser(call)
    study, part = serving(), call.text("part")
    answers = visits.examples(study, part) if call.body.get("example") else call.texts("answers")
    return asdict(study.reply(call.token, part, answers))


def skip(call: Call) -> dict[str, Any]:
    """Record that clips did not load and return what comes next."""
    _check_browser(call)
    return asdict(serving().skip(call.token, call.trial, call.text("reason")))


def _endpoint(work: Callable[[Call], dict[str, Any]]) -> Callable[[Request], Any]:
    largest = LARGEST_REPLY if work is reply else LARGEST

    async def endpoint(request: Request) -> Response:
        try:
            check_origin(request)
            call = Call.of(request, await read(request, largest))
        except HTTPException as refusal:
            return JSONResponse({"message": refusal.detail}, refusal.status_code, refusal.headers)
        response = await _answer(lambda: JSONResponse(work(call)), call.languages)
        for name, (value, seconds) in call.kept.items():
            response.set_cookie(name, value, seconds, secure=call.secure, httponly=True, samesite="strict")
        return response

    return endpoint


async def _answer(
    work: Callable[[], Response], accepted: str = "", limiter: anyio.CapacityLimiter | None = None
) -> Response:
    try:
        response = await anyio.to_thread.run_sync(work, limiter=limiter)
    except TooSoonError as early:
        wait = {"Retry-After": str(math.ceil(early.wait))}
        response = JSONResponse({"message": str(early), "wait": round(early.wait, 3)}, 429, wait)
    except RefusedError as refusal:
        language = localisation.language(serving().settings.languages, "", accepted)
        words, sentence = texts(language), str(refusal)
        body = {"title": words["refused"]["title"], "message": words["said"].get(sentence, sentence)}
        body["language"] = language if sentence in words["said"] else ENGLISH
        response = JSONResponse(body, 410 if refusal.gone else 403)
    except BenchError as error:
        log.error("%s", error)  # for the people who run the study; the rater sees a polite message
        response = JSONResponse({"message": SORRY}, 503)
    response.headers["Cache-Control"] = "no-store, no-transform"
    return response


#: Clips are sent a multiple of this many seconds after the request, so that a browser cannot measure how long the
#: database takes to read a clip's bytes.
TICK = 0.05
#: Pairs encoded at the same time; the limit prevents repeated requests for clips from delaying anyone's answer.
ENCODED_AT_ONCE = 2


@cache
def _encoders() -> anyio.CapacityLimiter:
    return anyio.CapacityLimiter(ENCODED_AT_ONCE)


async def clips(request: Request) -> Response:
    """Both clips of a trial in one message, of the same length for every trial of a study."""
    asked = time.monotonic()

    def work() -> Response:
        study, call = serving(), Call.of(request, {})
        _check_browser(call)
        left, right = study.media(call.token, request.path_params["trial"])
        data = clip_encoding.message(left, right, study.slot_bytes())
        # if messages of one length were compressed in transit, their new lengths would tell clips apart again
        return Response(data, media_type="application/octet-stream", headers={"Content-Encoding": "identity"})

    response = await _answer(work, limiter=_encoders())
    await anyio.sleep((asked - time.monotonic()) % TICK)
    return response


CALLS = (hello, enrol, decline, state, reply, vote, skip, end, withdraw)
ROUTES = [
    *(Route(f"/trial/{call.__name__}", _endpoint(call), methods=["POST"]) for call in CALLS),
    Route("/trial/clips/{trial}", clips, methods=["GET"]),
]
