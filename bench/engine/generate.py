"""Generate predictions from a model and first frames, clip by clip; each file is complete or absent.

Several processes share the clips. The first one closes the folders when all predictions exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from bench.data.batches import to_tensor
from bench.data.clips import FRAMES, Clip, Manifest, example_clips
from bench.data.predictions import PredictionWriter, to_uint8
from bench.data.samples import sample_name
from bench.engine.checkpoints import load_model
from bench.engine.devices import threads
from bench.engine.network_transforms import channels_last, foldable
from bench.engine.predict import Job, predicted
from bench.files import atomic_path, sha256
from bench.interface import StochasticModel, VideoModel
from bench.progress import console, task
from bench.registry import PUBLISHED
from bench.runfolder import REAL

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Number of clips whose parts (`VideoModel.parts`) are kept.
EXAMPLES = 3
#: Clips per forward pass. One on a CPU: a batch gains nothing there, and a clip's bytes must not depend on the others.
BATCH = {"cpu": 1, "cuda": 16}
#: How much rounding may change a value of a video, in [-1, 1], when the same function is computed in another order. Our
#: trained models change by less than 1e-6. A GPU may round factors to ten bits (TF32). One level of 255 is 8e-3.
ROUNDING = {"cpu": 1e-4, "cuda": 1e-2}


def for_generation(model: VideoModel) -> VideoModel:
    """Prepare a model for generation only, in place: fold batch norms and convert to channels last.

    Networks that only judge do not change. If folding changes the model's videos, the function restores the norms and
    prints a warning. This happens, for example, if the model runs only part of an `nn.Sequential`.
    """
    judges = [network for stage in model.eval().stages() for player in stage.players for network in player.frozen]
    pairs = foldable(model, judges)
    expected = _trial(model) if pairs else {}
    for pair in pairs:
        pair.fold()
    channels_last(model)
    if change := _change(model, expected) if pairs else "":
        for pair in pairs:
            pair.unfold()
        channels_last(model)
        console().print(
            f"{type(model).__name__}: batch norms cannot be folded into convolutions, because {change}. The "
            "model generates without folding, which is correct but slower. docs/how-to/extend.md lists the "
            "layers that can be folded.",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
    return model


@torch.no_grad()
def _trial(model: VideoModel) -> dict[str, torch.Tensor]:
    """All outputs of a model for one first frame, by name; the frame is always the same, and smooth like sky."""
    device = next(model.parameters()).device
    coarse = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    first = F.interpolate(coarse, size=(model.resolution, model.resolution), mode="bilinear").to(device)
    # Prediction must not draw random numbers. If a third-party model does, it draws the same ones here each time.
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        made = {**model.predict_rows(first, model.rows), **model.parts(first)}
    return {name: video.float().cpu() for name, video in made.items()}


def _change(model: VideoModel, expected: Mapping[str, torch.Tensor]) -> str:
    """Describe how a model's videos differ from the expected ones; empty if the difference is within rounding."""
    limit = ROUNDING.get(next(model.parameters()).device.type, max(ROUNDING.values()))
    try:
        made = _trial(model)
    except Exception as error:  # a model may raise anything
        return f"the model fails ({type(error).__name__}: {error})"
    if all(torch.allclose(made[name], was, rtol=0, atol=limit, equal_nan=True) for name, was in expected.items()):
        return ""
    most = max((made[name] - was).abs().max().item() for name, was in expected.items())
    return f"folding changes its videos by up to {most:.2g}, more than rounding explains: {limit:g}"


def generate(
    model: VideoModel,
    folders: Mapping[str, Path],
    clips: Sequence[Clip],
    root: Path,
    made_by: Mapping[str, Any],
    device: str = "cpu",
    fabric: Fabric | None = None,
    samples: int = 1,
) -> None:
    """Write the predictions of a model's rows for clips, resuming where a killed process stopped.

    Args:
        model: model in evaluation mode.
        folders: folder for the predictions of each row.
        clips: clips whose first frames are continued; nothing else of them is read.
        root: data root.
        made_by: what determines the videos, kept in each folder's manifest.
        device: "cpu" or "cuda", or a process's own device such as "cuda:1".
        fabric: Fabric of the processes that share the clips; by default, this process works alone.
        samples: videos per clip from a stochastic model; any other model generates one.

    Raises:
        BenchError: a folder has predictions of another `made_by`, a first frame cannot be read, or the disk is full.
    """
    model = model.to(device).eval()
    samples = samples if isinstance(model, StochasticModel) else 1
    writers = open_writers(model, folders, {**made_by, **({"samples": samples} if samples > 1 else {})}, fabric)
    size = BATCH.get(torch.device(device).type, 1)
    groups = [clips[start : start + size] for start in range(0, len(clips), size)]
    rank, ranks = (fabric.global_rank, fabric.world_size) if fabric else (0, 1)

    def missing(group: Sequence[Clip], sample: int) -> list[str]:
        names = [sample_name(clip.id, sample) for clip in group]
        return [row for row, to in writers.items() if not all(map(to.has, names))]

    # A group is generated completely or not at all, so that the same clips always share a batch.
    own = [(group, sample) for group in groups[rank::ranks] for sample in range(samples)]
    jobs = [Job(group, rows, sample) for group, sample in own if (rows := missing(group, sample))]
    total = sum(len(group) for group, _ in own)
    done = total - sum(len(job.clips) for job in jobs)
    with task(f"generating {', '.join(folders)}", total, done) as progress:
        for job, videos_of_group in predicted(model, jobs, root, device):
            for clip, videos in zip(job.clips, videos_of_group, strict=True):
                for row, video in videos.items():
                    name = sample_name(clip.id, job.sample)
                    writers[row].write(name, to_uint8(video.permute(1, 2, 3, 0).numpy()))
            progress.advance(len(job.clips))
    wait_for_all(fabric)
    if rank == 0:
        for writer in writers.values():
            writer.close()
    wait_for_all(fabric)


def open_writers(
    model: VideoModel, folders: Mapping[str, Path], made_by: Mapping[str, Any], fabric: Fabric | None
) -> dict[str, PredictionWriter]:
    """A writer for each row; the first process opens before the others, and none writes until all have opened.

    Opening removes a killed process's unfinished files.
    """

    def opened() -> dict[str, PredictionWriter]:
        size = {"resolution": model.resolution, "frames": model.frames}
        return {row: PredictionWriter(folder, {"row": row, **made_by, **size}) for row, folder in folders.items()}

    first = fabric is None or fabric.is_global_zero
    writers = opened() if first else {}
    wait_for_all(fabric)
    writers = writers if first else opened()
    wait_for_all(fabric)
    return writers


def wait_for_all(fabric: Fabric | None) -> None:
    """Wait until all processes have reached this point."""
    if fabric:
        fabric.barrier()


@dataclass(frozen=True)
class TrainedModel:
    """A finished training run to generate with.

    Attributes:
        checkpoint: its `model.pt`.
        name: name of the expected model, if known.
        resolution: scored size, if the model must fit it.
        samples: videos per clip from a stochastic model.
    """

    checkpoint: Path
    name: str | None = None
    resolution: int | None = None
    samples: int = 1


def generate_rows(
    trained: TrainedModel,
    folders: Mapping[str, Path] | Path,
    manifest: Manifest,
    device: str,
    fabric: Fabric | None = None,
    parts: Path | None = None,
) -> Mapping[str, Path]:
    """Generate all rows of a finished training run for a dataset's test clips.

    Args:
        trained: the training run.
        folders: folder for each row, or one folder that gets a subfolder for each row.
        manifest: manifest of the data.
        device: as for `generate`.
        fabric: Fabric of the processes that share the clips.
        parts: folder for the parts of a few clips' videos, if the model has parts.

    Returns:
        Folder of each row.
    """
    model, account = load_model(trained.checkpoint, trained.name, trained.resolution)
    for_generation(model)
    if isinstance(folders, Path):
        folders = {row: folders / row for row in model.rows}
    made_by = {**account, "checkpoint": sha256(trained.checkpoint), "clips": manifest.hashes["test"]}
    clips = manifest.split("test")
    generate(model, folders, clips, manifest.root, made_by, device, fabric, trained.samples)
    if parts and (fabric is None or fabric.is_global_zero):
        by_id = {clip.id: clip for clip in clips}
        shown = [by_id[id] for id in example_clips({clip.id: clip.video for clip in clips}, EXAMPLES)]
        keep_parts(model, shown, manifest.root, parts, device)
    return folders


@torch.inference_mode()
def keep_parts(model: VideoModel, clips: Sequence[Clip], root: Path, folder: Path, device: str) -> None:
    """Write the parts of a model's videos as `<clip id>__<part>.png`, vertical strips like predictions.

    A part with one channel is a mask in [0, 1] and becomes grey; others are pictures in [-1, 1].
    """
    for clip in clips:
        frame = to_tensor(clip.read(root, model.resolution, frames=1)[None], device)[:, :, 0]
        with threads(1 if torch.device(device).type == "cpu" else torch.get_num_threads()):
            parts = model.parts(frame)
        for name, part in parts.items():
            video = part[0].float().cpu().permute(1, 2, 3, 0).numpy()  # [T, H, W, 1 or 3]
            frames = to_uint8(np.repeat(video * 2 - 1, 3, axis=3) if video.shape[3] == 1 else video)
            with atomic_path(folder / f"{clip.id}__{name}.png") as path:
                Image.fromarray(frames.reshape(-1, *frames.shape[2:])).save(path, "PNG", compress_level=3)


@dataclass(frozen=True)
class PublishedModel:
    """A model's checkpoints as its authors published them.

    Attributes:
        name: the model, one of `bench.registry.PUBLISHED`.
        stage1: checkpoint file of its first stage.
        stage2: checkpoint file of its second stage.
        batch_norm: "running" statistics, or those of the "batch" as in the authors' script; the manifests record which.
    """

    name: str
    stage1: Path
    stage2: Path
    batch_norm: str = "running"


def generate_published(
    published: PublishedModel, folder: Path, manifest: Manifest, device: str, fabric: Fabric | None = None
) -> Mapping[str, Path]:
    """Generate with a model's published checkpoints.

    Args:
        published: the checkpoints.
        folder: folder that gets a subfolder for each row.
        manifest: manifest of the data.
        device: as for `generate`.
        fabric: Fabric of the processes that share the clips.

    Returns:
        Folder of each row.
    """
    factory = PUBLISHED.load(published.name)
    stages = {"stage1": published.stage1, "stage2": published.stage2}
    model = factory(factory.resolutions[-1], FRAMES, **stages, batch_norm=published.batch_norm)
    folders = {row: folder / row for row in model.rows}
    made_by = {
        "model": f"{published.name}-published",
        "checkpoints": [sha256(file) for file in stages.values()],
        "batch_norm": published.batch_norm,
        "clips": manifest.hashes["test"],
    }
    for_generation(model)
    generate(model, folders, manifest.split("test"), manifest.root, made_by, device, fabric)
    return folders


def store_real(clips: Sequence[Clip], root: Path, resolution: int, folder: Path, made_by: Mapping[str, Any]) -> None:
    """Store the real clips next to the predictions, at the scored size, for figures, reports and studies.

    A test clip that cannot be read is detected here, before any training.
    """
    writer = PredictionWriter(folder, {"row": REAL, **made_by, "resolution": resolution})
    left = [clip for clip in clips if not writer.has(clip.id)]
    with task("reading the real test clips", len(clips), len(clips) - len(left)) as progress:
        for clip in left:
            writer.write(clip.id, clip.read(root, resolution))
            progress.advance()
    writer.close()
