"""One training step of every model on a device against the same step on the CPU: `python -m tests.engine.device_check`.

Not collected as a test: machines that run the tests have no GPU. `tests/gpu.sh` calls it where there is one.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext

import torch

from bench.engine.build import build
from bench.engine.layers import channels_last
from bench.engine.step import make_optimizers, train_step
from bench.registry import DEFAULT_MODELS

WIDTH = 4
#: The largest relative difference of a loss term: float32 in another order of sums, on newer GPUs with convolutions in
#: TF32; bf16 has three digits.
TOLERANCES = {"float32": 1e-2, "bf16": 0.2}


def first_losses(name: str, device: str, kind: str) -> list[dict[str, float]]:
    """The terms of each stage's first step, from weights that nothing has moved.

    Adam's first step moves a weight whose gradient is only rounding as far as any other: behind one, Stage II's losses
    lie 0.02 apart for weights that differ by a part in three thousand, and 0.002 without.
    """
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(2, 3, 2, 4, 4, generator=generator) * 2 - 1
    clips = torch.nn.functional.interpolate(corners, (32, 64, 64), mode="trilinear", align_corners=True).to(device)
    told = []
    for number in range(len(build(name, {"width": WIDTH}, 64).stages())):
        model = build(name, {"width": WIDTH}, 64).to(device).train()
        channels_last(model)
        stage = model.stages()[number]
        context = torch.autocast(device, torch.bfloat16) if kind == "bf16" else nullcontext()
        losses = train_step(stage, make_optimizers(stage), clips, context)
        told.append({term: value.item() for term, value in losses.items()})
    return told


def main(device: str) -> int:
    """Print the largest difference of each model and precision; the number of those that are too large."""
    wrong = 0
    for name in DEFAULT_MODELS:
        expected = first_losses(name, "cpu", "float32")
        for kind, tolerance in TOLERANCES.items():
            found = first_losses(name, device, kind)
            apart = max(
                abs(there[term] - here[term]) / max(1.0, abs(here[term]))
                for here, there in zip(expected, found, strict=True)
                for term in here
            )
            fits = apart <= tolerance
            wrong += not fits
            print(f"{name} on {device}, {kind}: losses within {apart:.2g} of the CPU's ({'ok' if fits else 'TOO FAR'})")
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
