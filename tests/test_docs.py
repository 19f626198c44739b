"""Every command, Python block, path and message of the documentation, as a reader would use them, on small data."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from bench import registry
from bench.cli.main import app, mount_commands
from bench.data.clips import build_manifest
from bench.data.predictions import PredictionWriter
from bench.report import make
from mdgan.published import GENERATOR_LAYERS
from tests.mdgan.test_published import generator, published
from tests.small import REPOSITORY, make_beach, make_sky, moving_clip

#: Its commands are those of trainings of an hour each.
REFERENCE = "results/reference/README.md"
PAGES = [
    "README.md",
    "results/README.md",
    REFERENCE,
    *(f"docs/{path.name}" for path in sorted((REPOSITORY / "docs").glob("*.md"))),
]
#: Folders that the documentation takes as a reader's own; here they lie below the test's folder.
ROOTS = ("/data/", "/videos/", "/shared/")
#: What keeps a training small. A reader's own takes an hour.
SMALL = ["--set", "steps=1", "--set", "batch=2"]
WIDTH = {name: ["--set", f"options.{name}.width=4"] for name in ("mdgan", "vgan", "rnngan")}
#: Commands whose arguments are checked but which are not run here, and what runs them.
NOT_RUN = {
    "make demo": "a fresh clone",
    "make test": "a fresh clone",
    "torchrun": "tests/engine/test_distributed.py",
    "bench study serve": "tests/study_app/web/test_browser.py",
    "bench speed": "tests/speed/test_train.py, tests/speed/test_metrics.py",
    "bench weights fetch": "tests/metrics/networks/test_weights.py, against a local server",
    "bench weights verify": "tests/metrics/networks/test_weights.py",
    "export": "tests/study_app/conftest.py, with a PostgreSQL of its own",
    "bench study create --run results/demo --clips 8": "with BENCH_DATABASE_URL: tests/study_app/test_create.py",
}


#: Of these the whole command has to be equal.
EXACT = ("bench study create --run results/demo --clips 8",)
#: What `make demo` does, on whose run folder most pages build.
DEMO = "bench run --models mdgan,vgan,rnngan --preset smoke --out results/demo"


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of each fenced block."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """The commands of a shell block: comments gone, continued lines joined."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [line for line in (re.sub(r"(^|\s)#.*$", "", line).strip() for line in lines) if line]


def is_run(command: str) -> bool:
    """Whether a command is run here."""
    return command not in NOT_RUN and not any(
        command.startswith(f"{start} ") for start in NOT_RUN if start not in EXACT
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the documentation says a reader has: datasets, folders of videos, published checkpoints, a demo run."""
    here = tmp_path_factory.mktemp("world")
    sky = make_sky(here / "data/sky_timelapse", test=8)
    make_beach(here / "data/beach")
    for split, count in (("train", 3), ("test", 2)):
        (here / "data/stacks" / split).mkdir(parents=True)
        for number in range(count):
            np.save(here / f"data/stacks/{split}/{split}{number}.npy", moving_clip(number))
    for name in ("mine", "theirs", "real"):
        writer = PredictionWriter(here / "videos" / name, {})
        for clip in build_manifest("sky", sky, ("test",)).clips:
            writer.write(clip.id, np.roll(clip.read(sky), 0 if name == "real" else 2, axis=2))
        writer.close()
    shutil.make_archive(str(here / "mine"), "zip", here / "videos/mine")
    for seed, name in ((1, "netG_S1_030.pth"), (2, "netG_S2_067.pth")):
        torch.save(published(generator(seed), GENERATOR_LAYERS), here / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make, "EXAMPLES", 1)  # fewer figures are no other commands
        run(DEMO, here)
        yield here


@pytest.fixture
def packages(world: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages; registries and modules are as before afterwards."""
    site = world / "site"
    site.mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(site)])
    for known in (registry.MODELS, registry.DATASETS, registry.METRICS):
        monkeypatch.setattr(known, "_targets", dict(known._targets))
        monkeypatch.setattr(known, "_third_parties_read", False)
    yield site
    shutil.rmtree(site, ignore_errors=True)
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_package"]:
        del sys.modules[name]


def local(command: str, here: Path) -> list[str]:
    """The words of a command, with a reader's folders below the test's."""
    words = shlex.split(command)
    for root in ROOTS:
        words = [word.replace(root, f"{here}{root}") if root in word else word for word in words]
    return words


def run(command: str, here: Path) -> None:
    """Run a `bench` command in a folder, smaller where it trains; it must end well. What another page ran stands."""
    if command in _run_before:
        return
    _, *words = local(command, here)
    if words[0] in ("run", "train", "reproduce"):
        named = re.search(r"--models? (\S+)", command)
        widths = [word for name, words in WIDTH.items() if not named or name in named[1] for word in words]
        words += [*widths, *SMALL, *([] if words[0] == "train" else ["--offline"])]
    if words[0] == "reproduce":
        words += ["--preset", "smoke"]
    if words[0] == "run" and "--data-root" not in words:  # the synthetic scenes are painted by another page
        words += ["--data-root", str(here / "data/sky_timelapse")]
    mount_commands()
    with contextlib.chdir(here):
        done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, (command, done.output[-2000:], done.exception)
    _run_before.add(command)


_run_before: set[str] = set()


def parse(command: str) -> None:
    """Check that a `bench` command's arguments are ones it takes, without running it."""
    mount_commands()
    words = shlex.split(command.removesuffix("&"))[1:]
    verb: Any = typer.main.get_command(app)
    while hasattr(verb, "commands"):
        verb = verb.commands[words.pop(0)]
    verb.make_context("bench", words)


def install(toml: str, site: Path) -> None:
    """Make the entry points of a pyproject those of an installed package."""
    project = tomllib.loads(toml)["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    importlib.invalidate_caches()


def execute(code: str, site: Path) -> None:
    """A block that names its file is written there; any other is run, with the arrays that it takes for granted."""
    if found := re.match(r"# (\S+\.py)\n", code):
        path = site / found[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(code)
        compile(code, str(path), "exec")
        return
    clips = np.stack([moving_clip(seed) for seed in range(2)])
    known = {"videos": clips, "real_videos": clips[::-1]}
    exec(compile(code, "<documentation>", "exec"), known)
    assert len(known["table"]) == 2


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_says_works(page: str, world: Path, packages: Path) -> None:
    for file in world.glob("study.db*"):  # each page makes its own study
        file.unlink()
    _run_before.difference_update([command for command in _run_before if " study " in command])
    for language, text in blocks(page):
        if language == "toml" and "[project]" in text:
            install(text, packages)
        elif language == "python":
            execute(text, packages)
        elif language == "sh":
            for command in commands(text):
                if page != REFERENCE and is_run(command):
                    assert command.startswith("bench "), command
                    run(command, world)
                elif command.startswith("bench "):
                    parse(command)
                elif command.startswith("torchrun"):
                    parse(command[command.index("bench.cli") :])
                elif command.startswith("make "):
                    assert f"\n{command.split()[1]}:" in (REPOSITORY / "Makefile").read_text()
        else:
            assert language in ("ini", "nginx", "toml"), f"{page}: a block of '{language}' is run by nothing"


def test_a_wrong_option_would_be_noticed() -> None:
    parse("bench study serve --db study.db --port 8501 &")
    with pytest.raises(Exception, match="batch-sice"):
        parse("bench run --batch-sice 4")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith("https://"):
            assert ((REPOSITORY / page).parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_files_and_tests_that_are_named_are_there(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    for name in re.findall(r"`((?:bench|mdgan|baselines|study_app|tests)/[\w/]+\.py)`", text):
        assert (REPOSITORY / name).exists(), name
    tests = "".join(path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py"))
    for name in re.findall(r"`(test_\w+)`", text):
        assert f"def {name}" in tests, name


def test_messages_that_troubleshooting_quotes_are_ones_the_program_says() -> None:
    source = ""
    for package in ("bench", "mdgan", "baselines", "study_app"):
        source += "".join(path.read_text() for path in (REPOSITORY / package).rglob("*.py"))
    source = re.sub(r'"\n\s*f?"', "", source)  # sentences that are broken over lines
    rows = re.findall(r"^\| (`.*?) \|", (REPOSITORY / "docs/troubleshooting.md").read_text(), re.MULTILINE)
    quoted = [
        part.strip() for row in rows for text in re.findall(r"`(…?[^`]* [^`]*)`", row) for part in text.split("…")
    ]
    assert len([part for part in quoted if part]) >= 6
    for part in quoted:
        assert part in source, part


def test_the_demo_is_what_the_makefile_runs() -> None:
    assert DEMO in (REPOSITORY / "Makefile").read_text()


def test_the_api_is_rendered(tmp_path: Path) -> None:
    pdoc = pytest.importorskip("pdoc", reason="pdoc is not installed: pip install 'timelapse-bench[dev]'")
    pdoc.pdoc("bench.statistics", "mdgan.losses", output_directory=tmp_path)
    import mdgan.losses

    page = (tmp_path / "mdgan/losses.html").read_text()
    assert "gram_matrix" in page
    first = (inspect.getdoc(mdgan.losses.gram_matrix) or "").split(".")[0].split("`")[0]
    assert first
    assert first[:30] in page
