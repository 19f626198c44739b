"""The published tensors against the original checkpoint's checksums, and the layouts that they come in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.errors import BenchError
from bench.metrics.networks import alexnet, i3d_checkpoints
from bench.metrics.networks.i3d import I3D
from bench.metrics.networks.i3d_checkpoints import CHECKSUMS, UNITS, from_jax, masked_crc32c, strangers
from bench.metrics.networks.weights_catalog import load_tensors


def test_the_checksum_is_castagnolis() -> None:
    masked = masked_crc32c(b"123456789")
    turned = (masked - 0xA282EAD8) & 0xFFFFFFFF
    assert ((turned >> 17) | (turned << 15)) & 0xFFFFFFFF == 0xE3069283  # RFC 3720's way of checking an implementation
    assert masked_crc32c(bytes(32)) != masked_crc32c(bytes(31))


def test_the_table_is_the_originals_index(reference: Path) -> None:
    index = dict(json.loads((reference / "i3d_original_crc32c.json").read_text()))
    ours = sorted(value for sums in CHECKSUMS.values() for value in sums.split())
    assert ours == sorted(index.values())
    assert len(ours) == 230
    assert list(CHECKSUMS) == [*UNITS, "logits"]
    for unit in ("Conv3d_2c_3x3", "Mixed_4d.b1b"):
        name = f"RGB/inception_i3d/{i3d_checkpoints._layer(unit)}"
        parts = ("conv_3d/w", "batch_norm/beta", "batch_norm/moving_mean", "batch_norm/moving_variance")
        assert CHECKSUMS[unit] == " ".join(index[f"{name}/{part}"] for part in parts)


def test_all_published_tensors_are_the_originals(published: Callable[[str], Path]) -> None:
    tensors = load_tensors(published("fvd"))
    assert strangers(tensors) == []
    tensors["Mixed_4c.b1b.bn.bias"][3] += 1e-7
    tensors["Mixed_5c.b0.bn.weight"][0] = 2
    tensors["logits.conv3d.weight"] = tensors["logits.conv3d.weight"].flip(0)
    assert strangers(tensors) == ["Mixed_4c.b1b", "Mixed_5c.b0", "logits"]


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
    with pytest.raises(BenchError, match=r"no checkpoint of the I3D network.*Mixed_4c/Branch_1/Conv3d_0b_3x3"):
        from_jax(tree)


def test_a_misshapen_checkpoint_is_refused() -> None:
    tree = jax_tree(I3D().state_dict())
    tree["params"]["Conv3d_1a_7x7"]["Conv_0"]["kernel"] = np.zeros((1, 1, 1, 3, 64), np.float32)
    with pytest.raises(BenchError, match=r"where \[64, 3, 7, 7, 7\] is due"):
        from_jax(tree)


def test_a_trunk_of_lpips_is_refused_where_its_kernels_are_of_another_shape() -> None:
    layer = {"kernel": np.zeros((11, 11, 3, 63), np.float32), "bias": np.zeros(63, np.float32)}
    with pytest.raises(BenchError, match=r"where \[64, 3, 11, 11\] is due"):
        alexnet.from_jax({"AlexNet_0": {"Conv_0": layer}})
