from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mdgan.losses import (
    content_loss,
    gram_distance,
    gram_matrix,
    pixel_ranking_loss,
    rank,
    ranking_loss,
)


def features(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def gram_by_loops(maps: np.ndarray) -> np.ndarray:
    """The formula, one product at a time; divided by the number of clips too."""
    n, c, t, h, w = maps.shape
    gram = np.zeros((c * t, c * t))
    for clip in range(n):
        for i in range(c * t):
            for j in range(c * t):
                for y in range(h):
                    for x in range(w):
                        gram[i, j] += maps[clip, i // t, i % t, y, x] * maps[clip, j // t, j % t, y, x]
    return gram / (n * c * t * h * w)


def ranking_by_loops(refined: list[Tensor], real: list[Tensor], base: list[Tensor]) -> float:
    """The paper's own expression, which is safe at the small distances of these tensors."""
    total = 0.0
    for y2, y, y1 in zip(refined, real, base, strict=True):
        g2, g, g1 = (gram_by_loops(maps.numpy()) for maps in (y2, y, y1))
        to_real, to_base = float(np.abs(g2 - g).sum()), float(np.abs(g2 - g1).sum())
        total -= math.log(math.exp(-to_real) / (math.exp(-to_real) + math.exp(-to_base)))
    return total


# Lopsided sizes: any swap of axes changes the shape or the numbers.
SHAPE = (2, 3, 2, 4, 5)


def test_gram_is_the_formula():
    maps = features(0, *SHAPE)
    gram = gram_matrix(maps)
    assert gram.shape == (6, 6)
    np.testing.assert_allclose(gram.numpy(), gram_by_loops(maps.numpy()), rtol=1e-12)


def test_gram_of_a_hand_made_tensor():
    # One clip, one channel, two time steps of two pixels: rows [1, 2] and [3, 4], M·S = 4.
    maps = torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 2, 1, 2)
    assert gram_matrix(maps).tolist() == [[5 / 4, 11 / 4], [11 / 4, 25 / 4]]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), clips=st.integers(1, 4))
def test_gram_is_symmetric_semidefinite_and_does_not_grow_with_the_batch(seed: int, clips: int):
    maps = features(seed, 1, 3, 2, 3, 2)
    gram = gram_matrix(maps)
    torch.testing.assert_close(gram, gram.T)
    assert torch.linalg.eigvalsh(gram).min() > -1e-12
    torch.testing.assert_close(gram_matrix(maps.repeat(clips, 1, 1, 1, 1)), gram)


def test_gram_sees_the_order_of_frames_and_not_of_pixels():
    maps = features(1, 1, 2, 4, 3, 3)
    shuffled = maps.flatten(3)[..., torch.randperm(9, generator=torch.Generator().manual_seed(0))]
    torch.testing.assert_close(gram_matrix(shuffled.reshape(maps.shape)), gram_matrix(maps))
    assert gram_distance(maps, maps.flip(2)) > 0.1


def test_gram_does_not_depend_on_the_memory_format():
    maps = features(2, *SHAPE, dtype=torch.float32)
    torch.testing.assert_close(gram_matrix(maps.to(memory_format=torch.channels_last_3d)), gram_matrix(maps))


def test_gram_is_summed_in_float32_under_autocast():
    # 4096 products of 8 · 8: a half-precision sum stops at 65504, bfloat16 keeps 3 digits.
    maps = torch.full((1, 1, 1, 64, 64), 8.125)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        gram = gram_matrix(maps)
    assert gram.dtype == torch.float32
    # float32 keeps 7 digits whatever the order of the sum, which differs between processors.
    assert gram.item() == pytest.approx(8.125**2, rel=1e-5)
    assert gram_matrix(maps.half()).item() == pytest.approx(8.125**2, rel=1e-5)


BF16 = 2.0**-8  # of a product of two numbers that were rounded to bf16, relative


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_half_products_and_their_gradients_are_within_the_rounding_of_bf16(dtype: torch.dtype) -> None:
    maps = features(3, 2, 5, 4, 6, 7)
    weighting = features(4, 20, 20)
    exact = maps.clone().requires_grad_(True)
    right = gram_matrix(exact)
    (right * weighting).sum().backward()
    rounded = maps.to(dtype).requires_grad_(True)
    gram = gram_matrix(rounded, half=True)
    (gram * weighting.float()).sum().backward()
    assert gram.dtype == torch.float32
    assert rounded.grad.dtype == dtype
    # Each of the summed products is off by so much at most.
    assert ((gram - right).abs() <= 1.1 * BF16 * gram_matrix(maps.abs())).all()
    assert not torch.equal(gram, gram_matrix(maps.float()))
    columns, both = maps.permute(0, 3, 4, 1, 2).reshape(-1, 20), weighting + weighting.T
    bound = (columns.abs() @ both.abs()).reshape(2, 6, 7, 5, 4).permute(0, 3, 4, 1, 2) / maps.numel()
    # Features, the gradient and the result are rounded: half a bf16 step each, and all of the smallest gradients.
    assert ((rounded.grad - exact.grad).abs() <= 2 * BF16 * bound).all()


def test_half_products_of_numbers_that_bf16_holds_are_exact() -> None:
    maps = torch.randint(-8, 9, (2, 3, 4, 5, 5), generator=torch.Generator().manual_seed(0)).float()
    one, other = maps.clone().requires_grad_(True), maps.clone().requires_grad_(True)
    target = torch.zeros(12, 12)
    (gram_matrix(one) - target).abs().sum().backward()  # the gradient of an L1 distance: -2, 0 and 2 times a constant
    (gram_matrix(other, half=True) - target).abs().sum().backward()
    torch.testing.assert_close(gram_matrix(one), gram_matrix(other, half=True), rtol=1e-6, atol=0)
    torch.testing.assert_close(one.grad, other.grad, rtol=1e-5, atol=1e-6)


def test_half_products_keep_sums_that_bf16_does_not_hold() -> None:
    maps = torch.full((1, 1, 1, 64, 65), 1.0)
    assert gram_matrix(maps.bfloat16(), half=True).item() == 1.0  # 4160 ones: bf16 would stop at 256
    nothing = torch.zeros(1, 2, 2, 3, 3, requires_grad=True)
    gram_matrix(nothing, half=True).abs().sum().backward()
    assert nothing.grad is not None
    assert not nothing.grad.any()


def test_ranking_in_half_products_is_that_of_rounded_features() -> None:
    refined, real, base = ([features(seed, 1, 2, 3, 4, 4).bfloat16()] for seed in range(3))
    rounded = [[layer.double() for layer in maps] for maps in (refined, real, base)]
    right = ranking_loss(refined=rounded[0], real=rounded[1], base=rounded[2])
    assert ranking_loss(refined=refined, real=real, base=base, half=True).item() == pytest.approx(
        right.item(), rel=1e-5
    )


def test_distance_is_a_sum_over_the_matrix():
    a, b = features(3, *SHAPE), features(4, *SHAPE)
    expected = np.abs(gram_by_loops(a.numpy()) - gram_by_loops(b.numpy())).sum()
    assert gram_distance(a, b).item() == pytest.approx(expected, rel=1e-12)
    assert gram_distance(a, a).item() == 0


def test_ranking_is_the_papers_expression_summed_over_layers():
    refined, real, base = ([features(10 * k + i, 2, 2 + i, 2, 3, 4) for i in range(2)] for k in range(3))
    expected = ranking_by_loops(refined, real, base)
    assert ranking_loss(refined=refined, real=real, base=base).item() == pytest.approx(expected, rel=1e-12)
    # The roles differ: with real and base exchanged it is another number.
    other = ranking_loss(refined=refined, real=base, base=real).item()
    assert abs(other - expected) > 1e-3


def test_rank_stays_finite_where_the_written_form_is_zero_over_zero():
    far = torch.tensor(800.0, requires_grad=True)
    loss = rank(far, torch.tensor(790.0))
    loss.backward()
    assert loss.item() == pytest.approx(10.0000454, rel=1e-6)
    assert far.grad is not None
    assert far.grad.item() == pytest.approx(1 / (1 + math.exp(-10)))
    assert math.exp(-800) == 0  # the written form's numerator and both terms of its denominator


def test_norms_of_the_distance_are_a_sum_a_mean_and_a_share_of_the_real_matrix():
    refined, real, base = ([features(seed, *SHAPE)] for seed in (5, 6, 7))
    grams = [gram_by_loops(maps[0].numpy()) for maps in (refined, real, base)]
    to_real, to_base = (np.abs(grams[0] - other).sum() for other in grams[1:])
    for norm, size in (("sum", 1.0), ("mean", grams[1].size), ("relative", np.abs(grams[1]).sum())):
        expected = math.log1p(math.exp((to_real - to_base) / size))
        losses = ranking_loss(refined=refined, real=real, base=base, norm=norm).item()
        assert losses == pytest.approx(expected, rel=1e-12)


def test_stretched_features_gain_nothing_by_relative_distances():
    maps = [features(seed, *SHAPE).requires_grad_() for seed in (5, 6, 7)]

    def loss(scale: float, norm: str) -> Tensor:
        refined, real, base = ([scale * one] for one in maps)
        return ranking_loss(refined=refined, real=real, base=base, norm=norm)

    assert loss(3.0, "relative").item() == pytest.approx(loss(1.0, "relative").item(), rel=1e-12)
    assert abs(loss(3.0, "sum").item() - loss(1.0, "sum").item()) > 0.1
    # The gradient knows it too: along a stretch of all features together there is none.
    gradients = torch.autograd.grad(loss(1.0, "relative"), maps)
    along = sum((gradient * one).sum() for gradient, one in zip(gradients, maps, strict=True))
    assert abs(along.item()) < 1e-10  # type: ignore[union-attr]
    assert max(gradient.abs().max().item() for gradient in gradients) > 1e-3


def test_layers_must_match():
    with pytest.raises(ValueError, match="shorter"):
        ranking_loss(refined=[features(0, *SHAPE)] * 2, real=[features(1, *SHAPE)] * 2, base=[features(2, *SHAPE)])


def test_gradients_are_right_by_finite_differences():
    refined, real, base = (features(seed, 2, 2, 2, 2, 2) for seed in (5, 6, 7))
    assert torch.autograd.gradcheck(gram_matrix, (refined.requires_grad_(),))

    def loss(y2: Tensor, y: Tensor, y1: Tensor) -> Tensor:
        return ranking_loss(refined=[y2], real=[y], base=[y1])

    assert torch.autograd.gradcheck(loss, (refined, real.requires_grad_(), base.requires_grad_()))


def test_pixel_ranking_and_content_are_means():
    refined, real, base = (features(seed, 2, 3, 2, 4, 5) for seed in (8, 9, 10))
    to_real, to_base = (np.abs(refined.numpy() - other.numpy()).mean() for other in (real, base))
    expected = math.log1p(math.exp(to_real - to_base))
    assert pixel_ranking_loss(refined=refined, real=real, base=base).item() == pytest.approx(expected, rel=1e-12)
    assert content_loss(refined, real).item() == pytest.approx(float(to_real), rel=1e-12)
