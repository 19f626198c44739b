"""I3D: Carreira and Zisserman, "Quo vadis, action recognition?" (CVPR 2017), the RGB network trained on Kinetics-400.

This is the network behind FVD (Unterthiner et al. 2018). Tensor names are those of the published PyTorch export
`i3d_pretrained_400.pt`. Padding is TensorFlow's SAME, with which the weights were trained: if the amount is odd, the
extra row goes behind.

The original graph adds 1e-3 to the variance in its batch normalisation. A PyTorch port kept PyTorch's default of 1e-5,
and VideoGPT and the projects that adopted its code still use that. The same tensors then give different logits.

`I3D` is the network as published, layer by layer. `i3d_folded` computes the same function faster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.errors import BenchError

CLASSES = 400
SIZE = 224
#: Batch-norm epsilon of the original graph, and of the port.
EPSILON, PORTED_EPSILON = 1e-3, 1e-5
#: Minimum number of frames; below it, no window of the last pooling is full.
MIN_FRAMES = 9

#: Channels of an Inception block: input, then the outputs of b0, b1a, b1b, b2a, b2b, b3b.
MIXED: dict[str, tuple[int, int, int, int, int, int, int]] = {
    "Mixed_3b": (192, 64, 96, 128, 16, 32, 32),
    "Mixed_3c": (256, 128, 128, 192, 32, 96, 64),
    "Mixed_4b": (480, 192, 96, 208, 16, 48, 64),
    "Mixed_4c": (512, 160, 112, 224, 24, 64, 64),
    "Mixed_4d": (512, 128, 128, 256, 24, 64, 64),
    "Mixed_4e": (512, 112, 144, 288, 32, 64, 64),
    "Mixed_4f": (528, 256, 160, 320, 32, 128, 128),
    "Mixed_5b": (832, 256, 160, 320, 32, 128, 128),
    "Mixed_5c": (832, 384, 192, 384, 48, 128, 128),
}
#: Kernel and stride of the pooling before a layer.
POOLS: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "Conv3d_2b_1x1": ((1, 3, 3), (1, 2, 2)),
    "Mixed_3b": ((1, 3, 3), (1, 2, 2)),
    "Mixed_4b": ((3, 3, 3), (2, 2, 2)),
    "Mixed_5b": ((2, 2, 2), (2, 2, 2)),
}


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME padding of one axis: amounts before and behind; the extra one goes behind."""
    total = max(kernel - (size % stride or stride), 0)
    return total // 2, total - total // 2


def pad_same(x: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Zero-pad the last three axes of [N, C, T, H, W] as TensorFlow does."""
    amounts: list[int] = []
    for size, k, s in zip(reversed(x.shape[-3:]), reversed(kernel), reversed(stride), strict=True):
        amounts += same_padding(size, k, s)
    return F.pad(x, amounts) if any(amounts) else x


def max_pool_same(x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
    """Max pooling with SAME padding by zeros, as in the published network."""
    return F.max_pool3d(pad_same(x, kernel, stride), kernel, stride)


class Unit(nn.Module):
    """Convolution with SAME padding, batch normalisation with running statistics, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(outputs, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T, H, W] → [N, C', ⌈T/stride⌉, ⌈H/stride⌉, ⌈W/stride⌉]."""
        padded = pad_same(x, self.conv3d.kernel_size, self.conv3d.stride)
        return F.relu(self.bn(self.conv3d(padded)))


class Mixed(nn.Module):
    """Inception block: 1×1×1; 1×1×1 and 3×3×3, twice; pooling and 1×1×1."""

    def __init__(self, inputs: int, b0: int, b1a: int, b1b: int, b2a: int, b2b: int, b3b: int) -> None:
        super().__init__()
        self.b0 = Unit(inputs, b0, 1)
        self.b1a, self.b1b = Unit(inputs, b1a, 1), Unit(b1a, b1b, 3)
        self.b2a, self.b2b = Unit(inputs, b2a, 1), Unit(b2a, b2b, 3)
        self.b3b = Unit(inputs, b3b, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T, H, W] → [N, b0 + b1b + b2b + b3b, T, H, W]."""
        pooled = max_pool_same(x, (3, 3, 3), (1, 1, 1))
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)], 1)


class I3D(nn.Module):
    """Logits of clips [N, 3, T, 224, 224] in [-1, 1] → [N, 400], before softmax, mean over time; T at least 9.

    `epsilon` is what batch normalisation adds to the variance.
    """

    def __init__(self, epsilon: float = EPSILON) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64, 7, 2)
        self.Conv3d_2b_1x1 = Unit(64, 64, 1)
        self.Conv3d_2c_3x3 = Unit(64, 192, 3)
        for name, channels in MIXED.items():
            self.add_module(name, Mixed(*channels))
        self.logits = nn.Module()
        self.logits.add_module("conv3d", nn.Conv3d(1024, CLASSES, 1))
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.eps = epsilon
        self.eval()
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, T, 224, 224] → [N, 400]."""
        for name in ("Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3", *MIXED):
            if name in POOLS:
                x = max_pool_same(x, *POOLS[name])
            x = self.get_submodule(name)(x)
        pooled = F.avg_pool3d(x, (2, SIZE // 32, SIZE // 32), stride=1)  # [N, 1024, T', 1, 1]
        logits: Tensor = self.get_submodule("logits.conv3d")(pooled)
        return logits[..., 0, 0].mean(2)


def load_i3d(tensors: Mapping[str, Tensor], epsilon: float = EPSILON) -> I3D:
    """The network with the tensors of `i3d_pretrained_400.pt`.

    Raises `BenchError` if a tensor is missing, unknown or of another shape.
    """
    network = I3D(epsilon)
    try:
        network.load_state_dict(dict(tensors))
    except (RuntimeError, TypeError, AttributeError) as error:
        detail = " ".join(str(error).split())[:300]
        raise BenchError(f"These are not weights of the Kinetics-400 I3D network of 400 classes: {detail}") from error
    return network
