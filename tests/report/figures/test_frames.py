from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from baselines.vgan import VGAN
from bench.report.figures import frames, style
from bench.report.figures.frames import frames_figure, samples_animation
from bench.report.row_names import registered_names
from tests.support.processes import Forked
from tests.support.small import moving_clip

pytestmark = pytest.mark.heavy


@pytest.fixture
def videos() -> dict[str, np.ndarray]:
    return {"real": moving_clip(0), "mdgan-1": moving_clip(1), "copy": np.repeat(moving_clip(0, 1), 32, axis=0)}


def test_frames_figure_shows_the_frames_themselves(videos: dict[str, np.ndarray], tmp_path: Path) -> None:
    solid = {"a": np.zeros((32, 8, 8, 3), np.uint8), "b": np.zeros((32, 8, 8, 3), np.uint8)}
    for place, number in enumerate(frames.SHOWN):
        solid["a"][number - 1] = (50 * place, 0, 200)
        solid["b"][number - 1] = (0, 50 * place, 100)
    frames_figure(solid, tmp_path / "a.png")
    colours = {
        tuple(pixel) for pixel in np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).reshape(-1, 3).tolist()
    }
    assert {(50 * place, 0, 200) for place in range(5)} <= colours
    assert {(0, 50 * place, 100) for place in range(5)} <= colours
    frames_figure(videos, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def _print_font_type() -> None:
    """For a process of its own, in which no test has changed the style."""
    print(style.STYLE["pdf.fonttype"], flush=True)


@pytest.mark.process
def test_fonts_are_embedded_as_publishers_want_them(videos: dict[str, np.ndarray], tmp_path: Path) -> None:
    done = Forked(tmp_path / "said", _print_font_type).wait()
    assert (done.returncode, done.stdout.strip()) == (0, "42")  # TrueType; the tests' own setting is another one
    frames_figure(videos, tmp_path / "a.pdf")
    assert b"/Type /Font" in (tmp_path / "a.pdf").read_bytes()


def test_a_figure_is_the_same_bytes_each_time(videos: dict[str, np.ndarray], tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "a.pdf", "b.pdf"):
        frames_figure(videos, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_samples_play_all_frames_of_all_rows(videos: dict[str, np.ndarray], tmp_path: Path) -> None:
    samples_animation([videos, videos], tmp_path / "s.webp", size=64)
    with Image.open(tmp_path / "s.webp") as image:
        assert image.n_frames == 32
        assert image.info["loop"] == 0
        assert image.width == 3 * 68 - 4
        image.seek(20)
        shown = np.asarray(image.convert("RGB"))
    real = shown[18 : 18 + 64, :64].astype(int)
    assert np.abs(real - videos["real"][20]).mean() < 12  # lossy
    assert np.abs(real - videos["real"][0]).mean() > 12


def test_every_row_has_one_colour_of_its_own() -> None:
    found = registered_names().colours_of(["mine", "vgan", "theirs"])
    assert found["vgan"] == VGAN.colours["vgan"]
    assert len(set(found.values())) == len(found)
