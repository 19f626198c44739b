"""`bench doctor --numerics`, with a third party's model and the quick kernels: all of them take half a minute."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bench import adversarial, registry
from bench.adversarial import ToPixels
from bench.cli.inspect import doctor
from bench.engine.gradient_check import GradientCheck
from bench.engine.weight_averaging import WeightAverage
from bench.errors import BenchError
from bench.metrics import ssim
from bench.pipeline import numerics

pytestmark = [pytest.mark.usefixtures("few"), pytest.mark.heavy]


@pytest.fixture
def few(tint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the third party's model."""
    assert tint in registry.MODELS
    monkeypatch.setattr(registry.MODELS, "_targets", {tint: registry.MODELS.target(tint)})
    quick = ("SSIM (Numba)", "average of weights", "Adam, fused")
    monkeypatch.setattr(numerics, "OTHERS", {kernel: numerics.OTHERS[kernel] for kernel in quick})


def states() -> dict[str, str]:
    return {finding.kernel: finding.state for finding in numerics.examine_numerics()}


def test_every_kernel_is_named_and_right(capsys: pytest.CaptureFixture[str]) -> None:
    doctor(numerics=True, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert [finding["kernel"] for finding in found] == [
        "tint: a training step of tint",
        "tint: Conv3d",
        "tint: BatchNorm3d",
        "tint: generation, batch norms folded",
        "SSIM (Numba)",
        "average of weights",
        "Adam, fused",
    ]
    assert {finding["state"] for finding in found} == {"ok"}
    assert all(finding["error"] < finding["tolerance"] / 3 for finding in found)
    assert {"processor", "instruction set", "oneDNN", "PyTorch", "threads"} < set(found[0])


def test_a_wrong_convolution_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right: Callable[..., Tensor] = F.conv3d

    def wrong(x: Tensor, *arguments: object, **named: object) -> Tensor:
        return right(x, *arguments, **named) + (0.01 if x.dtype == torch.float32 else 0)

    monkeypatch.setattr(F, "conv3d", wrong)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    with pytest.raises(
        BenchError, match=r"2 of 7 kernels compute wrong numbers.*Set ONEDNN_MAX_CPU_ISA=AVX2.*Please report"
    ):
        doctor(numerics=True)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["tint:", "Conv3d", "WRONG"] in [line[:3] for line in lines]
    assert ["tint:", "BatchNorm3d", "ok"] in [line[:3] for line in lines]


def test_the_advice_does_not_name_a_limit_that_is_already_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    assert numerics.torch_advice().startswith("set ONEDNN_MAX_CPU_ISA=AVX2")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert numerics.torch_advice().startswith("ONEDNN_MAX_CPU_ISA is already AVX2: install another version of PyTorch")


@pytest.mark.parametrize("unstable", [(), ("generator.0.weight",)])
def test_a_wrong_or_unstable_gradient_is_told(unstable: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    check = GradientCheck(1e-6 if unstable else 0.5, "generator.0.weight", 1e-3, unstable)
    monkeypatch.setattr(numerics, "check_gradients", lambda *_: check)
    finding = next(numerics.examine_numerics())
    assert (finding.kernel, finding.state) == ("tint: a training step of tint", "WRONG")
    assert "generator.0.weight" in finding.detail


def test_wrong_kernels_of_our_own_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssim, "_compiled", lambda pair: ssim.by_torch(*pair) + 1e-6)
    monkeypatch.setattr(WeightAverage, "follow", lambda self, step: None)
    found = states()
    assert found["SSIM (Numba)"] == found["average of weights"] == "WRONG"
    assert found["Adam, fused"] == "ok"
    assert next(f for f in numerics.examine_numerics() if f.kernel.startswith("SSIM")).advice == numerics.NUMBA


def test_a_layer_of_mdgan_that_is_wrong_without_gradients_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.MODELS, "_targets", {"mdgan": "mdgan.model:MDGAN"})
    models = numerics.variants("mdgan")
    model = next(model for model in models if any(isinstance(layer, ToPixels) for layer in model.modules()))
    assert numerics.generation_error(model) < numerics.TOLERANCE
    right = adversarial.blocks_to_channels
    monkeypatch.setattr(adversarial, "blocks_to_channels", lambda weight, blocks: right(weight, blocks).flip(2))
    assert numerics.generation_error(model) > 10 * numerics.TOLERANCE


@pytest.mark.parametrize("kernel", ["LPIPS: AlexNet", "FVD: I3D"])
def test_networks_of_metrics_are_right(kernel: str) -> None:
    compute = {"LPIPS: AlexNet": numerics._lpips, "FVD: I3D": numerics._i3d}[kernel]
    assert compute() < numerics.TOLERANCE / 5
