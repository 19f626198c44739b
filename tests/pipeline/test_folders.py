from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.errors import BenchError
from bench.pipeline.folders import named_folders, score_folders
from bench.scoring.score import ScoringPlan
from bench.scoring.tidy import read_summary
from tests.small import moving_clip, write_frames


def test_folders_have_their_own_name_or_the_given_one(tmp_path: Path) -> None:
    odd = tmp_path / "a=b"
    odd.mkdir()
    folders = named_folders([f"mine={tmp_path}/x", f"{tmp_path}/y/", str(odd)])
    assert folders == {"mine": tmp_path / "x", "y": tmp_path / "y", "a=b": odd}


def test_two_folders_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="Two prediction folders are called 'x'"):
        named_folders([f"{tmp_path}/a/x", f"{tmp_path}/b/x"])


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    folder = tmp_path / "reference"
    folder.mkdir()
    for name in "ab":
        np.save(folder / f"{name}.npy", moving_clip(ord(name), size=32))
    return folder


def score(folder: Path, reference: Path) -> dict[str, float]:
    out = folder.parent / "out"
    score_folders([str(folder)], out, ScoringPlan(32, ["mse", "ssim"]), reference=reference)
    return {line.metric: line.value for line in read_summary(out)}


def write_gif(path: Path, clip: np.ndarray) -> None:
    first, *others = (Image.fromarray(frame) for frame in clip)
    first.save(path, save_all=True, append_images=others, duration=100)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("corrupt", r"b\.mp4 cannot be decoded"),
        ("short", r"b\.gif has 8 frames where 32 are due"),
        ("sizes", r"frames of .*b differ in size"),
        ("twice", r"The clip b lies twice"),
        ("empty", r"holds no videos named by clip id"),
        ("grey", r"b\.npy is uint8 \[32, 32, 32, 1\]: expected uint8 \[frames, height, width, 3\]"),
    ],
)
def test_videos_that_cannot_be_scored_get_their_sentence(
    what: str, sentence: str, reference: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    if what != "empty":
        np.save(mine / "a.npy", moving_clip(1, size=32))
    if what == "corrupt":
        (mine / "b.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(1000))
    elif what == "short":
        write_gif(mine / "b.gif", moving_clip(2, 8, 32))
    elif what == "sizes":
        write_frames(mine / "b", moving_clip(2, 31, 32))
        Image.new("RGB", (40, 40)).save(mine / "b" / "frame_32.jpg")
    elif what == "twice":
        np.save(mine / "b.npy", moving_clip(2, size=32))
        write_gif(mine / "b.gif", moving_clip(2, size=32))
    elif what == "grey":
        np.save(mine / "b.npy", moving_clip(2, size=32)[..., :1])
    with pytest.raises(BenchError, match=sentence):
        score(mine, reference)
    assert not (tmp_path / "out" / "summary.csv").exists()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_grey_transparent_and_palette_frames_are_read_as_colour(mode: str, reference: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    for name in "ab":
        (mine / name).mkdir(parents=True)
        for number, frame in enumerate(moving_clip(ord(name), size=32)):
            Image.fromarray(frame).convert(mode).save(mine / name / f"{number}.png")
    scores = score(mine, reference)
    assert scores["mse"] == 0 if mode == "RGBA" else 0 < scores["mse"] < 0.1


def test_what_was_done_to_videos_stands_under_the_table(reference: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in "ab":
        write_gif(mine / f"{name}.gif", moving_clip(ord(name), size=64))
    score(mine, reference)
    table = (tmp_path / "out" / "table.md").read_text()
    assert "mine: videos are lossy (.gif)" in table
    assert "mine: resized from 64×64" in table
