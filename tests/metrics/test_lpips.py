from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bench.errors import BenchError
from bench.metrics.base import UnfitError
from bench.metrics.lpips import LPIPS, frame_lpips, lpips_network
from bench.metrics.networks import weights_catalog
from bench.metrics.networks.alexnet import FastLPIPS

pytestmark = pytest.mark.heavy

pytest.importorskip("lpips", reason="the package lpips is not installed")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trunk() -> dict[str, torch.Tensor]:
    """A random AlexNet, by torchvision's names."""
    from torchvision.models import alexnet

    torch.manual_seed(0)
    return dict(alexnet(weights=None).state_dict())


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    real = rng.integers(0, 256, (10, 64, 64, 3), dtype=np.uint8)
    return (real // 2 + rng.integers(0, 99, real.shape, dtype=np.uint8)), real


def _one_by_one(network: Any, prediction: np.ndarray, real: np.ndarray) -> list[float]:
    values = []
    for p, r in zip(prediction, real, strict=True):
        x, y = (torch.from_numpy(f).permute(2, 0, 1)[None].float() / 127.5 - 1 for f in (p, r))
        values.append(network(x, y).item())
    return values


def test_it_is_the_packages_value_of_each_frame(trunk: dict[str, torch.Tensor], pair: tuple[np.ndarray, ...]) -> None:
    network = lpips_network(trunk)
    found = frame_lpips(network, *pair, CPU)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, _one_by_one(network, *pair), rtol=0, atol=1e-5)
    assert found.min() > 1e-4
    assert frame_lpips(network, pair[1], pair[1], CPU).max() == 0.0


def test_the_trunk_is_the_one_that_is_given(trunk: dict[str, torch.Tensor]) -> None:
    network = lpips_network(trunk)
    for slice_name, layer in (("slice1", 0), ("slice2", 3), ("slice3", 6), ("slice4", 8), ("slice5", 10)):
        loaded = network.net.state_dict()[f"{slice_name}.{layer}.weight"]
        torch.testing.assert_close(loaded, trunk[f"features.{layer}.weight"], rtol=0, atol=0)
    assert all((lin.model[1].weight >= 0).all() and lin.model[1].weight.max() > 0 for lin in network.lins)


def test_a_trunk_that_lacks_a_tensor_is_refused(trunk: dict[str, torch.Tensor]) -> None:
    with pytest.raises(BenchError, match="not weights of torchvision's AlexNet"):
        lpips_network({name: tensor for name, tensor in trunk.items() if name != "features.8.bias"})


def test_more_distortion_is_a_larger_distance(trunk: dict[str, torch.Tensor], pair: tuple[np.ndarray, ...]) -> None:
    real = pair[1][:1]
    network = lpips_network(trunk)
    noise = np.random.default_rng(1).normal(0, 1, real.shape)
    values = [
        frame_lpips(network, np.clip(real + amount * noise, 0, 255).astype(np.uint8), real, CPU)[0]
        for amount in (0, 10, 40, 120)
    ]
    assert values == sorted(values)
    assert values[-1] > 0


def test_the_metric_loads_its_file_once(
    trunk: dict[str, torch.Tensor], pair: tuple[np.ndarray, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(tmp_path))
    assert "bench weights fetch lpips" in str(LPIPS().unavailable())
    torch.save(trunk, tmp_path / "alexnet-owt-7be5be79.pth")  # the authors' own file, put there by hand
    metric = LPIPS(device="cpu")
    assert metric.unavailable() is None
    columns = metric.compute(*pair)
    (tmp_path / "alexnet-owt-7be5be79.pth").unlink()
    np.testing.assert_array_equal(metric.compute(*pair)["lpips"], columns["lpips"])
    assert metric.clip(columns) == pytest.approx(columns["lpips"].mean())


def test_small_frames_are_refused() -> None:
    with pytest.raises(UnfitError, match="at least 31"):
        frame_lpips(None, *np.zeros((2, 1, 16, 16, 3), np.uint8), CPU)


def test_the_published_network_gives_the_authors_numbers(published: Callable[[str], Path], reference: Path) -> None:
    pictures = {
        name: np.array(Image.open(reference / "lpips" / f"{name}.png").convert("RGB"))[None]
        for name in ("ex_ref", "ex_p0", "ex_p1")
    }
    metric = LPIPS(published("lpips"), device="cpu")
    for name, value in (("ex_p0", 0.7219), ("ex_p1", 0.1376)):  # published with three digits: 0.722, 0.138
        assert metric.clip(metric.compute(pictures[name], pictures["ex_ref"])) == pytest.approx(value, abs=5e-5)
    assert metric.weights_id() == f"alexnet_features sha256:{weights_catalog.FILES['lpips'].tensors[:12]}"


@pytest.mark.parametrize("size", [(64, 64), (31, 45)])
def test_the_fast_network_is_the_packages(size: tuple[int, int], trunk: dict[str, torch.Tensor]) -> None:
    network = lpips_network(trunk)
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 256, (2, 20, *size, 3), dtype=np.uint8)
    x[3] = y[3]
    x[4:6] = 0  # where nothing responds there is no direction
    expected = _one_by_one(network, x, y)
    found = frame_lpips(FastLPIPS(network, CPU), x, y, CPU)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert found[3] == 0
    np.testing.assert_array_equal(frame_lpips(FastLPIPS(network, CPU), x, y, CPU), found)
