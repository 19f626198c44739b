"""Where a training run was computed, session by session.

A run that is interrupted and resumed may meet another PyTorch, another processor or another number of threads, and each
of them can move the last bits of a result. `sessions.json` beside the checkpoints says which steps were computed where.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bench.files import read_json, write_json
from bench.progress import console
from bench.provenance import changes, provenance
from bench.runfolder import SESSIONS

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def this_session(fabric: Fabric) -> dict[str, Any]:
    """Versions, processor, device, threads and precision of this process; see `bench.provenance.provenance`."""
    return {**provenance(fabric.device.type), "precision": fabric.strategy.precision.precision}


def warn(what: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Say what has changed since the session before, where something has."""
    if changed := changes(before, now):
        message = f"{what} resumes under different conditions ({'; '.join(changed)}): "
        message += "its numbers may differ from those of an uninterrupted run."
        console().print(message, style="yellow", markup=False, soft_wrap=True)


def kept_threads(folder: Path, device: str) -> int:
    """The number of threads that a training run on a CPU has used so far; this process's number for a new one."""
    sessions = read_sessions(folder)
    return int(sessions[-1]["threads"]) if sessions and device == "cpu" else torch.get_num_threads()


def record_session(folder: Path, at: tuple[int, int], fabric: Fabric, what: str) -> None:
    """Write down that this process computes the steps after `at`; nothing where it continues as the one before.

    Args:
        folder: of the training run.
        at: stage and step that it resumes from; later sessions are dropped, because their steps are computed again.
        fabric: see `make_fabric`.
        what: the training run in words, for the warning.
    """
    before = [s for s in read_sessions(folder) if (s["stage"], s["step"]) < at]
    now = this_session(fabric)
    if not before or changes(before[-1], now):
        if before:
            warn(what, before[-1], now)
        stage, step = at
        write_json(folder / SESSIONS, [*before, {"stage": stage, "step": step, **now}])


def read_sessions(folder: Path) -> list[dict[str, Any]]:
    """The sessions of a training run, oldest first; none where it was not recorded."""
    path = folder / SESSIONS
    return list(read_json(path)) if path.exists() else []
