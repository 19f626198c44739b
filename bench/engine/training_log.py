"""The log of a training run, `training.csv` and an experiment logger, which stays consistent after a kill."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from torch import Tensor

from bench.engine.experiment_loggers import ExperimentLogger, open_logger
from bench.files import write_text
from bench.runfolder import LOG

COLUMNS = ("stage", "name", "step", "term", "value")


class TrainingLog:
    """Scalars of a training run, each as one CSV row and one point in the experiment logger.

    Opening the log drops rows after the checkpoint from which training resumes, because those steps run again.

    Args:
        folder: folder of the training run.
        resumed: number of the stage, and the step in it, from which training resumes.
        logger: experiment logger, a key of `bench.engine.experiment_loggers.PACKAGES`.
        writes: False on all processes except the first; they write nothing.
    """

    def __init__(
        self, folder: Path, resumed: tuple[int, int], logger: str = "tensorboard", *, writes: bool = True
    ) -> None:
        self._folder, self._resumed, self._logger_name, self._writes = folder, resumed, logger, writes
        self.path = folder / LOG
        self._loggers: dict[int, ExperimentLogger] = {}

    def __enter__(self) -> TrainingLog:
        if self._writes:
            self._folder.mkdir(parents=True, exist_ok=True)
            kept = [row for row in read_log(self.path) if (int(row[0]), int(row[2])) <= self._before()]
            write_text(self.path, "".join(",".join(row) + "\n" for row in [COLUMNS, *kept]))
            self._file = self.path.open("a", newline="", encoding="utf-8")
            self._rows = csv.writer(self._file, lineterminator="\n")
        return self

    def _before(self) -> tuple[int, int]:
        stage, step = self._resumed
        return (stage, step) if step else (stage - 1, 2**62)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writes:
            self._file.close()
            for logger in self._loggers.values():
                logger.close()

    def _logger_of(self, stage: int) -> ExperimentLogger:
        if stage not in self._loggers:
            first = self._resumed[1] + 1 if stage == self._resumed[0] else 0
            self._loggers[stage] = open_logger(self._logger_name, self._folder, stage, first)
        return self._loggers[stage]

    def write(self, stage: int, name: str, step: int, values: Mapping[str, float]) -> None:
        """Log scalars of a step."""
        if self._writes:
            for term, value in values.items():
                self._rows.writerow((stage, name, step, term, repr(value)))
                self._logger_of(stage).scalar(term, value, step)

    def image(self, stage: int, name: str, step: int, image: Tensor) -> None:
        """Log a picture, uint8 `[3, H, W]`."""
        if self._writes:
            self._logger_of(stage).image(name, image, step)

    def flush(self) -> None:
        """Write pending rows to the file, as before a checkpoint."""
        if self._writes:
            self._file.flush()


def read_log(path: Path) -> list[list[str]]:
    """Rows of a `training.csv` without its header; a last line that a kill truncated is left out."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        whole = [line for line in file if line.endswith("\n")]
    return list(csv.reader(whole))[1:]
