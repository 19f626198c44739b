from __future__ import annotations

import json
import platform
import re

import torch

from bench.provenance import git_commit, package_version, provenance


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


def test_a_package_that_is_missing_has_no_version() -> None:
    assert package_version("no-such-package-at-all") is None
