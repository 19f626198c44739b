"""Experiment loggers of a training run: TensorBoard files, Weights & Biases, MLflow.

`training.csv` is the same with each of them, and none needs a connection. The last two write below the training run's
folder unless `WANDB_MODE` or `MLFLOW_TRACKING_URI` overrides that.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from bench.errors import BenchError
from bench.provenance import extra_of, how_to_install

#: The package of each logger; empty if it needs none.
PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow", "none": ""}
#: The project name of training runs in these services.
PROJECT = "timelapse-bench"


class ExperimentLogger(Protocol):
    """Logs the scalars and images of one stage to TensorBoard, Weights & Biases, MLflow, or nowhere."""

    def scalar(self, term: str, value: float, step: int) -> None:
        """Log a number."""

    def image(self, name: str, image: Tensor, step: int) -> None:
        """Log a picture, uint8 `[3, H, W]`."""

    def close(self) -> None:
        """Write or send everything that is pending."""


def check_logger(name: str) -> None:
    """Raise a `BenchError` before any work if the package of a logger is not installed."""
    package = PACKAGES[name]
    if package and find_spec(package) is None:
        extra = extra_of(package)  # if TensorBoard is missing, so is the rest of the training extra
        command = how_to_install(extra) if extra else f"pip install {package}"
        raise BenchError(
            f"logger={name} needs the package '{package}', which is not installed. Install it with `{command}`."
        )


class _TensorBoard:
    def __init__(self, folder: Path, stage: int, first: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # steps after the checkpoint from which training resumes are logged again
        self._writer: Any = SummaryWriter(str(folder / "tensorboard" / f"stage{stage}"), purge_step=first)

    def scalar(self, term: str, value: float, step: int) -> None:
        self._writer.add_scalar(term, value, step)

    def image(self, name: str, image: Tensor, step: int) -> None:
        self._writer.add_image(name, image, step)

    def close(self) -> None:
        self._writer.close()


def _run_id(folder: Path, stage: int) -> str:
    """A run ID that stays the same each time the training run resumes."""
    return hashlib.sha256(f"{folder.resolve()} {stage}".encode()).hexdigest()[:16]


class _WeightsAndBiases:
    def __init__(self, folder: Path, stage: int) -> None:
        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        self._wandb = wandb
        self._run: Any = wandb.init(
            project=PROJECT,
            name=f"{folder.name} stage {stage}",
            id=_run_id(folder, stage),
            dir=str(folder),
            resume="allow",
            mode=os.environ.get("WANDB_MODE", "offline"),
        )
        self._run.define_metric("*", step_metric="training_step")  # a step may be repeated after a kill

    def scalar(self, term: str, value: float, step: int) -> None:
        self._run.log({term: value, "training_step": step})

    def image(self, name: str, image: Tensor, step: int) -> None:
        self._run.log({name: self._wandb.Image(image.permute(1, 2, 0).numpy()), "training_step": step})

    def close(self) -> None:
        self._run.finish()


class _MLflow:
    def __init__(self, folder: Path, stage: int) -> None:
        from mlflow import MlflowClient

        folder.mkdir(parents=True, exist_ok=True)
        server = os.environ.get("MLFLOW_TRACKING_URI")
        here = folder.resolve()
        self._client: Any = MlflowClient(server or f"sqlite:///{here}/mlflow.db")
        experiment = self._client.get_experiment_by_name(PROJECT)
        if experiment:
            number = experiment.experiment_id
        else:  # otherwise pictures would be written to the current folder
            pictures = None if server else (here / "mlflow").as_uri()
            number = self._client.create_experiment(PROJECT, artifact_location=pictures)
        key = _run_id(folder, stage)
        begun = self._client.search_runs([number], f"tags.training = '{key}'")
        made = begun[0] if begun else self._client.create_run(number, tags={"training": key})
        self._id: str = made.info.run_id
        self._client.set_tag(self._id, "mlflow.runName", f"{folder.name} stage {stage}")

    def scalar(self, term: str, value: float, step: int) -> None:
        self._client.log_metric(self._id, term, value, step=step)

    def image(self, name: str, image: Tensor, step: int) -> None:
        self._client.log_image(self._id, image.permute(1, 2, 0).numpy(), f"{name}-{step:07d}.png")

    def close(self) -> None:
        self._client.set_terminated(self._id)


class _NoLogger:
    def scalar(self, term: str, value: float, step: int) -> None: ...

    def image(self, name: str, image: Tensor, step: int) -> None: ...

    def close(self) -> None: ...


def log_scores(logger: str, folder: Path, values: Mapping[str, float]) -> None:
    """Log a run's scores to its training runs' logger, by `method/metric`; TensorBoard and "none" receive nothing.

    Args:
        logger: a key of `PACKAGES`.
        folder: folder of the scores, after which the record is named.
        values: finite numbers.
    """
    if logger in ("wandb", "mlflow"):
        record = open_logger(logger, folder, 0, 0)
        for name, value in values.items():
            record.scalar(name, value, 0)
        record.close()


def open_logger(logger: str, folder: Path, stage: int, first: int) -> ExperimentLogger:
    """Open the experiment logger of a stage.

    Args:
        logger: a key of `PACKAGES`.
        folder: folder of the training run.
        stage: number of the stage.
        first: first step of the stage to log now; steps from here on are logged again if they were logged before.
    """
    check_logger(logger)
    if logger == "wandb":
        return _WeightsAndBiases(folder, stage)
    if logger == "mlflow":
        return _MLflow(folder, stage)
    return _TensorBoard(folder, stage, first) if logger == "tensorboard" else _NoLogger()
