"""What every adversarially trained model here shares: a stage with two players, their losses on logits, Adam, the
DCGAN initialisation.

A discriminator returns logits; the probability that a clip is real is their sigmoid. Losses on logits stay
finite where `log(sigmoid(x))` of a confident discriminator underflows.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.interface import Losses, Player, Shared, Stage

#: Turns a network's parameters into its optimiser.
Optimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


class AdversarialStage(Stage):
    """A generator against a discriminator, which moves first.

    A subclass says what both share (`forward`, which returns at least "real" and "fake") and what the generator
    minimises; the discriminator's loss is the usual one unless the subclass says otherwise.

    Args:
        generator: makes the video.
        discriminator: judges it.
        optimizer: of each of them.
        judged: whether the discriminator plays; without it the generator is trained alone.
    """

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, optimizer: Optimizer, *, judged: bool = True
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        moves = Player("generator", generator, optimizer, self.generator_losses, (discriminator,))
        judges = Player("discriminator", discriminator, optimizer, self.discriminator_losses)
        self.players = (judges, moves) if judged else (moves,)

    def discriminator_losses(self, shared: Shared) -> Losses:
        """−log D(Y) − log(1 − D(G(x)))."""
        real, fake = self.discriminator(shared["real"]), self.discriminator(shared["fake"].detach())
        return {"adversarial": discriminator_loss(real, fake)}

    @abstractmethod
    def generator_losses(self, shared: Shared) -> Losses:
        """What the generator minimises, by term."""


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """−E[log D(Y)] − E[log(1 − D(G(X)))], what the discriminator minimises in the game of Goodfellow et al.
    (2014), eq. 1.

    Args:
        real_logits: logits of real clips, any shape.
        fake_logits: logits of generated clips, any shape.

    >>> discriminator_loss(torch.zeros(4), torch.zeros(4)).item()  # it knows nothing: 2 · log 2
    1.3862943649291992
    """
    real = F.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    fake = F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
    return real + fake


def generator_loss(fake_logits: Tensor) -> Tensor:
    """−E[log D(G(X))], what the generator minimises.

    This is the non-saturating form that Goodfellow et al. (2014, section 3) recommend and that DCGAN, VGAN
    and their successors train with, not the literal E[log(1 − D(G(X)))] of the minimax game: both reward a
    higher D(G(X)) and have the same fixed point, but the literal one has almost no gradient while the
    discriminator is winning.

    Args:
        fake_logits: logits of generated clips, any shape.

    >>> generator_loss(torch.zeros(4)).item()  # the discriminator cannot tell: log 2
    0.6931471824645996
    """
    return F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))


def adam(learning_rate: float, betas: tuple[float, float]) -> Optimizer:
    """Return a `Player.optimizer`: it turns parameters into an Adam with these settings.

    Fused where PyTorch has it: one pass over the weights instead of a dozen, the same update.
    """

    def make(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        parameters = list(parameters)
        fused = all(parameter.device.type in ("cpu", "cuda") for parameter in parameters)
        return torch.optim.Adam(parameters, learning_rate, (float(betas[0]), float(betas[1])), fused=fused)

    return make


def initialise(network: nn.Module, std: float = 0.02, norm_std: float = 0.02) -> None:
    """Draw convolution weights from N(0, std) and normalisation weights from N(1, norm_std); biases become 0.

    The defaults are DCGAN's (Radford et al., 2016, section 4). Layers of other kinds keep PyTorch's
    initialisation.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
            nn.init.normal_(module.weight, 0.0, std)
        elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d | nn.GroupNorm):
            nn.init.normal_(module.weight, 1.0, norm_std)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
