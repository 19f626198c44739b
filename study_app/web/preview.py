"""Trying out a study before it starts: every page without a vote, and a pilot whose votes never count."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from pathlib import Path

from study_app.pipeline.copies import copy
from study_app.store.store import Store
from study_app.store.study import OpenStudy
from study_app.web import serve
from study_app.web.visit import PREVIEW_VARIABLE


def preview(study: OpenStudy, port: int, address: str) -> int:
    """Serve a temporary copy of a study, with access to every page; return the exit status.

    If a signal ends this process, the server is stopped and the copy is removed first.
    """
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        with tempfile.TemporaryDirectory(prefix="preview-") as folder:
            database, copied = prepare(study, Path(folder))
            env = serve.environment(database, copied) | serve.Options(port, address, sessions=0).variables()
            return _serve(serve.command(port, address), env | {PREVIEW_VARIABLE: "1"})
    finally:
        signal.signal(signal.SIGTERM, before)


def _serve(command: list[str], env: dict[str, str]) -> int:
    early: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: early.append(number))  # so that none comes before `server` is known
    server = subprocess.Popen(command, env=env, cwd=serve.APP.parent)
    try:
        signal.signal(signal.SIGTERM, _stop)
        if early:
            _stop(early[0], None)
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # until the server has stopped and the copy is removed
        server.terminate()
        server.wait()


def _stop(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def prepare(study: OpenStudy, folder: Path) -> tuple[Path, str]:
    """Create the copy of a study for a preview in `folder`; return its database and its name."""
    database = folder / "preview.db"
    return database, copy(study, Store.migrated(database), f"{study.name} preview", pilot=True).name
