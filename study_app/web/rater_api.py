"""The addresses that the rater's page calls, from arrival to withdrawal. Stateless, so any app process can answer.

Each call carries the rater's token in a header; a page of another site cannot set it, so no call can be forged.
Replies tell a browser nothing but opaque names of its next trials. They are sent after the commit, never before.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bench.errors import BenchError
from study_app.design import clip_encoding
from study_app.locales import ENGLISH, texts
from study_app.store.messages import Answer, Further, RefusedError, Screen, View
from study_app.web import localisation
from study_app.web import visit as visits
from study_app.web.served_study import log, serving
from study_app.web.visit import visitor

TOKEN_HEADER, AGENT, ACCEPTED = "x-rater", "user-agent", "accept-language"
#: Largest body of a call, in bytes.
LARGEST = 4096
#: The same of a call that brings free texts.
LARGEST_REPLY = 65536
#: What a rater reads when something is wrong that only the people who run the study can mend.
SORRY = "Your answer could not be saved just now. Please keep this page open: it is sent again by itself."


def _number(body: dict[str, Any], key: str) -> int:
    value = body.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**31:
        raise RefusedError("The answer is not one that can be given.")
    return round(value)


#: What an agent string has → browser's family; the first that fits, as most name those that they descend from.
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


def _screen(body: dict[str, Any]) -> Screen | None:
    """How the clips were seen, windows to the nearest 50 pixels; None where that was not said so that it makes sense.

    An answer is taken all the same: it is the rater's, and this is only their browser's.
    """
    said = body.get("screen")
    said = said if isinstance(said, dict) else {}
    numbers = [said.get(key) for key in ("clip_px", "pixel_ratio", "width", "height", "dropped")]
    if not all(isinstance(n, int | float) and not isinstance(n, bool) and 0 <= n < 1e5 for n in numbers):
        return None
    if said.get("layout") not in LAYOUTS or said.get("pointer") not in POINTERS:
        return None
    clip_px, ratio, width, height, dropped = (float(n) for n in numbers if n is not None)
    agent = str(body.get(AGENT, ""))
    browser = next((name for mark, name in BROWSERS.items() if mark in agent), "other")
    window = (50 * round(width / 50), 50 * round(height / 50))
    seen = Screen(clip_px, ratio, window[0], window[1], said["layout"], said["pointer"], browser, round(dropped))
    pauses, dots, distance = (_measure(said, name, *within) for name, within in MEASURES.items())
    return replace(
        seen,
        pauses=None if pauses is None else round(pauses),
        dots_per_mm=dots if distance else None,
        distance_cm=distance if dots else None,
    )


#: What a browser may say beside, within which bounds: pauses; pixels of the screen to the millimetre; the distance.
MEASURES = {"pauses": (0, 10_000), "dots_per_mm": (1, 60), "distance_cm": (10, 500)}


def _measure(said: dict[str, Any], name: str, low: float, high: float) -> float | None:
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return None
    return float(value)


def _further(body: dict[str, Any]) -> tuple[Further, ...]:
    """Answers to a trial's other questions."""
    said = body.get("further", [])
    if not isinstance(said, list) or not all(isinstance(one, dict) for one in said):
        raise RefusedError("The answer is not one that can be given.")
    return tuple(Further(str(one.get("chosen")), _number(one, "response_ms")) for one in said)


def _link(body: dict[str, Any]) -> dict[str, str]:
    link = body.get("link")
    return {key: str(value) for key, value in link.items()} if isinstance(link, dict) else {}


def _asked(body: dict[str, Any]) -> str:
    return str(body.get("language") or "")[:20]


def hello(token: str, body: dict[str, Any]) -> dict[str, Any]:
    """Somebody opens the page: who they are and where they left off."""
    here = visits.visit(serving(), _link(body), token, _asked(body), body[ACCEPTED])
    if here.study.rater(here.token):
        return visits.page_data(here, here.study.view(here.token))
    state = here.study.state()
    return visits.page_data(here, View(state) if state != "open" else None)


def enrol(token: str, body: dict[str, Any]) -> dict[str, Any]:
    """They agree to take part."""
    study, who = serving(), visitor(_link(body))
    language = localisation.language(study.settings.languages, _asked(body), body[ACCEPTED])
    here = visits.Visit(study, study.token_of(who) if who else token, who, language)
    if not who and not visits.TOKEN.fullmatch(token):
        raise RefusedError("This session is not known: please open your link again.")
    study.enrol(here.token, who, language)
    return visits.page_data(here, study.view(here.token))


def decline(token: str, body: dict[str, Any]) -> dict[str, Any]:
    """They do not agree: one more who did not, and nothing of who it was."""
    serving().decline()
    return {}


def state(token: str, body: dict[str, Any]) -> dict[str, Any]:
    """Where the rater is."""
    return asdict(serving().view(token))


def end(token: str, body: dict[str, Any]) -> dict[str, str]:
    """The code for how the session has ended."""
    return visits.ending(serving(), token)


def withdraw(token: str, body: dict[str, Any]) -> dict[str, Any]:
    """Take the rater's answers out."""
    serving().withdraw(token)
    return state(token, body)


def vote(token: str, body: dict[str, Any]) -> dict[str, Any]:
    """Record a vote; what comes next."""
    answer = Answer(
        str(body.get("chosen")),
        _number(body, "response_ms"),
        _number(body, "replays"),
        _number(body, "focus_losses"),
        _screen(body),
        _further(body),
    )
    return asdict(serving().vote(token, str(body.get("trial")), answer))


def reply(token: str, body: dict[str, Any]) -> dict[str, Any]:
    """Keep the answers to questions before or after the trials; what comes next."""
    study, part, given = serving(), str(body.get("part")), body.get("answers")
    if body.get("example"):
        answers = visits.examples(study, part)
    else:
        answers = {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {}
    return asdict(study.reply(token, part, answers))


def skip(token: str, body: dict[str, Any]) -> dict[str, Any]:
    """Record that clips did not load; what comes next."""
    return asdict(serving().skip(token, str(body.get("trial")), str(body.get("reason", ""))))


def _call(work: Callable[[str, dict[str, Any]], dict[str, Any]]) -> Callable[[Request], Any]:
    largest = LARGEST_REPLY if work is reply else LARGEST

    async def endpoint(request: Request) -> Response:
        body: Any = None
        raw = bytearray()
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > largest:
                return JSONResponse({"message": "too long"}, 413)
        try:
            body = json.loads(bytes(raw) or b"{}")
        except (ValueError, RecursionError):  # a few thousand brackets are valid JSON, and too deep
            body = None
        if not isinstance(body, dict):
            return JSONResponse({"message": "not understood"}, 400)
        body |= {name: request.headers.get(name, "") for name in (AGENT, ACCEPTED)}
        token = request.headers.get(TOKEN_HEADER, "")
        return await _answer(lambda: JSONResponse(work(token, body)), body[ACCEPTED])

    return endpoint


async def _answer(work: Callable[[], Response], accepted: str = "") -> Response:
    try:
        response = await run_in_threadpool(work)
    except RefusedError as refusal:
        language = localisation.language(serving().settings.languages, "", accepted)
        words, sentence = texts(language), str(refusal)
        said = {"title": words["welcome"]["title"], "message": words["said"].get(sentence, sentence)}
        said["language"] = language if sentence in words["said"] else ENGLISH
        response = JSONResponse(said, 410 if refusal.gone else 403)
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
        data = clip_encoding.message(left, right, study.slot_bytes())
        # compressed on the way, messages of one length would have lengths that tell clips apart again
        return Response(data, media_type="application/octet-stream", headers={"Content-Encoding": "identity"})

    return await _answer(work)


CALLS = (hello, enrol, decline, state, reply, vote, skip, end, withdraw)
ROUTES = [
    *(Route(f"/trial/{call.__name__}", _call(call), methods=["POST"]) for call in CALLS),
    Route("/trial/clips/{trial}", clips, methods=["GET"]),
]
