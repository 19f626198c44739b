"""Copies of a study without its votes: pilots, and the copy that a preview shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.errors import BenchError
from study_app.store.store import Store
from study_app.store.study import OpenStudy


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
