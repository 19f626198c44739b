"""The MD-GAN authors' published checkpoints: their tensor names, loading into our networks, and a model to run them.

You must obtain the files (`netG_S1_030.pth` and `netG_S2_067.pth`, PyTorch 0.3 state dicts) separately. The two
generators have the same tensors in the same shapes. A file therefore does not show its stage; the caller specifies it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.errors import BenchError, did_you_mean
from bench.interface import VideoModel, check_frames, check_resolution
from mdgan.networks import FRAMES, STAGE1_SKIPS, STAGE2_SKIPS, Generator

#: A checkpoint: its file, or its tensors by name.
CheckpointSource = str | Path | Mapping[str, Any]

#: Published layer names to ours. A layer's tensors (weight, bias, running_mean, …) have the same names on both sides.
GENERATOR_LAYERS = {
    "downConv1": "conv1",
    **{f"downConv{i}": f"conv{i}.0" for i in range(2, 6)},
    **{f"downBN{i}": f"conv{i}.1" for i in range(2, 6)},
    "downConv6": "conv6",
    **{f"upConv{i}": f"deconv{i}.0" for i in range(1, 6)},
    **{f"upBN{i}": f"deconv{i}.1" for i in range(1, 6)},
    "upConv6": "deconv6",
}

#: The statistics that a published generator's batch norms use.
BATCH_NORMS = ("running", "batch")


def load_generator(source: CheckpointSource, stage: int) -> Generator:
    """Build the published generator of a stage, at the width of its checkpoint, in evaluation mode.

    Args:
        source: the checkpoint's file, or its tensors (of PyTorch or NumPy) by published name. Names may begin
            with `module.`, and the counters `num_batches_tracked` may be missing, as they are in PyTorch
            0.3's files.
        stage: 1 or 2; decides the skips, which leave no trace in a checkpoint.

    Raises:
        BenchError: there is no such stage, or the source is not a checkpoint of a published generator.
    """
    if stage not in (1, 2):
        raise BenchError(f"MD-GAN has stages 1 and 2, not {stage!r}.")
    tensors = _read(source)
    what = f"the Stage {'I' * stage} generator"
    width = _width(source, tensors, what)
    # On the meta device, no time is spent on weights that are replaced immediately.
    with torch.device("meta"):
        generator = Generator(width, 128, STAGE1_SKIPS if stage == 1 else STAGE2_SKIPS)
    _fill(generator, source, tensors, what)
    return generator


def _name(source: CheckpointSource) -> str:
    return "The state dict" if isinstance(source, Mapping) else f"'{source}'"


def _read(source: CheckpointSource) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by published name, without DataParallel's prefix `module.`."""
    name = _name(source)
    state: Any = source
    if not isinstance(source, Mapping):
        path = Path(source)
        if not path.is_file():
            raise BenchError(f"{name} is not a file; give the path of a downloaded MD-GAN checkpoint.")
        with path.open("rb") as file:
            start = file.read(64).lstrip().lower()
        if start.startswith((b"<!doctype", b"<html", b"<?xml")):
            raise BenchError(
                f"{name} is a web page, not a checkpoint; download the file itself, not the page of its link."
            )
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged or foreign pickle may raise anything
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise BenchError(f"{name} cannot be read as a PyTorch checkpoint ({reason}); download it again.") from error
    if not isinstance(state, Mapping):
        raise BenchError(f"{name} contains a {type(state).__name__}: expected a state dict of tensors by name.")
    tensors: dict[str, Tensor] = {}
    for key, value in state.items():
        tensor = torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray | np.generic) else value
        if not isinstance(key, str) or not isinstance(tensor, Tensor):
            raise BenchError(
                f"{name} contains {key!r}, which is not a tensor; expected a state dict of an MD-GAN network."
            )
        tensors[key.removeprefix("module.")] = tensor.detach()
    return tensors


def _width(source: CheckpointSource, tensors: dict[str, Tensor], what: str) -> int:
    """Return the width: the output channels of the first convolution's weight `[w, 3, 3, 4, 4]`."""
    first = "downConv1.weight"
    if first not in tensors:
        problem = "contains a discriminator" if "slice1.0.weight" in tensors else f"has no tensor '{first}'"
        raise BenchError(f"{_name(source)} is not {what}: it {problem}; pass the published checkpoint of {what}.")
    shape = list(tensors[first].shape)
    if len(shape) != 5 or shape[0] < 1 or shape[1:] != [3, 3, 4, 4]:
        raise BenchError(f"{_name(source)} is not {what}: '{first}' is {shape}, expected [width, 3, 3, 4, 4].")
    return shape[0]


def _fill(generator: Generator, source: CheckpointSource, tensors: dict[str, Tensor], what: str) -> None:
    """Fill a generator on the meta device with the tensors of a checkpoint, all of them and no others."""
    expected = generator.state_dict()
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        layer, _, kind = name.rpartition(".")
        own_name = f"{GENERATOR_LAYERS.get(layer)}.{kind}"
        if own_name not in expected:
            raise BenchError(f"{_name(source)} is not {what}: it contains an unknown tensor '{name}'.")
        if tensor.shape != expected[own_name].shape:
            raise BenchError(
                f"{_name(source)} is not {what}: '{name}' is {list(tensor.shape)} "
                f"where {list(expected[own_name].shape)} was expected."
            )
        # A copy: the network must not change when its source does.
        renamed[own_name] = tensor.to(expected[own_name].dtype, copy=True)
    published_name = {own: published for published, own in GENERATOR_LAYERS.items()}
    for own_name in expected:
        layer, _, kind = own_name.rpartition(".")
        if own_name not in renamed:
            if kind != "num_batches_tracked":
                raise BenchError(f"{_name(source)} is not {what}: it has no tensor '{published_name[layer]}.{kind}'.")
            renamed[own_name] = torch.zeros((), dtype=torch.long)
    generator.load_state_dict(renamed, assign=True)
    generator.requires_grad_(True).eval()


def use_batch_statistics(network: nn.Module) -> None:
    """Make every batch norm use the statistics of its input, even in evaluation mode; irreversible."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None


class PublishedMDGAN(VideoModel):
    """The authors' trained generators, from their two checkpoint files; not trained here.

    Args:
        resolution: 128 pixels.
        frames: 32.
        stage1: checkpoint of the Stage I generator (file, or tensors by name).
        stage2: checkpoint of the Stage II generator.
        batch_norm: "running" uses the checkpoints' running statistics. "batch" uses the statistics of the
            input, as the authors' test script does. It then runs one clip at a time, so that a clip's video does not
            depend on other clips. The numbers are those of the authors' script at batch size 1.

    Raises:
        BenchError: unsupported resolution or number of frames, an unknown `batch_norm`, or a wrong checkpoint.
    """

    rows = ("mdgan-published-1", "mdgan-published-2")
    resolutions = (128,)
    #: The authors' files in the order of their stages, and their location as in the authors' README, a Google Drive ID.
    files = ("netG_S1_030.pth", "netG_S2_067.pth")
    drive = "1uP2lNPutWgKhRqbwxZFdhQ9LapENCQXk"
    address = f"https://drive.google.com/open?id={drive}"

    def __init__(
        self,
        resolution: int = 128,
        frames: int = FRAMES,
        *,
        stage1: CheckpointSource,
        stage2: CheckpointSource,
        batch_norm: str = "running",
    ) -> None:
        super().__init__(resolution, frames)
        check_resolution("The published MD-GAN", resolution, self.resolutions)
        check_frames("The published MD-GAN", frames, FRAMES)
        if batch_norm not in BATCH_NORMS:
            raise BenchError(f"batch_norm cannot be '{batch_norm}'.{did_you_mean(batch_norm, BATCH_NORMS)}")
        self.generator1 = load_generator(stage1, 1)
        self.generator2 = load_generator(stage2, 2)
        self.batch_norm = batch_norm
        if batch_norm == "batch":
            use_batch_statistics(self)
        self.requires_grad_(False).eval()

    def _continue(self, first_frames: Tensor, rows: Sequence[str]) -> Mapping[str, Tensor]:
        """Y1 and Y2 = G2(Y1)."""
        together = len(first_frames) if self.batch_norm == "running" else 1
        videos: dict[str, list[Tensor]] = {row: [] for row in rows}
        for frames in first_frames.split(max(together, 1)):
            base = self.generator1(frames.unsqueeze(2))
            for row in rows:
                videos[row].append(base if row == self.rows[0] else self.generator2(base))
        return {row: torch.cat(parts) for row, parts in videos.items()}
