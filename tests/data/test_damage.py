"""Whatever happens to a file on the way, reading it gives frames or one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.readers.file_traits import is_lossy
from bench.data.readers.video import (
    ANIMATIONS,
    STILLS,
    frame_size,
    frames_of,
    image_size,
    is_video,
    read_image,
)
from bench.errors import BenchError
from tests.data.making import drifting, save_animation, write_container
from tests.support.small import moving_clip

CLIP = drifting(4, 32, 32)


def make(path: Path, what: str) -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    if what == "strip":
        options = {} if path.suffix == ".bmp" else {"exif": exif}
        Image.fromarray(CLIP.reshape(-1, 32, 3)).save(path, **options)
    elif what == "animation":
        save_animation(path, CLIP)
    elif path.suffix == ".npy":
        np.save(path, CLIP)
    elif path.suffix == ".npz":
        np.savez_compressed(path, CLIP)
    else:
        write_container(path, moving_clip(0, 6))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("what", "ending"),
    [
        *(("strip", ending) for ending in ("jpg", "png", "bmp", "tif", "webp")),
        *(("animation", ending) for ending in ("png", "gif", "webp", "tif")),
        *(("video", ending) for ending in ("npy", "npz", "mp4", "mkv", "avi")),
    ],
)
def test_a_damaged_file_gives_frames_or_one_sentence(tmp_path: Path, what: str, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    make(path, what)
    content, sentences = path.read_bytes(), []
    looks = [lambda file: [develop() for develop in frames_of(file)], is_video, frame_size, is_lossy]
    if path.suffix in STILLS | ANIMATIONS:
        looks += [image_size, read_image]
    for seed in range(30):
        rng, damaged = np.random.default_rng(seed), bytearray(content)
        if seed % 3 == 0:
            damaged = damaged[: int(rng.integers(len(damaged)))]
        for place in rng.integers(0, min(len(damaged), 400) or 1, 4 if damaged else 0):
            damaged[int(place)] = int(rng.integers(256))
        path.write_bytes(damaged)
        for look in looks:
            try:
                look(path)
            except BenchError as error:
                sentences.append(str(error))
    assert sentences
    assert all(str(path) in sentence for sentence in sentences)
