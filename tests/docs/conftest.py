"""A reader's machine, fresh for each page."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from bench import registry
from tests.docs.pages import follow
from tests.support import world as readers

Follow = Callable[[str], None]


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages; registries and modules are as before afterwards."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(site)])
    for known in (registry.MODELS, registry.DATASETS, registry.METRICS):
        monkeypatch.setattr(known, "_targets", dict(known._targets))
        monkeypatch.setattr(known, "_third_parties_read", False)
    yield site
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_package"]:
        del sys.modules[name]


@pytest.fixture
def reader(world: Path, packages: Path, tmp_path: Path, blank_figures: None) -> Follow:
    """Follows a page in a reader's folder of its own."""
    return partial(follow, here=readers.copy(world, tmp_path / "here"), shared=world, site=packages)
