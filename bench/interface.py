"""The interface between a model and the code that trains it or generates videos with it.

Tensors contain values in [-1, 1]. A batch of clips is `[N, 3, T, H, W]`, a batch of first frames `[N, 3, H, W]`.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn

from bench.errors import BenchError, did_you_mean

#: Output of one forward pass that the players of a stage share, by name ("real", "fake", ...).
Shared = dict[str, Tensor]
#: Named loss terms of one player, which minimises their sum.
Losses = dict[str, Tensor]
#: Options of a model as in a configuration.
Options = Mapping[str, Any]


@dataclass(frozen=True)
class Player:
    """One player of the adversarial game: its network, its optimiser and its loss.

    Attributes:
        name: "generator", "discriminator"; the training log names its losses by it.
        network: the module whose parameters this player alone updates.
        optimizer: called with the network's parameters, returns a `torch.optim.Optimizer`.
        loss: called with the output of `Stage.forward` (from the shared generator pass, regardless of later updates
            by other players); returns the terms that this player minimises, each a scalar tensor.
        frozen: modules whose weights need no gradient in this player's loss (they still pass gradients through).
    """

    name: str
    network: nn.Module
    optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
    loss: Callable[[Shared], Losses]
    frozen: Sequence[nn.Module] = ()


class Stage(ABC):
    """One training stage: one shared forward pass, then each player's step in order.

    The loop (`bench.engine.train`) calls `forward` once per batch with gradients enabled. Then, for each player in
    `players`, it runs loss, backward and step. Players before the generator must use the detached video.
    """

    #: Name, unique within the model; appears in the training log.
    name: str
    #: The result row that this stage's network produces; validation during the stage uses it.
    row: str
    #: The players, in the order of their updates.
    players: Sequence[Player]

    def begin(self) -> None:
        """Initialise this stage from the earlier stages, which are already trained; by default, do nothing.

        Called once, before the stage's first step.
        """
        return

    def speed_up(self, ways: Collection[str]) -> None:
        """Enable those of the faster ways (`bench.registry.FAST`) that the stage itself implements; none by default.

        Called before the stage's first step. The training loop handles the ways that suit every model.
        """
        return

    @abstractmethod
    def forward(self, clips: Tensor) -> Shared:
        """Run the players' shared pass on real clips `[N, 3, T, H, W]` in [-1, 1]."""

    def modules(self) -> Mapping[str, nn.Module]:
        """Networks that this stage trains, by player name."""
        return {player.name: player.network for player in self.players}


class VideoModel(nn.Module, ABC):
    """A model that turns first frames into videos, and defines its training and its display.

    A subclass is constructed as `Model(resolution=…, frames=…, **options)`, where `options` are the model's own
    settings (widths, loss weights) from the run configuration. `bench.engine.model_factory` checks their names.

    Attributes:
        rows: result rows of this model, one per stage if it has several. The last is the model's final result.
        titles: display names of rows; a row without one is displayed by its own name.
        colours: colours of rows in figures, such as "#0072b2"; a row without one is assigned one.
        presets: the model's own options by preset ("smoke", "small", "medium", "paper").
        ablations: options by ablation name; each ablation omits or changes one thing.
        Settings: dataclass of the options, for a constructor that takes them as `**options`.
        resolutions: sizes that the network supports, ascending; empty if it supports every size.
        resolution: the size at which this instance works, in pixels.
        frames: number of frames in a video, including the first.
    """

    rows: tuple[str, ...]
    titles: ClassVar[Mapping[str, str]] = {}
    colours: ClassVar[Mapping[str, str]] = {}
    presets: ClassVar[Mapping[str, Options]] = {}
    ablations: ClassVar[Mapping[str, Options]] = {}
    Settings: ClassVar[type | None] = None
    resolutions: tuple[int, ...] = ()

    def __init__(self, resolution: int, frames: int) -> None:
        super().__init__()
        check_positive(type(self).__name__, resolution=resolution, frames=frames)
        self.resolution = resolution
        self.frames = frames

    @final
    @torch.no_grad()
    def predict(
        self, first_frames: Tensor, row: str | None = None, sample: int = 0, clips: Sequence[str] | None = None
    ) -> Tensor:
        """Continue first frames `[N, 3, H, W]` as videos `[N, 3, T, H, W]`, both in [-1, 1].

        A clip's result does not depend on the others in its batch. A stochastic model (`StochasticModel`) returns the
        same video for the same clip and sample each time. Any other model returns one video, regardless of the sample.

        Args:
            first_frames: first frames of the clips.
            row: one of `rows`, by default the last.
            sample: number of the sample, from 0.
            clips: names of the clips, which seed their samples; by default, the first frames seed them.

        Raises:
            BenchError: the model has no such row, works at another size, or is in training mode.
        """
        row = check_request(self, first_frames, row)
        return self._drawn(first_frames, (row,), sample, clips)[row]

    @final
    @torch.no_grad()
    def predict_rows(
        self, first_frames: Tensor, rows: Sequence[str], sample: int = 0, clips: Sequence[str] | None = None
    ) -> Mapping[str, Tensor]:
        """The videos of several rows for the same first frames, with shared parts computed once; see `predict`."""
        for row in rows:
            check_request(self, first_frames, row)
        return self._drawn(first_frames, rows, sample, clips)

    @abstractmethod
    def _continue(self, first_frames: Tensor, rows: Sequence[str]) -> Mapping[str, Tensor]:
        """Videos by row; called with checked arguments, in evaluation mode and without gradients."""

    def _drawn(
        self, first_frames: Tensor, rows: Sequence[str], sample: int, clips: Sequence[str] | None
    ) -> Mapping[str, Tensor]:
        """Videos of one sample; only a `StochasticModel` has more than one."""
        return self._continue(first_frames, rows)

    def stages(self) -> Sequence[Stage]:
        """Training stages in order; none for a model that is not trained."""
        return ()

    def parts(self, first_frames: Tensor) -> Mapping[str, Tensor]:
        """Intermediate videos for figures (background, foreground, mask), `[N, C, T, H, W]`; none by default."""
        return {}


class StochasticModel(VideoModel):
    """A model that generates several videos for one first frame; it defines `_sample` in place of `_continue`."""

    @abstractmethod
    def _sample(
        self, first_frames: Tensor, rows: Sequence[str], generators: Sequence[torch.Generator]
    ) -> Mapping[str, Tensor]:
        """Videos by row, as `_continue` returns them.

        Draw all random numbers from `generators`, one per clip, on the CPU (`torch.randn(..., generator=one)`), then
        move them to the model's device. A sample is then the same on every device, in every batch and at any time.
        """

    @final
    def _continue(self, first_frames: Tensor, rows: Sequence[str]) -> Mapping[str, Tensor]:
        return self._drawn(first_frames, rows, 0, None)

    @final
    def _drawn(
        self, first_frames: Tensor, rows: Sequence[str], sample: int, clips: Sequence[str] | None
    ) -> Mapping[str, Tensor]:
        names = [first_frame_name(frame) for frame in first_frames] if clips is None else clips
        if len(names) != len(first_frames) or sample < 0:
            raise BenchError(
                f"{len(names)} clip names were given for {len(first_frames)} first frames, with sample {sample}. "
                "Give one name per frame, and a sample number from 0."
            )
        return self._sample(first_frames, rows, [sample_generator(name, sample) for name in names])


def first_frame_name(frame: Tensor) -> str:
    """A name for a first frame `[3, H, W]` in [-1, 1]: a hash of its 8-bit values."""
    levels = ((frame.detach().float().cpu() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return hashlib.sha256(levels.contiguous().numpy().tobytes()).hexdigest()


def sample_generator(clip: str, sample: int) -> torch.Generator:
    """A generator on the CPU, seeded with a clip's name and the number of the sample.

    >>> sample_generator("v100", 0).initial_seed() == sample_generator("v100", 1).initial_seed()
    False
    """
    digest = hashlib.sha256(f"sample {sample} of {clip}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@dataclass(frozen=True)
class PaperTables:
    """Results that a paper reports for its models, for comparison with our measurements.

    Attributes:
        preference_tables: caption and lines (display name, first row, second row) of each table, by table name.
        preferences: the paper's preference opinion scores for (first over second), in percent.
        metrics: columns of the paper's table of metrics.
        measured: lines of that table by row, with one number for each of `metrics`.
    """

    preference_tables: Mapping[str, tuple[str, tuple[tuple[str, str, str], ...]]]
    preferences: Mapping[tuple[str, str], int]
    metrics: tuple[str, ...]
    measured: Mapping[str, tuple[float, ...]]


#: A model's entry in the registry: a `VideoModel` subclass or a function with the same arguments.
ModelFactory = Callable[..., VideoModel]


def check_positive(model: str, **numbers: int) -> None:
    """Raise a `BenchError` unless every number (a width, a size) is a whole number of at least 1."""
    for name, value in numbers.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise BenchError(f"{model} needs a whole number of at least 1 as {name}, not {value!r}.")


def check_resolution(model: str, resolution: int, resolutions: tuple[int, ...]) -> None:
    """Raise a `BenchError` unless the network supports `resolution` pixels."""
    if resolution not in resolutions:
        sizes = " or ".join(str(size) for size in resolutions)
        raise BenchError(f"{model} supports {sizes} pixels, not {resolution!r}; choose one of its sizes.")


def check_frames(model: str, frames: int, wanted: int) -> None:
    """Raise a `BenchError` unless videos have exactly the number of frames that the network's layers produce."""
    if frames != wanted:
        raise BenchError(f"{model} generates videos of {wanted} frames, not {frames!r}; set frames to {wanted}.")


def check_request(model: VideoModel, first_frames: Tensor, row: str | None) -> str:
    """Check the arguments of `VideoModel.predict` and return the requested row.

    Raises:
        BenchError: the model has no such row; the frames are not `[N, 3, H, W]` of its resolution; or it is
            in training mode, where batch statistics would make the clips of a batch affect each other.
    """
    name = type(model).__name__
    row = model.rows[-1] if row is None else row
    if row not in model.rows:
        raise BenchError(f"{name} has no result row '{row}'.{did_you_mean(row, model.rows)}")
    size = model.resolution
    if first_frames.ndim != 4 or first_frames.shape[1:] != (3, size, size):
        raise BenchError(
            f"{name} continues first frames of shape [N, 3, {size}, {size}], "
            f"not {list(first_frames.shape)}; resize them."
        )
    if model.training:
        raise BenchError(f"{name} is in training mode and cannot predict; call .eval() on it first.")
    return row
