"""Loggers, against stand-ins that take the calls which the packages document."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch

from bench import provenance
from bench.engine import experiment_loggers
from bench.engine.training_log import TrainingLog
from bench.errors import BenchError

PICTURE = torch.arange(12, dtype=torch.uint8).reshape(3, 2, 2)


def log(folder: Path, logger: str, resumed: tuple[int, int] = (0, 0)) -> None:
    with TrainingLog(folder, resumed, logger) as one:
        one.write(0, "base", resumed[1] + 1, {"loss": 0.5})
        one.image(0, "mdgan-1", resumed[1] + 1, PICTURE)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment_loggers, "find_spec", lambda name: name)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


class StandIn(ModuleType):
    """A package of which everything that is called is kept."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.calls: list[tuple[Any, ...]] = []

    def init(self, **options: Any) -> StandIn:
        self.calls.append(("init", options))
        return self

    def __getattr__(self, name: str) -> Any:
        if name == "Image":
            return lambda pixels: ("image", pixels)
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **options: self.calls.append((name, args, options))


def test_weights_and_biases_needs_no_connection_and_goes_on_in_the_same_run(
    tmp_path: Path, installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = StandIn("wandb")
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    log(tmp_path / "mdgan-0", "wandb")
    kinds = [call[0] for call in wandb.calls]
    assert kinds == ["init", "define_metric", "log", "log", "finish"]
    options = wandb.calls[0][1]
    assert (options["mode"], options["resume"], options["dir"]) == ("offline", "allow", str(tmp_path / "mdgan-0"))
    assert wandb.calls[2][1] == ({"loss": 0.5, "training_step": 1},)
    [shown] = wandb.calls[3][1]
    assert (shown["mdgan-1"][1] == PICTURE.permute(1, 2, 0).numpy()).all()
    monkeypatch.setenv("WANDB_MODE", "online")
    log(tmp_path / "mdgan-0", "wandb", (0, 5))
    again = [call for call in wandb.calls if call[0] == "init"][1][1]
    assert (again["id"], again["mode"]) == (options["id"], "online")


class Client:
    """Stands for `mlflow.MlflowClient`."""

    kept: ClassVar[dict[str, dict[str, Any]]] = {}

    def __init__(self, where: str) -> None:
        self.store = self.kept.setdefault(where, {"experiments": {}, "runs": {}, "logged": []})

    def get_experiment_by_name(self, name: str) -> Any:
        number = self.store["experiments"].get(name)
        return SimpleNamespace(experiment_id=number) if number else None

    def create_experiment(self, name: str, artifact_location: str | None) -> str:
        assert artifact_location is not None
        assert artifact_location.endswith("/vgan-0/mlflow")
        return self.store["experiments"].setdefault(name, "7")

    def search_runs(self, experiments: list[str], query: str) -> list[Any]:
        assert experiments == ["7"]
        return [run for tag, run in self.store["runs"].items() if query == f"tags.training = '{tag}'"]

    def create_run(self, experiment: str, tags: dict[str, str]) -> Any:
        run = SimpleNamespace(info=SimpleNamespace(run_id=f"run{len(self.store['runs'])}"))
        return self.store["runs"].setdefault(tags["training"], run)

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **options: self.store["logged"].append((name, *args, *options.values()))


def test_mlflow_keeps_a_training_in_one_run_below_its_folder(
    tmp_path: Path, installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = ModuleType("mlflow")
    mlflow.MlflowClient = Client  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    Client.kept.clear()
    log(tmp_path / "vgan-0", "mlflow")
    log(tmp_path / "vgan-0", "mlflow", (0, 4))
    [where] = Client.kept
    assert where == f"sqlite:///{tmp_path}/vgan-0/mlflow.db"
    assert len(Client.kept[where]["runs"]) == 1
    logged = Client.kept[where]["logged"]
    assert [entry for entry in logged if entry[0] == "log_metric"] == [
        ("log_metric", "run0", "loss", 0.5, 1),
        ("log_metric", "run0", "loss", 0.5, 5),
    ]
    assert ("set_terminated", "run0") in logged
    assert next(entry for entry in logged if entry[0] == "log_image")[3] == "mdgan-1-0000001.png"


def test_scores_go_where_trainings_went(tmp_path: Path, installed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow, wandb = ModuleType("mlflow"), StandIn("wandb")
    mlflow.MlflowClient = Client  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    Client.kept.clear()
    for logger in ("mlflow", "wandb", "tensorboard", "none"):
        experiment_loggers.log_scores(logger, tmp_path / logger / "vgan-0", {"vgan/mse": 0.25})
    [kept] = Client.kept.values()
    assert ("log_metric", "run0", "vgan/mse", 0.25, 0) in kept["logged"]
    assert ("log", ({"vgan/mse": 0.25, "training_step": 0},)) in [call[:2] for call in wandb.calls]
    assert not (tmp_path / "tensorboard").exists()


def test_any_logger_leaves_the_same_rows(tmp_path: Path) -> None:
    for logger in ("tensorboard", "none"):
        log(tmp_path / logger, logger)
    rows = [(tmp_path / logger / "training.csv").read_text() for logger in ("tensorboard", "none")]
    assert rows[0] == rows[1]
    assert (tmp_path / "tensorboard" / "tensorboard").is_dir()
    assert not (tmp_path / "none" / "tensorboard").exists()


def test_a_logger_whose_package_is_missing_is_said_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment_loggers, "find_spec", lambda name: None)
    monkeypatch.setattr(provenance, "requires", lambda _: ["torch>=2", "tensorboard>=2.16; extra == 'train'"])
    with pytest.raises(
        BenchError,
        match=r"logger=wandb needs the package 'wandb', which is not installed. Install it with `pip install wandb`",
    ):
        experiment_loggers.check_logger("wandb")
    with pytest.raises(BenchError, match=r"Install it with `pip install 'timelapse-bench\[train\]'`"):
        experiment_loggers.check_logger("tensorboard")
    experiment_loggers.check_logger("none")
