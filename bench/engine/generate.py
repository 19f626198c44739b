"""Model + first frames → predictions, clip by clip, each file whole or not there.

Several processes share the clips; the first one closes the folders when all are there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from bench.data.batches import to_tensor
from bench.data.clips import FRAMES, Clip, Manifest, one_per_video
from bench.data.predictions import REAL, PredictionWriter, to_uint8
from bench.engine.checkpoints import load_model
from bench.engine.layers import channels_last, folded
from bench.files import atomic_path, sha256
from bench.interface import VideoModel
from bench.progress import task
from bench.registry import PUBLISHED

if TYPE_CHECKING:
    from lightning.fabric import Fabric

#: Clips whose parts (`VideoModel.parts`) are kept.
EXAMPLES = 3
#: Clips in a forward pass. One on a CPU: a batch gains nothing there, and a clip's bytes must not depend on the others.
BATCH = {"cpu": 1, "cuda": 16}


def for_generation(model: VideoModel) -> VideoModel:
    """Make a model ready to generate and fit for nothing else, in place: batch norms folded, channels last."""
    folded(model.eval())
    channels_last(model)
    return model


@torch.inference_mode()
def predict_clips(model: VideoModel, row: str, clips: Sequence[Clip], root: Path, device: str) -> list[torch.Tensor]:
    """Predict videos from nothing but the first frames of clips, float `[3, T, H, W]` in [-1, 1] each, on the CPU."""
    first = [clip.read(root, model.resolution, frames=1) for clip in clips]
    frames = torch.cat([to_tensor(frame[None], device) for frame in first])  # [N, 3, 1, H, W]
    return list(model.predict(frames[:, :, 0], row).float().cpu())


def generate(
    model: VideoModel,
    folders: Mapping[str, Path],
    clips: Sequence[Clip],
    root: Path,
    made_by: Mapping[str, Any],
    device: str = "cpu",
    fabric: Fabric | None = None,
) -> None:
    """Write the predictions of a model's rows for clips, going on where a killed process stopped.

    Args:
        model: in evaluation mode.
        folders: where each row's predictions go.
        clips: whose first frames are continued; nothing else of them is read.
        root: data root.
        made_by: what determines the videos, kept in each folder's manifest.
        device: "cpu" or "cuda", or a process's own such as "cuda:1".
        fabric: of the processes that share the clips; this one alone by default.

    Raises:
        BenchError: a folder holds predictions made by something else, a first frame cannot be read, the disk is full.
    """
    model = model.to(device).eval()
    size = BATCH.get(torch.device(device).type, 1)
    groups = [clips[start : start + size] for start in range(0, len(clips), size)]
    rank, ranks = (fabric.global_rank, fabric.world_size) if fabric else (0, 1)
    own = groups[rank::ranks]
    for row, folder in folders.items():
        settings = {"row": row, **made_by, "resolution": model.resolution, "frames": model.frames}
        if rank == 0:
            writer = PredictionWriter(folder, settings)
        wait_for_all(fabric)  # opening clears a killed process's unfinished files away: nobody may write yet
        if rank > 0:
            writer = PredictionWriter(folder, settings)
        wait_for_all(fabric)
        # A group is made whole or not at all: the same clips always share a batch.
        left = [group for group in own if not all(writer.has(clip.id) for clip in group)]
        total = sum(map(len, own))
        with task(f"generating {row}", total, total - sum(map(len, left))) as progress:
            for group in left:
                for clip, video in zip(group, predict_clips(model, row, group, root, device), strict=True):
                    writer.write(clip.id, to_uint8(video.permute(1, 2, 3, 0).numpy()))
                progress.advance(len(group))
        wait_for_all(fabric)
        if rank == 0:
            writer.close()
    wait_for_all(fabric)


def wait_for_all(fabric: Fabric | None) -> None:
    """Go on when all processes are here."""
    if fabric:
        fabric.barrier()


def generate_rows(
    checkpoint: Path,
    folders: Mapping[str, Path] | Path,
    manifest: Manifest,
    device: str,
    name: str | None = None,
    resolution: int | None = None,
    fabric: Fabric | None = None,
    parts: Path | None = None,
) -> Mapping[str, Path]:
    """Generate all rows of a finished training for a dataset's test clips.

    Args:
        checkpoint: its `model.pt`.
        folders: where each row goes, or one folder that gets a folder for each.
        manifest: of the data.
        device: as for `generate`.
        name: the model it has to be of, if that is known.
        resolution: size that is scored, if the model has to fit it.
        fabric: of the processes that share the clips.
        parts: where the parts of a few clips' videos are kept, for a model that has such.

    Returns:
        Folder of each row.
    """
    model, account = load_model(checkpoint, name, resolution)
    for_generation(model)
    if isinstance(folders, Path):
        folders = {row: folders / row for row in model.rows}
    made_by = {**account, "checkpoint": sha256(checkpoint), "clips": manifest.hashes["test"]}
    clips = manifest.split("test")
    generate(model, folders, clips, manifest.root, made_by, device, fabric)
    if parts and (fabric is None or fabric.is_global_zero):
        keep_parts(model, example_clips(clips), manifest.root, parts, device)
    return folders


def example_clips(clips: Sequence[Clip]) -> list[Clip]:
    """The clips of different source videos with the smallest hashes of their ids, `EXAMPLES` or fewer."""
    known = {clip.id: clip for clip in clips}
    return [known[id] for id in one_per_video({clip.id: clip.video for clip in clips})[:EXAMPLES]]


@torch.inference_mode()
def keep_parts(model: VideoModel, clips: Sequence[Clip], root: Path, folder: Path, device: str) -> None:
    """Write what a model's videos are made of as `<clip id>__<part>.png`, vertical strips like predictions.

    A part with one channel is a mask in [0, 1] and becomes grey; others are pictures in [-1, 1].
    """
    for clip in clips:
        frame = to_tensor(clip.read(root, model.resolution, frames=1)[None], device)[:, :, 0]
        for name, part in model.parts(frame).items():
            video = part[0].float().cpu().permute(1, 2, 3, 0).numpy()  # [T, H, W, 1 or 3]
            frames = to_uint8(np.repeat(video * 2 - 1, 3, axis=3) if video.shape[3] == 1 else video)
            with atomic_path(folder / f"{clip.id}__{name}.png") as path:
                Image.fromarray(frames.reshape(-1, *frames.shape[2:])).save(path, "PNG", compress_level=3)


def generate_published(
    name: str,
    stage1: Path,
    stage2: Path,
    batch_norm: str,
    folder: Path,
    manifest: Manifest,
    device: str,
    fabric: Fabric | None = None,
) -> Mapping[str, Path]:
    """Generate with a model's published checkpoints.

    Args:
        name: the model, one of `bench.registry.PUBLISHED`.
        stage1: checkpoint file of its first stage.
        stage2: of its second.
        batch_norm: "running" statistics, or those of the "batch" as in the authors' script; the manifests say which.
        folder: gets a folder for each row.
        manifest: of the data.
        device: as for `generate`.
        fabric: of the processes that share the clips.

    Returns:
        Folder of each row.
    """
    factory = PUBLISHED.load(name)
    model = factory(factory.resolutions[-1], FRAMES, stage1=stage1, stage2=stage2, batch_norm=batch_norm)
    folders = {row: folder / row for row in model.rows}
    made_by = {
        "model": f"{name}-published",
        "checkpoints": [sha256(stage1), sha256(stage2)],
        "batch_norm": batch_norm,
        "clips": manifest.hashes["test"],
    }
    for_generation(model)
    generate(model, folders, manifest.split("test"), manifest.root, made_by, device, fabric)
    return folders


def store_real(clips: Sequence[Clip], root: Path, resolution: int, folder: Path, made_by: Mapping[str, Any]) -> None:
    """Keep the real clips beside the predictions, at the scored size, for figures, reports and studies.

    A test clip that cannot be read is noticed here, before anything is trained.
    """
    writer = PredictionWriter(folder, {"row": REAL, **made_by, "resolution": resolution})
    left = [clip for clip in clips if not writer.has(clip.id)]
    with task("reading the real test clips", len(clips), len(clips) - len(left)) as progress:
        for clip in left:
            writer.write(clip.id, clip.read(root, resolution))
            progress.advance()
    writer.close()
