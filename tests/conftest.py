"""Fixtures that all tests share."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Networks as narrow as the tests' gain nothing from threads, and lose much when other work holds the cores. It stands
# before torch is imported, and in the environment, so that commands that tests start do the same sums.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("BENCH_TESTS_OFFLINE", os.environ.get("BENCH_OFFLINE", ""))  # what the user said of all tests
os.environ["BENCH_OFFLINE"] = "1"  # no test but those of the download itself, or of real weights, opens a socket

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from bench.errors import BenchError
from bench.metrics.networks.fetch_weights import fetch
from bench.metrics.networks.weights_catalog import verify, weights_dir
from tests.support import tiers
from tests.support.once import built_once

if TYPE_CHECKING:  # the process that hands tests out to others reads this file too, and need not wait for PyTorch
    import torch
    from torch import Tensor

    from bench.interface import Losses, Stage

# The same examples each time, and no clock: what passes once passes on a busy machine too.
settings.register_profile("tests", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

Play = Callable[..., "dict[str, Losses]"]
CHROMIUM = "/usr/bin/chromium"
#: Milliseconds that a test waits for what the browser shows: a machine may be busy.
PATIENCE = 60_000
#: Where the user's weights lie: this is read before tests have a cache of their own.
USERS_WEIGHTS = weights_dir()
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


_guard = tiers.Guard()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Count optimizer steps where tests run, which is not the process that hands them out."""
    if hasattr(session.config, "workerinput") or not session.config.getoption("numprocesses", None):
        from torch.optim.optimizer import register_optimizer_step_post_hook

        register_optimizer_step_post_hook(_guard.step)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """No random number of a test depends on the tests before it, nor of a fixture that it is the first to use."""
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    with _guard.watch(item):
        yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """What only a marked test may do is watched."""
    with _guard.watch(item):
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real clips and reference fixtures; a test that needs it says why it is skipped."""
    from tests.support.small import SHARED

    if not (SHARED / "real").is_dir():
        pytest.skip(f"the real clips are not at {SHARED} (set BENCH_REAL_DATA)")
    return SHARED


@pytest.fixture(scope="session")
def real_data(shared_data: Path) -> Path:
    """Real Sky and Beach clips, and the authors' own predictions."""
    return shared_data / "real"


@pytest.fixture(scope="session")
def published() -> Callable[[str], Path]:
    """The file of published weights by name, fetched once into the user's own folder, where a later run finds it."""

    def get(name: str) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BENCH_WEIGHTS_DIR", str(USERS_WEIGHTS))
            assert verify(name).state != "other", verify(name).message
            try:
                return fetch(name, offline=bool(os.environ["BENCH_TESTS_OFFLINE"]), timeout=60)
            except BenchError as error:
                pytest.skip(f"the weights of {name} are not at hand and cannot be fetched: {error}")

    return get


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Packs and synthetic scenes of the tests stay out of the user's cache."""
    os.environ["BENCH_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def _quick_fonts() -> None:
    """Figures of the tests embed fonts in the quick way; the one that is meant for print has a test of its own."""
    from bench.report.figures.style import STYLE

    STYLE["pdf.fonttype"] = 3


@pytest.fixture(scope="session", autouse=True)
def _clips_encoded_once() -> None:
    """The same pixels are encoded once, however many studies show them: they are the same bytes each time."""
    from study_app.design import clip_encoding

    encode, made = clip_encoding.encode, dict[tuple[bytes, tuple[int, ...]], bytes]()

    def remembered(clip: np.ndarray) -> bytes:
        key = hashlib.sha256(np.ascontiguousarray(clip)).digest(), clip.shape
        if key not in made:
            made[key] = encode(clip)
        return made[key]

    clip_encoding.encode = remembered


@pytest.fixture
def blank_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that make runs and look at no figure; those of `tests/report` and `tests/pipeline` do."""
    from tests.support import small

    small.blank_figures(monkeypatch)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader of the documentation has, runs included (`tests.support.world`); for reading."""
    from tests.support.world import build

    return built_once(tmp_path_factory, "world", build)


@pytest.fixture(scope="session")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Sky Scene: 4 training and 2 test clips."""
    from tests.support.small import make_sky

    return make_sky(tmp_path_factory.mktemp("data") / "sky")


@pytest.fixture(scope="session")
def beach(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Beach dataset: 4 training and 2 test clips."""
    from tests.support.small import make_beach

    return make_beach(tmp_path_factory.mktemp("data") / "beach")


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that, once on the path, is an installed package with an entry point for the model 'tint'."""
    folder = tmp_path_factory.mktemp("site")
    info = folder / "someones_model-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: someones-model\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[timelapse_bench.models]\ntint = tests.support.small:Tint\n")
    return folder


@pytest.fixture
def tint(plugins: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a third party's model, registered by entry point."""
    from bench import registry

    monkeypatch.syspath_prepend(str(plugins))
    monkeypatch.setattr(registry.MODELS, "_targets", dict(registry.MODELS._targets))
    monkeypatch.setattr(registry.MODELS, "_third_parties_read", False)
    return "tint"


@pytest.fixture
def play() -> Play:
    """One batch as the training loop plays it: a shared forward pass, then each player's step in order."""
    import torch

    def step(stage: Stage, clips: Tensor, optimizers: dict[str, torch.optim.Optimizer]) -> dict[str, Losses]:
        shared = stage.forward(clips)
        told: dict[str, Losses] = {}
        for player in stage.players:
            if player.name not in optimizers:
                optimizers[player.name] = player.optimizer(player.network.parameters())
            for module in player.frozen:
                module.requires_grad_(False)
            losses = player.loss(shared)
            optimizers[player.name].zero_grad()
            torch.stack(list(losses.values())).sum().backward()
            optimizers[player.name].step()
            for module in player.frozen:
                module.requires_grad_(True)
            told[player.name] = {name: loss.detach() for name, loss in losses.items()}
        return told

    return step


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """Debian's Chromium, driven by Playwright."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install playwright"
    )
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        playwright.expect.set_options(timeout=PATIENCE)
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=[*FLAGS, "--disable-sync"], timeout=2 * PATIENCE
        )
        yield browser
        browser.close()


@pytest.fixture
def pdflatex(tmp_path: Path) -> Callable[[str], None]:
    """Compiles tables as a paper would; whatever TeX complains of fails the test."""
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not installed (Debian: texlive-latex-recommended)")

    def compile(tables: str) -> None:
        (tmp_path / "tables.tex").write_text(tables, encoding="utf-8")
        page = r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}\input{tables.tex}\end{document}"
        (tmp_path / "page.tex").write_text(page)
        command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "page.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:]

    return compile


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests are grouped and ordered for several processes (`tests.support.tiers`)."""
    tiers.check_fixtures(items)
    tiers.arrange(items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Reports name a test as `pytest` takes it."""
    report.nodeid = tiers.without_group(report.nodeid)


_figures: dict[str, str] = {}


@pytest.fixture(scope="session")
def figures() -> dict[str, str]:
    """Measurements that are printed after the run."""
    return _figures


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where tests run in several processes, send the measurements to the one that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = _figures


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Receive them."""
    _figures.update(getattr(node, "workeroutput", {}).get("figures", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured, and how many tests passed and failed."""
    counts = {what: len(terminalreporter.stats.get(what, [])) for what in ("passed", "failed", "error", "skipped")}
    if not terminalreporter.config.option.collectonly:
        terminalreporter.section("tests")
        failed = counts["failed"] + counts["error"]
        terminalreporter.line(f"{counts['passed']} passed, {failed} failed, {counts['skipped']} skipped")
    if _figures:
        terminalreporter.section("the study's figures")
        for name, value in _figures.items():
            terminalreporter.line(f"{name}: {value}")
