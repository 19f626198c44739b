"""No convolution of a model or a metric is padded by more than half its kernel, forward or backward.

oneDNN's gradient of such a convolution's weights was out of bounds on processors with AVX-512, and nowhere else: a test
of values sees it on such a machine, this one on any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from bench.adversarial import EndsConvTranspose3d, repeat_ends
from bench.config import PRESETS
from bench.engine.generate import for_generation
from bench.engine.model_factory import build, option_names
from bench.engine.training_step import make_optimizers, train_step
from bench.registry import MODELS

aten = torch.ops.aten
#: Where an operation has its weight, its padding and its dilation.
PLACES = {
    aten.convolution.default: (1, 4, 5),
    aten.convolution_backward.default: (2, 5, 6),
    aten.mkldnn_convolution.default: (1, 3, 5),
}
NAMES = [*MODELS, "tint"]


@dataclass(frozen=True)
class Convolution:
    operation: str
    kernel: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def too_wide(self) -> bool:
        """Padded by more than half the kernel along an axis."""
        axes = zip(self.kernel, self.padding, self.dilation, strict=True)
        return any(2 * padding > (taps - 1) * dilation + 1 for taps, padding, dilation in axes)


class Recorder(TorchDispatchMode):
    """Every convolution that is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[Convolution] = set()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or PyTorch imports its compiler, for seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if places := PLACES.get(func):
            weight, padding, dilation = (args[place] for place in places)
            kernel = tuple(weight.shape[2:])
            axes = len(kernel)
            wide = [tuple(values) * (axes if len(values) == 1 else 1) for values in (padding, dilation)]
            self.seen.add(Convolution(func.name(), kernel, *wide))
        else:  # nothing of that name that is not known here
            assert not any(word in func.name() for word in ("conv3d", "conv2d", "conv_", "convolution")), func
        return func(*args, **(kwargs or {}))

    def operations(self) -> set[str]:
        return {convolution.operation for convolution in self.seen}

    def too_wide(self) -> list[Convolution]:
        return [convolution for convolution in self.seen if convolution.too_wide()]


def narrow(name: str) -> Iterator[dict[str, Any]]:
    """The options of each preset, in networks as narrow as can be; each once."""
    factory, known_options = MODELS.load(name), []
    for preset in PRESETS:
        options = {**getattr(factory, "presets", {}).get(preset, {})}
        options |= {option: 2 for option in ("width", "hidden") if option in option_names(factory)}
        if options not in known_options:
            known_options.append(options)
            yield options


def record(name: str, resolution: int) -> Recorder:
    """Everything that a model computes: each stage's step, and generation."""
    recorder = Recorder()
    for options in narrow(name):
        model = build(name, options, resolution).train()
        clips = torch.rand(2, 3, model.frames, resolution, resolution) * 2 - 1
        with recorder:
            for stage in model.stages():
                stage.begin()
                train_step(stage, make_optimizers(stage), clips)
            for_generation(model).predict_rows(clips[:1, :, 0], model.rows)
    return recorder


def sizes(name: str) -> tuple[int, ...]:
    return MODELS.load(name).resolutions or (16,)


@pytest.mark.training
@pytest.mark.usefixtures("tint")
@pytest.mark.parametrize("name", NAMES)
def test_no_model_pads_by_more_than_half_a_kernel(name: str) -> None:
    for resolution in sizes(name):
        recorder = record(name, resolution)
        assert not recorder.too_wide(), resolution
        if name != "copy":
            called = recorder.operations() - {"aten::mkldnn_convolution"}  # which last layers call by its name
            assert called == {"aten::convolution", "aten::convolution_backward"}


@pytest.mark.parametrize("name", ["mdgan", "vgan"])
def test_the_transposed_convolution_that_was_padded_by_3_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def padded(self: EndsConvTranspose3d, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        return F.conv_transpose3d(repeat_ends(x), self.weight, self.bias, self.stride, (1 + self.stride[0], 1, 1))

    monkeypatch.setattr(EndsConvTranspose3d, "forward", padded)
    found = record(name, 64).too_wide()
    assert {wide.operation for wide in found} == {"aten::convolution", "aten::convolution_backward"}
    assert {wide.padding for wide in found} == {(3, 1, 1)}


def test_no_network_of_a_metric_pads_by_more_than_half_a_kernel() -> None:
    from bench.metrics.lpips import lpips_network
    from bench.metrics.networks.alexnet import FastLPIPS
    from bench.metrics.networks.i3d import I3D, SIZE
    from bench.metrics.networks.i3d_folded import FastI3D

    pairs, recorder = torch.rand(2, 3, 32, 32), Recorder()
    fast = FastLPIPS(lpips_network(None), torch.device("cpu"))
    with recorder, torch.no_grad():
        FastLPIPS.__call__.__wrapped__(fast, pairs, pairs)  # in inference mode operations do not pass by the recorder
        FastI3D.__call__.__wrapped__(FastI3D(I3D()), torch.zeros(1, 3, 9, SIZE, SIZE))
    assert not recorder.too_wide()
    assert "aten::convolution" in recorder.operations()
    assert len({convolution.kernel for convolution in recorder.seen}) >= 4
