"""What the faster ways of training (`bench.registry.FAST`) do on a device: `python -m tests.engine.gpu_comparison`.

Not collected as a test: machines that run the tests have no GPU. `tests/gpu.sh fast` calls it where there is one, and a
test calls that on a CPU with the smallest sizes. Each part prints a table, and keeps its rows in `fast-PART.json` after
each row, so that a part which runs out of time keeps what it has:

- gradients: every gradient of each stage's step, in each way that changes networks, against float64 on the CPU.
- equal: losses and gradients of steps in each way beside the usual step, from the same weights.
- profile: where the plain loop spends its time.
- speed: the plain loop, the usual step, each way and all of them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from bench.engine.gradient_check import StepPrecision, check_gradients, relative_errors
from bench.engine.model_factory import build
from bench.engine.precision import choose_precision
from bench.engine.step_graph import WARM_UP
from bench.files import write_json
from bench.interface import Stage, VideoModel
from bench.metrics.networks.feature_cache import full_precision
from bench.provenance import provenance
from bench.registry import FAST, check_fast
from bench.speed.train import StageTraining, TrainingSetup, follow

#: Largest relative difference of a loss or a gradient from the usual float32 step's.
SAME = 1e-2
#: Seconds that a speed is measured over, three times.
BLOCK = 0.7

Row = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """What is measured: real sizes, or the smallest for a test.

    Attributes:
        width: of the networks that are timed; `check_width` of those that are checked.
        settings: model, resolution and batch, the most telling first.
        blocks: how often a speed is measured.
        steps: how often a way is compared with the usual step.
        stages: rows of the stages that are looked at; all by default.
    """

    width: int
    check_width: int
    settings: tuple[tuple[str, int, int], ...]
    blocks: int
    steps: int
    stages: tuple[str, ...] = ()

    def stages_of(self, model: VideoModel) -> list[tuple[int, Stage]]:
        """Numbers and stages of a model."""
        return [pair for pair in enumerate(model.stages()) if not self.stages or pair[1].row in self.stages]


REAL = Sizes(
    32,
    4,
    (
        ("mdgan", 128, 4),
        ("mdgan", 64, 4),
        ("vgan", 64, 4),
        ("rnngan", 64, 4),
        ("mdgan", 128, 16),
        ("mdgan", 64, 16),
        ("vgan", 64, 16),
        ("rnngan", 64, 16),
    ),
    3,
    WARM_UP + 3,
)
TINY = Sizes(1, 1, (("mdgan", 64, 2),), 1, 1, ("mdgan-2",))


def models(sizes: Sizes) -> list[str]:
    return list(dict.fromkeys(name for name, _, _ in sizes.settings))


def gradients(device: str, sizes: Sizes) -> Iterator[Row]:
    """Gradients against float64 on the CPU; in bf16 too, where Gram products need it."""
    corners = torch.rand(2, 3, 2, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    clips = torch.nn.functional.interpolate(corners, (32, 64, 64), mode="trilinear", align_corners=True)
    cases: list[tuple[tuple[str, ...], StepPrecision]] = [
        ((), "float32"),
        (("space-to-depth",), "float32"),
        (("gram",), "bf16"),
        (("gram", "space-to-depth"), "bf16"),
    ]
    for name in models(sizes):
        model = build(name, {"width": sizes.check_width}, 64)
        for number, stage in sizes.stages_of(model):
            for fast, precision in cases:
                if "gram" in fast and stage.row != "mdgan-2":
                    continue
                check = check_gradients(model, number, clips, device=device, precision=precision, fast=fast, repeats=1)
                yield {
                    "stage": stage.row,
                    "way": "+".join(fast) or "usual",
                    "precision": precision,
                    "error": check.error,
                    "allowed": check.tolerance,
                    "where": check.where,
                    "ok": check.right,
                }


def equal(device: str, sizes: Sizes) -> Iterator[Row]:
    """Steps in each way beside the usual step, each from the same weights, past the point where a graph is recorded."""
    for name in models(sizes):
        usual = TrainingSetup(name, sizes.check_width, 64, 2, device)
        for number, stage in sizes.stages_of(usual.build(plain=False)):
            for way in (*FAST, "all"):
                found = apart(usual, number, check_fast([way]), sizes.steps)
                yield {"stage": stage.row, "way": way, **found}


def apart(usual: TrainingSetup, number: int, fast: tuple[str, ...], steps: int) -> Row:
    """The largest differences of losses and gradients over a few steps."""
    with full_precision(torch.device(usual.device)):
        ways = replace(usual, fast=fast)
        ours, other = (
            StageTraining(setting, setting.build(plain=False).stages()[number], plain=False)
            for setting in (ways, usual)
        )
        losses = errors = 0.0
        for _ in range(steps):
            ours.step()
            other.step()
            ours_last, other_last = (torch.tensor(side.losses[-1], dtype=torch.float64) for side in (ours, other))
            losses = max(losses, float(((ours_last - other_last).abs() / other_last.abs().clamp_min(1)).max()))
            errors = max(errors, *relative_errors(grads(ours), grads(other)).values())
            follow(other, ours)
    # The gradient of an L1 distance is a sign, which rounding of features turns round where the distance is small. So
    # these gradients differ, and both are right: `gradients` checks them against float64 with the same signs.
    worst = losses if "gram" in fast else max(losses, errors)
    return {"losses": losses, "gradients": errors, "allowed": SAME, "ok": worst <= SAME}


def grads(side: StageTraining) -> dict[str, torch.Tensor]:
    """Gradients of a side's last step, by "player.weight"."""
    return {
        f"{player.name}.{name}": weight.grad.detach().cpu().double()
        for player in side.stage.players
        for name, weight in player.network.named_parameters()
        if weight.grad is not None
    }


def profile(device: str, sizes: Sizes) -> Iterator[Row]:
    """Shares of the plain loop's time by kind of operation; on a GPU also of no operation at all."""
    cuda = device == "cuda"
    activity = torch.profiler.ProfilerActivity
    seen = set()
    for name, resolution, batch in sorted(sizes.settings, key=lambda setting: -setting[2]):
        if (name, resolution) in seen:
            continue
        seen.add((name, resolution))
        setting = TrainingSetup(name, sizes.width, resolution, batch, device)
        for _, stage in sizes.stages_of(setting.build(plain=True)):
            side = StageTraining(setting, stage, plain=True)
            for _ in range(sizes.blocks):
                side.step()
            with torch.profiler.profile(activities=[activity.CPU, *([activity.CUDA] if cuda else [])]) as profiler:
                started = time.perf_counter()
                side.step()
                wall = time.perf_counter() - started
            yield {"stage": stage.row, "resolution": resolution, "batch": batch, **shares(profiler, wall, cuda)}


def shares(profiler: Any, wall: float, cuda: bool) -> Row:
    """Milliseconds of a step, and the shares of kinds of operations in the device's busy time."""
    kinds = {"convolutions": 0.0, "matrix products": 0.0, "norms": 0.0, "copies": 0.0, "other": 0.0}
    for event in profiler.key_averages():
        if cuda:  # the name changed in PyTorch 2.6
            spent = getattr(event, "self_device_time_total", None) or getattr(event, "self_cuda_time_total", 0.0)
        else:
            spent = event.self_cpu_time_total
        if event.key.startswith("aten::"):  # kernels are listed once more by their own names
            kinds[kind_of(event.key)] += spent
    busy = sum(kinds.values()) or 1.0
    row: Row = {"ms": wall * 1000, "busy": min(1.0, busy / 1e6 / wall) if cuda else None}
    return row | {kind: spent / busy for kind, spent in kinds.items()}


def kind_of(operation: str) -> str:
    """What kind of operation PyTorch's name is of."""
    words = {
        "convolutions": ("conv",),
        "matrix products": ("mm", "matmul", "linear"),
        "norms": ("batch_norm", "native_norm"),
        "copies": ("copy", "contiguous", "clone", "cat"),
    }
    return next((kind for kind, parts in words.items() if any(part in operation for part in parts)), "other")


def speed(device: str, sizes: Sizes) -> Iterator[Row]:
    """Clips per second in each way, and how many times the plain loop's that is."""
    half = choose_precision(device).name == "bf16-mixed"
    for name, resolution, batch in sizes.settings:
        base = TrainingSetup(name, sizes.width, resolution, batch, device, half)
        ways = {"plain loop": base, "default": base, **{way: replace(base, fast=(way,)) for way in FAST}}
        ways["all"] = replace(base, fast=FAST)
        if half:
            ways["all, float32"] = replace(base, fast=FAST, half=False)
        for number, stage in sizes.stages_of(base.build(plain=False)):
            plain = None
            for way, setting in ways.items():
                row = {"stage": stage.row, "resolution": resolution, "batch": batch, "way": way}
                try:
                    row |= rate(setting, number, way == "plain loop", sizes.blocks)
                except Exception as error:  # one way that fails must not take the others with it
                    yield row | {"error": f"{type(error).__name__}: {error}"[:300], "ok": False}
                    continue
                plain = row["clips/s"] if way == "plain loop" else plain
                yield row | {"ratio": row["clips/s"] / plain if plain else None}


def rate(setting: TrainingSetup, number: int, plain: bool, blocks: int) -> Row:
    """Clips per second of a stage's steps, and the peak of a GPU's memory."""
    cuda = setting.device == "cuda"
    wait: Callable[[], None] = torch.cuda.synchronize if cuda else lambda: None
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    side = StageTraining(setting, setting.build(plain).stages()[number], plain)
    losses = {}
    for _ in range(WARM_UP + 2 if cuda else 1):
        losses = side.launch()

    def block(steps: int) -> float:
        wait()
        started = time.perf_counter()
        for _ in range(steps):
            side.launch()
        wait()
        return (time.perf_counter() - started) / steps

    steps = min(100, max(1, round(BLOCK / block(2)))) if blocks > 1 else 1
    seconds = statistics.median(block(steps) for _ in range(blocks))
    if not all(value.isfinite() for value in losses.values()):
        raise ArithmeticError(f"losses are {losses}")
    memory = torch.cuda.max_memory_allocated() / 1e9 if cuda else None
    return {"clips/s": setting.batch / seconds, "ms": seconds * 1000, "GB": memory}


PARTS = {"gradients": gradients, "equal": equal, "profile": profile, "speed": speed}


def shown(value: object) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def line(row: Row, columns: Sequence[str]) -> str:
    return "| " + " | ".join(shown(row.get(column)) for column in columns) + " |"


def main() -> int:
    """Run one part within its time; the number of rows that are wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("device", choices=("cpu", "cuda"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--tiny", action="store_true")
    chosen = parser.parse_args()
    started, rows, wrong, columns = time.monotonic(), [], 0, ()
    for row in PARTS[chosen.part](chosen.device, TINY if chosen.tiny else REAL):
        if tuple(row) != columns:
            columns = tuple(row)
            print(f"\n{chosen.part}\n\n| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
        print(line(row, columns), flush=True)
        rows.append(row)
        wrong += row.get("ok") is False
        late = time.monotonic() - started > chosen.seconds
        content = {"part": chosen.part, "complete": False, **provenance(chosen.device), "rows": rows}
        write_json(chosen.out / f"fast-{chosen.part}.json", content)
        if late:
            print(f"\nOut of time after {chosen.seconds:g} s: the other rows of '{chosen.part}' were not computed.")
            return wrong
    write_json(chosen.out / f"fast-{chosen.part}.json", content | {"complete": True})
    return wrong


if __name__ == "__main__":
    raise SystemExit(min(main(), 100))
