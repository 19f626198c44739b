from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bench.data import synthetic
from bench.data.clips import build_manifest
from bench.data.synthetic import portable_math
from bench.data.synthetic.generate import (
    BEACH_SCENES,
    SKY_SCENES,
    SYNTHETIC_VERSION,
    beach_clip,
    make_beach,
    make_sky,
    sky_clip,
)
from bench.data.synthetic.sky import SkyVideo
from bench.errors import BenchError

pytestmark = pytest.mark.heavy

Frames = NDArray[np.uint8]
SCENES = [("sky", scene) for scene in SKY_SCENES] + [("beach", scene) for scene in BEACH_SCENES]
MAKERS = {"sky": make_sky, "beach": make_beach}

# SHA-256 of the raw pixels of three frames at 64 pixels with seed 5. Whoever changes them on purpose raises
# SYNTHETIC_VERSION; a difference on another machine means that some arithmetic is not exact.
PINNED = {
    "day": "a0fd5609c36b5d437c0c8bb7f64d24030111172f6024dfbf1d3ea8a37fdb2560",
    "dusk": "8874c93c3306ac95faf37ed5fdaf80b5c217ff56d14b8276164cbf79f28fa7fc",
    "night": "bb3848d4b480b861c9dd288a569b5a636c8fb219f50c1bba92f685ee23bcd192",
    "aurora": "5ffdaf51a90e9b6fad17a3e3c281805fad1b5ba88c382b6f319b1d44c28c34f0",
    "midday": "2e5966e846f30f454cec7ff1919d859bb2e2bb7b0d710e7f0e8958417208df94",
    "overcast": "319be9cdb63da083a2ec6546f3f42e6d2842e5bd2bd75403108b322471f4fbd6",
    "golden": "19ec74d6618fbce88f01b9a8700796903e754f0a3712ea1c3f08e370fd6f33df",
}


@lru_cache(maxsize=16)
def clip(dataset: str, scene: str, seed: int, frames: int) -> Frames:
    make = sky_clip if dataset == "sky" else beach_clip
    return make(scene, seed, 64, frames)


def tree(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def steps(frames: Frames) -> NDArray[np.float64]:
    """Mean absolute difference of successive frames, in 8-bit levels."""
    return np.abs(np.diff(frames.astype(np.float64), axis=0)).mean(axis=(1, 2, 3))


@pytest.fixture(scope="module")
def sky_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sky") / "set"
    make_sky(root, train_videos=2, test_videos=1, clips_per_video=2, seed=3, workers=1)
    return root


@pytest.fixture(scope="module")
def beach_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("beach") / "set"
    make_beach(root, train_videos=2, test_videos=1, clips_per_video=2, seed=3, workers=1)
    return root


def test_sky_layout(sky_root: Path) -> None:
    assert sorted(p.name for p in sky_root.iterdir()) == [
        "README.txt",
        "sky_test",
        "sky_train",
        "synthetic.json",
    ]
    longs = {split: sorted(p.name for p in (sky_root / split).iterdir()) for split in ("sky_train", "sky_test")}
    assert [len(names) for names in longs.values()] == [2, 1]
    assert not set(longs["sky_train"]) & set(longs["sky_test"])
    for split, names in longs.items():
        for name in names:
            (short,) = (sky_root / split / name).iterdir()
            files = sorted(p.name for p in short.iterdir())
            assert files == [f"{name}_frames_{k:08d}.jpg" for k in range(1, 65)]
            with Image.open(short / files[0]) as image:
                assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (64, 64))


def test_beach_layout(beach_root: Path) -> None:
    below = beach_root / "frames-stable-many"
    lists = {s: (beach_root / f"beach_{s}.txt").read_text().splitlines() for s in ("train", "test")}
    assert [len(lines) for lines in lists.values()] == [4, 2]
    found = {p.relative_to(below).as_posix() for p in below.rglob("*.jpg")}
    assert found == set(lists["train"]) | set(lists["test"])
    videos = {split: {line.rsplit("_", 1)[0].split("/")[1] for line in lines} for split, lines in lists.items()}
    assert not videos["train"] & videos["test"]
    assert lists["train"] == [
        "midday/0000_0.jpg",
        "midday/0000_32.jpg",
        "overcast/0001_0.jpg",
        "overcast/0001_32.jpg",
    ]
    for line in found:
        with Image.open(below / line) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (64, 64 * 32))


@pytest.mark.parametrize("dataset", ["sky", "beach"])
def test_the_readers_read_it(dataset: str, request: pytest.FixtureRequest) -> None:
    root = request.getfixturevalue(f"{dataset}_root")
    clips = build_manifest(dataset, root).clips
    # The reader sets some of the training videos aside for validation.
    assert [sum((c.split == "test") is test for c in clips) for test in (False, True)] == [4, 2]
    assert all(c.read(root).shape == (32, 64, 64, 3) for c in clips)


def test_files_hold_the_painted_frames(sky_root: Path) -> None:
    facts = json.loads((sky_root / "synthetic.json").read_text())
    assert facts["synthetic"] is True
    assert (facts["version"], facts["seed"], facts["size"]) == (SYNTHETIC_VERSION, 3, 64)
    assert (facts["train_clips"], facts["test_clips"]) == (4, 2)
    assert "not filmed" in (sky_root / "README.txt").read_text()
    job_seed = portable_math.RandomStream("sky", 3, "train", 1).bits()
    painted = sky_clip("dusk", job_seed, 64, 1)[0].astype(int)
    stored = np.array(Image.open(next(iter(sorted((sky_root / "sky_train/dusk0001").rglob("*.jpg"))))))
    # JPEG at quality 95 without chroma subsampling errs by a level or two on the average.
    assert np.abs(stored - painted).mean() < 3.0


@pytest.mark.process
@pytest.mark.parametrize("dataset", ["sky", "beach"])
def test_bytes_depend_on_the_seed_alone(dataset: str, tmp_path: Path) -> None:
    done: list[int] = []
    few = {"train_videos": 1, "test_videos": 1, "clips_per_video": 1}
    for name, seed, workers in (("one", 7, 1), ("two", 7, 2), ("other", 8, 1)):
        MAKERS[dataset](tmp_path / name, seed=seed, workers=workers, progress=done.append, **few)
    one, two, other = (tree(tmp_path / name) for name in ("one", "two", "other"))
    assert one == two
    assert one.keys() == other.keys()
    assert all(one[name] != other[name] for name in one if name.endswith(".jpg"))
    assert done == [1] * 6
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "other", "two"]


def test_a_larger_training_set_keeps_the_test_set(tmp_path: Path) -> None:
    for count in (1, 2):
        make_beach(tmp_path / str(count), train_videos=count, test_videos=1, clips_per_video=1, workers=1)
    strips = []
    for count in (1, 2):
        (line,) = (tmp_path / str(count) / "beach_test.txt").read_text().split()
        strips.append((tmp_path / str(count) / "frames-stable-many" / line).read_bytes())
    assert strips[0] == strips[1]


@pytest.mark.parametrize(("dataset", "scene"), SCENES)
def test_pixels_are_pinned(dataset: str, scene: str) -> None:
    frames = clip(dataset, scene, 5, 3)
    assert hashlib.sha256(frames.tobytes()).hexdigest() == PINNED[scene]


@pytest.mark.parametrize(("dataset", "scene"), SCENES)
def test_scenes_move_smoothly_and_on_over_the_border(dataset: str, scene: str) -> None:
    frames = clip(dataset, scene, 1, 36)
    assert frames.shape == (36, 64, 64, 3)
    assert frames.dtype == np.uint8
    step = steps(frames)
    # The slowest of 40 real sky clips moves by 0.7 levels a frame, the slowest real shores by 0.44.
    assert step.min() > 0.4
    # Motion adds up; noise that flickers about one picture would not.
    assert steps(frames[[0, 31]])[0] > 3.0 * np.median(step)
    # From one clip to the next (31 to 32) it goes on as within a clip.
    assert step[31] < 1.6 * max(step[30], step[32])
    # Each frame lies near the middle of its neighbours: 0.5 is a jump, 1 and more a flicker.
    real = frames.astype(np.float64)
    off = np.abs(real[1:-1] - (real[2:] + real[:-2]) / 2.0).mean(axis=(1, 2, 3))
    assert (off / np.abs(real[2:] - real[:-2]).mean(axis=(1, 2, 3))).max() < 0.48


@pytest.mark.parametrize("scene", SKY_SCENES)
def test_the_land_stands_still(scene: str) -> None:
    video = SkyVideo(scene, 1, 64)
    land = video.foreground
    assert land.mean() > 0.02
    first, later = video.frame(0), video.frame(40)
    assert np.array_equal(first[land], later[land])
    assert (first[~land] != later[~land]).any(axis=-1).mean() > 0.5


@pytest.mark.parametrize(("dataset", "scene"), SCENES)
def test_seeds_differ_clearly(dataset: str, scene: str) -> None:
    first = [clip(dataset, scene, seed, 1)[0].astype(float) for seed in range(3)]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        # Ten times the step from frame to frame: another composition, not another moment.
        assert np.abs(first[a] - first[b]).mean() > 10.0


def test_both_sizes_show_the_same_scene() -> None:
    small = beach_clip("golden", 2, 64, 1)[0].astype(float)
    large = beach_clip("golden", 2, 128, 1)[0].astype(float)
    assert large.shape == (128, 128, 3)
    halved = large.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved - small).mean() < 8.0


@pytest.mark.parametrize("make", [make_sky, make_beach])
def test_refuses_what_it_cannot_do(make: Callable[..., None], tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("keep")
    with pytest.raises(BenchError, match=r"full is not empty"):
        make(full, workers=1)
    assert [p.name for p in full.iterdir()] == ["mine.txt"]
    with pytest.raises(BenchError, match=r"mine\.txt exists and is not a folder"):
        make(full / "mine.txt", workers=1)
    with pytest.raises(BenchError, match="64 or 128 pixels wide, not 96"):
        make(tmp_path / "new", size=96)
    for name in ("train_videos", "test_videos", "clips_per_video", "workers"):
        with pytest.raises(BenchError, match=f"{name} must be at least 1, not 0"):
            make(tmp_path / "new", **{name: 0})
    assert not (tmp_path / "new").exists()


def test_clips_refuse_what_they_cannot_do() -> None:
    with pytest.raises(BenchError, match="Did you mean 'night'"):
        sky_clip("nigth", 0, 64, 1)
    with pytest.raises(BenchError, match="not 32"):
        beach_clip("golden", 0, 32, 1)
    with pytest.raises(BenchError, match="at least 1 frame, not 0"):
        beach_clip("golden", 0, 64, 0)


def test_nothing_is_left_of_a_failed_run(tmp_path: Path) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    (tmp_path / "set").mkdir()
    with pytest.raises(KeyboardInterrupt):
        make_beach(tmp_path / "set", train_videos=1, test_videos=1, clips_per_video=1, workers=1, progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["set"]
    assert not list((tmp_path / "set").iterdir())


def test_exact_functions_are_right() -> None:
    x = np.linspace(-3.0, 3.0, 2001)
    assert np.abs(portable_math.sin_turn(x) - np.sin(2 * np.pi * x)).max() < 1e-7
    assert np.abs(portable_math.cos_turn(x) - np.cos(2 * np.pi * x)).max() < 1e-7
    y = np.linspace(-12.0, 4.0, 2001)
    assert np.abs(portable_math.exp(y) / np.exp(y) - 1.0).max() < 1e-4
    block = np.arange(16.0).reshape(4, 4)
    assert portable_math.box(block, 2).tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_noise_is_smooth_and_periodic() -> None:
    u, v = portable_math.pixel_centres(64, 64, 64)
    a, b = portable_math.two_noises(u * 9.0, v * 9.0)
    c, _ = portable_math.two_noises(u * 9.0 + 32.0, v * 9.0 - 64.0)
    assert np.abs(a - c).max() < 1e-9
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.3
    assert 0.3 < a.std() < 0.6
    # A cell is 7 pixels here: neighbours differ by a small part of the whole range.
    assert np.abs(np.diff(a, axis=1)).max() < 0.8


# What numpy rounds exactly, moves about or counts in integers; all else could differ between machines.
EXACT_NUMPY = {
    "abs",
    "add",
    "any",
    "arange",
    "array",
    "ascontiguousarray",
    "bool_",
    "broadcast_to",
    "clip",
    "complex128",
    "concatenate",
    "empty",
    "flatnonzero",
    "float64",
    "floor",
    "full",
    "full_like",
    "int64",
    "maximum",
    "minimum",
    "ndarray",
    "repeat",
    "sqrt",
    "stack",
    "tile",
    "uint64",
    "uint8",
    "where",
    "zeros",
    "zeros_like",
}
INEXACT_METHODS = {"sum", "mean", "std", "var", "dot", "prod", "cumsum", "trace"}
PAINTERS = ("portable_math", "clouds", "foreground", "sky", "beach", "generate")


def inexact(source: str) -> list[str]:
    """What in a source could give other bits on another machine."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Pow | ast.MatMult):
            found.append("power or matrix product")
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            found += [n for n in names if n.split(".")[0] in {"math", "cmath", "random", "scipy", "torch", "time"}]
            found += [n for n in names if n.startswith("numpy.") and n != "numpy.typing"]
        elif isinstance(node, ast.Attribute):
            of_numpy = isinstance(node.value, ast.Name) and node.value.id == "np"
            if of_numpy and node.attr not in EXACT_NUMPY:
                found.append(f"np.{node.attr}")
            elif not of_numpy and node.attr in INEXACT_METHODS:
                found.append(f".{node.attr}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"sum", "pow"}:
            found.append(node.func.id)
    return found


@pytest.mark.parametrize("module", PAINTERS)
def test_painters_use_exact_arithmetic_only(module: str) -> None:
    folder = Path(next(iter(synthetic.__path__)))
    assert inexact((folder / f"{module}.py").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    ["np.sin(x)", "x ** 2", "x @ y", "x.sum()", "import math", "from numpy.random import rand", "sum(x)", "x **= 2"],
)
def test_the_check_finds_inexact_arithmetic(source: str) -> None:
    assert inexact(source)
