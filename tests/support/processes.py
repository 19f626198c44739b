"""The real command in real processes, without importing PyTorch for each of them.

A server process imports what the command needs and computes nothing; every command is a fork of it: a process of its
own with its own arguments, environment and exit status, which SIGKILL ends like any other. Nothing of what tests patch
in their own process reaches it.
"""

from __future__ import annotations

import importlib
import itertools
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import bench
from tests.support.small import REPOSITORY

#: What the server imports before anything is asked of it: there is one for all tests of a process.
PRELOADED = [
    "torch",
    "lightning_fabric.strategies.ddp",
    "bench.cli.main",
    "bench.pipeline.run",
    "bench.report.build_report",
]
PRELOADED += ["mdgan.model", "baselines.vgan", "baselines.rnngan", "baselines.copy_first", "bench.metrics.ssim_kernel"]
PRELOADED += ["torch.distributed.run", "torch.utils.tensorboard", "study_app.cli.main"]
PRELOADED += ["streamlit.web.cli", "streamlit.web.server", "study_app.pipeline.export", "study_app.web.rater_api"]
PRELOADED += ["uvicorn", "tests.study_app.forked"]

#: In place of a context that starts each process from nothing.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(PRELOADED)


@dataclass(frozen=True)
class Finished:
    """How a process ended: its status as `subprocess` has it (minus the signal's number), and what it said."""

    returncode: int
    stdout: str
    stderr: str


class Forked:
    """A process that calls a function, in the repository's root and with this process's environment.

    Args:
        output: a folder, for what it prints.
        call: a function of a module; it and its arguments are pickled.
        arguments: for it.
        env: environment variables that differ from this process's.
    """

    def __init__(
        self, output: Path, call: Callable[..., object], *arguments: object, env: Mapping[str, str] | None = None
    ) -> None:
        output.mkdir(parents=True, exist_ok=True)
        self._files = output / "stdout", output / "stderr"
        settled = {**os.environ, **(env or {})}
        target: Any = CONTEXT.Process
        self.process: BaseProcess = target(
            target=_settled, args=(self._files, settled, bench.__file__, call, arguments)
        )
        self.process.start()

    def wait(self, timeout: float = 1200) -> Finished:
        """Wait until it has ended; one that does not is killed, and fails the test."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
            raise AssertionError(f"still running after {timeout} s: {self._files[1].read_text()[-2000:]}")
        return Finished(self.process.exitcode, *(path.read_text() for path in self._files))


def _settled(
    files: tuple[Path, Path],
    env: Mapping[str, str],
    code: str | None,
    call: Callable[..., object],
    arguments: tuple[object, ...],
) -> None:
    """In the new process: its own output, environment and folder, then the call."""
    for stream, path in enumerate(files, start=1):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, stream)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(REPOSITORY)
    assert bench.__file__ == code  # the server found the same code as the tests
    call(*arguments)


def command(words: list[object], before: Callable[[], object] | None = None) -> None:
    """`bench WORDS`, after a call that prepares the process; for `Forked`."""
    if before:
        before()
    sys.argv = ["bench", *map(str, words)]
    importlib.import_module("bench.cli.main").main()


def run_command(output: Path, *words: object, before: Callable[[], object] | None = None) -> Finished:
    """Run `bench WORDS` to its end."""
    return Forked(output, command, list(words), before).wait()


def die_at(place: str, call: int) -> None:
    """Let this process kill itself when `module:attribute` is called for the n-th time, as if the power went."""
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner = reduce(getattr, owners, importlib.import_module(module))
    original, calls = getattr(owner, name), itertools.count(1)

    def dying(*arguments: Any, **options: Any) -> Any:
        if next(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **options)

    setattr(owner, name, dying)


def torchrun_environments(port: int, processes: int) -> list[dict[str, str]]:
    """What torchrun sets for each process of one machine, where they meet at a TCP store that the caller keeps."""
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "GROUP_RANK": "0",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RUN_ID": "test",
        "TORCHELASTIC_RESTART_COUNT": "0",
    }
    return [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]
