"""Copies of a study without its votes: for pilots, simulations and previews."""

from __future__ import annotations

from dataclasses import replace

from bench.errors import BenchError
from study_app.store.store import Store
from study_app.store.study import OpenStudy


def pilot(store: Store, study: OpenStudy) -> OpenStudy:
    """Make a pilot of a study in the same database.

    Pages, tables and exports of a pilot are labelled as such, and its votes never enter the study.
    """
    if study.simulated or study.settings.pilot:
        raise BenchError(f"The study '{study.name}' is already a copy. Name the study that it was made from.")
    return copy(study, store, _next_name(store, f"{study.name} pilot"), pilot=True)


def simulated(store: Store, study: OpenStudy) -> OpenStudy:
    """Make a simulated copy of a study in the same database; its votes never enter a tally of the study."""
    if study.simulated:
        raise BenchError(f"The study '{study.name}' is already a simulation. Name the study that it was made from.")
    return copy(study, store, _next_name(store, f"{study.name} simulated"), pilot=study.settings.pilot, simulated=True)


def copy(study: OpenStudy, store: Store, name: str, *, pilot: bool, simulated: bool = False) -> OpenStudy:
    """Write a copy of a study under another name, with the same clips, seed and schedule and without its votes."""
    settings = replace(study.settings, name=name, pilot=pilot, slot_bytes=study.slot_bytes())
    return store.add(settings, study.row.seed, study.schedule(), study.clips(), simulated=simulated)


def _next_name(store: Store, stem: str) -> str:
    return f"{stem} {1 + sum(other.startswith(stem) for other in store.names())}"
