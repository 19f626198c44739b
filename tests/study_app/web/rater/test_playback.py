"""The clock of the clips, with callbacks as irregular as those of a busy browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from study_app.web import serve

pytestmark = pytest.mark.browser

SOURCE = Path(serve.__file__).with_name("rater") / "playback.js"
FRAMES, RATE, GAP = 8, 60, 300  # the gap is Playback's, in milliseconds
#: Plays two clips. Each step calls the callback at a time, or pauses, or plays on; says what each step drew.
RUN = """
async ([source, frames, rate, steps]) => {
  const { Playback } = await import(source);
  let due = null, log = [];
  window.requestAnimationFrame = (act) => { due = act; return 1; };
  window.cancelAnimationFrame = () => { due = null; };
  const pen = (side) => ({
    drawImage: (picture, x, y) => log.push([side, Math.round(y / 10) * 3 + Math.round(x / 10)]),
    fillRect: () => log.push([side, "veil"]), clearRect: () => {},
  });
  const canvases = [0, 1].map((side) => ({ getContext: () => pen(side) }));
  const playback = new Playback(canvases, { frames, rate, size: 10, width: 10 }, (drawn) => log.push(["ended", drawn]));
  playback.clear();
  playback.play([0, 1].map(() => ({ picture: { close() {} }, x: 0, y: 0 })), false);
  return steps.map((step) => {
    log = [];
    if (typeof step === "number") due(step); else playback.pause(step);
    return log;
  });
}
"""


@pytest.fixture(scope="module")
def blank(chromium: Any) -> Any:
    page = chromium.new_page()
    yield page
    page.close()


def play(page: Any, steps: list[float | bool]) -> list[list[list[Any]]]:
    said: list[list[list[Any]]] = page.evaluate(
        RUN, ["data:text/javascript," + quote(SOURCE.read_text()), FRAMES, RATE, steps]
    )
    return said


def irregular(seed: int, slowest: float) -> list[float | bool]:
    """Times of callbacks up to `slowest` milliseconds apart, with pauses between."""
    draw = np.random.default_rng(seed)
    steps: list[float | bool] = []
    now, paused = 1000.0, False
    for _ in range(400):
        if draw.random() < 0.05:
            paused = not paused
            steps.append(paused)
        now += float(draw.uniform(1, slowest))
        steps.append(now)
    return steps


@pytest.mark.parametrize("slowest", [20, 120, 900])
@pytest.mark.parametrize("seed", range(3))
def test_however_irregular_the_callbacks_are(blank: Any, seed: int, slowest: float) -> None:
    steps = irregular(seed, slowest)
    paused, shown, plays, in_play, veils, frames_while_paused = False, None, 0, 0, 0, 0
    for step, did in zip(steps, play(blank, steps), strict=True):
        if isinstance(step, bool):
            paused = step
            assert did == []
            continue
        ended = [what for side, what in did if side == "ended"]
        drawn = [[what for side, what in did if side == clip] for clip in (0, 1)]
        assert drawn[0] == drawn[1]  # both in one callback, and the same frame
        assert len(drawn[0]) <= 1
        if paused and shown is not None:
            frames_while_paused += len(drawn[0])
        if ended:
            plays += 1
            assert ended == [in_play]  # as many as were drawn since the play began
            assert drawn[0] not in ([], ["veil"])  # answers open when a frame is on the screen
            in_play, shown = 0, None
        for what in drawn[0]:
            assert what != shown  # nothing is drawn twice, and no veil upon a veil
            if what == "veil":
                veils += 1
            else:
                assert shown is None or shown == "veil" or what > shown
                assert shown != "veil" or ended
                in_play += 1
            shown = what
    assert frames_while_paused == 0
    assert plays > 3
    assert veils > 3


def test_a_long_pause_moves_no_frame_by_rounding(blank: Any) -> None:
    begun, edge, later = 32728.938845696033, 32778.93884569603, 33047.18201803818  # found by a search
    assert edge - begun < 50 == later - (begun + (later - edge))  # the third frame, then the fourth
    assert [len(did) for did in play(blank, [begun, edge, True, later])] == [2, 2, 0, 0]
