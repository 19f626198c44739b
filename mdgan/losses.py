"""MD-GAN's own losses as pure functions (Xiong et al., CVPR 2018, sections 3.1 and 3.2).

The two players' adversarial terms are common to all models and are defined in `bench.adversarial`. Clips have these
names: `real` is Y, `base` is Y1 (Stage I), `refined` is Y2 (Stage II).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def content_loss(fake: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference between two clips of equal shape: the paper's L1 content loss, per value."""
    return F.l1_loss(fake, real)


def gram_matrix(features: Tensor, *, half: bool = False) -> Tensor:
    """Motion descriptor of a layer: g = 1/(N·M·S) · Σ_n Ĥ_n Ĥ_nᵀ, with features Ĥ_n as M = C·T rows of S = H·W values.

    Rows are channels *at a time step*, so the matrix describes how features co-occur across time steps. The paper
    writes 1/(M·S). The division by the number of clips N is our addition, so that neither the matrix nor the losses
    made from it grow with the batch.

    The matrix is computed in float32 (or in the features' own precision if higher), even under autocast: sums of S·N
    products exceed what half precision can represent.

    Args:
        features: `[N, C, T, H, W]`.
        half: round the features to bf16 first, so that tensor cores multiply them. Sums are still float32.

    Returns:
        `[C·T, C·T]`, symmetric and positive semi-definite.

    >>> gram_matrix(torch.ones(1, 2, 3, 4, 4)).shape
    torch.Size([6, 6])
    """
    n, c, t, h, w = features.shape
    with torch.autocast(features.device.type, enabled=False):
        values = features if half else features.to(torch.promote_types(features.dtype, torch.float32))
        # Rows as (t, c): our features are channels last, so whole pixels are copied instead of single values.
        columns = values.permute(0, 3, 4, 2, 1).reshape(n * h * w, t * c)  # [N·S, M]
        product = _HalfGram if half else _Gram
        gram: Tensor = product.apply(columns, float(n * c * t * h * w))  # [M, M]
        return gram.reshape(t, c, t, c).permute(1, 0, 3, 2).reshape(c * t, c * t)


class _Gram(torch.autograd.Function):
    """Xᵀ X / count of X `[K, M]`, with its gradient as one product, X (g + gᵀ); autograd would take two."""

    @staticmethod
    def forward(ctx: Any, columns: Tensor, count: float) -> Tensor:
        ctx.save_for_backward(columns)
        ctx.count = count
        return columns.T @ columns / count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (columns,) = ctx.saved_tensors
        return columns @ ((gradient + gradient.T) / ctx.count), None


class _HalfGram(torch.autograd.Function):
    """`_Gram` of X rounded to bf16, with sums in float32."""

    @staticmethod
    def forward(ctx: Any, columns: Tensor, count: float) -> Tensor:
        ctx.count, ctx.dtype = count, columns.dtype
        half = columns.to(torch.bfloat16)
        ctx.save_for_backward(half)
        return half_product(half.T, half) / count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (half,) = ctx.saved_tensors
        both = (gradient + gradient.T) / ctx.count
        # For an L1 distance, these are a constant times -2, 0 and 2, exact in bf16 once the constant is divided out.
        scale = both.abs().amax().clamp_min(torch.finfo(both.dtype).tiny)
        return (half_product(half, (both / scale).to(torch.bfloat16)) * scale).to(ctx.dtype), None


def half_product(a: Tensor, b: Tensor) -> Tensor:
    """Product of two bf16 matrices as float32, with sums in float32.

    A GPU's tensor cores do this if PyTorch offers it (2.8 and newer). Otherwise the matrices are multiplied as float32,
    in which products of bf16 numbers are exact.
    """
    if a.is_cuda and _has_out_dtype():
        return torch.mm(a, b, out_dtype=torch.float32)
    return a.float() @ b.float()


@lru_cache(maxsize=1)
def _has_out_dtype() -> bool:
    """Whether this PyTorch multiplies bf16 matrices into a float32 one on this GPU."""
    one = torch.ones(8, 8, dtype=torch.bfloat16, device="cuda")
    try:
        torch.mm(one, one, out_dtype=torch.float32)
    except (TypeError, RuntimeError):  # an older PyTorch, or a GPU or library without it
        return False
    return True


def gram_distance(a: Tensor, b: Tensor) -> Tensor:
    """‖g(a) − g(b)‖₁, summed over the matrix, for the features `[N, C, T, H, W]` of two batches of clips."""
    return _l1(gram_matrix(a), gram_matrix(b))


def _l1(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).abs().sum()


#: How the distance between two Gram matrices is reduced; see `ranking_loss`.
NORMS = ("sum", "mean", "relative")


def _size(real: Tensor, norm: str) -> Tensor | float:
    """The divisor for a distance to `real`, the Gram matrix of real clips."""
    if norm == "relative":
        return real.abs().sum()
    return float(real.numel()) if norm == "mean" else 1.0


def rank(to_real: Tensor, to_base: Tensor) -> Tensor:
    """softplus(d⁺ − d⁻) = −log(e^(−d⁺) / (e^(−d⁺) + e^(−d⁻))).

    This equals the paper's expression but stays finite. At the distances of real features (hundreds), both
    exponentials of the written form underflow to 0/0. The value falls towards 0 as the refined clip gets closer to the
    real clip than to the base clip. In the opposite direction it grows without bound, like d⁺ − d⁻.
    """
    return F.softplus(to_real - to_base)


def ranking_loss(
    *, refined: Sequence[Tensor], real: Sequence[Tensor], base: Sequence[Tensor], norm: str = "sum", half: bool = False
) -> Tensor:
    """Sum over the layers of softplus(‖g(Y2) − g(Y)‖ − ‖g(Y2) − g(Y1)‖).

    The refining generator minimises it. The discriminator maximises it, that is, minimises its negative.

    The paper writes ‖·‖₁ without specifying its reduction:

    - A sum grows with the layer: hundreds at the start, which makes the other terms negligible. It is not bounded, so
      the discriminator gains by stretching its features (at 128 pixels, those of its first layer have no norm).
    - A mean is 1e-5 to 3e-4, and has no effect with λ = 1.
    - Relative distances are both divided by ‖g(Y)‖₁, through which the gradient passes too. They do not depend on the
      layer's size, and stretched features gain nothing.

    Args:
        refined: features of the refined clips, one tensor `[N, C, T, H, W]` per layer.
        real: features of the real clips, same layers.
        base: features of the Stage I clips, same layers.
        norm: one of `NORMS`.
        half: multiply features in bf16 (`gram_matrix`).
    """
    terms = []
    for maps in zip(refined, real, base, strict=True):
        g2, g, g1 = (gram_matrix(layer, half=half) for layer in maps)
        size = _size(g, norm)
        terms.append(rank(_l1(g2, g) / size, _l1(g2, g1) / size))
    return torch.stack(terms).sum()


def pixel_ranking_loss(*, refined: Tensor, real: Tensor, base: Tensor) -> Tensor:
    """softplus(mean|Y2 − Y| − mean|Y2 − Y1|), a ranking loss without motion features: our ablation of the Gram matrix.

    Means instead of sums keep the term on the scale of the content loss. All clips are `[N, 3, T, H, W]`.
    """
    return rank((refined - real).abs().mean(), (refined - base).abs().mean())
