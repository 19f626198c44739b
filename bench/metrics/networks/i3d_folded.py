"""The I3D network of `bench.metrics.networks.i3d`, rearranged to run faster and return the same logits.

- Batch normalisation is folded into the convolutions.
- Activations have channels last: pooling is many times faster, and a 1×1×1 convolution is one matrix product. The three
  such convolutions that start an Inception block are merged into one.
- Every branch writes into its slice of the block's output, so nothing is concatenated.
- Max pooling runs before ReLU. The two commute, and ReLU then has a quarter of the work.
- On a CPU, every convolution uses oneDNN. By default, PyTorch uses its own for the small ones, which is half as fast.
- On a CPU, large 3×3×3 convolutions use Winograd's F(2×2, 3×3) in height and width (Lavin and Gray, CVPR 2016), with
  4/9 of the multiplications. They sum fewer terms and are closer to float64 than direct ones, which a test checks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.metrics.networks.i3d import I3D, MIXED, POOLS, SIZE, Unit, pad_same, same_padding

LAST = torch.channels_last_3d
#: Winograd's transform of a kernel's three taps, and the positions (first, second, sign of the second) that its
#: transform of four inputs combines.
TAPS = torch.tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], dtype=torch.float64)
COMBINED = ((0, 2, -1), (1, 2, 1), (2, 1, -1), (1, 3, -1))
#: Input channels below which Winograd is not worthwhile, and rows of tiles at a time, which fit into a cache.
TILED_CHANNELS, TILED_ROWS = 64, 7


@dataclass(frozen=True)
class FoldedUnit:
    """Weight and bias of a unit after folding: a matrix [C, C'] for 1×1×1, else a kernel [C', C, t, h, w].

    `tiles` are Winograd's 16 kernels [C', C, 3, 1, 1] for even heights and widths; empty if not worthwhile.
    """

    weight: Tensor
    bias: Tensor
    tiles: tuple[Tensor, ...] = ()

    def to(self, device: torch.device, dtype: torch.dtype) -> FoldedUnit:
        """The same on another device or with another dtype."""
        tiles = self.tiles if device.type == "cpu" and dtype == torch.float32 else ()
        return FoldedUnit(self.weight.to(device, dtype), self.bias.to(device, dtype), tiles)


def fold(unit: Unit) -> FoldedUnit:
    """Merge convolution and batch normalisation (running statistics) into one convolution, computed in float64."""
    norm = unit.bn
    assert norm.running_var is not None
    assert norm.running_mean is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    bias = (norm.bias.double() - norm.running_mean.double() * scale).float()
    exact = unit.conv3d.weight.double() * scale[:, None, None, None, None]
    weight = exact.float()
    if weight.shape[2:] == (1, 1, 1):
        return FoldedUnit(weight.flatten(1).T.contiguous(), bias)
    tiles: tuple[Tensor, ...] = ()
    if weight.shape[2:] == (3, 3, 3) and weight.shape[1] >= TILED_CHANNELS and _has_onednn():
        kernels = torch.einsum("ia,jb,octab->ijoct", TAPS, TAPS, exact).float().flatten(0, 1)
        tiles = tuple(kernel[..., None, None].contiguous(memory_format=LAST) for kernel in kernels)
    return FoldedUnit(weight.contiguous(memory_format=LAST), bias, tiles)


def _has_onednn() -> bool:
    return bool(torch.backends.mkldnn.is_available())


@dataclass(frozen=True)
class FoldedBlock:
    """A folded Inception block: `first` is b0, b1a and b2a concatenated."""

    first: FoldedUnit
    widths: tuple[int, int, int]
    b1b: FoldedUnit
    b2b: FoldedUnit
    b3b: FoldedUnit

    def to(self, device: torch.device, dtype: torch.dtype) -> FoldedBlock:
        """The same on another device or with another dtype."""
        parts = (part.to(device, dtype) for part in (self.b1b, self.b2b, self.b3b))
        return FoldedBlock(self.first.to(device, dtype), self.widths, *parts)


def _pointwise(x: Tensor, unit: FoldedUnit) -> Tensor:
    """1×1×1 convolution of [N, T, H, W, C] without ReLU → [N, T, H, W, C']."""
    return torch.addmm(unit.bias, x.view(-1, x.shape[-1]), unit.weight).view(*x.shape[:-1], -1)


def _convolve(x: Tensor, unit: FoldedUnit) -> Tensor:
    """3×3×3 convolution of [N, T, H, W, C] without ReLU → [N, T, H, W, C']."""
    if unit.tiles and x.shape[2] % 2 == x.shape[3] % 2 == 0:
        made = [_convolve_tiles(clip, unit) for clip in x]
        return made[0][None] if len(made) == 1 else torch.stack(made)
    channels_first, ones = x.permute(0, 4, 1, 2, 3), (1, 1, 1)
    if x.device.type == "cpu" and x.dtype == torch.float32 and _has_onednn():
        y: Tensor = torch.mkldnn_convolution(channels_first, unit.weight, unit.bias, ones, ones, ones, 1)
    else:
        y = F.conv3d(channels_first, unit.weight, unit.bias, padding=1)
    return y.permute(0, 2, 3, 4, 1)


def _convolve_tiles(x: Tensor, unit: FoldedUnit) -> Tensor:
    """3×3×3 convolution of [T, H, W, C], H and W even, by tiles of 2×2 → [T, H, W, C']."""
    (frames, height, width), outputs = x.shape[:3], len(unit.bias)
    padded, w = F.pad(x, (0, 0, 1, 1, 1, 1)), width // 2
    y = x.new_empty(frames, height // 2, 2, w, 2, outputs)
    for start in range(0, height // 2, TILED_ROWS):
        rows = min(TILED_ROWS, height // 2 - start)
        part = padded[:, 2 * start : 2 * (start + rows) + 2]
        made: list[Tensor] = []  # 16 of [T, rows, w, C'], by position in the tile's transform
        for across in _combined(part, 1, rows):
            for tile in _combined(across, 2, w):
                kernel, channels_first = unit.tiles[len(made)], tile[None].permute(0, 4, 1, 2, 3)
                made.append(_taps_in_time(channels_first, kernel).permute(0, 2, 3, 4, 1)[0])
        tops, bottoms = zip(*(_uncombined(*made[column::4]) for column in range(4)), strict=True)
        for row, columns in enumerate((tops, bottoms)):
            for column, value in enumerate(_uncombined(*columns)):
                torch.add(value, unit.bias, out=y[:, start : start + rows, row, :, column])
    return y.view(frames, height, width, outputs)


def _combined(x: Tensor, axis: int, count: int) -> list[Tensor]:
    """Winograd's transform of four neighbours, with stride 2 along an axis: four tensors with `count` places each."""
    index = (slice(None),) * axis
    places = [x[(*index, slice(first, first + 2 * count - 1, 2))] for first in range(4)]
    return [torch.add(places[one], places[other], alpha=sign) for one, other, sign in COMBINED]


def _uncombined(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """Winograd's output transform to two neighbours, a + b + c and b − c − d; overwrites `a` and `b`."""
    return a.add_(b).add_(c), b.sub_(c).sub_(d)


def _taps_in_time(x: Tensor, kernel: Tensor) -> Tensor:
    """Convolution over time of [1, C, T, h, w] with a kernel [C', C, 3, 1, 1]."""
    made: Tensor = torch.mkldnn_convolution(x, kernel, None, (1, 0, 0), (1, 1, 1), (1, 1, 1), 1)
    return made


def _pool(x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
    """Max pooling with SAME padding of [N, T, H, W, C]; zeros padded in front must be harmless (after ReLU)."""
    channels_first = x.permute(0, 4, 1, 2, 3)
    pads = [same_padding(*axis) for axis in zip(x.shape[1:4], kernel, stride, strict=True)]
    if all(before == 0 for before, _ in pads):  # `ceil_mode` pools the incomplete window at the far end
        pooled = F.max_pool3d(channels_first, kernel, stride, ceil_mode=True)
    elif all(before == after for before, after in pads):
        pooled = F.max_pool3d(channels_first, kernel, stride, padding=[before for before, _ in pads])
    else:
        padded = pad_same(channels_first, kernel, stride).contiguous(memory_format=LAST)
        pooled = F.max_pool3d(padded, kernel, stride)
    return pooled.permute(0, 2, 3, 4, 1)


def _mix(x: Tensor, block: FoldedBlock) -> Tensor:
    """An Inception block on [N, T, H, W, C] ≥ 0 → [N, T, H, W, C'] ≥ 0."""
    b0, b1a, b2a = _pointwise(x, block.first).relu_().split(block.widths, -1)
    parts = (b0.shape[-1], len(block.b1b.bias), len(block.b2b.bias), len(block.b3b.bias))
    out = x.new_empty(*x.shape[:-1], sum(parts))
    slices = out.split(parts, -1)
    slices[0].copy_(b0)
    torch.clamp_min(_convolve(b1a.contiguous(), block.b1b), 0, out=slices[1])
    torch.clamp_min(_convolve(b2a.contiguous(), block.b2b), 0, out=slices[2])
    torch.clamp_min(_pointwise(_pool(x, (3, 3, 3), (1, 1, 1)).contiguous(), block.b3b), 0, out=slices[3])
    return out


class FastI3D:
    """Logits of clips [N, 3, T, 224, 224] in [-1, 1] → float32 [N, 400], as `I3D` returns them.

    A `dtype` other than float32 is faster on some GPUs, but changes the second or third digit of logits, so it is
    opt-in.
    """

    def __init__(self, network: I3D, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        self.device, self.dtype = torch.device(device), dtype

        def folded(name: str) -> FoldedUnit:
            unit = network.get_submodule(name)
            assert isinstance(unit, Unit)
            return fold(unit)

        self.stem = [
            folded(name).to(self.device, dtype) for name in ("Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3")
        ]
        self.blocks: dict[str, FoldedBlock] = {}
        for name in MIXED:
            b0, b1a, b2a, b1b, b2b, b3b = (folded(f"{name}.{b}") for b in ("b0", "b1a", "b2a", "b1b", "b2b", "b3b"))
            first = FoldedUnit(
                torch.cat([b0.weight, b1a.weight, b2a.weight], 1).contiguous(), torch.cat([b0.bias, b1a.bias, b2a.bias])
            )
            widths = (len(b0.bias), len(b1a.bias), len(b2a.bias))
            self.blocks[name] = FoldedBlock(first, widths, b1b, b2b, b3b).to(self.device, dtype)
        logits = network.get_submodule("logits.conv3d")
        assert isinstance(logits, torch.nn.Conv3d)
        assert logits.bias is not None
        self.logits = FoldedUnit(logits.weight.flatten(1).T.contiguous(), logits.bias).to(self.device, torch.float32)

    @torch.inference_mode()
    def __call__(self, x: Tensor) -> Tensor:
        """[N, 3, T, 224, 224] → float32 [N, 400]."""
        x = pad_same(x.to(self.device, self.dtype), (7, 7, 7), (2, 2, 2)).contiguous(memory_format=LAST)
        x = F.conv3d(x, self.stem[0].weight, self.stem[0].bias, stride=2).permute(0, 2, 3, 4, 1)
        x = _pool(x, *POOLS["Conv3d_2b_1x1"]).relu_()
        x = _pointwise(x, self.stem[1]).relu_()
        x = _convolve(x, self.stem[2])
        x = _pool(x, *POOLS["Mixed_3b"]).relu_()
        for name, block in self.blocks.items():
            if name in POOLS and name != "Mixed_3b":
                x = _pool(x, *POOLS[name])
            x = _mix(x, block)
        pooled = F.avg_pool3d(x.permute(0, 4, 1, 2, 3).float(), (2, SIZE // 32, SIZE // 32), stride=1)
        features = pooled.mean((2, 3, 4))  # the logits are linear, so their mean over time is the logits of the mean
        return torch.addmm(self.logits.bias, features, self.logits.weight)
