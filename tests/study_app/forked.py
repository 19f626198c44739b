"""Processes that start at once, because they are forked from one that has imported what they need.

To start Python, SQLAlchemy and Streamlit anew takes seconds each time. What comes of it is a process of its own all the
same, with its own connections and its own end; that the commands start it too is a test of its own.
"""

from __future__ import annotations

import os
import runpy
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.support.processes import CONTEXT

Pipe = CONTEXT.Pipe
#: An environment variable: after how many seconds the admin page draws its monitor anew, in place of its own 10.
PERIOD = "TESTS_MONITOR_PERIOD"


def start(work: Any, *arguments: Any) -> BaseProcess:
    """Run `work(*arguments)` in a process of its own."""
    process = CONTEXT.Process(target=work, args=arguments)
    process.start()
    return process


def run_module(command: list[str], env: dict[str, str], folder: Path, log: Path) -> None:
    """What `python -m MODULE …` does, in this process; `command` is the whole line, and `log` takes what it says."""
    assert command[:2] == [sys.executable, "-m"]
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    sys.path[:0] = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.argv = command[2:]
    _find_no_components()
    if PERIOD in env:
        _look_again(int(env[PERIOD]))
    runpy.run_module(command[2], run_name="__main__", alter_sys=True)


def _find_no_components() -> None:
    """Spare Streamlit the search of all installed packages for components: half of its start, and none is used here."""
    from streamlit.components.v2 import manifest_scanner

    manifest_scanner.scan_component_manifests = list  # type: ignore[assignment]


def _look_again(seconds: int) -> None:
    """Let parts of a page that are drawn anew by themselves be so after as many seconds."""
    import streamlit

    fragment = streamlit.fragment

    def hurried(part: Any = None, *, run_every: Any = None) -> Any:
        return fragment(part, run_every=run_every and seconds)

    streamlit.fragment = hurried
