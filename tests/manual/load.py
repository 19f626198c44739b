"""Raters who never pause, over HTTP: how long answers take, and whether any is lost or counted twice.

Usage: `python -m tests.manual.load [--raters 30] [--kills 2] [--url postgresql://…]`, in the root of a clone. It makes
a study of small clips in a temporary folder, or at the URL of an empty database, and starts the app as `bench study
serve` does. Each rater fetches the clips, waits for the one play that the server asks for, and answers at once. With
`--kills`, the app is killed by SIGKILL in the middle and started again. The times are of the answers alone: from the
first try to the acknowledgement, in milliseconds.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import text

from study_app.design.flags import one_play
from study_app.pipeline.create import create
from study_app.store.store import Store
from study_app.web import serve
from tests.study_app.conftest import free_port, study_request, wait_for
from tests.study_app.runfolder import write_run


class App:
    """The app in a process of its own, which can be killed and started again."""

    def __init__(self, where: str, log: Path) -> None:
        self.where, self.log, self.port = where, log, free_port()
        self.start()

    def start(self) -> None:
        env = serve.environment(self.where, None) | serve.Options(self.port, "127.0.0.1", sessions=0).variables()
        with self.log.open("ab") as file:
            command = serve.command(self.port, "127.0.0.1")
            self.process = subprocess.Popen(command, env=env, cwd=serve.APP.parent, stdout=file, stderr=file)
        wait_for(f"http://127.0.0.1:{self.port}", lambda: self.process.poll() is None, self.log)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Rater(threading.Thread):
    """One session; `acknowledged` has every vote that the server said it had saved."""

    def __init__(self, port: int, play: float, seed: int) -> None:
        super().__init__()
        self.port, self.play, self.rng = port, play, random.Random(seed)
        self.token, self.acknowledged, self.times = "", {}, []
        self.refused: Counter[str] = Counter()
        self.connection: http.client.HTTPConnection | None = None
        self.cookie = ""

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
        """Send a request, again and again while the server is away."""
        headers = {"X-Rater": self.token, "Content-Type": "application/json", "Cookie": self.cookie}
        while True:
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
                self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
                reply = self.connection.getresponse()
                self.cookie = reply.getheader("Set-Cookie", self.cookie).partition(";")[0]
                return reply.status, reply.read()
            except (OSError, http.client.HTTPException):
                self.connection = None
                time.sleep(0.05)

    def call(self, name: str, **body: Any) -> dict[str, Any]:
        while True:
            status, said = self.ask("POST", f"/trial/{name}", body)
            if status == 200:
                return dict(json.loads(said))
            self.refused[f"{name} {status}"] += 1
            if status in (403, 410):
                return self.call("state")
            time.sleep(json.loads(said).get("wait", 0.2) if status == 429 else 0.2)

    def run(self) -> None:
        self.token = self.call("hello")["token"]
        view = self.call("enrol")["view"]
        while view["state"] in ("rating", "waiting"):
            if view["state"] == "waiting":
                time.sleep(0.2)
                view = self.call("state")
                continue
            trial = view["trials"][0]
            self.ask("GET", f"/trial/clips/{trial}")
            time.sleep(self.play)
            chosen, ms = self.rng.choice(["left", "right"]), self.rng.randrange(200, 9999)
            start = time.perf_counter()
            view = self.call("vote", trial=trial, chosen=chosen, response_ms=ms, replays=0, focus_losses=0)
            self.times.append(1000 * (time.perf_counter() - start))
            self.acknowledged[trial] = (chosen, ms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raters", type=int, default=30)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--url", default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        where = given.url or str(folder / "study.db")
        run = write_run(folder / "run", clips=30)
        create(where, study_request(run, votes=1 + given.raters // 4, catch_pass=0))
        store = Store(where)
        study = store.open()
        app = App(where, folder / "log")
        raters = [Rater(app.port, one_play(study.settings).total_seconds(), seed) for seed in range(given.raters)]
        start = time.perf_counter()
        for rater in raters:
            rater.start()
        for _ in range(given.kills):
            time.sleep(random.uniform(4, 8))
            app.kill()
            app.start()
        for rater in raters:
            rater.join()
        seconds = time.perf_counter() - start
        app.kill()
        print(json.dumps(account(store, raters, seconds), indent=1))


def account(store: Store, raters: list[Rater], seconds: float) -> dict[str, Any]:
    """What was acknowledged against what the database holds."""
    query = "SELECT token, chosen, response_ms FROM vote JOIN assignment ON assignment.id = assignment_id"
    with store.engine.connect() as connection:
        kept = [tuple(row) for row in connection.execute(text(query))]
    told = {(trial, *vote) for rater in raters for trial, vote in rater.acknowledged.items()}
    times = np.array([ms for rater in raters for ms in rater.times])
    counts = Counter(token for token, _, _ in kept)
    return {
        "database": store.url.get_backend_name(),
        "raters": len(raters),
        "votes": len(told),
        "a_second": round(len(told) / seconds, 1),
        **{f"p{share}": round(float(np.percentile(times, share))) for share in (50, 95, 99)},
        "longest": round(float(times.max())),
        "lost": len(told - set(kept)),
        "double": sum(count - 1 for count in counts.values()),
        "never_acknowledged": len(set(kept) - told),
        "refusals": dict(sum((rater.refused for rater in raters), Counter())),
        "load_average": os.getloadavg(),
    }


if __name__ == "__main__":
    main()
