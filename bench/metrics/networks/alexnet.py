"""The network of LPIPS: the five convolutions of torchvision's AlexNet, by torchvision's names, and the authors' heads.

`FastLPIPS` computes the same as the package `lpips`, rearranged. Both frames of a pair go through the trunk together.
Channels are last in memory, so a unit vector over channels and its weighted sum are read in one pass. A head is one
product.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.errors import BenchError
from bench.metrics.networks.safe_unpickler import Tree

#: Indices of the layers that have weights, and the shapes of their kernels [C', C, H, W].
LAYERS = {
    0: (64, 3, 11, 11),
    3: (192, 64, 5, 5),
    6: (384, 192, 3, 3),
    8: (256, 384, 3, 3),
    10: (256, 256, 3, 3),
}


def from_jax(tree: Tree) -> dict[str, Tensor]:
    """Tensors by torchvision's names from a JAX checkpoint with kernels [H, W, C, C'].

    Raises `BenchError` if something is missing or malformed.
    """
    tensors = {}
    try:
        for place, (layer, shape) in enumerate(LAYERS.items()):
            unit = tree["AlexNet_0"][f"Conv_{place}"]
            for kind, array in (("weight", unit["kernel"].transpose(3, 2, 0, 1)), ("bias", unit["bias"])):
                if array.shape != (shape if kind == "weight" else shape[:1]) or array.dtype.kind != "f":
                    raise ValueError(f"{array.dtype} {list(array.shape)}, expected {list(shape)}")
                tensors[f"features.{layer}.{kind}"] = torch.from_numpy(np.array(array, np.float32, order="C"))
    except (KeyError, ValueError, TypeError) as error:
        raise BenchError(f"This is not a JAX checkpoint of LPIPS with AlexNet ({error}).") from error
    return tensors


class FastLPIPS:
    """Distances between pairs of frames [N, 3, H, W] in [-1, 1] → float32 [N], as in the package's network.

    Args:
        network: the package's network, version 0.1 with AlexNet.
        device: device for the computation.
    """

    def __init__(self, network: Any, device: torch.device) -> None:
        convolutions: list[Any] = [module for module in network.net.modules() if isinstance(module, torch.nn.Conv2d)]
        self._units = [
            (unit.weight.to(device, memory_format=torch.channels_last), unit.bias.to(device), unit.stride, unit.padding)
            for unit in convolutions
        ]
        self._heads = [head.model[-1].weight[0, :, 0, 0].to(device) for head in network.lins]
        self._shift, self._scale = (
            part.to(device) for part in (network.scaling_layer.shift, network.scaling_layer.scale)
        )

    @torch.inference_mode()
    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """[N, 3, H, W] twice → [N]."""
        z = ((torch.cat([x, y]) - self._shift) / self._scale).contiguous(memory_format=torch.channels_last)
        total = z.new_zeros(len(x))
        for place, ((weight, bias, stride, padding), head) in enumerate(zip(self._units, self._heads, strict=True)):
            if place in (1, 2):
                z = F.max_pool2d(z, 3, 2)
            z = F.relu_(F.conv2d(z, weight, bias, stride, padding))  # [2N, C, H', W']
            features = z.permute(0, 2, 3, 1)
            # A place without any response has no direction: it gets zeros, as from the package's 1e-10 in the divisor.
            unit = features * torch.rsqrt(features.square().sum(-1, keepdim=True).clamp_min(1e-20))
            difference = unit[: len(x)] - unit[len(x) :]
            total += (difference.square() @ head).mean((1, 2))
        return total
