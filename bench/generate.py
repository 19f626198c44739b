"""Model + first frames → predictions, clip by clip, each file whole or not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from bench.checkpoints import load_model
from bench.data.batches import to_tensor
from bench.data.clips import Clip, Manifest
from bench.files import sha256
from bench.interface import VideoModel
from bench.predictions import REAL, PredictionWriter, to_uint8
from bench.progress import task

#: Clips in a forward pass. One on a CPU: a batch gains nothing there, and a clip's bytes must not depend on the others.
BATCH = {"cpu": 1, "cuda": 16}


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
) -> None:
    """Write the predictions of a model's rows for clips, going on where a killed process stopped.

    Args:
        model: in evaluation mode.
        folders: where each row's predictions go.
        clips: whose first frames are continued; nothing else of them is read.
        root: data root.
        made_by: what determines the videos, kept in each folder's manifest.
        device: "cpu" or "cuda".

    Raises:
        BenchError: a folder holds predictions made by something else, a first frame cannot be read, the disk is full.
    """
    model = model.to(device).eval()
    size = BATCH.get(device, 1)
    groups = [clips[start : start + size] for start in range(0, len(clips), size)]
    for row, folder in folders.items():
        writer = PredictionWriter(
            folder, {"row": row, **made_by, "resolution": model.resolution, "frames": model.frames}
        )
        # A group is made whole or not at all: the same clips always share a batch.
        left = [group for group in groups if not all(writer.has(clip.id) for clip in group)]
        with task(f"generating {row}", len(clips), len(clips) - sum(map(len, left))) as progress:
            for group in left:
                for clip, video in zip(group, predict_clips(model, row, group, root, device), strict=True):
                    writer.write(clip.id, to_uint8(video.permute(1, 2, 3, 0).numpy()))
                progress.advance(len(group))
        writer.close()


def generate_rows(
    checkpoint: Path,
    folders: Mapping[str, Path] | Path,
    manifest: Manifest,
    device: str,
    name: str | None = None,
    resolution: int | None = None,
) -> Mapping[str, Path]:
    """Generate all rows of a finished training for a dataset's test clips.

    Args:
        checkpoint: its `model.pt`.
        folders: where each row goes, or one folder that gets a folder for each.
        manifest: of the data.
        device: "cpu" or "cuda".
        name: the model it has to be of, if that is known.
        resolution: size that is scored, if the model has to fit it.

    Returns:
        Folder of each row.
    """
    model, account = load_model(checkpoint, name, resolution)
    if isinstance(folders, Path):
        folders = {row: folders / row for row in model.rows}
    made_by = {**account, "checkpoint": sha256(checkpoint), "clips": manifest.hashes["test"]}
    generate(model, folders, manifest.split("test"), manifest.root, made_by, device)
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
