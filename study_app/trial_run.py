"""Trying a study out before it starts: every page without a vote, and a pilot whose votes never count."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from bench.errors import BenchError
from study_app.store.store import Store
from study_app.store.study import OpenStudy
from study_app.web import serve
from study_app.web.visit import PREVIEW_VARIABLE


def pilot(where: str | Path | None, name: str | None) -> str:
    """Make a pilot of a study in the same database; returns its name.

    Pages, tables and exports of a pilot say that it is one, and no votes of it are in the study.
    """
    store = Store(where)
    study = store.open(name)
    if study.simulated or study.settings.pilot:
        raise BenchError(f"The study '{study.name}' is a copy already: name the study that it was made from.")
    number = 1 + sum(other.startswith(f"{study.name} pilot") for other in store.names())
    return copy(study, store, f"{study.name} pilot {number}").name


def copy(study: OpenStudy, into: Store, name: str) -> OpenStudy:
    """A pilot of a study under that name, with the same clips, seed and schedule and without its votes."""
    settings = replace(study.settings, name=name, pilot=True, slot_bytes=study.slot_bytes())
    return into.add(settings, study.row.seed, study.schedule(), study.clips())


def preview(where: str | Path | None, name: str | None, port: int, address: str) -> int:
    """Serve a copy of a study that is thrown away afterwards, with the way to every page; returns the exit status."""
    with tempfile.TemporaryDirectory(prefix="preview-") as folder:
        database, copied = prepare(where, name, Path(folder))
        env = serve.environment(database, copied) | {PREVIEW_VARIABLE: "1"}
        try:
            return subprocess.run(serve.command(port, address), env=env, cwd=serve.APP.parent, check=False).returncode
        except KeyboardInterrupt:
            return 0


def prepare(where: str | Path | None, name: str | None, folder: Path) -> tuple[Path, str]:
    """Put the copy of a study that a preview shows below `folder`; returns its database and its name."""
    database = folder / "preview.db"
    study = Store(where).open(name)
    return database, copy(study, Store.migrated(database), f"{study.name} preview").name
