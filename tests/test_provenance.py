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
from tests.support.small import REPOSITORY


def test_what_moves_a_number_is_told_and_nothing_else() -> None:
    found = provenance("cpu")
    assert found["packages"]["torch"] == package_version("torch") is not None
    assert torch.__version__.startswith(found["packages"]["torch"].split("+")[0])
    assert found["python"] == platform.python_version()
    assert "threads" in found["device"]
    assert platform.node() not in json.dumps(found)


def test_what_decides_which_kernels_run_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)
    found = provenance("cpu")
    assert found["instruction_set"] == torch.backends.cpu.get_cpu_capability()
    assert found["threads"] == torch.get_num_threads()
    assert found["processor"]
    assert re.fullmatch(r"\d+(\.\d+)+", found["onednn"])
    assert f"v{found['onednn']} " in torch.__config__.show()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "avx2")
    assert provenance("cpu")["instruction_set"] == f"{found['instruction_set']} (oneDNN: at most AVX2)"
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "DEFAULT")
    assert provenance("cpu")["instruction_set"] == found["instruction_set"]


@pytest.mark.process
def test_a_processor_has_a_name_where_the_system_tells_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert module.processor_name() in (platform.processor(), platform.machine())
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "flags : x\nmodel name\t: Fast (R) 9\nmodel name : Other\n")
    assert module.processor_name() == "Fast (R) 9"


def test_sessions_accumulate_where_something_differs() -> None:
    first, same = {"threads": 1, "packages": {"torch": "1"}}, {"threads": 1, "packages": {"torch": "1"}, "new": 2}
    other = {"threads": 2, "packages": {"torch": "2"}}
    account: dict[str, object] = {}
    for now, expected in ((first, [first]), (same, [first]), (other, [first, other]), (other, [first, other])):
        account = module.with_session(account, now)
        assert account == {"provenance": first, "sessions": expected}
    # A run of version 0.2 has one provenance and no sessions.
    assert module.with_session({"provenance": first}, other)["sessions"] == [first, other]


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
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

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
