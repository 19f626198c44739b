"""People in a real browser, against the running app."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sqlite3
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study_app.design import clip_encoding
from study_app.design.clip_encoding import sheet_shape
from study_app.design.settings import StudyTexts
from study_app.pipeline.create import create
from study_app.store.messages import Answer
from study_app.store.store import Store
from study_app.web import admin_session, preview
from study_app.web.visit import PASS, token_of
from tests.study_app import forked
from tests.study_app.conftest import PASSWORD, AppProcess, study_request
from tests.study_app.runfolder import FRAMES, SIZE, decode

pytestmark = pytest.mark.browser

#: Records every frame that is drawn: which canvas, from where in its sheet, when, and in which frame of the screen (a
#: time that all have in common that is drawn in it); how often a choice could be made while a clip was blank; and what
#: raters were told of practice. While raters are asked to watch, it presses a key in every frame: that is too early.
RECORDER = """
window.drawn = [];
const draw = CanvasRenderingContext2D.prototype.drawImage;
CanvasRenderingContext2D.prototype.drawImage = function (...a) {
  const side = this.canvas.getAttribute("aria-label");
  window.drawn.push([side, a[1], a[2], performance.now(), document.timeline.currentTime]);
  return draw.apply(this, a);
};
window.blank = 0;
window.told = [];
window.altered = [];
window.early = 0;
const watch = () => {
  const pens = [...document.querySelectorAll("canvas")].map((canvas) => canvas.getContext("2d"));
  const opaque = (pen) => pen.getImageData(pen.canvas.width / 2, pen.canvas.height / 2, 1, 1).data[3] === 255;
  if (document.querySelector("button.choice[aria-disabled=false]") && !pens.every(opaque)) window.blank += 1;
  const line = document.querySelector(".told:not([hidden])");
  if (line && line !== window.line) {
    window.told.push(line.textContent);
    window.altered.push(document.querySelectorAll("canvas")[1].classList.contains("altered"));
  }
  window.line = line;
  if (document.querySelector(".status")?.textContent === "Watch both clips once.") {
    document.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
    window.early += 1;
  }
  requestAnimationFrame(watch);
};
requestAnimationFrame(watch);
"""
#: A browser that is busy: its callbacks are 300 ms apart. Keeps what a canvas showed when the rater pressed "Pause".
BUSY = """
window.swift = window.requestAnimationFrame;
window.requestAnimationFrame = (draw) => setTimeout(() => window.swift(draw), 300);
document.querySelector(".halt").addEventListener("click", () => {
  window.atPause = document.querySelector("canvas").toDataURL();
});
"""
#: Clips stand still after the next callbacks, so many of them, until they are released.
HOLD = """(left) => {
  window.held = [];
  window.swift = window.requestAnimationFrame;
  window.requestAnimationFrame = (draw) => (left-- > 0 ? window.swift(draw) : window.held.push(draw));
}"""
RELEASE = """() => {
  window.requestAnimationFrame = window.swift;
  window.held.splice(0).forEach((draw) => window.swift(draw));
}"""
#: Four seconds of plays, as the browser counts them: a slow one draws a frame in few of them.
FOR_SECONDS = """() => new Promise((done) => {
  const begun = performance.now();
  const next = (now) => (now - begun > 4000 ? done() : requestAnimationFrame(next));
  requestAnimationFrame(next);
})"""
#: The reply to an answer where no pair is free.
WAITING = {
    "state": "waiting",
    "answered": 0,
    "total": 0,
    "trials": [],
    "place": None,
    "feedback": None,
    "part": "",
    "altered": None,
}
AT_REST = "[data-testid=stApp][data-test-script-state=notRunning]"
OPEN = "button.choice[aria-disabled=false]"
#: Of the session that is recorded.
TRIALS = 16


class Visitor:
    """A browser window at the study."""

    def __init__(self, chromium: Any, app: AppProcess, width: int = 1280, height: int = 800, **context: Any) -> None:
        self.app = app
        self.context = chromium.new_context(viewport={"width": width, "height": height}, **context)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.watch(self.page)

    def watch(self, page: Any) -> None:
        page.set_default_timeout(120_000)  # a machine may be busy
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def agree(self, query: str = "") -> None:
        self.page.goto(f"{self.app.url}/{query}")
        self.page.get_by_text("I have read this").click()
        self.page.get_by_role("button", name="Continue").click()
        self.page.get_by_role("button", name="Begin").wait_for()

    def start(self, query: str = "") -> None:
        self.agree(query)
        self.page.get_by_role("button", name="Begin").click()

    def ready(self, page: Any = None) -> None:
        """Wait until a choice can be made, and go on from what practice has shown."""
        page = page or self.page
        onward = page.locator("button.go.next:visible, button.start")
        choice = page.locator(OPEN)
        choice.or_(onward).first.wait_for()
        while not choice.count():
            if onward.count():
                page.wait_for_timeout(450)  # sooner it is the second click of two
                onward.click()
            choice.or_(onward).first.wait_for()

    def answered(self, page: Any = None) -> int:
        return int((page or self.page).get_by_role("progressbar").get_attribute("aria-valuenow"))

    def choose(self, key: str = "ArrowLeft") -> None:
        """Answer with the keyboard, and wait until the next pair is there or the study is over."""
        self.ready()
        before = self.answered()
        self.page.keyboard.press(key)
        self.page.locator(f".code, button.start, [role=progressbar]:not([aria-valuenow='{before}'])").first.wait_for(
            state="attached"
        )

    @property
    def token(self) -> str:
        """The rater's token, who came by a link without an ID."""
        kept = {cookie["name"]: cookie for cookie in self.context.cookies()}
        assert kept[PASS]["httpOnly"]
        assert "rater" not in kept  # nothing that a script could read
        return token_of(kept[PASS]["value"])

    def mine(self, table: Any) -> Any:
        """The rows of a table that are this visitor's: a study may have others."""
        known = Store(self.app.where).open().rater(self.token)
        assert known is not None
        return table[table["rater"] == known.token_hash[:16]].reset_index(drop=True)

    def close(self) -> None:
        self.page.unroute_all(behavior="ignoreErrors")  # a call still on its way would be the next test's error
        self.context.close()
        assert not self.errors
        for url in self.requests:
            assert url.startswith((self.app.url, "data:", "blob:")), url


@pytest.fixture
def visitor(chromium: Any, app: AppProcess) -> Any:
    someone = Visitor(chromium, app)
    yield someone
    someone.close()


@pytest.fixture(scope="module")
def shared(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """One app for tests that look at nothing but their own visitors."""
    folder = tmp_path_factory.mktemp("shared")
    process = AppProcess(str(shutil.copy(template, folder / "study.db")), folder / "log")
    yield process
    process.kill()


@pytest.fixture
def guest(chromium: Any, shared: AppProcess) -> Any:
    """A visitor at the shared app."""
    someone = Visitor(chromium, shared)
    yield someone
    someone.close()


def axe(page: Any) -> list[str]:
    """What axe finds on this page that is more than minor."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] != "minor"]


def axe_at_rest(page: Any) -> list[str]:
    """What axe finds on a page that is drawn anew by itself: Streamlit pales what it is about to replace."""
    until = time.monotonic() + 60
    while True:
        page.locator(AT_REST).wait_for()
        if not (found := axe(page)) or time.monotonic() > until:
            return found


def press(page: Any, name: str, role: str = "button") -> None:
    """Click on the admin page once it is drawn: before, a button can move between a mouse press and its release."""
    button = page.get_by_role(role, name=name, exact=True)
    button.wait_for()
    page.locator(AT_REST).wait_for()
    button.click()


def wait_until(page: Any, expression: str) -> None:
    """Wait until an expression is true; Playwright's own way to do so needs `eval`, which our pages forbid."""
    until = time.monotonic() + 120
    while not page.evaluate(expression):
        assert time.monotonic() < until, f"{expression} is not so"
        page.wait_for_timeout(20)


def votes(app: AppProcess) -> Any:
    store = Store(app.where)
    return store.open().votes()


def drawn_tokens(where: str) -> list[bytes]:
    """The names of a study's trials, in lower case.

    They are drawn by chance: a hundred of 43 letters spell a word as short as "vgan" now and then.
    """
    with contextlib.closing(sqlite3.connect(where)) as database:
        return [token.lower().encode() for (token,) in database.execute("SELECT token FROM assignment")]


def shoot(page: Any, name: str) -> None:
    """Keep a screenshot where somebody wants to look at them."""
    if folder := os.environ.get("BENCH_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}.png")


@dataclass
class Recorded:
    """One rater's whole session by keyboard, and all that passed over the network meanwhile."""

    where: str
    pages: dict[str, list[str]] = field(default_factory=dict)
    drawn: list[tuple[str, int, int, float, float]] = field(default_factory=list)
    blank: int = 0
    early: int = 0
    addresses: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    altered: list[bool] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    votes: Any = None
    screens: Any = None


@pytest.fixture(scope="module")
def session(chromium: Any, run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Sixteen trials, keyboard only; recorded."""
    folder = tmp_path_factory.mktemp("session")
    # and 2 of practice, 4 catch trials; keys in turn would fail most rules on these
    create(folder / "study.db", study_request(run_folder, workload=TRIALS - 6, catch_pass=0))
    app = AppProcess(str(folder / "study.db"), folder / "log")
    record = Recorded(app.where)
    someone = Visitor(chromium, app)
    page = someone.page

    def response(reply: Any) -> None:
        record.addresses.append(reply.url)
        record.headers += [f"{k}: {v}" for k, v in (*reply.request.all_headers().items(), *reply.all_headers().items())]
        with contextlib.suppress(Exception):  # a redirect has no body
            record.bodies.append((reply.url, reply.body()))
        record.bodies.append((reply.url, (reply.request.post_data or "").encode()))

    def socket(ws: Any) -> None:
        record.addresses.append(ws.url)
        for name in ("framereceived", "framesent"):
            ws.on(name, lambda data: record.frames.append(data if isinstance(data, bytes) else data.encode()))

    def look(name: str) -> None:
        shoot(page, name)
        record.pages[name] = axe(page)
        record.html.append(page.content())

    page.on("requestfinished", lambda request: response(request.response()))
    page.on("websocket", socket)
    page.add_init_script(RECORDER)
    try:
        page.goto(app.url)
        page.get_by_role("heading", name="Taking part").wait_for()
        assert page.get_by_role("button", name="Continue").is_disabled()
        look("consent")
        page.get_by_role("checkbox").focus()
        page.keyboard.press("Space")
        page.get_by_role("button", name="Continue").and_(page.locator(":enabled")).wait_for()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Begin").wait_for()
        look("instructions")
        page.reload()  # nobody has read them yet
        page.get_by_role("button", name="Begin").focus()
        record.asked_at.append(time.monotonic())
        page.keyboard.press("Enter")
        someone.ready()
        look("trial")
        for n in range(TRIALS):
            if n == 1:
                look("practice")
            if n == 2:
                page.wait_for_timeout(450)
                page.get_by_role("button", name="Next pair").click()
                page.get_by_role("heading", name="That was the practice").wait_for()
                look("between")
            someone.ready()
            record.asked_at.append(time.monotonic())
            record.places.append(page.locator(".place").inner_text())
            someone.choose(("ArrowLeft", "ArrowRight")[n % 2])
        record.asked_at.append(time.monotonic())
        page.get_by_role("heading", name="Thank you").wait_for()
        seen = page.evaluate("[window.blank, window.told, window.early, window.altered]")
        record.blank, record.told, record.early, record.altered = seen
        record.drawn = page.evaluate("window.drawn")
        look("thanks")
        record.codes.append(page.locator(".code").inner_text())
        page.goto(app.url)  # coming back does not start again
        page.get_by_role("heading", name="Thank you").wait_for()
        record.codes.append(page.locator(".code").inner_text())
        record.votes, record.screens = votes(app), Store(app.where).open().screens()
        someone.close()
    finally:
        app.kill()
    return record


def test_a_whole_session_by_keyboard(session: Recorded) -> None:
    cast = session.votes
    assert len(cast) == TRIALS
    assert list(cast["chosen"] == cast["left"]) == [n % 2 == 0 for n in range(TRIALS)]
    assert (cast["response_ms"] >= 1000 * FRAMES / 60).all()  # one play at 60 frames a second
    assert session.early >= TRIALS  # keys pressed before that: none is an answer
    # Each pair's time is its own: no more than has passed since the one before it was asked for.
    passed = 1000 * (np.array(session.asked_at[2:]) - session.asked_at[:-2])
    assert (cast["response_ms"] <= passed).all()
    store = Store(session.where)
    assert list(store.open().raters()["completed"].notna()) == [True]
    assert session.codes[0] == session.codes[1] != ""


def test_raters_know_where_they_are_and_when_it_counts(session: Recorded) -> None:
    assert session.places == ["Practice 1 of 2", "Practice 2 of 2", *(f"Pair {n} of 14" for n in range(1, 15))]
    assert "This takes about 2 minutes" in session.html[0]


def test_practice_says_what_was_right(session: Recorded) -> None:
    cast = session.votes[session.votes["practice"]]
    right = [choice == "real" for choice in cast["chosen"]]
    said = [
        "Correct: the clip in the dashed frame" if seen else "Not quite: the clip in the dashed frame" for seen in right
    ]
    assert len(session.told) == 2
    assert all(line.startswith(begin) for line, begin in zip(session.told, said, strict=True))
    assert session.altered == list(cast["left"] == "real")  # the second clip is marked where the first is real


def test_no_choice_can_be_made_while_clips_are_blank(session: Recorded) -> None:
    assert session.blank == 0


def test_how_each_pair_was_seen_is_kept(session: Recorded) -> None:
    seen = session.screens
    assert len(seen) == len(session.votes)
    assert set(seen["window"]) == {"1300x800"}
    assert set(seen["layout"]) == {"beside"}
    assert set(seen["browser"]) == {"Chrome"}
    assert set(seen["pixel_ratio"]) == {1.0}
    assert set(seen["clip_px"]) == set(seen["screen_px"]) == {512}  # a whole number of times 32
    assert seen["dropped"].between(0, FRAMES).all()
    assert list(seen["clip"]) == list(session.votes["clip"])


def test_axe_finds_nothing_serious(session: Recorded) -> None:
    assert session.pages == {name: [] for name in ("consent", "instructions", "trial", "practice", "between", "thanks")}


def test_both_clips_start_and_move_together(session: Recorded, figures: dict[str, str]) -> None:
    left = [drawn for side, *drawn in session.drawn if side.startswith("Left")]
    right = [drawn for side, *drawn in session.drawn if side.startswith("Right")]
    assert len({(x, y) for x, y, *_ in left}) > FRAMES / 2  # it does move; a busy browser may drop some of one play
    left, right = left[:FRAMES], right[:FRAMES]
    sheet = sheet_shape(FRAMES)[0] * SIZE  # the right clip's frames are beside those of the left one
    assert [[x + sheet, y] for x, y, *_ in left] == [frame[:2] for frame in right]
    assert left[0][:2] == [0, 0]
    assert [frame[3] for frame in left] == [frame[3] for frame in right]  # both in the same frame of the screen
    skews = [abs(a[2] - b[2]) for a, b in zip(left, right, strict=True)]
    figures["start skew of the two clips"] = f"{skews[0]:.2f} ms; largest over a play {max(skews):.2f} ms"


def test_nothing_in_the_traffic_tells_models_apart(session: Recorded) -> None:
    # Searched: page, addresses, headers, bodies; there is no WebSocket.
    store = Store(session.where)
    study = store.open()
    clips = study.clips()
    names = {name for name, _ in clips} | {"mdgan", "generated", "fake", "scrambled", "catch", "copy-first"}
    scenes = {scene for _, scene in clips} | {clip.video for clip in clips.values()}
    places = {study.settings.run, Path(study.settings.run).name + "/", "predictions", session.where, "study.db"}
    secret = sorted(word.lower() for word in names | scenes | places if word)
    assert "real" in secret
    assert "video00" in secret
    texts = [("address", url.encode()) for url in session.addresses]
    texts += [("header", header.encode()) for header in session.headers]
    texts += session.bodies
    texts += [("page", html.encode()) for html in session.html]
    assert len([1 for where, _ in texts if "/trial/clips/" in where]) >= TRIALS
    assert any(b"export class Player" in body for _, body in texts)
    assert not session.frames
    assert not [url for url, _ in texts if "/static/" in url or "/_stcore/" in url]  # nothing of Streamlit's
    drawn = drawn_tokens(session.where)
    assert len(drawn) >= TRIALS
    found = []
    for place, data in texts:
        low = data.lower()
        for name in drawn:
            low = low.replace(name, b"")
        # the question is "which is more realistic", and the player's program says "catch (error)"
        low = low.replace(b"realistic", b"").replace(b"catch (error)", b"")
        # Compressed clips are as good as random: a megabyte of them spells a word of four letters now and then.
        words = [word for word in secret if len(word) >= 6 or "/trial/clips/" not in place]
        found += [
            (place, word, low[max(0, low.find(word.encode()) - 40) :][:90]) for word in words if word.encode() in low
        ]
    assert found == []
    for source in clips.values():  # neither do hashes of the source files travel
        assert all(source.source_sha256.encode() not in data for _, data in texts if source.source_sha256)


def test_only_practice_is_called_by_its_name(session: Recorded) -> None:
    replies = [json.loads(body) for url, body in session.bodies if "/trial/" in url and b'"place"' in body]
    views = [reply.get("view", reply) for reply in replies]  # of an arrival, or of an answer
    views = [view for view in views if view and view["place"]]
    names = list(dict.fromkeys((view["place"][0], view["place"][1]) for view in views))
    assert names == [("practice", 1), ("practice", 2), *(("pair", n) for n in range(1, 15))]  # also catch trials
    judged = [view["answered"] for view in views if view["feedback"]]
    assert judged == [1, 2]  # of catch trials nobody is told
    elsewhere = [*session.addresses, *session.headers]
    assert not [text for text in elsewhere if "practice" in text.lower()]


def test_media_are_of_one_size_and_under_names_used_once(session: Recorded) -> None:
    store = Store(session.where)
    study = store.open()
    media = [(url, body) for url, body in session.bodies if "/trial/clips/" in url and body]
    assert {len(body) for _, body in media} == {2 * study.settings.slot_bytes}
    lengths = [h for h in session.headers if h == f"content-length: {2 * study.settings.slot_bytes}"]
    assert len(lengths) >= len(media)  # of a clip that a reload cut off there is a head and no body
    # not so before padding: there the number of bytes would have told models apart
    plain = {name: {len(c.data) for (n, _), c in study.clips().items() if n == name} for name in ("real", "rnngan")}
    assert max(plain["real"]) < min(plain["rnngan"])
    tokens = [url.rsplit("/", 1)[1] for url, _ in media]
    assert len(set(tokens)) == TRIALS  # a name for each trial
    assert {len(token) for token in tokens} == {43}


def test_reload_back_double_click_and_two_tabs(visitor: Visitor) -> None:
    page = visitor.page
    visitor.start()
    visitor.ready()
    page.get_by_role("button", name="Left").dblclick()
    page.get_by_role("button", name="Next pair").wait_for()
    visitor.choose()
    assert len(votes(visitor.app)) == 2

    def shown() -> list[str]:
        store = Store(visitor.app.where)
        with store.engine.connect() as connection:
            query = "SELECT token FROM assignment WHERE state = 'leased' ORDER BY position LIMIT 1"
            return [row[0] for row in connection.exec_driver_sql(query)]

    before = shown()
    page.reload()
    visitor.ready()
    assert visitor.answered() == 2
    assert shown() == before
    page.goto("about:blank")
    page.go_back()
    visitor.ready()
    assert (visitor.answered(), shown()) == (2, before)
    other = visitor.context.new_page()
    visitor.watch(other)
    other.goto(visitor.app.url)
    visitor.ready(other)
    assert visitor.answered(other) == 2  # the same trial in both tabs
    other.keyboard.press("ArrowRight")
    other.get_by_text("Pair 2 of").wait_for()
    page.bring_to_front()
    visitor.choose("ArrowLeft")  # the same trial answered again in the first tab
    cast = votes(visitor.app)
    assert len(cast) == 3
    assert cast["chosen"].iloc[2] == cast["right"].iloc[2]  # the first answer stands
    assert len(Store(visitor.app.where).open().raters()) == 1


def test_a_phone(chromium: Any, shared: AppProcess) -> None:
    someone = Visitor(chromium, shared, 360, 740, has_touch=True, is_mobile=True, device_scale_factor=3)
    page = someone.page
    for step in ("consent", "instructions", "trial"):
        if step == "consent":
            page.goto(shared.url)
            page.get_by_role("checkbox").wait_for()
        elif step == "instructions":
            page.get_by_text("I have read this").tap()
            page.get_by_role("button", name="Continue").tap()
            page.get_by_role("button", name="Begin").wait_for()
        else:
            page.get_by_role("button", name="Begin").tap()
            someone.ready()
        shoot(page, f"{step}_360")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert axe(page) == []
    upper, lower = (page.locator("canvas").nth(side).bounding_box() for side in (0, 1))
    assert upper["width"] == upper["height"] == lower["width"] >= 220  # of 360, and both can be seen at once
    assert upper["y"] + upper["height"] <= lower["y"]
    assert page.evaluate("document.documentElement.scrollHeight") <= 740
    assert (upper["width"] * 3 + 16) % 32 == pytest.approx(16, abs=0.05)  # whole screen pixels: crisp
    assert page.locator("canvas").first.evaluate("c => getComputedStyle(c).imageRendering") == "pixelated"
    page.get_by_role("button", name="Lower").tap()
    page.get_by_role("button", name="Next pair").wait_for()
    shoot(page, "practice_360")
    assert axe(page) == []
    someone.ready()
    looks = (
        "b => { const s = getComputedStyle(b); return [s.backgroundColor, s.color, s.borderColor, s.outlineStyle]; }"
    )
    upper, lower = (page.locator("button.choice").nth(side).evaluate(looks) for side in (0, 1))
    assert upper == lower  # what was touched last does not stay lit
    page.set_viewport_size({"width": 740, "height": 360})  # turned: beside each other, between the buttons
    page.get_by_role("button", name="Left").wait_for()
    shoot(page, "trial_740_360")
    assert page.evaluate("document.documentElement.scrollHeight") <= 360
    assert page.locator("canvas").first.bounding_box()["width"] >= 200
    page.locator("canvas").first.tap()  # as good as its button
    page.get_by_role("button", name="Next pair").wait_for()
    shoot(page, "practice_740_360")
    page.wait_for_timeout(450)
    page.get_by_role("button", name="Next pair").tap()
    page.evaluate(HOLD, 2)
    page.get_by_role("button", name="Start the study").tap()
    page.get_by_text("Watch both clips once.").wait_for()
    page.set_viewport_size({"width": 230, "height": 220})
    page.get_by_text("This window is too small").wait_for()
    page.evaluate(RELEASE)
    shoot(page, "small")
    assert axe(page) == []
    page.wait_for_timeout(900)  # the first play would be over
    assert page.locator(OPEN).count() == 0
    page.set_viewport_size({"width": 360, "height": 740})
    someone.ready()
    study = Store(shared.where).open()
    cast = someone.mine(study.votes())
    assert list(cast["chosen"] == cast["right"]) == [True, False]
    assert someone.mine(study.screens())[["layout", "pointer", "window"]].to_numpy().tolist() == [
        ["stacked", "coarse", "350x750"],
        ["low", "coarse", "750x350"],
    ]
    someone.close()


def test_zoom_does_not_shrink_the_clips(guest: Visitor, chromium: Any) -> None:
    """A window of 1280 by 800 screen pixels at 100 and at 200 %."""
    guest.start()
    guest.ready()
    plain = guest.page.locator("canvas").first.bounding_box()["width"]
    zoomed = Visitor(chromium, guest.app, 640, 400, device_scale_factor=2)
    zoomed.start()
    zoomed.ready()
    shoot(zoomed.page, "trial_200_percent")
    assert 2 * zoomed.page.locator("canvas").first.bounding_box()["width"] >= plain
    assert zoomed.page.evaluate("document.documentElement.scrollHeight") <= 400
    zoomed.close()


def test_clips_that_fail_are_fetched_again_and_else_skipped(chromium: Any, run_folder: Path, tmp_path: Path) -> None:
    create(tmp_path / "n.db", study_request(run_folder, catch_pass=0))  # one key for all answers would fail most rules
    app = AppProcess(str(tmp_path / "n.db"), tmp_path / "log")
    visitor = Visitor(chromium, app)
    page, store = visitor.page, Store(app.where)
    tries: Counter[str] = Counter()
    # by the order of the trials: how often their clips fail; the fifth and sixth are fetched ahead in vain
    fails = {0: 2, 4: 4, 5: 1000}

    def fail(route: Any) -> None:
        trial = route.request.url.rsplit("/", 1)[1]
        tries[trial] += 1
        route.abort() if tries[trial] <= fails.get(list(tries).index(trial), 0) else route.continue_()

    def skipped() -> list[str]:
        with store.engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT reason FROM assignment WHERE state = 'skipped'")
            return [reason for (reason,) in found]

    page.route("**/trial/clips/*", fail)
    visitor.start()
    visitor.ready()
    assert (next(iter(tries.values())), skipped()) == (3, [])
    for _ in range(5):
        visitor.choose()
    visitor.ready()
    assert len(votes(app)) == 5
    assert list(tries.values())[4:6] == [5, 8]  # all tries, and again when their turn came
    assert [("did not load" in reason) for reason in skipped()] == [True]

    def broken(route: Any) -> None:
        said = route.fetch().json()
        route.fulfill(json={**said, "view": {**said["view"], "state": "broken"}})

    page.route("**/trial/hello", broken)
    page.reload()
    page.get_by_role("heading", name="The clips do not load here").wait_for()
    assert axe(page) == []
    page.unroute("**/trial/hello")
    page.get_by_role("button", name="Try again").click()
    visitor.ready()
    assert visitor.answered() == 5
    store.open().change("pause", "a test")
    page.keyboard.press("ArrowLeft")  # on its way, so it is taken
    page.get_by_role("heading", name="The study is paused").wait_for()
    assert len(votes(app)) == 6
    store.open().change("reopen", "a test")
    page.get_by_role("button", name="Check again").click()
    visitor.ready()
    assert visitor.answered() == 6
    visitor.close()
    app.kill()


def test_play_pressed_before_the_first_frame_is_drawn_is_not_lost(chromium: Any, shared: AppProcess) -> None:
    someone = Visitor(chromium, shared, reduced_motion="reduce")
    page = someone.page
    someone.agree()
    page.evaluate(HOLD, 0)
    page.get_by_role("button", name="Begin").click()
    page.get_by_text("Press “Play” when you are ready.").wait_for()
    page.locator("button.go").click()
    page.evaluate(RELEASE)
    someone.ready()
    someone.close()


def test_a_late_reply_does_not_take_a_rater_out_of_a_trial(guest: Visitor) -> None:
    page, held = guest.page, []
    page.route("**/trial/vote", lambda route: route.fulfill(json=WAITING))
    page.add_init_script("const set = setTimeout; setTimeout = (act, ms) => set(act, ms === 15000 ? 1500 : ms);")
    guest.start()
    guest.ready()
    page.route("**/trial/hello", lambda route: route.continue_() if held else held.append(route))
    page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Check again").click()  # it takes long, so the page asks again by itself
    page.get_by_role("button", name="Begin").click()
    guest.ready()
    with page.expect_response("**/trial/hello"):
        held[0].continue_()
    page.wait_for_timeout(500)
    assert page.locator("canvas").count() == 2


def test_a_language_that_comes_late_does_not_stop_a_trial(chromium: Any, run_folder: Path, tmp_path: Path) -> None:
    german = (StudyTexts("de", "", "Worum es geht"),)
    create(tmp_path / "n.db", study_request(run_folder, consent="What we ask", translations=german))
    app, held = AppProcess(str(tmp_path / "n.db"), tmp_path / "log"), []
    someone = Visitor(chromium, app)
    page = someone.page
    someone.agree()
    page.route("**/trial/hello", lambda route: held.append(route))
    page.get_by_role("button", name="Deutsch").click()
    page.get_by_role("button", name="Begin").click()
    someone.ready()
    with page.expect_response("**/trial/hello"):
        held[0].continue_()
    page.wait_for_timeout(500)
    assert page.locator("canvas").count() == 2
    page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Next pair").wait_for()
    assert len(votes(app)) == 1
    someone.close()
    app.kill()


def test_who_declines_while_the_server_is_away_sees_the_page_again(guest: Visitor) -> None:
    page, down = guest.page, [True]
    page.route("**/trial/decline", lambda route: route.abort() if down else route.continue_())
    page.goto(guest.app.url)
    page.get_by_role("button", name="I do not agree").click()
    page.get_by_role("heading", name="We will be back soon").wait_for()
    down.clear()
    page.get_by_role("heading", name="Thank you for your interest").wait_for()
    assert axe(page) == []
    page.get_by_role("button", name="Back to the text").click()
    page.get_by_role("heading", name="Taking part").wait_for()


def test_losing_focus_and_watching_again_are_counted(guest: Visitor) -> None:
    guest.start()
    guest.ready()
    guest.page.evaluate(FOR_SECONDS)  # several more plays of 0.13 s and a pause of 0.3 s after each
    guest.page.evaluate("window.dispatchEvent(new Event('blur')); window.dispatchEvent(new Event('focus'));")
    guest.choose()
    vote = guest.mine(votes(guest.app)).iloc[0]
    assert vote["replays"] >= 1
    assert vote["focus_losses"] == 1
    assert "unfocused" in vote["flags"].split()
    assert vote["response_ms"] >= 1300


def test_a_paused_pair_plays_from_its_first_frame_when_the_window_is_large_enough_again(
    chromium: Any, app: AppProcess
) -> None:
    someone = Visitor(chromium, app, reduced_motion="reduce")
    page = someone.page
    page.add_init_script(RECORDER)
    someone.start()
    page.get_by_text("Press “Play” when you are ready.").wait_for()
    assert page.locator("button.go").inner_text() == "Play"  # not only a small link at the foot of the page
    page.set_viewport_size({"width": 230, "height": 220})
    page.get_by_text("This window is too small").wait_for()
    page.wait_for_timeout(1000)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.locator("button.go").click()
    someone.ready()
    # a busy browser drops some frames of each play, and not always the same
    wait_until(page, f"new Set(window.drawn.map((d) => `${{d[1]}} ${{d[2]}}`)).size > {FRAMES // 2}")
    drawn = [(x, y) for _, x, y, *_ in page.evaluate("window.drawn")]
    assert all(x >= 0 and y >= 0 for x, y in drawn)  # answers did not open after frames that do not exist
    someone.close()


def test_a_vote_outlives_the_app(visitor: Visitor) -> None:
    page = visitor.page
    visitor.start()
    visitor.ready()
    visitor.app.kill()
    before = page.inner_text("body").splitlines()
    page.keyboard.press("ArrowRight")
    page.get_by_text("Your answer is not saved yet").wait_for()
    page.wait_for_timeout(1500)
    said = [line for line in page.inner_text("body").splitlines() if line not in before]
    assert [line.startswith("Your answer is not saved yet") for line in said] == [True]  # our line, and nothing else
    assert page.locator("canvas").first.is_visible()
    shoot(page, "away")
    visitor.app.start()
    page.get_by_role("button", name="Next pair").wait_for()
    cast = votes(visitor.app)
    assert len(cast) == 1
    assert cast["chosen"][0] == cast["right"][0]


def test_clips_whose_delivery_a_power_cut_has_forgotten_are_shown_again(guest: Visitor) -> None:
    guest.start()
    guest.ready()
    store = Store(guest.app.where)
    known = store.open().rater(guest.token)
    assert known is not None
    with store.engine.begin() as connection:  # that clips went out does not wait for the disk
        forget = f"UPDATE assignment SET delivered_at = NULL WHERE rater_id = {known.id} AND state = 'leased'"
        assert connection.exec_driver_sql(forget).rowcount
    with guest.page.expect_response("**/trial/vote") as refused:
        guest.page.keyboard.press("ArrowLeft")
    assert refused.value.status == 410
    guest.choose("ArrowRight")
    cast = guest.mine(votes(guest.app))
    assert len(cast) == 1
    assert cast["chosen"][0] == cast["right"][0]


def test_a_server_that_fails_again_and_again_is_not_asked_for_ever(guest: Visitor) -> None:
    page = guest.page
    asked: list[str] = []

    def fail(route: Any) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:  # the connection was too slow for it, which says nothing of the next time
            route.fulfill(status=408, json={"message": "too slow"})
        else:
            route.fulfill(status=500, body="Internal Server Error")

    page.route("**/trial/vote", fail)
    guest.start()
    guest.ready()
    page.keyboard.press("ArrowLeft")
    page.get_by_role("heading", name="Something is wrong on our side").wait_for()
    assert page.locator(".code").inner_text() == "500 vote"
    assert len(asked) == 6
    assert axe(page) == []
    page.unroute("**/trial/vote")
    page.reload()
    page.get_by_role("button", name="Begin").click()
    guest.ready()  # the pair is still there


def test_keys_and_focus(guest: Visitor) -> None:
    page = guest.page
    guest.start()
    guest.ready()
    for name in ("Stop or withdraw", "How it works"):
        page.get_by_role("button", name=name).focus()
        page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Right").focus()
    guest.choose("Enter")
    guest.choose("Enter")  # the focus is still there
    guest.ready()
    page.get_by_role("button", name="Right").focus()
    page.keyboard.down("Enter")  # held down, it answers once
    page.get_by_text("Pair 2 of 28").wait_for()
    guest.ready()
    page.keyboard.down("Enter")
    page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    cast = guest.mine(votes(guest.app))
    assert list(cast["chosen"] == cast["right"]) == [True] * 3
    page.get_by_role("button", name="How it works").click()
    page.get_by_role("heading", name="How it works").wait_for()
    page.get_by_role("button", name="Continue").click()
    guest.ready()
    assert guest.answered() == 3


def test_withdrawing(guest: Visitor) -> None:
    page = guest.page
    guest.start()
    guest.choose()
    page.get_by_role("button", name="Stop or withdraw").click()
    page.get_by_role("button", name="Continue the study").click()
    guest.choose()
    page.get_by_role("button", name="Stop or withdraw").click()
    shoot(page, "leave")
    assert axe(page) == []
    page.get_by_role("button", name="Withdraw my answers").click()
    page.get_by_role("heading", name="Withdraw your answers?").wait_for()
    assert "withdrawn" not in set(guest.mine(votes(guest.app))["excluded"])  # it asks first
    assert axe(page) == []
    page.get_by_role("button", name="No, keep them").click()
    page.get_by_role("button", name="Withdraw my answers").click()
    page.get_by_role("button", name="Yes, withdraw").click()
    page.get_by_role("heading", name="You have withdrawn").wait_for()
    assert page.locator(".code").inner_text()
    assert axe(page) == []
    assert list(guest.mine(votes(guest.app))["excluded"]) == ["withdrawn"] * 2


def test_people_from_prolific_come_back_to_their_session(chromium: Any, app: AppProcess) -> None:
    link = "?PROLIFIC_PID='alert(1)'&STUDY_ID=s&SESSION_ID=1"
    first = Visitor(chromium, app)
    first.start(link)
    first.choose()
    first.close()
    again = Visitor(chromium, app)  # another browser, the same visit
    again.page.goto(f"{app.url}/{link}")
    again.ready()
    assert again.answered() == 1
    again.close()
    other = Visitor(chromium, app)  # somebody who knows the id
    other.page.goto(f"{app.url}/{link[:-1]}2")
    other.page.get_by_text("begun in another browser").wait_for()
    other.close()
    database = Path(app.where).read_bytes() + Path(f"{app.where}-wal").read_bytes()
    assert b"alert(1)" not in database


@pytest.fixture
def hasty(sqlite: str, tmp_path: Path) -> Iterator[AppProcess]:
    """The app on a fresh study, whose monitor looks again every five seconds."""
    process = AppProcess(sqlite, tmp_path / "log", **{forked.PERIOD: "5"})
    yield process
    process.kill()


def test_the_admin_page(chromium: Any, hasty: AppProcess) -> None:
    app = hasty
    someone = Visitor(chromium, app, 1100, 1000)
    page = someone.page
    rated = Store(app.where).open()
    for rater in ("a rater who goes on", "a rater whose clips fail"):
        rated.enrol(rater)
        first = rated.view(rater).trials[0]
        rated.vote(rater, first, Answer("left", 900)) if "goes" in rater else rated.skip(rater, first, "no network")
    page.goto(f"{app.url}/?admin")
    password = page.get_by_role("textbox", name="Password")
    password.fill("wrong")
    press(page, "Enter")
    page.get_by_text("Sign-in failed").wait_for()
    assert "mdgan" not in page.content()
    password.fill(PASSWORD)
    press(page, "Enter")
    page.get_by_text("Active now").wait_for()
    page.get_by_text("updated every 10 seconds").wait_for()
    page.get_by_text("0 of 112 votes (0%)").wait_for()
    page.get_by_role("heading", name="Progress").wait_for()
    shoot(page, "admin_overview")
    assert axe_at_rest(page) == []
    rated.enrol("a rater who has just come")
    # without a click: the figures are drawn anew; the first two may count no longer
    page.locator(".tile").filter(has_text=re.compile(r"Active now\s*[13]")).wait_for()
    press(page, "Log", "radio")
    page.get_by_role("heading", name="Pairs that did not load (1)").wait_for()
    press(page, "Outcomes", "radio")
    page.get_by_text("Show outcomes anyway").wait_for()
    assert page.get_by_role("heading", name="Preference opinion scores").count() == 0
    page.locator(AT_REST).wait_for()
    page.get_by_text("Show outcomes anyway").click()
    page.get_by_role("heading", name="Preference opinion scores").wait_for()
    shoot(page, "admin_outcomes")
    press(page, "Export", "radio")
    with page.expect_download() as download:
        press(page, "Download all files")
    with zipfile.ZipFile(download.value.path()) as packed:
        assert {"votes.csv", "pos.csv", "study.json", "raters.csv", "screens.csv", "table2.tex"} <= set(
            packed.namelist()
        )
        assert packed.read("votes.csv").decode().startswith("study,comparison,first")
    assert axe_at_rest(page) == []
    press(page, "Link", "radio")
    page.get_by_alt_text("QR code of the link").wait_for()
    assert axe_at_rest(page) == []
    store = Store(app.where)
    with store.engine.connect() as connection:
        actions = connection.exec_driver_sql("SELECT action FROM audit").scalars().all()
    assert {"admin refused", "admin entered", "looked at outcomes early"} <= set(actions)
    press(page, "Pause")
    assert store.open().state() == "open"  # it asks first
    press(page, "Pause the study")
    press(page, "Open again")
    assert store.open().state() == "paused"
    press(page, "Open the study")
    page.get_by_role("button", name="Pause", exact=True).wait_for()
    assert store.open().state() == "open"
    press(page, "Raters", "radio")
    page.get_by_text("3 of 3 raters").wait_for()
    shoot(page, "admin_raters")
    assert axe_at_rest(page) == []
    page.get_by_text("Erase a rater on request").click()
    page.get_by_role("textbox", name="Rater, as in raters.csv").fill(rated.raters()["rater"][0])
    page.get_by_role("textbox", name="Reason").and_(page.locator("[data-testid=stForm] *")).first.fill("by letter")
    press(page, "Erase")
    press(page, "Erase permanently")
    page.get_by_text("Erased: ").wait_for()
    assert list(rated.raters()["erased"] != "") == [True, False, False]
    for _ in range(4):
        assert not store.open().sign_in(False, "127.0.0.1")
    page.reload()  # still signed in
    page.get_by_text("Active now").wait_for()
    (kept,) = [cookie for cookie in someone.context.cookies() if cookie["name"] == admin_session.COOKIE]
    assert (kept["httpOnly"], kept["sameSite"]) == (True, "Strict")
    press(page, "Sign out")
    password.wait_for()
    assert not admin_session.is_valid(kept["value"], PASSWORD, rated)  # in whatever browser it got to
    page.reload()
    password.fill(PASSWORD)  # right, but too late
    press(page, "Enter")
    page.get_by_text("Sign-in failed").wait_for()
    store.unlock()
    press(page, "Enter")
    page.get_by_role("heading", name="study").wait_for()
    someone.close()


def test_pages_of_a_study_in_trouble(chromium: Any, app: AppProcess) -> None:
    app.kill()
    Path(app.where).rename(app.where + ".away")
    app.start()
    someone = Visitor(chromium, app)
    someone.page.goto(app.url)
    someone.page.get_by_role("heading", name="We will be back soon").wait_for()
    shoot(someone.page, "trouble")
    text = someone.page.content()
    assert app.where not in text
    assert "Traceback" not in text
    assert "There is no study database" in app.log.read_text()  # for who can act on it
    Path(app.where + ".away").rename(app.where)
    someone.start()  # and it comes back by itself
    someone.ready()
    someone.close()


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_who_reads_the_consent_text_sees_how_to_agree(
    chromium: Any, shared: AppProcess, width: int, height: int
) -> None:
    someone = Visitor(chromium, shared, width, height, color_scheme="dark")
    page = someone.page
    page.goto(shared.url)
    agree, onward = page.get_by_role("checkbox"), page.get_by_role("button", name="Continue")
    agree.wait_for()
    assert page.evaluate("document.documentElement.scrollHeight > innerHeight")  # the text is longer than the window
    for part in (agree, onward):
        box = part.bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height
    last = page.get_by_role("link", name="Download this text")
    last.focus()  # and it hides nothing that has the focus
    assert last.bounding_box()["y"] + last.bounding_box()["height"] <= agree.bounding_box()["y"]
    shoot(page, f"consent_dark_{width}")
    assert axe(page) == []
    someone.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_server_that_fails_again_and_again(chromium: Any, shared: AppProcess, scheme: str) -> None:
    someone = Visitor(chromium, shared, 390, 844, color_scheme=scheme)
    page = someone.page
    page.route("**/trial/vote", lambda route: route.fulfill(status=500))
    someone.start()
    someone.ready()
    page.locator(OPEN).first.click()
    page.get_by_role("heading", name="Something is wrong on our side").wait_for()
    assert page.locator(".code").inner_text() == "500 vote"
    shoot(page, f"failed_{scheme}")
    assert axe(page) == []
    page.unroute("**/trial/vote")
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="Begin").wait_for()  # nothing is lost
    someone.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_who_has_to_wait_and_who_gets_a_code(chromium: Any, app: AppProcess, scheme: str) -> None:
    someone = Visitor(chromium, app, 390, 844, color_scheme=scheme)
    page = someone.page
    page.route("**/trial/vote", lambda route: route.fulfill(json=WAITING))
    # the page would look by itself after 15 seconds, perhaps before this test has looked at it
    page.add_init_script("const set = setTimeout; setTimeout = (act, ms) => (ms === 15000 ? 0 : set(act, ms));")
    someone.start()
    someone.ready()
    page.locator(OPEN).first.click()
    page.get_by_role("heading", name="Please wait a moment").wait_for()
    shoot(page, f"waiting_{scheme}")
    assert axe(page) == []
    page.get_by_role("button", name="Check again").click()
    page.get_by_role("button", name="Begin").click()
    Store(app.where).open().change("close", "test", "the rest is enough")
    page.unroute("**/trial/vote")
    someone.ready()
    page.locator(OPEN).first.click()
    page.get_by_role("button", name="Next pair").wait_for()
    page.wait_for_timeout(450)
    page.get_by_role("button", name="Next pair").click()
    page.get_by_role("heading", name="The study is closed").wait_for()
    assert len(page.locator(".code").inner_text()) == 10
    shoot(page, f"code_{scheme}")
    assert axe(page) == []
    someone.close()


def test_hostile_texts_are_shown_as_text(chromium: Any, run_folder: Path, tmp_path: Path) -> None:
    nasty = "<img src=x onerror='window.broken=1'><script>window.broken=1</script> **bold** $x$"
    create(tmp_path / "n.db", study_request(run_folder, question=nasty, consent=nasty))
    app = AppProcess(str(tmp_path / "n.db"), tmp_path / "log")
    try:
        someone = Visitor(chromium, app)
        someone.page.goto(app.url)
        someone.page.get_by_text("<img src=x").wait_for()
        assert "**bold**" in someone.page.inner_text("body")
        someone.page.get_by_text("I have read this").click()
        someone.page.get_by_role("button", name="Continue").click()
        someone.page.get_by_text("<script>").wait_for()
        someone.page.get_by_role("button", name="Begin").click()
        someone.ready()
        assert someone.page.locator("h1.question").inner_text() == nasty
        assert someone.page.evaluate("window.broken") is None
        someone.close()
    finally:
        app.kill()


@pytest.mark.parametrize("apart", [False, True], ids=["one picture", "two pictures"])
def test_clips_look_as_the_run_has_them(guest: Visitor, apart: bool) -> None:
    store = Store(guest.app.where)
    study = store.open()

    def media() -> tuple[bytes, bytes]:
        return study.media(guest.token, study.view(guest.token).trials[0])

    if apart:  # as a pair travels whose picture is too long for the messages of a study of version 0.2
        slots = lambda: b"".join(clip_encoding.message(clip, b"", study.slot_bytes()) for clip in media())  # noqa: E731
        guest.page.route("**/trial/clips/*", lambda route: route.fulfill(body=slots()))
    guest.start()
    guest.ready()
    sides = [decode(data, study.settings.frames) for data in media()]
    grab = "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
    both = f"() => [...document.querySelectorAll('canvas')].map({grab})"
    until = time.monotonic() + 60
    while time.monotonic() < until:  # until it is not between two plays, when they are veiled
        pixels = [
            np.array(p, np.uint8).reshape(study.settings.size, study.settings.size, 4)
            for p in guest.page.evaluate(both)
        ]
        if any((sides[0][t] == pixels[0][..., :3]).all() for t in range(study.settings.frames)):
            break
        guest.page.wait_for_timeout(20)
    matches = [
        [t for t in range(study.settings.frames) if (side[t] == p[..., :3]).all()]
        for side, p in zip(sides, pixels, strict=True)
    ]
    assert set(matches[0]) & set(matches[1])  # both exact, and the same frame


def test_markdown_two_languages_and_a_screen_that_is_measured(chromium: Any, run_folder: Path, tmp_path: Path) -> None:
    english, german = (
        "## What we ask\n\n**Two** clips.<script>window.broken=1</script>",
        "## Worum es geht\n\nZwei Clips.",
    )
    asked = {"consent": english, "consent_format": "markdown", "contact": "lab@example.org", "ethics": "2026/11"}
    asked |= {"translations": (StudyTexts("de", "", german, consent_format="markdown"),), "calibration": "card"}
    create(tmp_path / "n.db", study_request(run_folder, **asked))
    app = AppProcess(str(tmp_path / "n.db"), tmp_path / "log")
    try:
        someone = Visitor(chromium, app, 390, 844, locale="de-AT", reduced_motion="reduce")
        page = someone.page
        page.goto(app.url)
        page.get_by_role("heading", name="Worum es geht").wait_for()
        assert page.locator("html").get_attribute("lang") == "de"
        assert page.get_by_text("Votum der Ethikkommission: 2026/11").is_visible()
        page.get_by_role("button", name="Ich stimme nicht zu").click()
        page.get_by_role("heading", name="Danke für Ihr Interesse").wait_for()
        assert axe(page) == []
        page.get_by_role("button", name="Zurück zum Text").click()
        page.get_by_role("button", name="English").click()
        page.get_by_role("heading", name="What we ask").wait_for()
        tongues, text = page.locator(".tongues").bounding_box(), page.locator(".tongues + *").bounding_box()
        assert text["y"] - tongues["y"] - tongues["height"] >= 8  # the other language is no part of the text
        assert page.locator("html").get_attribute("lang") == "en"
        assert page.evaluate("window.broken") is None
        assert axe(page) == []
        shoot(page, "consent_markdown")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download this text").click()
        assert "nothing was agreed to" in Path(download.value.path()).read_text()
        page.get_by_text("I have read this").click()
        page.get_by_role("button", name="Continue").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download what you have agreed to").click()
        kept = Path(download.value.path()).read_text()
        assert download.value.suggested_filename == "consent.md"
        assert kept.startswith(english)
        study = Store(app.where).open()
        version = study.settings.words("en").consent_version
        assert all(said in kept for said in ("Contact: lab@example.org", f"Version {version}", "Agreed to "))
        page.get_by_role("button", name="Begin").click()
        page.get_by_role("heading", name="How large is your screen?").wait_for()
        page.get_by_role("slider").fill("214")
        page.get_by_role("button", name="It fits").click()
        page.get_by_text("Please enter a number").wait_for()
        assert axe(page) == []
        shoot(page, "card")
        page.get_by_role("spinbutton").fill("40")
        page.get_by_role("button", name="It fits").click()
        page.get_by_text("Press “Play” when you are ready.").wait_for()
        assert axe(page) == []
        page.wait_for_timeout(1500)
        assert page.locator(OPEN).count() == 0  # nothing plays by itself where somebody wants no motion
        page.locator("button.go").click()
        someone.ready()
        page.evaluate(BUSY)
        page.wait_for_timeout(400)  # from now on, frames are far apart
        page.get_by_role("button", name="Pause").click()
        page.wait_for_timeout(1000)
        still = page.locator("canvas").first.evaluate("canvas => canvas.toDataURL()")
        assert still == page.evaluate("window.atPause")  # the frame that the rater wanted to look at
        page.evaluate("() => { window.requestAnimationFrame = window.swift; }")
        page.get_by_role("button", name="Lower").click()
        page.get_by_role("button", name="Next pair").wait_for()
        page.wait_for_timeout(450)
        page.get_by_role("button", name="Next pair").click()
        page.get_by_text("Press “Play” when you are ready.").wait_for()
        someone.close()
        rater, seen = study.raters().iloc[0], study.screens().iloc[0]
        assert (rater["language"], rater["consent"], study.declined()) == ("en", version, 1)
        assert seen["dots_per_mm"] == pytest.approx(214 / 53.98)  # upright, on a phone
        assert (seen["pauses"], seen["distance_cm"]) == (1, 40)
    finally:
        app.kill()


def test_a_preview_shows_every_page(chromium: Any, template: Path, tmp_path: Path) -> None:
    database, name = preview.prepare(Store(template).open(), tmp_path)
    app = AppProcess(str(database), tmp_path / "log", BENCH_STUDY=name, BENCH_STUDY_PREVIEW="1")
    try:
        someone = Visitor(chromium, app, 768, 1024)
        page = someone.page
        page.goto(app.url)
        pages = page.get_by_role("navigation").get_by_role("button")
        pages.first.wait_for()
        names = pages.all_inner_texts()
        assert len(names) == 16
        for number, name in enumerate(names):
            pages.nth(number).click()
            page.get_by_role("heading", name=name, exact=True).first.wait_for()
            shoot(page, f"preview_{number:02d}")
            assert axe(page) == [], name
            page.get_by_text("Preview: nothing of this is kept").wait_for()
        someone.close()
    finally:
        app.kill()
