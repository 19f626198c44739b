from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import torch

import bench
from bench import provenance as module
from bench.provenance import git_commit, our_version, package_version, provenance
from tests.small import REPOSITORY


def test_what_moves_a_number_is_told_and_nothing_else() -> None:
    told = provenance("cpu")
    assert told["packages"]["torch"] == package_version("torch") is not None
    assert torch.__version__.startswith(told["packages"]["torch"].split("+")[0])
    assert told["python"] == platform.python_version()
    assert "threads" in told["device"]
    assert platform.node() not in json.dumps(told)


def test_the_commit_is_one_or_nothing() -> None:
    commit = git_commit()
    assert commit is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", commit)


def test_the_version_is_the_source_trees_and_else_the_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    assert our_version() == bench.__version__ == provenance("cpu")["bench"] == written
    (tmp_path / "bench").mkdir()
    monkeypatch.setattr(module, "__file__", str(tmp_path / "bench" / "provenance.py"))
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "timelapse-bench"\nversion = "77.0"\n')
    assert our_version() == "77.0"
    monkeypatch.setattr(module, "package_version", lambda name: f"{name} as installed")
    for elsewhere in ('[project]\nname = "other"\nversion = "1"\n', "[tool.other]\n", "no TOML"):
        project.write_text(elsewhere)
        assert our_version() == "timelapse-bench as installed"
    project.unlink()
    assert our_version() == "timelapse-bench as installed"


def test_a_package_that_is_missing_has_no_version() -> None:
    assert package_version("no-such-package-at-all") is None


def test_the_commit_of_somebody_elses_repository_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    for name in [name for name in os.environ if name.startswith("GIT_")]:  # a hook's would lead to our own repository
        monkeypatch.delenv(name)
    installed = tmp_path / "venv" / "provenance.py"
    installed.parent.mkdir()
    installed.write_text("")
    git("init")
    git("commit", "--allow-empty", "-m", "theirs")
    monkeypatch.setattr(module, "__file__", str(installed))
    assert git_commit() is None
    git("add", ".")
    git("commit", "-m", "ours")
    assert re.fullmatch(r"[0-9a-f]{40}", git_commit() or "")
