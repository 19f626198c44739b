"""The addresses that the rater's page calls, from arrival to withdrawal. Stateless, so any app process can answer.

Each call carries the rater's token in a header; a page of another site cannot set it, so no call can be forged.
Replies tell a browser nothing but opaque names of its next trials. They are sent after the commit, never before.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bench.errors import BenchError
from study_app.design import clip_encoding
from study_app.locales import ENGLISH, texts
from study_app.store.messages import NOT_AN_ANSWER, Answer, Further, RefusedError, Screen, View
from study_app.web import localisation
from study_app.web import visit as visits
from study_app.web.served_study import log, serving
from study_app.web.visit import visitor

#: Largest body of a call, in bytes.
LARGEST = 4096
#: The same of a call that brings free texts.
LARGEST_REPLY = 65536
#: What a rater reads when something is wrong that only the people who run the study can mend.
SORRY = "Your answer could not be saved just now. Please keep this page open: it is sent again by itself."


@dataclass(frozen=True)
class Call:
    """A call of the rater's page: what its headers say and what its body holds.

    Attributes:
        token: stands for the rater; empty at a first visit.
        agent: the browser's description of itself.
        languages: the browser's languages, as in `Accept-Language`.
        body: a JSON object; its values can be anything.
    """

    token: str
    agent: str
    languages: str
    body: Mapping[str, Any]

    @classmethod
    def of(cls, request: Request, body: Mapping[str, Any]) -> Call:
        """A request's headers, and its body as it was parsed."""
        header = request.headers
        return cls(header.get("x-rater", ""), header.get("user-agent", ""), header.get("accept-language", ""), body)

    def text(self, key: str) -> str:
        """A value as text; empty where there is none."""
        return str(self.body.get(key, ""))

    def texts(self, key: str) -> dict[str, str]:
        """An object of texts; empty where there is none."""
        value = self.body.get(key)
        return {str(name): str(text) for name, text in value.items()} if isinstance(value, dict) else {}

    @property
    def trial(self) -> str:
        """The name that the browser has for a trial."""
        return self.text("trial")

    @property
    def requested_language(self) -> str:
        """The language that the rater has just chosen."""
        return str(self.body.get("language") or "")[:20]


def _number(values: Mapping[str, Any], key: str) -> int:
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**31:
        raise RefusedError(NOT_AN_ANSWER)
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


def _screen(call: Call) -> Screen | None:
    """How the clips were seen, windows to the nearest 50 pixels; None where that was not said so that it makes sense.

    An answer is taken all the same: it is the rater's, and this is only their browser's.
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


#: What a browser may say beside, within which bounds: pauses; pixels of the screen to the millimetre; the distance.
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


def hello(call: Call) -> dict[str, Any]:
    """Somebody opens the page: who they are and where they left off."""
    here = visits.visit(serving(), call.texts("link"), call.token, call.requested_language, call.languages)
    if here.study.rater(here.token):
        return visits.page_data(here, here.study.view(here.token))
    state = here.study.state()
    return visits.page_data(here, View(state) if state != "open" else None)


def enrol(call: Call) -> dict[str, Any]:
    """They agree to take part."""
    study, who = serving(), visitor(call.texts("link"))
    language = localisation.language(study.settings.languages, call.requested_language, call.languages)
    here = visits.Visit(study, study.token_of(who) if who else call.token, who, language)
    if not who and not visits.TOKEN.fullmatch(call.token):
        raise RefusedError("This session is not known: please open your link again.")
    study.enrol(here.token, who, language)
    return visits.page_data(here, study.view(here.token))


def decline(call: Call) -> dict[str, Any]:
    """They do not agree: one more who did not, and nothing of who it was."""
    serving().decline()
    return {}


def state(call: Call) -> dict[str, Any]:
    """Where the rater is."""
    return asdict(serving().view(call.token))


def end(call: Call) -> dict[str, Any]:
    """The code for how the session has ended."""
    return visits.ending(serving(), call.token)


def withdraw(call: Call) -> dict[str, Any]:
    """Take the rater's answers out."""
    serving().withdraw(call.token)
    return state(call)


def vote(call: Call) -> dict[str, Any]:
    """Record a vote; what comes next."""
    response_ms, replays, focus_losses = (_number(call.body, key) for key in ("response_ms", "replays", "focus_losses"))
    answer = Answer(call.text("chosen"), response_ms, replays, focus_losses, _screen(call), _further(call))
    return asdict(serving().vote(call.token, call.trial, answer))


def reply(call: Call) -> dict[str, Any]:
    """Keep the answers to questions before or after the trials; what comes next."""
    study, part = serving(), call.text("part")
    answers = visits.examples(study, part) if call.body.get("example") else call.texts("answers")
    return asdict(study.reply(call.token, part, answers))


def skip(call: Call) -> dict[str, Any]:
    """Record that clips did not load; what comes next."""
    return asdict(serving().skip(call.token, call.trial, call.text("reason")))


def _endpoint(work: Callable[[Call], dict[str, Any]]) -> Callable[[Request], Any]:
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
        call = Call.of(request, body)
        return await _answer(lambda: JSONResponse(work(call)), call.languages)

    return endpoint


async def _answer(work: Callable[[], Response], accepted: str = "") -> Response:
    try:
        response = await run_in_threadpool(work)
    except RefusedError as refusal:
        language = localisation.language(serving().settings.languages, "", accepted)
        words, sentence = texts(language), str(refusal)
        body = {"title": words["welcome"]["title"], "message": words["said"].get(sentence, sentence)}
        body["language"] = language if sentence in words["said"] else ENGLISH
        response = JSONResponse(body, 410 if refusal.gone else 403)
    except BenchError as error:
        log.error("%s", error)  # for the people who run the study; the rater reads a polite line
        response = JSONResponse({"message": SORRY}, 503)
    response.headers["Cache-Control"] = "no-store, no-transform"
    return response


#: Clips are sent a whole number of times this many seconds after they were asked for, so that how long the database
#: takes for the bytes of a clip is nothing that a browser can measure.
TICK = 0.05


async def clips(request: Request) -> Response:
    """Both clips of a trial in one message, of the same length for every trial of a study."""
    asked = time.monotonic()

    def work() -> Response:
        study = serving()
        left, right = study.media(Call.of(request, {}).token, request.path_params["trial"])
        data = clip_encoding.message(left, right, study.slot_bytes())
        # compressed on the way, messages of one length would have lengths that tell clips apart again
        return Response(data, media_type="application/octet-stream", headers={"Content-Encoding": "identity"})

    response = await _answer(work)
    await anyio.sleep((asked - time.monotonic()) % TICK)
    return response


CALLS = (hello, enrol, decline, state, reply, vote, skip, end, withdraw)
ROUTES = [
    *(Route(f"/trial/{call.__name__}", _endpoint(call), methods=["POST"]) for call in CALLS),
    Route("/trial/clips/{trial}", clips, methods=["GET"]),
]
