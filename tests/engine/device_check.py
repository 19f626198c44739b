"""Every gradient of all training steps on a device against float64: `python -m tests.engine.device_check cuda`.

Not collected as a test: machines that run the tests have no GPU. `tests/gpu.sh` calls it where there is one. What may
differ is said in `bench.engine.gradient_check`: float32 (TF32 off) by 5e-3; bf16 by 2e-2, or by 100 times what weights
rounded to bf16 change in float64. Where that is much, as in RNN-GAN's 32 steps, only a gross fault can be seen in bf16.
"""

from __future__ import annotations

import sys
from typing import get_args

import torch

from bench.engine.gradient_check import StepPrecision, check_gradients
from bench.engine.model_factory import build, option_names
from bench.registry import DEFAULT_MODELS, MODELS

#: Of the networks; on the CPU this only shows that the check runs.
WIDTH, WIDTH_ON_CPU = 4, 2
#: The paper's padding, and the one of the smaller presets, whose layers are others.
PADDINGS = ("zeros", "replicate")


def main(device: str) -> int:
    """Print the largest difference of each step in each precision; the number of those that are too large."""
    corners = torch.rand(2, 3, 2, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    clips = torch.nn.functional.interpolate(corners, (32, 64, 64), mode="trilinear", align_corners=True)
    wrong = 0
    for name in DEFAULT_MODELS:
        for padding in PADDINGS if "time_padding" in option_names(MODELS.load(name)) else (None,):
            options = {"width": WIDTH_ON_CPU if device == "cpu" else WIDTH} | (
                {"time_padding": padding} if padding else {}
            )
            model = build(name, options, 64)
            for number, stage in enumerate(model.stages()):
                for precision in get_args(StepPrecision):
                    check = check_gradients(model, number, clips, device=device, precision=precision)
                    wrong += not check.right
                    print(
                        f"{stage.row} on {device}, {precision}, {padding or 'no'} padding in time: gradients within "
                        f"{check.error:.2g} of float64's, {check.tolerance:.2g} allowed, at {check.where}"
                        f"{', not repeatable' if check.unstable else ''} ({'ok' if check.right else 'WRONG'})",
                        flush=True,
                    )
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
