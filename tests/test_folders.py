from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.steps import named_folders


def test_folders_have_their_own_name_or_the_given_one(tmp_path: Path) -> None:
    odd = tmp_path / "a=b"
    odd.mkdir()
    folders = named_folders([f"mine={tmp_path}/x", f"{tmp_path}/y/", str(odd)])
    assert folders == {"mine": tmp_path / "x", "y": tmp_path / "y", "a=b": odd}


def test_two_folders_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="Two prediction folders are called 'x'"):
        named_folders([f"{tmp_path}/a/x", f"{tmp_path}/b/x"])
