from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bench.adversarial import discriminator_loss, generator_loss
from bench.errors import BenchError
from bench.interface import Stage
from mdgan.losses import gram_distance, ranking_loss
from mdgan.model import MDGAN, RefineStage, repeat

Play = Callable[..., dict[str, dict[str, Tensor]]]


def moving(count: int, seed: int = 0) -> Tensor:
    """Coarse random pictures that fade into others, `[count, 3, 32, 64, 64]` in [-1, 1]."""
    corners = torch.rand(count, 3, 2, 4, 4, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return torch.nn.functional.interpolate(corners, (32, 64, 64), mode="trilinear", align_corners=True)


def model(seed: int = 0, **options: object) -> MDGAN:
    torch.manual_seed(seed)
    return MDGAN(64, 32, **{"width": 4, **options})  # type: ignore[arg-type]


def stages(built: MDGAN) -> tuple[Stage, RefineStage]:
    base, refine = built.stages()
    assert isinstance(refine, RefineStage)
    return base, refine


def snapshot(module: torch.nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(module.state_dict())


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def test_wrong_settings_are_refused_in_a_sentence():
    with pytest.raises(BenchError, match="32 frames, not 16"):
        MDGAN(64, 16)
    with pytest.raises(BenchError, match="Did you mean 'pixels'"):
        model(ranking="pixel")
    for option, wrong, near in (
        ("init", "dcgans", "dcgan"),
        ("ranking_norm", "som", "sum"),
        ("stage2_start", "bases", "base"),
        ("time_padding", "zeros ", "zeros"),
    ):
        with pytest.raises(BenchError, match=rf"no {option} '{wrong}': .*Did you mean '{near}'"):
            model(**{option: wrong})
    with pytest.raises(TypeError, match="wdith"):
        model(wdith=4)


def test_predictions_are_the_generators_in_sequence():
    built = model().eval()
    x = moving(2)[:, :, 0]
    with torch.no_grad():
        first = built.generator1(repeat(x))
        second = built.generator2(first)
    assert torch.equal(built.predict(x, "mdgan-1"), first)
    assert torch.equal(built.predict(x, "mdgan-2"), second)
    assert not torch.equal(first, second)


@pytest.mark.training
@pytest.mark.parametrize("row", ["mdgan-1", "mdgan-2"])
def test_a_few_steps_lower_the_content_loss(play: Play, row: str):
    # All terms are on; the content weight makes up for how few the steps are.
    built, clips = model(content_weight=1000.0, learning_rate=2e-3), moving(2)
    stage = built.stages()[MDGAN.rows.index(row)]
    optimizers: dict[str, torch.optim.Optimizer] = {}
    history = [float(play(stage, clips, optimizers)["generator"]["content"]) for _ in range(12)]
    assert history[-1] < 0.8 * history[0]


def test_stage_two_leaves_stage_one_bit_for_bit_even_when_the_loop_says_train(play: Play):
    built = model()
    base, refine = stages(built)
    play(base, moving(2), {})
    built.zero_grad(set_to_none=True)
    before, x = snapshot(built.generator1), moving(1, seed=5)[:, :, 0]
    built.eval()
    video = built.predict(x, "mdgan-1")
    optimizers: dict[str, torch.optim.Optimizer] = {}
    for seed in range(3):
        built.train()
        shared = refine.forward(moving(2, seed))
        assert not shared["base"].requires_grad
        play(refine, moving(2, seed), optimizers)
        # Running statistics, as in prediction: what Stage II is trained on is what it will be given.
        with torch.no_grad():
            assert torch.equal(shared["base"], built.generator1.eval()(repeat(moving(2, seed)[:, :, 0])))
    assert same(before, built.generator1.state_dict())
    assert all(parameter.grad is None for parameter in built.generator1.parameters())
    built.eval()
    assert torch.equal(built.predict(x, "mdgan-1"), video)


def test_stage_one_wakes_up_again_in_training_mode(play: Play):
    built = model()
    base, refine = stages(built)
    play(refine, moving(2), {})
    built.train()
    before = snapshot(built.generator1)
    play(base, moving(2), {})
    assert not torch.equal(before["conv2.1.running_mean"], built.generator1.state_dict()["conv2.1.running_mean"])


def test_losses_are_those_of_the_paper_term_by_term():
    built = model(ranking_weight=0.5, content_weight=2.0)
    _, refine = stages(built)
    built.discriminator2.eval()  # so that a second pass gives the same numbers
    shared = {"real": moving(2, 1), "base": moving(2, 2), "fake": moving(2, 3).requires_grad_()}
    real, fake = built.discriminator2(shared["real"]), built.discriminator2(shared["fake"])
    base = built.discriminator2.features(shared["base"])
    ranking = 0.5 * ranking_loss(refined=fake[1], real=real[1], base=base)

    of_generator = refine.generator_losses(shared)
    assert set(of_generator) == {"content", "adversarial", "ranking"}
    torch.testing.assert_close(of_generator["content"], 2 * (shared["fake"] - shared["real"]).abs().mean())
    torch.testing.assert_close(of_generator["adversarial"], generator_loss(fake[0]))
    torch.testing.assert_close(of_generator["ranking"], ranking)

    of_discriminator = refine.discriminator_losses(shared)
    assert set(of_discriminator) == {"adversarial", "ranking"}
    torch.testing.assert_close(of_discriminator["adversarial"], discriminator_loss(real[0], fake[0]))
    torch.testing.assert_close(of_discriminator["ranking"], -ranking)

    # The discriminator plays against a fixed generator: its loss must not reach the video.
    torch.stack(list(of_discriminator.values())).sum().backward()
    assert shared["fake"].grad is None


def distances(built: MDGAN, shared: dict[str, Tensor]) -> float:
    """d⁺ − d⁻, summed over the layers."""
    with torch.no_grad():
        fake, real, base = (built.discriminator2.features(shared[k]) for k in ("fake", "real", "base"))
        gaps = [gram_distance(f, r) - gram_distance(f, b) for f, r, b in zip(fake, real, base, strict=True)]
    return float(torch.stack(gaps).sum())


def test_a_step_on_the_ranking_term_moves_the_distances_the_players_own_way():
    for player_index, falls in ((1, True), (0, False)):
        built = model(seed=3)
        _, refine = stages(built)
        clips = moving(2, 4)
        shared = refine.forward(clips)
        before = distances(built, shared)
        player = refine.players[player_index]
        player.loss(shared)["ranking"].backward()
        with torch.no_grad():
            squares = [(p.grad**2).sum() for p in player.network.parameters() if p.grad is not None]
            size = torch.stack(squares).sum().sqrt()
            for parameter in player.network.parameters():
                if parameter.grad is not None:
                    parameter -= 1e-2 * parameter.grad / size
            after = distances(built, refine.forward(clips))
        assert (after < before) == falls
        assert abs(after - before) > 1e-4


def test_what_the_refined_clip_is_compared_with_carries_no_gradient_in_the_generators_step():
    built = model()
    _, refine = stages(built)
    shared = {"real": moving(2, 1), "base": moving(2, 2), "fake": moving(2, 3)}
    leaves = {name: clip.requires_grad_() for name, clip in shared.items()}
    refine.generator_losses(leaves)["ranking"].backward()
    assert leaves["fake"].grad is not None
    assert leaves["fake"].grad.any()
    assert leaves["real"].grad is None
    assert leaves["base"].grad is None


@pytest.mark.parametrize(
    ("options", "first", "second"),
    [
        ({}, {"content", "adversarial"}, {"content", "adversarial", "ranking"}),
        ({"ranking": "none"}, {"content", "adversarial"}, {"content", "adversarial"}),
        ({"ranking_weight": 0.0}, {"content", "adversarial"}, {"content", "adversarial"}),
        ({"ranking": "pixels"}, {"content", "adversarial"}, {"content", "adversarial", "ranking"}),
        ({"adversarial": False}, {"content"}, {"content", "ranking"}),
        ({"adversarial": False, "ranking": "none"}, {"content"}, {"content"}),
        ({"adversarial": False, "ranking": "pixels"}, {"content"}, {"content", "ranking"}),
    ],
)
def test_ablations_leave_out_their_term(play: Play, options: dict[str, object], first: set, second: set):
    built = model(width=2, **options)
    by_stage = [play(stage, moving(1), {}) for stage in built.stages()]
    for losses, expected in zip(by_stage, (first, second), strict=True):
        assert set(losses["generator"]) == expected
        # A discriminator plays exactly when a term moves it; pixels do not.
        its_terms = expected & ({"adversarial"} | ({"ranking"} if options.get("ranking") != "pixels" else set()))
        assert set(losses.get("discriminator", {})) == its_terms


def test_skips_and_widths_reach_the_networks():
    built = model(width=2, discriminator_width=3)
    assert built.generator1.skips == {1, 2, 3, 4, 5}
    assert built.generator2.skips == {3, 4, 5}
    assert built.discriminator2.head.in_channels == 48
    assert built.generator2.conv6.in_channels == 32
    bare = model(width=1, skips=False)
    assert bare.generator1.skips == bare.generator2.skips == frozenset()
    assert bare.discriminator1.head.in_channels == 16


def test_optimiser_settings_reach_adam():
    built = model(width=1, learning_rate=1e-3, betas=(0.4, 0.8))
    for stage in built.stages():
        for player in stage.players:
            defaults = player.optimizer(player.network.parameters()).defaults
            assert (defaults["lr"], defaults["betas"]) == (1e-3, (0.4, 0.8))


def test_discriminators_have_a_rate_of_their_own_where_one_is_given():
    for stage in model(width=1, learning_rate=1e-3, discriminator_rate=1e-4).stages():
        rates = {p.name: p.optimizer(p.network.parameters()).defaults["lr"] for p in stage.players}
        assert rates == {"generator": 1e-3, "discriminator": 1e-4}


def test_stage_two_starts_from_stage_ones_weights_where_it_is_told_to(play: Play):
    for start, alike in (("base", True), ("scratch", False)):
        built = model(stage2_start=start, learning_rate=2e-3)
        base, refine = stages(built)
        play(base, moving(2), {})
        before = snapshot(built.generator2)
        refine.begin()
        assert same(built.generator1.state_dict(), built.generator2.state_dict()) == alike
        assert same(before, built.generator2.state_dict()) == (not alike)
        # A copy and no alias: Stage I does not move with it.
        trained = snapshot(built.generator1)
        play(refine, moving(2), {})
        assert same(trained, built.generator1.state_dict())


def test_the_norm_of_the_ranking_reaches_the_loss():
    shared = {"real": moving(2, 1), "base": moving(2, 2), "fake": moving(2, 3)}
    losses = set()
    for norm in ("sum", "mean", "relative"):
        _, refine = stages(model(ranking_norm=norm))
        losses.add(round(refine.generator_losses(shared)["ranking"].item(), 6))
        refine.discriminator.train()
    assert len(losses) == 3
