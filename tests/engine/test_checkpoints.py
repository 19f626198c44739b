from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.engine import checkpoints
from bench.engine.model_factory import build
from bench.errors import BenchError
from tests.support.small import truncate


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


def test_what_a_device_reports_while_a_checkpoint_is_written_is_no_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(torch, "save", failing)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        checkpoints.save(tmp_path / "model.pt", {"model": "new"})
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_while_torch_writes_is_told_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Any, data: bytes) -> int:
        self.failed = OSError(errno.ENOSPC, "No space left on device")
        raise self.failed

    monkeypatch.setattr(checkpoints._Writer, "write", full)
    with pytest.raises(BenchError, match="disk is full"):
        checkpoints.save(tmp_path / "model.pt", {"weights": {"a": torch.ones(100_000)}})


def test_a_tensor_that_is_not_finite_is_found_wherever_it_is() -> None:
    good = {"a": torch.ones(2), "whole": torch.tensor([2**62]), "none": None, "list": [torch.zeros(0), 1.5]}
    assert checkpoints.not_finite(good) == []
    assert checkpoints.not_finite({}) == []
    for value in (float("nan"), float("inf"), -float("inf")):
        bad = {**good, "optimizers": {"generator": {"state": {0: {"exp_avg": torch.tensor([0.0, value])}}}}}
        assert checkpoints.not_finite(bad) == ["optimizers.generator.state.0.exp_avg"]


def test_weights_that_are_not_finite_are_neither_written_nor_used(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    checkpoints.save(path, content())
    before = path.read_bytes()
    broken = content()
    name = next(key for key, value in broken["weights"].items() if value.is_floating_point())
    broken["weights"][name].view(-1)[0] = float("nan")
    with pytest.raises(BenchError, match=rf"model\.pt was not written: 1 of \d+ tensors .*first weights\.{name}"):
        checkpoints.save(path, broken)
    assert path.read_bytes() == before
    torch.save({"format": checkpoints.FORMAT, **broken}, path)  # as a version that does not look wrote it
    with pytest.raises(BenchError, match=rf"model\.pt cannot generate videos: 1 of \d+ .*first {name}.*train again"):
        checkpoints.load_model(path)
