"""The published tensors of the I3D network in three layouts: the original's, JAX's, and ours, which is PyTorch's.

DeepMind published a TensorFlow checkpoint (Kinetics-400, RGB); all other files are copies of it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.errors import BenchError
from bench.metrics.networks.i3d import I3D, MIXED
from bench.metrics.networks.safe_unpickler import Tree, by_path

#: Our names for the branches of an Inception block, and the original's.
_BRANCHES = {
    "b0": "Branch_0/Conv3d_0a_1x1",
    "b1a": "Branch_1/Conv3d_0a_1x1",
    "b1b": "Branch_1/Conv3d_0b_3x3",
    "b2a": "Branch_2/Conv3d_0a_1x1",
    "b2b": "Branch_2/Conv3d_0b_3x3",
    "b3b": "Branch_3/Conv3d_0b_1x1",
}
#: Units by our names: three of the stem, then the branches of every block.
UNITS = (
    "Conv3d_1a_7x7",
    "Conv3d_2b_1x1",
    "Conv3d_2c_3x3",
    *(f"{block}.{branch}" for block in MIXED for branch in _BRANCHES),
)


def _layer(unit: str) -> str:
    """The original's name for a unit, or for the logits."""
    block, _, branch = unit.partition(".")
    return "Logits/Conv3d_0c_1x1" if unit == "logits" else f"{block}/{_BRANCHES[branch]}" if branch else block


def _tensor(array: NDArray[Any], shape: torch.Size) -> Tensor:
    if array.dtype.kind != "f" or math.prod(array.shape) != math.prod(shape):
        raise ValueError(f"{array.dtype} {list(array.shape)}, expected {list(shape)}")
    return torch.from_numpy(np.array(array, np.float32).reshape(shape))


def from_jax(tree: Tree) -> dict[str, Tensor]:
    """Our tensors from a JAX checkpoint: `params` and `batch_stats` by layer, with kernels [T, H, W, C, C'].

    Its batch normalisation has no scale, so the scale is 1. Raises `BenchError` if something is missing or malformed.
    """
    # The new `I3D` only supplies values that are the same in every copy: the scale, which is 1, and an unused counter.
    expected = I3D().state_dict()
    arrays = dict(by_path(tree))
    try:
        tensors = {"logits.conv3d.bias": arrays[f"params/{_layer('logits')}/Conv_0/bias"]}
        for unit in (*UNITS, "logits"):
            kernel = arrays[f"params/{_layer(unit)}/Conv_0/kernel"]
            tensors[f"{unit}.conv3d.weight"] = kernel.transpose(4, 3, 0, 1, 2)
        for unit in UNITS:
            tensors[f"{unit}.bn.bias"] = arrays[f"params/{_layer(unit)}/BatchNorm_0/bias"]
            tensors[f"{unit}.bn.running_mean"] = arrays[f"batch_stats/{_layer(unit)}/BatchNorm_0/mean"]
            tensors[f"{unit}.bn.running_var"] = arrays[f"batch_stats/{_layer(unit)}/BatchNorm_0/var"]
        return {
            name: _tensor(tensors[name], value.shape) if name in tensors else value for name, value in expected.items()
        }
    except (KeyError, ValueError) as error:
        raise BenchError(f"This is not a JAX checkpoint of the I3D network ({error}).") from error
