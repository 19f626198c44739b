"""`bench speed train`: our training step and generation compared with a reference implementation, in one run.

The reference implementation uses the same networks and is what you would write first: float32, contiguous tensors,
plain Adam. For each player, it computes a separate forward pass and all gradients, and takes a step. Each row includes
the largest difference between both sides' losses.

Every step starts from the same weights and moments on both sides. Otherwise, two float32 runs of the same model
diverge within a few steps, because Adam moves a weight whose gradient is only rounding as far as any other. If weights
change by one part in ten million, the reference implementation differs from itself by 0.07 after 20 steps. In float64,
both sides stay within 1e-14.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.data.batches import to_tensor
from bench.data.clips import FRAMES
from bench.data.workers import fresh_processes
from bench.engine.devices import pick_device, speed_up
from bench.engine.generate import for_generation
from bench.engine.input_stream import on_device
from bench.engine.model_factory import build, native_resolution
from bench.engine.network_transforms import channels_last, compile_networks
from bench.engine.precision import choose_precision
from bench.engine.space_to_depth import TRAINS_AS
from bench.engine.step_graph import stepper
from bench.engine.training_step import make_optimizers, train_step
from bench.interface import Stage, VideoModel
from bench.registry import DEFAULT_MODELS, MODELS, PLAIN
from bench.speed.interleaved_timing import TimingComparison, compare_rates, in_turns

#: Default width of all networks: at its paper's width, VGAN takes minutes per step on a CPU.
WIDTH = 32
#: Steps after which a process has reached its peak memory: the second step also has the optimiser's state.
MEMORY_STEPS = 2
#: Number of batches that the steps cycle through.
BATCHES = 4


@dataclass(frozen=True)
class TrainingSetup:
    """Settings of a measurement.

    Attributes:
        model: registered name.
        width: width of its networks.
        resolution: resolution in pixels.
        batch: clips per step.
        device: "cpu" or "cuda".
        half: bf16 mixed precision on our side; the reference implementation stays in float32.
        compiled: whether our side's networks are compiled with `torch.compile`.
        fast: faster ways to train that our side uses (`bench.registry.FAST`).
    """

    model: str
    width: int
    resolution: int
    batch: int
    device: str = "cpu"
    half: bool = False
    compiled: bool = False
    fast: tuple[str, ...] = ()

    def build(self, plain: bool) -> VideoModel:
        """Build one side's model; both sides have the same weights."""
        model = build(self.model, {"width": self.width}, self.resolution)
        if plain and self.model in set(PLAIN):
            weights = model.state_dict()
            model = PLAIN.load(self.model)(resolution=model.resolution, frames=FRAMES, width=self.width)
            model.load_state_dict(weights)
        elif plain:
            for layer in model.modules():  # the layers that they inherit from, with the same weights
                layer.__class__ = vars(type(layer)).get(TRAINS_AS, type(layer))
        model.to(self.device)
        if not plain:
            channels_last(model)
            speed_up(model, self.fast)
            if self.compiled:
                compile_networks(model)
        return model.train()

    def batches(self) -> list[np.ndarray]:
        """A few batches of smooth fields that drift, uint8 `[N, T, H, W, 3]` each."""
        size = native_resolution(self.model, self.resolution)
        t, y, x = np.ogrid[:FRAMES, :size, :size]
        waves = np.random.default_rng(0).uniform(0.5, 6.0, (BATCHES, self.batch, 3, 3)) / [FRAMES, size, size]
        frames = np.empty((BATCHES, self.batch, FRAMES, size, size, 3), np.uint8)
        for place in np.ndindex(BATCHES, self.batch, 3):
            *clip, colour = place
            a, b, c = waves[place]
            frames[*clip, ..., colour] = 127.5 + 100 * np.sin(2 * np.pi * (a * t + b * y + c * x))
        return list(frames)

    def autocast(self) -> AbstractContextManager[Any]:
        """The autocast context of our side's steps."""
        return torch.autocast(self.device, torch.bfloat16) if self.half else nullcontext()


def plain_optimizers(stage: Stage) -> dict[str, torch.optim.Optimizer]:
    """The stage's optimisers with PyTorch's defaults: not fused."""
    optimizers = make_optimizers(stage)
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group["fused"] = None  # PyTorch's default
    return optimizers


def plain_step(stage: Stage, optimizers: Mapping[str, torch.optim.Optimizer], clips: Tensor) -> dict[str, Tensor]:
    """Reference implementation of `train_step`: for each player forward, backward and step, with nothing shared."""
    losses: dict[str, Tensor] = {}
    for player in stage.players:
        terms = player.loss(stage.forward(clips))
        optimizers[player.name].zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizers[player.name].step()
        losses |= {f"{player.name}/{term}": value.detach() for term, value in terms.items()}
    return losses


class StageTraining:
    """Our training or the reference implementation, on one stage; records all losses."""

    def __init__(self, setting: TrainingSetup, stage: Stage, plain: bool) -> None:
        self.setting, self.stage, self.plain = setting, stage, plain
        self._launched = 0
        self.optimizers = plain_optimizers(stage) if plain else make_optimizers(stage)
        self.batches = setting.batches()
        self.losses: list[list[float]] = []
        fast, device = () if plain else setting.fast, torch.device(setting.device)
        self._ahead = on_device(cycle(self.batches), device, ahead=True) if "stream" in fast else None
        self._take = stepper(self._compute, self.optimizers, None, device, graph="graph" in fast)

    def _compute(self, clips: Tensor) -> dict[str, Tensor]:
        if self.plain:
            return plain_step(self.stage, self.optimizers, clips.contiguous())
        return train_step(self.stage, self.optimizers, clips, self.setting.autocast())

    def launch(self) -> dict[str, Tensor]:
        """Start one step on the next batch; returns its losses without waiting for them."""
        self._launched += 1
        if self._ahead is not None:
            clips = next(self._ahead)
        else:
            clips = to_tensor(self.batches[(self._launched - 1) % BATCHES], self.setting.device)
        return self._take(clips, self._launched)

    def step(self) -> None:
        """Train one step on the next batch."""
        losses = self.launch()
        self.losses.append([value.item() for _, value in sorted(losses.items())])


@torch.no_grad()
def follow(other: StageTraining, ours: StageTraining) -> None:
    """Copy the weights, statistics and moments of our side to the other side."""
    for player, same in zip(other.stage.players, ours.stage.players, strict=True):
        player.network.load_state_dict(same.network.state_dict())
        states = (side.optimizers[player.name].state.values() for side in (other, ours))
        for target, source in zip(*states, strict=True):
            for key, value in target.items():
                value.copy_(source[key])


def difference(ours: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> float:
    """The largest absolute difference between two sides' losses."""
    return float(np.max(np.abs(np.subtract(ours, other))))


def stage_rows(setting: TrainingSetup, steps: int) -> list[TimingComparison]:
    """Speed of each stage's training step; each stage starts from our side's result of the previous stage."""
    ours, plain = setting.build(plain=False), setting.build(plain=True)
    rows = []
    for our_stage, plain_stage in zip(ours.stages(), plain.stages(), strict=True):
        sides = StageTraining(setting, our_stage, plain=False), StageTraining(setting, plain_stage, plain=True)
        seconds = in_turns(sides[0].step, sides[1].step, steps, partial(follow, sides[1], sides[0]))
        apart = difference(sides[0].losses, sides[1].losses)
        rows.append(compare_rates(f"{title(setting)} {our_stage.name} step", "clips/s", setting.batch, seconds, apart))
        plain.load_state_dict(ours.state_dict())
    return rows


@torch.no_grad()
def generation_row(setting: TrainingSetup, repetitions: int) -> TimingComparison:
    """Speed of generation with all stages, one clip at a time as on a CPU."""
    ours, plain = setting.build(plain=False), setting.build(plain=True).eval()
    ours = for_generation(ours.eval())
    first = to_tensor(setting.batches()[0][:1, :1], setting.device)[:, :, 0]
    videos: dict[bool, Tensor] = {}

    def ours_once() -> None:
        with torch.inference_mode(), setting.autocast():
            videos[False] = ours.predict(first).float()

    def plain_once() -> None:
        videos[True] = plain.predict(first.contiguous())

    seconds = in_turns(ours_once, plain_once, repetitions)
    apart = (videos[False] - videos[True]).abs().max().item()
    return compare_rates(f"{title(setting)} generation", "clips/s", 1, seconds, apart)


def peak_memory(setting: TrainingSetup, number: int, plain: bool, threads: int) -> tuple[float, list[list[float]]]:
    """Train a few steps of a stage and return the process's peak memory in GB, and the losses."""
    torch.set_num_threads(threads)
    if setting.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    side = StageTraining(setting, setting.build(plain).stages()[number], plain)
    for _ in range(MEMORY_STEPS):
        side.step()
    if setting.device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e9, side.losses
    if sys.platform == "linux":  # here ru_maxrss starts at what the parent process used when it started this one
        with open("/proc/self/status", encoding="ascii") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    return peak * 1024 / 1e9, side.losses


def memory_rows(setting: TrainingSetup) -> list[TimingComparison]:
    """Peak memory of each stage's training step, each side in a process of its own on a CPU.

    A GPU's allocator keeps its own count, so that one process is enough there.
    """
    rows = []
    stages = build(setting.model, {"width": setting.width}, setting.resolution).stages()
    for number, stage in enumerate(stages):
        sides = []
        for plain in (False, True):
            job = setting, number, plain, torch.get_num_threads()
            if setting.device == "cuda":
                sides.append(peak_memory(*job))
                continue
            with fresh_processes(1) as pool:
                sides.append(pool.submit(peak_memory, *job).result())
        (ours, our_losses), (other, other_losses) = sides
        row = TimingComparison(
            what=f"{title(setting)} {stage.name} peak memory",
            ours=ours,
            other=other,
            unit="GB",
            ratio=other / ours,
            max_abs_difference=difference(our_losses[:1], other_losses[:1]),
        )
        rows.append(row)
    return rows


def title(setting: TrainingSetup) -> str:
    """The setting in words."""
    size = native_resolution(setting.model, setting.resolution)
    return f"{setting.model} {size}×{size}, width {setting.width}, batch {setting.batch}:"


@dataclass(frozen=True)
class TrainingSpeedOptions:
    """What `bench speed train` measures.

    Attributes:
        resolution: resolution in pixels; a model uses its largest size that does not exceed it.
        width: width of all networks.
        batch: clips per step.
        steps: number of timed steps on each side.
        device: "auto", "cpu" or "cuda".
        precision: precision of our side: "auto" (bf16 on GPUs that have it), "32-true" or "bf16-mixed".
        compiled: compile our side's networks with `torch.compile`.
        fast: faster ways to train that our side uses (`bench.registry.FAST`).
        memory: measure peak memory too.
    """

    resolution: int = 128
    width: int = WIDTH
    batch: int = 4
    steps: int = 5
    device: str = "auto"
    precision: str = "auto"
    compiled: bool = False
    fast: tuple[str, ...] = ()
    memory: bool = True


def measure_training(models: Sequence[str] = (), options: TrainingSpeedOptions | None = None) -> list[TimingComparison]:
    """Measure training steps, generation and memory of registered models, by default of all that are trained."""
    options = options or TrainingSpeedOptions()
    place = pick_device(options.device)
    precision = choose_precision(place, options.precision)
    precision.apply()
    half = precision.name == "bf16-mixed"
    rows: list[TimingComparison] = []
    for name in [MODELS.check(model) for model in models] or DEFAULT_MODELS:
        size = options.width, options.resolution, options.batch
        setting = TrainingSetup(name, *size, place, half, options.compiled, options.fast)
        rows += [*stage_rows(setting, options.steps), generation_row(setting, max(2 * options.steps, 3))]
        if options.memory:
            rows += memory_rows(setting)
    return rows
