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

from tests.processes import CONTEXT

Pipe = CONTEXT.Pipe


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
    runpy.run_module(command[2], run_name="__main__", alter_sys=True)
