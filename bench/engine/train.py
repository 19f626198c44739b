"""The adversarial training loop for all models, on one device or on many (`bench.engine.training_step`).

A step depends on the seed and the step number alone. So a training run that is killed at any moment and resumed ends
with the same weights. On one CPU with one PyTorch and one number of threads, they are equal bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from bench.config import FIELDS, RunConfig, without_effect
from bench.data.batches import batches, to_tensor
from bench.data.packed_clips import Pack
from bench.engine import checkpoints
from bench.engine.devices import average_over_processes, average_statistics, prepare, threads
from bench.engine.input_stream import on_device
from bench.engine.model_factory import build
from bench.engine.network_transforms import batch_norms, estimating_statistics
from bench.engine.sessions import kept_threads, record_session
from bench.engine.step_graph import Optimizers, Step, stepper
from bench.engine.training_log import TrainingLog
from bench.engine.training_step import make_optimizers, restore_optimizers, seed_step, train_step
from bench.engine.weight_averaging import WeightAverage, rate_share, rates_of, set_rates
from bench.errors import BenchError
from bench.files import disk_error
from bench.interface import Stage, VideoModel
from bench.progress import task
from bench.runfolder import MODEL

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Batches over which batch-norm statistics are estimated again when a stage ends; at most its number of steps.
STATISTICS_BATCHES = 16
#: The same before each validation.
VALIDATION_STATISTICS_BATCHES = 4
#: Validation clips are read in batches of this size.
VALIDATION_BATCH = 4


def training_identity(config: RunConfig, name: str, seed: int, model: VideoModel) -> dict[str, Any]:
    """The settings that identify a training run, stored in every checkpoint and compared on resume.

    Version 0.2 omits `decay_from` and `ema` if they are off, so this function does too.
    """
    settings = {"steps", "batch", "accumulate", "compile", "validate_every", "flip", "select"} - without_effect(config)
    settings |= {key for key in ("decay_from", "ema") if getattr(config, key) != FIELDS[key].default}
    training = {key: getattr(config, key) for key in sorted(settings)}
    if rounds := [way for way in config.fast if way != "stream"]:  # a stream does not change the numbers
        training["fast"] = rounds
    return {
        "model": name,
        "options": dict(config.options.get(name, {})),
        "resolution": model.resolution,
        "frames": model.frames,
        "seed": seed,
        "training": training,
    }


def train(
    config: RunConfig,
    name: str,
    seed: int,
    clips: Pack,
    validation: Pack | None,
    folder: Path,
    fabric: Fabric,
) -> Path:
    """Train one model through all its stages, resuming from the newest checkpoint in `folder`.

    Args:
        config: configuration of the run.
        name: registered name of the model.
        seed: seed for weights and batches.
        clips: training clips at the model's resolution.
        validation: clips that select the best checkpoint and are never trained on; None if there are none.
        folder: folder for checkpoints, `training.csv` and TensorBoard files.
        fabric: see `make_fabric`.

    Returns:
        The finished model's checkpoint, `model.pt`.

    Raises:
        BenchError: a loss is not finite (the last good checkpoint is kept), `folder` contains a checkpoint of another
            model, the disk is full, or the processes cannot share the batch evenly.
    """
    final = folder / MODEL
    model = build(name, config.options.get(name, {}), config.resolution, seed)
    identity = training_identity(config, name, seed, model)
    if fabric.broadcast(final.exists()):  # all must agree: one may have finished before another checks
        checkpoints.check_model(checkpoints.load(final), final, identity)
        return final
    if config.batch % (fabric.world_size * config.accumulate):
        raise BenchError(
            f"A batch of {config.batch} clips cannot be split evenly over {fabric.world_size} processes and "
            f"{config.accumulate} accumulation steps. Choose a multiple of {fabric.world_size * config.accumulate}."
        )
    prepare(model, fabric, compiled=config.compile, fast=config.fast)
    # The first process decides for all; on a slow network drive, each could find another checkpoint.
    newest = fabric.broadcast(checkpoints.newest(folder, identity) if fabric.is_global_zero else None)
    state = checkpoints.load(newest) if newest else None
    if state:
        model.load_state_dict(state["weights"])
    at = (state["stage"], state["step"]) if state else (0, 0)
    kept = fabric.broadcast(kept_threads(folder, fabric.device.type))
    try:
        with threads(kept), TrainingLog(folder, at, config.logger, writes=fabric.is_global_zero) as log:
            if fabric.is_global_zero:
                record_session(folder, at, fabric, f"The training run in {folder}")
            for number, stage in enumerate(model.stages()):
                if number >= at[0]:
                    resumed = state if state and number == at[0] else None
                    run = StageRun(config, identity, number, stage, model, clips, validation, folder, fabric, log)
                    run.train(resumed)
    except OSError as error:
        raise disk_error(error, folder) from error
    if fabric.is_global_zero:
        checkpoints.save(final, {**identity, "weights": model.state_dict()})
    fabric.barrier()
    return final


@dataclass
class StageRun:
    """The training of one stage: the loop, its checkpoints and its validation."""

    config: RunConfig
    identity: Mapping[str, Any]
    number: int
    stage: Stage
    model: VideoModel
    clips: Pack
    validation: Pack | None
    folder: Path
    fabric: Fabric
    log: TrainingLog

    def train(self, resumed: Mapping[str, Any] | None) -> None:
        """Run the remaining steps, then output the selected weights with new batch-norm statistics."""
        config, fabric = self.config, self.fabric
        optimizers = make_optimizers(self.stage)
        rates = rates_of(optimizers)
        first, best, note = 0, float("inf"), ""
        if not (resumed and resumed["optimizers"]):
            self.stage.begin()
        average = WeightAverage(self.makers, config.ema) if config.ema else None
        if resumed and resumed["optimizers"]:
            restore_optimizers(optimizers, resumed["optimizers"])
            if average:
                average.restore(resumed["average"])
            first, best = resumed["step"], resumed["best"]
        take_step = self._stepper(optimizers, average)
        losses: list[dict[str, Tensor]] = []
        self.model.train()
        with task(f"training {self.label}", config.steps, first) as progress:
            started = time.monotonic()
            for step, clips in enumerate(self.clips_on_device(range(first, config.steps)), start=first + 1):
                seed_step(self.identity["seed"], self.number, step, fabric.global_rank)
                set_rates(optimizers, rates, rate_share(step, config.steps, config.decay_from))
                losses.append(take_step(clips, step))
                stops = step == config.steps
                if step % config.log_every == 0 or stops or step % config.checkpoint_every == 0:
                    now = self._read(losses, step)
                    losses.clear()
                    speed = config.batch * (step - first) / (time.monotonic() - started)
                    self.log.write(self.number, self.stage.name, step, {**now, "clips_per_second": speed})
                    terms = " ".join(f"{term} {value:.3f}" for term, value in now.items())
                    note = f"{terms} {speed:.1f} clips/s"
                progress.advance(note=note)
                if self.validation and (step % config.validate_every == 0 or stops):
                    best = self._validate(step, best, average)
                if step % config.checkpoint_every == 0 and not stops:
                    self._save(step, best, optimizers, average)
        self._finish(average)

    @property
    def label(self) -> str:
        """A short description of the training run."""
        name, seed = self.identity["model"], self.identity["seed"]
        return f"{name} (seed {seed})" if name == self.stage.name else f"{name} {self.stage.name} (seed {seed})"

    @cached_property
    def makers(self) -> nn.Module:
        """The networks that make videos.

        A network that is frozen in another player's loss is a judge: it never runs in evaluation.
        """
        judges = {id(network) for player in self.stage.players for network in player.frozen}
        return nn.ModuleList(p.network for p in self.stage.players if id(p.network) not in judges)

    def batches(self, steps: range) -> Iterator[Any]:
        """This process's training clips, step by step; each stage has its own order."""
        seed, fabric = self.identity["seed"] * 1000 + self.number, self.fabric
        size, flip = self.config.batch, self.config.flip
        return batches(self.clips, size, seed, steps, flip=flip, rank=fabric.global_rank, ranks=fabric.world_size)

    def clips_on_device(self, steps: range) -> Iterator[Tensor]:
        """The same clips on the device, as `[N, 3, T, H, W]` in [-1, 1]."""
        return on_device(self.batches(steps), self.fabric.device, ahead="stream" in self.config.fast)

    def _stepper(self, optimizers: Optimizers, average: WeightAverage | None) -> Step:
        """The function that updates all players and the average by one step."""
        fabric, parts = self.fabric, self.config.accumulate

        def compute(clips: Tensor) -> dict[str, Tensor]:
            return train_step(self.stage, optimizers, clips, fabric.autocast(), parts)

        return stepper(compute, optimizers, average, fabric.device, graph="graph" in self.config.fast)

    def _read(self, losses: list[dict[str, Tensor]], step: int) -> dict[str, float]:
        """The last step's losses over all processes; losses of all steps since the last reading must be finite.

        They are read together because reading waits for the device.
        """
        values = torch.stack([torch.stack([v.float() for v in row.values()]) for row in losses])
        average_over_processes([values])
        for back, row in enumerate(reversed(values.tolist())):
            for term, value in zip(losses[-1], row, strict=True):
                if not -float("inf") < value < float("inf"):
                    raise self._stopped(f"The loss {term} is {value} at step {step - back}")
        return dict(zip(losses[-1], values[-1].tolist(), strict=True))

    def _stopped(self, why: str) -> BenchError:
        """The error that ends a training run whose numbers are not finite."""
        kept = checkpoints.resumable(self.folder)
        last = f"the last good checkpoint is {kept[-1]}" if kept else "no checkpoint was written yet"
        return BenchError(
            f"{why} of stage '{self.stage.name}' of {self.identity['model']}: training stopped, {last}. "
            f"{checkpoints.ADVICE}"
        )

    def _check(self, content: Mapping[str, Any], step: int) -> None:
        """Stop if weights, moments or an average are not finite: a step's loss does not reflect its own update."""
        if bad := checkpoints.not_finite(content):
            message = checkpoints.not_finite_message(bad, content)
            raise self._stopped(f"{message[0].upper()}{message[1:]} after step {step}")

    def _validate(self, step: int, best: float, average: WeightAverage | None) -> float:
        """Validate the weights that the stage would output now, and save them if they are the best so far."""
        assert self.validation is not None
        with self._handing_on(average):
            error, strip = validate(self.model, self.stage.row, self.validation, self.fabric)
            if error < best and self.fabric.is_global_zero:
                path = self.folder / f"stage{self.number}-best.pt"
                checkpoints.save(path, {**self.identity, "step": step, "weights": self.model.state_dict()})
        self.log.write(self.number, self.stage.name, step, {"validation/mse": error})
        self.log.image(self.number, self.stage.row, step, strip)
        return min(best, error)

    @contextmanager
    def _handing_on(self, average: WeightAverage | None) -> Iterator[None]:
        """Temporarily give the networks that make videos the weights and statistics that the stage would output."""
        trained = {name: value.clone() for name, value in self.makers.state_dict().items()}
        if average:
            average.hand_on()
        self._estimate_statistics(VALIDATION_STATISTICS_BATCHES)
        try:
            yield
        finally:
            self.makers.load_state_dict(trained)

    def _estimate_statistics(self, count: int) -> None:
        """Estimate the batch-norm statistics that belong to the weights, over at most `count` batches."""
        if batch_norms(self.makers) and self.config.steps:
            self.model.train()
            with torch.no_grad(), estimating_statistics(self.makers), self.fabric.autocast():
                for frames in self.batches(range(min(count, self.config.steps))):
                    self.stage.forward(to_tensor(frames, self.fabric.device))
            average_statistics(self.makers)

    def _save(
        self,
        step: int,
        best: float,
        optimizers: Mapping[str, torch.optim.Optimizer],
        average: WeightAverage | None = None,
        stage: int | None = None,
    ) -> None:
        self.log.flush()
        states = {name: optimizer.state_dict() for name, optimizer in optimizers.items()}
        averaged = {"average": average.weights} if average else {}
        computed = {"weights": self.model.state_dict(), **averaged, "optimizers": states}
        self._check(computed, self.config.steps if stage else step)
        if not self.fabric.is_global_zero:
            return
        stage = self.number if stage is None else stage
        path = self.folder / f"stage{stage}-{step:07d}.pt"
        checkpoints.save(path, {**self.identity, "stage": stage, "step": step, "best": best, **computed})
        checkpoints.prune(self.folder)

    def _finish(self, average: WeightAverage | None) -> None:
        """Load the weights that the stage outputs, and estimate the batch-norm statistics that belong to them."""
        best = self.folder / f"stage{self.number}-best.pt"
        self.fabric.barrier()  # the first process has written it
        if self.config.select == "best" and best.exists():
            self.model.load_state_dict(checkpoints.load(best)["weights"])
        elif average:
            average.hand_on()
        self._estimate_statistics(STATISTICS_BATCHES)
        self._save(0, float("inf"), {}, stage=self.number + 1)


@torch.no_grad()
def validate(model: VideoModel, row: str, pack: Pack, fabric: Fabric) -> tuple[float, Tensor]:
    """Mean squared error of a row on validation clips, values in [0, 1], and the first clip's frames as a strip.

    The processes share the clips. All return the same error, and the first process returns the first clip.

    Returns:
        The error, and uint8 `[3, 2·H, 5·W]`: frames 1, 8, 16, 24, 32 of the prediction above the real ones.
    """
    training = model.training
    model.eval()
    total, strip = torch.zeros((), dtype=torch.float64), torch.zeros(3, 1, 1, dtype=torch.uint8)
    share = range(fabric.global_rank, len(pack), fabric.world_size)
    for start in range(0, len(share), VALIDATION_BATCH):
        real = to_tensor(pack.frames[list(share[start : start + VALIDATION_BATCH])], fabric.device)
        with fabric.autocast():
            predicted = model.predict(real[:, :, 0], row).float()
        total += ((predicted - real) / 2).square().mean(dim=(1, 2, 3, 4)).sum().item()
        if start == 0:
            shown = [torch.cat([video[0, :, t] for t in (0, 7, 15, 23, 31)], dim=2) for video in (predicted, real)]
            strip = torch.cat(shown, dim=1).add(1).mul(127.5).round().clamp(0, 255).byte().cpu()
    model.train(training)
    total = total.to(fabric.device)
    average_over_processes([total])
    return total.item() * fabric.world_size / len(pack), strip
