from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.engine import checkpoints
from bench.engine.build import build
from bench.errors import BenchError
from tests.small import truncate


def content(**values: Any) -> dict[str, Any]:
    model = build("vgan", {"width": 4}, 64)
    account = {"model": "vgan", "options": {"width": 4}, "resolution": 64, "frames": 32, "seed": 0}
    return {**account, "weights": model.state_dict(), **values}


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    saved = content()
    checkpoints.save(tmp_path / "model.pt", saved)
    model, account = checkpoints.load_model(tmp_path / "model.pt", "vgan", 128)
    assert not model.training
    assert all(torch.equal(value, saved["weights"][key]) for key, value in model.state_dict().items())
    assert account["seed"] == 0
    assert "weights" not in account


def test_what_is_no_checkpoint_of_this_model_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with pytest.raises(BenchError, match=r"There is no checkpoint .*model\.pt"):
        checkpoints.load_model(path)
    path.write_bytes(b"<html>Not found</html>")
    with pytest.raises(BenchError, match=r"model\.pt is not a timelapse-bench checkpoint"):
        checkpoints.load_model(path)
    torch.save({"weights": {}}, path)
    with pytest.raises(BenchError, match="format 1 is expected"):
        checkpoints.load_model(path)
    checkpoints.save(path, content())
    with pytest.raises(BenchError, match="its model is 'vgan', expected 'mdgan'"):
        checkpoints.load_model(path, "mdgan")
    checkpoints.save(path, content(options={"width": 8}))
    with pytest.raises(BenchError, match="does not fit the model 'vgan'"):
        checkpoints.load_model(path)
    truncate(path)
    with pytest.raises(BenchError, match="or is truncated"):
        checkpoints.load_model(path)


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pt"
    checkpoints.save(path, {"model": "old"})

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(BenchError, match="disk is full"):
        checkpoints.save(path, {"model": "new"})
    assert checkpoints.load(path)["model"] == "old"
    assert list(tmp_path.iterdir()) == [path]
