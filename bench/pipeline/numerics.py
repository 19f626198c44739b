"""`bench doctor --numerics`: compare every kernel that results depend on with float64, on this machine.

The kernels of models are found where registered models, including third-party ones, use them. Those of metrics,
optimisers and averages are listed here. Each runs on one thread and on as many as PyTorch uses, over memory filled
with NaN.
"""

from __future__ import annotations

import copy
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from bench.adversarial import adam
from bench.config import PRESETS
from bench.data.clips import FRAMES
from bench.engine.devices import threads
from bench.engine.generate import for_generation
from bench.engine.gradient_check import check_gradients, poison_memory
from bench.engine.layer_check import LayerCall, check_layer, difference, record_calls, thread_counts
from bench.engine.model_factory import build, option_names
from bench.engine.weight_averaging import WeightAverage
from bench.interface import VideoModel
from bench.provenance import instruction_set, onednn_version, processor_name
from bench.registry import MODELS

#: Channels of the networks' first layers: enough for the deepest layers to fill vector registers.
WIDTH = 4
#: Largest difference relative to a tensor's largest value. Float32 rounding causes 1e-7 to 1e-5, faults above 1e-2.
TOLERANCE = 1e-4
#: Tolerance for SSIM, which is computed in float64.
TOLERANCE_SSIM = 1e-9
#: Values of ONEDNN_MAX_CPU_ISA that allow nothing beyond AVX2.
AT_MOST_AVX2 = ("SSE41", "AVX", "AVX2")
NUMBA = "install another version of Numba and repeat the command. Please report this output"


@dataclass(frozen=True)
class NumericsFinding:
    """Result for one kernel.

    Attributes:
        kernel: what was computed.
        state: "ok" or "WRONG".
        error: relative difference from float64.
        tolerance: largest permitted `error`.
        detail: where the largest difference was.
        advice: for a wrong kernel, what to do.
    """

    kernel: str
    state: Literal["ok", "WRONG"]
    error: float
    tolerance: float
    detail: str = ""
    advice: str = ""

    def row(self) -> dict[str, str]:
        """The finding as a line of a table."""
        off = f"{self.error:.1e}, at most {self.tolerance:.0e}"
        return {"kernel": self.kernel, "state": self.state, "off by": off, "detail": self.detail}


def torch_advice() -> str:
    """What to do about a kernel of PyTorch that computes wrong numbers."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    if limit in AT_MOST_AVX2:
        return (
            f"ONEDNN_MAX_CPU_ISA is already {limit}: install another version of PyTorch and repeat the "
            "command. Please report this output"
        )
    return (
        "set ONEDNN_MAX_CPU_ISA=AVX2 in the environment and repeat the command. If everything is ok then, "
        "keep it set; otherwise, install another version of PyTorch. Please report this output"
    )


def _finding(kernel: str, error: float, tolerance: float, detail: str = "", advice: str = "") -> NumericsFinding:
    if error <= tolerance:
        return NumericsFinding(kernel, "ok", error, tolerance, detail)
    return NumericsFinding(kernel, "WRONG", error, tolerance, detail, advice or torch_advice())


def machine() -> dict[str, str]:
    """The hardware that the kernels run on, and the libraries that provide them."""
    return {
        "processor": processor_name(),
        "instruction set": instruction_set(),
        "oneDNN": onednn_version() or "none",
        "PyTorch": torch.__version__,
        "threads": str(torch.get_num_threads()),
    }


def examine_numerics() -> Iterator[NumericsFinding]:
    """Check every kernel, one after the other; yields each result as soon as it is known."""
    for name in MODELS:
        yield from _training_steps(name)
    for name in MODELS:
        yield from _network_layers(name)
    for kernel, compute in OTHERS.items():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            error = max(_on_threads(compute))
        its_own = kernel.startswith("SSIM")
        yield _finding(kernel, error, TOLERANCE_SSIM if its_own else TOLERANCE, advice=NUMBA if its_own else "")


def _on_threads(compute: Callable[[], float]) -> Iterator[float]:
    """Run a measurement on one thread and on all."""
    for count in thread_counts():
        with threads(count):
            yield compute()


def narrowed(name: str, preset: str) -> dict[str, Any]:
    """A model's options under a preset, but with `WIDTH` channels."""
    factory = MODELS.load(name)
    options = {**getattr(factory, "presets", {}).get(preset, {})}
    small = {"width": WIDTH, "hidden": 8 * WIDTH}
    return {**options, **{key: value for key, value in small.items() if key in option_names(factory)}}


def variants(name: str) -> Iterator[VideoModel]:
    """A model at every size that it supports, with the options of every preset that result in different networks."""
    known = set()
    for resolution in MODELS.load(name).resolutions or (64,):
        for preset in PRESETS:
            model = build(name, narrowed(name, preset), resolution)
            if (what := f"{resolution} {model}") not in known:
                known.add(what)
                yield model


def sample_clips(model: VideoModel, count: int) -> Tensor:
    """Clips of random values `[count, 3, T, H, W]` in [-1, 1], always the same."""
    size = (count, 3, FRAMES, model.resolution, model.resolution)
    return torch.rand(size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def _training_steps(name: str) -> Iterator[NumericsFinding]:
    model = build(name, narrowed(name, "smoke"), 64)
    clips = sample_clips(model, 2)
    for number, stage in enumerate(model.stages()):
        checks = []
        for count in thread_counts():
            with threads(count):
                checks.append(check_gradients(model, number, clips))
        worst = max(checks, key=lambda check: check.error / check.tolerance)
        unstable = {weight for check in checks for weight in check.unstable}
        detail = f"gradients of {', '.join(sorted(unstable))} differ when repeated" if unstable else worst.where
        error = float("inf") if unstable else worst.error
        yield _finding(f"{name}: a training step of {stage.name}", error, worst.tolerance, detail)


def _network_layers(name: str) -> Iterator[NumericsFinding]:
    """Check the layers of a model by type, then its generation."""
    errors: dict[str, list[float]] = defaultdict(list)
    calls: dict[tuple[str, ...], LayerCall] = {}
    generated: list[float] = []
    for model in variants(name):
        for call in _training_calls(model):
            calls.setdefault(call.kind, call)
        generated += _on_threads(lambda model=model: generation_error(model))  # type: ignore[misc]
    for kind, call in calls.items():
        errors[kind[0]].append(check_layer(call))
    for layer, found in errors.items():
        yield _finding(f"{name}: {layer}", max(found), TOLERANCE, f"{len(found)} shapes")
    yield _finding(f"{name}: generation, batch norms folded", max(generated), TOLERANCE)


def _training_calls(model: VideoModel) -> list[LayerCall]:
    """The calls of a model's layers in training, where all of them are used."""
    clips = sample_clips(model, 2 if model.resolution <= 64 else 1)

    def play() -> None:
        for stage in model.train().stages():
            shared = stage.forward(clips)
            for player in stage.players:
                player.loss(shared)

    with torch.no_grad():
        return record_calls(model, play)


def generation_error(model: VideoModel) -> float:
    """Difference of a model's videos, made as for users, from those of its float64 copy, whose norms are not folded."""
    model = copy.deepcopy(model).eval()
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_mean is not None:
            nn.init.uniform_(layer.running_mean, -0.2, 0.2)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    exact = copy.deepcopy(model).double()
    first = sample_clips(model, 1)[:, :, 0]
    # With gradients, so that each layer takes its plain path: `predict` disables them.
    right: Mapping[str, Tensor] = exact._continue(first.double(), model.rows)
    poison_memory()
    found = for_generation(model).predict_rows(first, model.rows)
    return max(difference(found[row], right[row].detach()) for row in model.rows)


def _ssim() -> float:
    from bench.metrics.ssim import by_torch, ssim

    worst = 0.0
    for count, height, width in ((3, 33, 47), (1, 11, 11), (9, 64, 64)):
        values = torch.randint(0, 256, (2, count, width, height, 3), dtype=torch.uint8)
        x, y = values.transpose(2, 3)  # not contiguous
        poison_memory(largest=1 << 14)
        worst = max(worst, difference(ssim(x, y), by_torch(x, y)))
    return worst


def _i3d() -> float:
    from bench.metrics.networks.i3d import I3D, MIN_FRAMES, SIZE
    from bench.metrics.networks.i3d_folded import FastI3D

    network, clip = I3D(), torch.rand(1, 3, MIN_FRAMES, SIZE, SIZE) * 2 - 1
    fast = FastI3D(network)
    poison_memory()
    return difference(fast(clip), network.double()(clip.double()))


def _lpips() -> float:
    from bench.metrics.lpips import lpips_network
    from bench.metrics.networks.alexnet import FastLPIPS

    network, worst = lpips_network(None), 0.0
    fast, exact = FastLPIPS(network, torch.device("cpu")), copy.deepcopy(network).double()
    for count, height, width in ((1, 45, 67), (3, 64, 64)):
        x, y = torch.rand(2, count, height, width, 3).permute(0, 1, 4, 2, 3) * 2 - 1
        poison_memory()
        worst = max(worst, difference(fast(x, y), exact(x.double(), y.double()).flatten()))
    return worst


def _weights() -> nn.Sequential:
    """A network with weights of odd sizes."""
    return nn.Sequential(nn.Linear(1, 1), nn.Linear(7, 31), nn.Conv3d(3, 5, 3), nn.Linear(129, 257))


def _average() -> float:
    network = _weights()
    average = WeightAverage(network, 0.999)
    exact = [weight.detach().double() for weight in network.parameters()]
    for step in (1, 2, 50):
        kept = min(0.999, (1 + step) / (10 + step))
        with torch.no_grad():
            for weight in network.parameters():
                weight.add_(torch.randn_like(weight))
        exact = [kept * a + (1 - kept) * w.detach().double() for a, w in zip(exact, network.parameters(), strict=True)]
        average.follow(step)
    return max(difference(a, b) for a, b in zip(average.weights, exact, strict=True))


def _adam() -> float:
    """Compare how far weights move in our steps and in algorithm 1 of Kingma and Ba (2015)."""
    network, rate, betas = _weights(), 1e-3, (0.5, 0.9)
    weights = list(network.parameters())
    for weight in weights:
        weight.data /= 100  # small compared with a step, so that rounding of the weight does not hide the step
    optimizer = adam(rate, betas)(weights)
    start = [weight.detach().double() for weight in weights]
    exact, first, second = ([value.clone() * share for value in start] for share in (1, 0, 0))
    for step in (1, 2, 3):
        poison_memory(largest=1 << 16)
        for number, weight in enumerate(weights):
            weight.grad = torch.randn_like(weight)
            gradient = weight.grad.double()
            first[number] = betas[0] * first[number] + (1 - betas[0]) * gradient
            second[number] = betas[1] * second[number] + (1 - betas[1]) * gradient**2
            unbiased = first[number] / (1 - betas[0] ** step), second[number] / (1 - betas[1] ** step)
            exact[number] = exact[number] - rate * unbiased[0] / (unbiased[1].sqrt() + 1e-8)
        optimizer.step()
    moved = [(w.detach().double() - s, e - s) for w, e, s in zip(weights, exact, start, strict=True)]
    return max(difference(ours, right) for ours, right in moved)


#: Kernels that no model contains: their names, and functions that return the error of each.
OTHERS: dict[str, Callable[[], float]] = {
    "SSIM (Numba)": _ssim,
    "LPIPS: AlexNet": _lpips,
    "FVD: I3D": _i3d,
    "average of weights": _average,
    "Adam, fused": _adam,
}
