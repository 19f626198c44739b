"""A small run folder in the real layout, written by the real writer."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from bench.data.predictions import PredictionWriter
from bench.runfolder import REAL
from study_app.design.clip_encoding import sheet_shape

ROWS = ("mdgan-1", "mdgan-2", "vgan", "rnngan", "copy")
#: Of the clips of a run. They are short, because raters watch each pair to its end.
FRAMES, SIZE = 8, 32


def sky(seed: int, frames: int = 32, size: int = SIZE) -> np.ndarray:
    """A drifting gradient with clouds, uint8 [T, H, W, 3]; each seed another one."""
    rng = np.random.default_rng(seed)
    clouds = rng.normal(size=(size, size * 3)).cumsum(0).cumsum(1)
    clouds = (clouds - clouds.min()) / np.ptp(clouds)
    hue = rng.uniform(0.3, 1.0, 3)
    shown = [clouds[:, t : t + size, None] * hue for t in range(frames)]
    return (255 * np.stack(shown)).astype(np.uint8)


def decode(data: bytes, frames: int) -> np.ndarray:
    """Undo `study_app.design.clip_encoding.encode`."""
    picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    return _frames_of(picture, *sheet_shape(frames))[:frames]


def write_run(folder: Path, clips: int = 12, rows: tuple[str, ...] = ROWS, size: int = SIZE) -> Path:
    """Write predictions of `rows` and the real clips; every model keeps the first frame."""
    ids = [f"video{n // 2:02d}__clip__{n:03d}" for n in range(clips)]
    for row in (REAL, *rows):
        writer = PredictionWriter(folder / "predictions" / row, {"row": row, "resolution": size})
        for n, id in enumerate(ids):
            clip = sky(n, FRAMES, size)
            if row != REAL:
                rng = np.random.default_rng([n, *row.encode()])
                strength = 5 + 8 * (ROWS.index(row) if row in ROWS else 0)
                noise = rng.normal(0, strength, clip.shape)
                noise[0] = 0
                clip = np.clip(clip + noise, 0, 255).astype(np.uint8)
            writer.write(id, clip)
        writer.close()
    lines = [{"format": 1, "dataset": "sky"}]
    lines += [{"id": id, "video": id[:7], "split": "test"} for id in ids]
    (folder / "clips.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "run.json").write_text(json.dumps({"config": {"dataset": "sky"}}))
    return folder


def decode_message(data: bytes, frames: int, clips: int = 2) -> list[np.ndarray]:
    """Undo `study_app.design.clip_encoding.message`: the clips of a trial, left one first."""
    picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    sheets = np.split(picture, clips, axis=1)
    columns, rows = sheet_shape(frames)
    return [_frames_of(sheet, columns, rows)[:frames] for sheet in sheets]


def _frames_of(sheet: np.ndarray, columns: int, rows: int) -> np.ndarray:
    height, width = sheet.shape[0] // rows, sheet.shape[1] // columns
    cells = sheet.reshape(rows, height, columns, width, 3).swapaxes(1, 2)
    return cells.reshape(rows * columns, height, width, 3)
