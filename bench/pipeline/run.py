"""The pipeline behind `bench run`: clips → models → predictions → scores → report, each step once.

Everything is written to one run folder. An interrupted run that is started again with the same settings resumes where
it stopped. Other settings are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.config import ALWAYS, RunConfig, as_command, later_keys, without_effect
from bench.data.clips import Manifest, build_manifest, sample
from bench.data.dataset import Dataset
from bench.data.predictions import Predictions
from bench.engine.devices import make_fabric, threads
from bench.engine.experiment_loggers import check_logger, log_scores
from bench.engine.generate import TrainedModel, generate_rows, store_real
from bench.engine.model_factory import check_options, departures, result_rows, rows_account
from bench.engine.sessions import this_session, warn
from bench.errors import BenchError
from bench.files import disk_error, read_json, sole_writer, write_json
from bench.interface import StochasticModel
from bench.pipeline.parallel_training import threads_each, train_in_parallel, train_one
from bench.pipeline.shards import fill_together
from bench.provenance import with_session
from bench.registry import MODELS, SYNTHETIC
from bench.report.tables.score_table import ScoreTable
from bench.runfolder import MODEL, PART, REAL, RunFolder
from bench.scoring.pairing import Row
from bench.scoring.score import score
from bench.scoring.scoring_plan import ScoringPlan

if TYPE_CHECKING:
    from lightning_fabric import Fabric

FORMAT = 1
STEPS = ("data", "train", "generate", "score", "report")


class RunRecord:
    """A run's `run.json`: configuration, rows, protocol, provenance, and the state of each step."""

    def __init__(self, folder: RunFolder, config: RunConfig) -> None:
        self.folder = folder
        self.config = config
        if folder.account.exists():
            self.content: dict[str, Any] = read_json(folder.account)
            self._check_settings()
        elif folder.strangers():
            raise BenchError(f"{folder.path} is not empty and is not a run folder: choose another with --out.")
        else:
            self.content = {
                "format": FORMAT,
                "config": config.to_dict(),
                "command": as_command(config.to_dict()),
                "rows": rows_account(config.models),
                "departures": departures_of(config),
                "steps": dict.fromkeys(STEPS, "due"),
            }
            self.save()

    def _check_settings(self) -> None:
        stored, current = {**later_keys(self.content["config"]), **self.content["config"]}, self.config.to_dict()
        free = without_effect(self.config)
        differing = [key for key in current if key not in free and stored.get(key) != current[key]]
        if differing:
            what = ", ".join(f"{key} was {stored.get(key)!r} and is now {current[key]!r}" for key in differing)
            raise BenchError(
                f"{self.folder.path} belongs to a run with other settings ({what}): choose another with --out."
            )

    def save(self) -> None:
        """Write `run.json`."""
        write_json(self.folder.account, self.content)

    def update(self, **values: Any) -> None:
        """Set entries of `run.json`."""
        self.content.update(values)
        self.save()

    def record_session(self, now: dict[str, Any]) -> None:
        """Record where this process computes, unless it is the same as in the last session, or all steps are done.

        `provenance` is that of the first session, so that opening a finished run does not change it.
        """
        if all(state == "done" for state in self.content["steps"].values()):
            return
        recorded = with_session(self.content, now)
        if len(recorded["sessions"]) > 1:
            warn(f"The run in {self.folder.path}", recorded["sessions"][-2], now)
        self.update(**recorded)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Mark a step as running, then as done; a failure leaves it as failed."""
        self.content["steps"][name] = "running"
        self.save()
        try:
            yield
        except BaseException:
            self.content["steps"][name] = "failed"
            self.save()
            raise
        self.content["steps"][name] = "done"
        self.save()


def departures_of(config: RunConfig) -> list[str]:
    """How a run's training departs from the papers of its models, in one sentence each."""
    trained = [name for name in config.models if name != ALWAYS]
    messages = []
    for name in trained:
        if own := departures(name, config.options.get(name, {})):
            messages.append(
                f"{name}, the paper's in brackets: {', '.join(f'{key} {text}' for key, text in own.items())}."
            )
    if trained and config.decay_from < 1:
        messages.append(
            f"Learning rates fall to 0 after {config.decay_from:.0%} of a stage's steps; in the papers they are "
            "constant."
        )
    if trained and config.ema:
        messages.append(
            f"Videos are generated with averaged weights (ema {config.ema:g}); the papers do not mention this."
        )
    return messages


def data_of(config: RunConfig) -> Dataset:
    """The dataset that a configuration names."""
    return Dataset(config.dataset, config.data_root)


def run(config: RunConfig, out: Path, *, offline: bool = False, ci: bool = False, jobs: int | None = 1) -> ScoreTable:
    """Train, generate, score and report; returns the table.

    With `offline`, missing weights are not fetched; with `ci`, the tables print intervals. On a CPU, `jobs` training
    runs execute in parallel; None means one per thread, at most four. Their processes import the program again. If you
    request more than one, your script needs `if __name__ == "__main__":` and may use registered models only.

    Raises:
        BenchError: any problem that you can act on; finished work is kept and not repeated.
    """
    # Check names, sizes and options before anything is read or written.
    check_logger(config.logger)
    check_samples(config)
    check_options({name: config.options.get(name, {}) for name in config.models}, config.resolution)
    if config.data_root != SYNTHETIC:
        data_of(config).folder(config.resolution)
    fabric = make_fabric(config.device, config.precision)
    folder = RunFolder(out, config.seeds[0])
    try:
        with sole_writer(folder) if fabric.is_global_zero else nullcontext():
            return Run(config, folder, fabric).through(offline, ci, jobs)
    except OSError as error:
        raise disk_error(error, out) from error


def check_samples(config: RunConfig) -> None:
    """Raise a `BenchError` for fewer samples than `best`, or for several if every model is a class that draws none."""
    if config.best > config.samples:
        raise BenchError(
            f"The best of {config.best} needs {config.best} samples per clip, not {config.samples}: raise --samples."
        )
    kinds = [MODELS.load(name) for name in config.models]
    if config.samples > 1 and not any(
        not isinstance(kind, type) or issubclass(kind, StochasticModel) for kind in kinds
    ):
        raise BenchError(
            f"{config.samples} samples are requested, but {', '.join(config.models)} generate one video per "
            "clip. Leave --samples out, or name a stochastic model (a `StochasticModel`)."
        )


class Run:
    """One run, as seen by one of its processes; only the first process writes what all of them share."""

    def __init__(self, config: RunConfig, folder: RunFolder, fabric: Fabric) -> None:
        self.config, self.folder, self.fabric = config, folder, fabric
        self.first = fabric.is_global_zero
        if self.first:
            account = RunRecord(folder, config)
            for left in folder.path.rglob(f"{PART}*"):  # left by a killed process: this one holds the lock
                left.unlink(missing_ok=True)  # the last of its processes may remove it at this moment
            account.record_session(this_session(fabric))
            with account.step("data"):
                self._read_data()
        fabric.barrier()
        self.account = RunRecord(folder, config)
        self.manifest = Manifest.load(folder.clips)

    def through(self, offline: bool, ci: bool, jobs: int | None) -> ScoreTable:
        """Train, generate, score and report."""
        from bench.report.build_report import report
        from bench.report.tables.score_table import stored_table  # here because matplotlib is slow to import

        config, folder = self.config, self.folder
        with self._step("train"):
            finished = self._train(jobs)
        with self._step("generate"):
            rows = [
                row for (name, seed), checkpoint in finished.items() for row in self._generate(name, seed, checkpoint)
            ]
        plan = ScoringPlan(
            resolution=config.resolution,
            metrics=config.metrics,
            frames=config.frames,
            dataset=data_of(config).title,
            offline=offline,
            best=config.best,
            primary=config.primary,
        )
        if (count := self.fabric.world_size) > 1:
            rank, wait = self.fabric.global_rank, self.fabric.barrier
            fill_together(rows, self.manifest, folder.path, plan, rank=rank, count=count, wait=wait)
        if not self.first:
            self.fabric.barrier()
            return stored_table(folder.path)
        with self._step("score"):
            scores = score(rows, self.manifest, folder.path, plan)
            self.account.update(protocol=scores.protocol.to_dict())
            finite = {f"{line.row}/{line.metric}": line.value for line in scores.summary if isfinite(line.value)}
            log_scores(config.logger, folder.scores, finite)
        with self._step("report"):
            table = report(folder.path, ci)
        self.fabric.barrier()
        return table

    def _step(self, name: str) -> AbstractContextManager[None]:
        return self.account.step(name) if self.first else nullcontext()

    def _read_data(self) -> None:
        """Index the data into `clips.jsonl` and keep the real test clips; both only once per run."""
        config, path, data = self.config, self.folder.clips, data_of(self.config)
        root = data.folder(config.resolution)  # needed even if the clips are known: synthetic ones may be gone
        if not path.exists():
            manifest = build_manifest(config.dataset, root)
            test = {clip.id for clip in sample(manifest.split("test"), config.clips)}
            kept = tuple(clip for clip in manifest.clips if clip.split != "test" or clip.id in test)
            replace(manifest, clips=kept).save(path)
        manifest = Manifest.load(path)
        made_by = {"dataset": data.title, "clips": manifest.hashes["test"]}
        real = self.folder.predictions(REAL)
        store_real(manifest.split("test"), manifest.root, config.resolution, real, made_by)

    def _train(self, jobs: int | None) -> dict[tuple[str, int], Path]:
        """Train every model with every seed; returns their checkpoints."""
        config, folder, fabric = self.config, self.folder, self.fabric
        runs = [(name, seed) for seed in config.seeds for name in config.models]
        alone_on_cpu = fabric.world_size == 1 and fabric.device.type == "cpu"
        with self._on_its_threads(runs, jobs) if alone_on_cpu else nullcontext():
            return {(name, seed): train_one(config, name, seed, self.manifest, folder, fabric) for name, seed in runs}

    @contextmanager
    def _on_its_threads(self, runs: Sequence[tuple[str, int]], jobs: int | None) -> Iterator[None]:
        """Train models in parallel where possible; inside the block, use as many threads as one training run has."""
        trained = [(name, seed) for name, seed in runs if name != ALWAYS]
        each = self.account.content.get("training_threads") or threads_each(len(trained), jobs)
        self.account.update(training_threads=each)
        unfinished = [one for one in trained if not (self.folder.checkpoint(*one) / MODEL).exists()]
        train_in_parallel(self.config, unfinished, self.folder, jobs, each)
        with threads(each):
            yield

    def _generate(self, name: str, seed: int, checkpoint: Path) -> list[Row]:
        """Generate the rows of one trained model and open them for scoring."""
        folders = {row: self.folder.predictions(row, seed) for row in result_rows(name)}
        parts = self.folder.parts(name) if seed == self.config.seeds[0] else None
        trained = TrainedModel(checkpoint, name, self.config.resolution, self.config.samples)
        generate_rows(trained, folders, self.manifest, str(self.fabric.device), self.fabric, parts)
        return [Row(row, Predictions(path), seed) for row, path in folders.items()]
