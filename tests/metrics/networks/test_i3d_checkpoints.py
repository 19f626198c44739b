"""The published tensors against the original checkpoint's checksums, and the layouts that they come in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.metrics.networks import alexnet, i3d_checkpoints
from bench.metrics.networks.i3d import I3D
from bench.metrics.networks.i3d_checkpoints import UNITS, from_jax
from bench.metrics.networks.weights_catalog import FILES, load_tensors, tensors_hash, verify
from bench.metrics.numba_compile import compiled


@compiled
def crc32c(content: NDArray[np.uint8], table: NDArray[np.uint32]) -> Any:
    crc = np.uint32(0xFFFFFFFF)
    for byte in content:
        crc = np.uint32(table[np.uint8(crc) ^ byte] ^ (crc >> np.uint32(8)))
    return np.uint32(crc ^ np.uint32(0xFFFFFFFF))


def masked_crc32c(content: bytes) -> int:
    """CRC-32C of bytes as TensorFlow's files keep it: turned by 15 bits, a constant added (`lib/hash/crc32c.h`)."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1).astype(np.uint32)
    crc = int(crc32c(np.frombuffer(content, np.uint8), table))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def test_the_checksum_is_castagnolis() -> None:
    masked = masked_crc32c(b"123456789")
    turned = (masked - 0xA282EAD8) & 0xFFFFFFFF
    assert ((turned >> 17) | (turned << 15)) & 0xFFFFFFFF == 0xE3069283  # RFC 3720's way of checking an implementation
    assert masked_crc32c(bytes(32)) != masked_crc32c(bytes(31))


def as_the_original(tensors: dict[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """The original checkpoint's names and layouts: kernels [T, H, W, C, C']."""
    for unit in (*UNITS, "logits"):
        # the original calls this one unit 0a
        layer = i3d_checkpoints._layer(unit).replace("Mixed_5b/Branch_2/Conv3d_0b", "Mixed_5b/Branch_2/Conv3d_0a")
        name = f"RGB/inception_i3d/{layer}"
        yield f"{name}/conv_3d/w", tensors[f"{unit}.conv3d.weight"].permute(2, 3, 4, 1, 0)
        if unit == "logits":
            yield f"{name}/conv_3d/b", tensors["logits.conv3d.bias"]
            continue
        for theirs, ours in (("beta", "bias"), ("moving_mean", "running_mean"), ("moving_variance", "running_var")):
            yield f"{name}/batch_norm/{theirs}", tensors[f"{unit}.bn.{ours}"]


def test_all_published_tensors_are_the_originals(published: Callable[[str], Path], reference: Path) -> None:
    """Tensor by tensor, by the checksums in the index of DeepMind's checkpoint (TF Hub, `i3d-kinetics-400/1`)."""
    tensors = load_tensors(published("fvd"))
    found = {
        name: f"{masked_crc32c(part.contiguous().numpy().astype('<f4').tobytes()):08x}"
        for name, part in as_the_original(tensors)
    }
    assert len(found) == 230
    assert found == dict(json.loads((reference / "i3d_original_crc32c.json").read_text()))
    # The original has no scale of its batch norms.
    assert all(bool((tensors[f"{unit}.bn.weight"] == 1).all()) for unit in UNITS)


@pytest.mark.parametrize("name", ["Mixed_4c.b1b.bn.bias", "Mixed_5c.b0.bn.weight", "logits.conv3d.weight"])
def test_a_damaged_tensor_is_refused_by_the_hash(
    name: str, published: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = load_tensors(published("fvd"))
    assert tensors_hash(tensors) == FILES["fvd"].tensors
    tensors[name] = tensors[name].flip(0) if tensors[name].ndim > 1 else tensors[name] + 1e-6
    torch.save(tensors, tmp_path / FILES["fvd"].filename)
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(tmp_path))
    refused = verify("fvd")
    assert refused.state == "other"
    assert "does not contain the published weights: the SHA-256 of its tensors is" in refused.message
    assert "expected beba2715136d. Delete it and run `bench weights fetch fvd`" in refused.message


def jax_tree(tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Tensors in the layout of JAX."""
    layer = i3d_checkpoints._layer
    params: dict[str, Any] = {}
    stats: dict[str, Any] = {}
    for unit in (*UNITS, "logits"):
        kernel = tensors[f"{unit}.conv3d.weight"].permute(2, 3, 4, 1, 0).numpy()
        params[layer(unit)] = {"Conv_0": {"kernel": kernel}}
        if unit == "logits":
            params[layer(unit)]["Conv_0"]["bias"] = tensors["logits.conv3d.bias"].numpy()
            continue
        params[layer(unit)]["BatchNorm_0"] = {"bias": tensors[f"{unit}.bn.bias"].numpy()}
        mean, var = (tensors[f"{unit}.bn.running_{kind}"].view(1, 1, 1, 1, -1).numpy() for kind in ("mean", "var"))
        stats[layer(unit)] = {"BatchNorm_0": {"mean": mean, "var": var}}
    return {"params": params, "batch_stats": stats}


def test_tensors_come_through_the_layout_of_jax_unchanged() -> None:
    torch.manual_seed(0)
    tensors = I3D().state_dict()
    for name, tensor in tensors.items():
        if tensor.ndim == 1 and not name.endswith("bn.weight"):
            tensor.uniform_(0.5, 1.5)
    tree = jax_tree(tensors)
    found = from_jax(tree)
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)
    del tree["batch_stats"]["Mixed_4c/Branch_1/Conv3d_0b_3x3"]
    with pytest.raises(BenchError, match=r"not a JAX checkpoint of the I3D network.*Mixed_4c/Branch_1/Conv3d_0b_3x3"):
        from_jax(tree)


def test_a_misshapen_checkpoint_is_refused() -> None:
    tree = jax_tree(I3D().state_dict())
    tree["params"]["Conv3d_1a_7x7"]["Conv_0"]["kernel"] = np.zeros((1, 1, 1, 3, 64), np.float32)
    with pytest.raises(BenchError, match=r"expected \[64, 3, 7, 7, 7\]"):
        from_jax(tree)


def test_a_trunk_of_lpips_is_refused_where_its_kernels_are_of_another_shape() -> None:
    layer = {"kernel": np.zeros((11, 11, 3, 63), np.float32), "bias": np.zeros(63, np.float32)}
    with pytest.raises(BenchError, match=r"expected \[64, 3, 11, 11\]"):
        alexnet.from_jax({"AlexNet_0": {"Conv_0": layer}})
