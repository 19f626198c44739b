"""Where a training run was computed, session by session.

A resumed run may use another PyTorch, another processor or another number of threads. Each of them can change the last
bits of a result. `sessions.json`, next to the checkpoints, records which steps were computed where.
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
    """Print a warning if conditions have changed since the previous session."""
    if changed := changes(before, now):
        message = f"{what} resumes under different conditions ({'; '.join(changed)}): "
        message += "its numbers may differ from those of an uninterrupted run."
        console().print(message, style="yellow", markup=False, soft_wrap=True)


def kept_threads(folder: Path, device: str) -> int:
    """The number of threads that a training run on a CPU has used so far; for a new run, this process's number."""
    sessions = read_sessions(folder)
    return int(sessions[-1]["threads"]) if sessions and device == "cpu" else torch.get_num_threads()


def record_session(folder: Path, at: tuple[int, int], fabric: Fabric, what: str) -> None:
    """Record that this process computes the steps after `at`; write nothing if conditions have not changed.

    Args:
        folder: folder of the training run.
        at: stage and step from which it resumes; later sessions are dropped, because their steps are computed again.
        fabric: see `make_fabric`.
        what: description of the training run, for the warning.
    """
    before = [s for s in read_sessions(folder) if (s["stage"], s["step"]) < at]
    now = this_session(fabric)
    if not before or changes(before[-1], now):
        if before:
            warn(what, before[-1], now)
        stage, step = at
        write_json(folder / SESSIONS, [*before, {"stage": stage, "step": step, **now}])


def read_sessions(folder: Path) -> list[dict[str, Any]]:
    """The sessions of a training run, oldest first; empty if none were recorded."""
    path = folder / SESSIONS
    return list(read_json(path)) if path.exists() else []
