"""The documentation's pages, and what is done with the blocks of one."""

from __future__ import annotations

import importlib
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import typer

from bench.cli.main import app, mount_commands
from tests.support import world
from tests.support.small import REPOSITORY, moving_clip

#: Its commands are those of trainings of an hour each.
REFERENCE = "results/reference/README.md"
PAGES = [
    "README.md",
    "results/README.md",
    REFERENCE,
    *(path.relative_to(REPOSITORY).as_posix() for path in sorted((REPOSITORY / "docs").rglob("*.md"))),
]
SHARED_STUDY = "bench study create --run results/demo --clips 5 --catch 8"
#: Commands whose arguments are checked but which are not run here, and what runs them.
NOT_RUN = {
    "make demo": "a fresh clone",
    "make test": "a fresh clone",
    "pip install": "tests/manual/pythons.sh",
    "bench data fetch": "tests/pipeline/test_fetch_dataset.py, against a local server",
    "torchrun": "tests/engine/test_distributed.py",
    "bench push": "tests/pipeline/test_push.py, against a stand-in for Hugging Face",
    "bench ablate": "tests/pipeline/test_ablate.py",
    "tests/gpu.sh": "tests/engine/test_gpu_script.py",
    "bench score --unpaired": "tests/pipeline/test_score_unpaired.py, by a metric that needs no weights",
    "bench study serve": "tests/study_app/web/test_browser.py",
    "bench study preview": "tests/study_app/web/test_browser.py",
    "bench speed": "tests/speed/test_train.py, tests/speed/test_metrics.py",
    "bench weights fetch": "tests/metrics/networks/test_fetch_weights.py, "
    "tests/pipeline/test_fetch_checkpoints.py, against stand-ins",
    "bench weights verify": "tests/cli/test_weights.py",
    "export": "tests/study_app/conftest.py, with a PostgreSQL of its own",
    SHARED_STUDY: "with BENCH_DATABASE_URL: tests/study_app/pipeline/test_create.py",
}
#: Of these the whole command has to be equal.
EXACT = (SHARED_STUDY,)


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
    if command.startswith("bench score") and "--unpaired" in command:  # metrics of whole sets need weights
        return False
    return command not in NOT_RUN and not any(
        command.startswith(f"{start} ") for start in NOT_RUN if start not in EXACT
    )


def parse(command: str) -> None:
    """Check that a `bench` command's arguments are ones it takes, without running it."""
    mount_commands()
    words = shlex.split(command.removesuffix("&"))[1:]
    subcommand: Any = typer.main.get_command(app)
    while hasattr(subcommand, "commands"):
        subcommand = subcommand.commands[words.pop(0)]
    subcommand.make_context("bench", words)


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


def follow(page: str, here: Path, shared: Path, site: Path) -> None:
    """Do what a page says, from its top to its end.

    Args:
        page: from the repository's root.
        here: the reader's folder.
        shared: see `tests.support.world`.
        site: a folder of installed packages.
    """
    for language, text in blocks(page):
        if language == "toml" and "[project]" in text:
            install(text, site)
        elif language == "python":
            execute(text, site)
        elif language == "sh":
            for command in commands(text):
                if page != REFERENCE and is_run(command):
                    assert command.startswith("bench "), command
                    world.run(command, here, shared)
                elif command.startswith("bench "):
                    parse(command)
                elif command.startswith("torchrun"):
                    parse(command[command.index("bench run") :])
                elif command.startswith("make "):
                    assert f"\n{command.split()[1]}:" in (REPOSITORY / "Makefile").read_text()
        elif language == "bash":  # a batch script of a cluster
            *_, last = commands(text)
            parse(last[last.index("bench.cli") :])
        elif language in ("", "text"):  # something that is shown
            assert not re.search(r"^(bench|make|torchrun) ", text, re.MULTILINE), f"{page}: commands in no shell block"
        else:
            assert language in ("ini", "nginx", "toml"), f"{page}: a block of '{language}' is run by nothing"
