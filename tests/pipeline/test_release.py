"""Small checkpoints of finished trainings: what they hold, that they make the same videos, what is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.data.clips import build_manifest
from bench.engine import checkpoints
from bench.engine.generate import TrainedModel, generate_rows
from bench.engine.model_factory import build
from bench.errors import BenchError
from bench.pipeline import release as releasing
from bench.pipeline.release import HASHES, LIST, Release, release

pytestmark = pytest.mark.heavy

WIDTHS = {"mdgan": 4, "vgan": 4, "rnngan": 4}


def train(folder: Path, model: str, options: Mapping[str, Any], seed: int = 0, gain: float = 12) -> Path:
    """What a finished training leaves, of a model that has not learnt anything but does not make grey videos either."""
    account = {"model": model, "options": options, "resolution": 64, "frames": 32, "seed": seed}
    weights = build(model, options, 64, seed).state_dict()
    for name, value in weights.items():
        if name.endswith("weight") and value.ndim > 1:
            value.mul_(gain)
    path = folder / "model.pt"
    checkpoints.save(path, {**account, "training": {"steps": 7}, "weights": weights})
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoints and the account of a run folder."""
    folder = tmp_path_factory.mktemp("runs") / "sky"
    for model, width in WIDTHS.items():
        train(folder / "checkpoints" / f"{model}-0", model, {"width": width})
    train(folder / "checkpoints" / "copy-0", "copy", {})
    (folder / "run.json").write_text(json.dumps({"config": {"dataset": "sky", "data_root": "/data/sky"}}))
    return folder


@pytest.fixture(scope="module")
def released(run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Release]]:
    """A folder of released checkpoints, and what is said of them."""
    folder = tmp_path_factory.mktemp("release")
    return folder, release([run], folder)


@pytest.fixture
def one_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare videos of one scene in place of one of each kind."""
    frame = next(iter(releasing.first_frames(64)))
    monkeypatch.setattr(releasing, "first_frames", lambda resolution: [frame])


def test_released_files_make_the_same_videos_byte_for_byte(
    released: tuple[Path, list[Release]], run: Path, sky: Path, tmp_path: Path
) -> None:
    folder, made = released
    manifest = build_manifest("sky", sky, ("test",))
    assert [one.model for one in made] == ["mdgan", "rnngan", "vgan"]
    for one in made:
        original = run / "checkpoints" / f"{one.model}-0" / "model.pt"
        ours = generate_rows(TrainedModel(original), tmp_path / "ours", manifest, "cpu")
        generated = generate_rows(TrainedModel(folder / one.file, one.model, 64), tmp_path / "theirs", manifest, "cpu")
        for row, place in ours.items():
            videos = {path.name: path.read_bytes() for path in place.glob("*.png")}
            assert len(set(videos.values())) == len(videos) == 2
            assert videos == {path.name: path.read_bytes() for path in generated[row].glob("*.png")}
            made_by = json.loads((generated[row] / "manifest.json").read_text())["made_by"]
            assert made_by["released"] == {"of": one.of, "precision": "float32"}
        assert one.levels == 0
        assert one.of == hashlib.sha256(original.read_bytes()).hexdigest()


def test_they_hold_what_videos_depend_on_and_nothing_else(released: tuple[Path, list[Release]], run: Path) -> None:
    folder, made = released
    assert [one.file for one in made] == ["sky-mdgan-0.pt", "sky-rnngan-0.pt", "sky-vgan-0.pt"]  # copy has no weights
    for one in made:
        weights = torch.load(folder / one.file, weights_only=True)["weights"]
        assert weights
        assert not [name for name in weights if "discriminator" in name]
        original = run / "checkpoints" / f"{one.model}-0" / "model.pt"
        assert one.bytes == (folder / one.file).stat().st_size < 0.8 * original.stat().st_size
        assert (one.steps, one.trained_on, one.precision) == (7, "sky", "float32")
    lines = dict(reversed(line.split("  ")) for line in (folder / HASHES).read_text().splitlines())
    assert lines == {one.file: hashlib.sha256((folder / one.file).read_bytes()).hexdigest() for one in made}
    assert json.loads((folder / LIST).read_text()) == [vars(one) for one in made]


def test_the_same_release_again_has_the_same_bytes_and_another_joins_the_list(one_frame: None, tmp_path: Path) -> None:
    one = train(tmp_path / "one", "vgan", {"width": 4}, seed=3).parent
    other = train(tmp_path / "other", "vgan", {"width": 4}, seed=4).parent
    [first] = release([one], tmp_path / "r")
    assert (first.file, first.seed, first.trained_on) == ("one.pt", 3, "")
    assert release([one], tmp_path / "r") == [first]
    [second] = release([other], tmp_path / "r")
    assert json.loads((tmp_path / "r" / LIST).read_text()) == [vars(first), vars(second)]


def test_half_precision_is_kept_only_where_videos_stay_within_the_stated_bound(
    one_frame: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(tmp_path / "run", "vgan", {"width": 4}, gain=4).parent
    [whole] = release([run], tmp_path / "whole")
    [half] = release([run], tmp_path / "half", "float16")
    assert half.levels <= releasing.LEVELS
    assert half.bytes < 0.65 * whole.bytes
    model, _ = checkpoints.load_model(tmp_path / "half" / half.file)
    assert {value.dtype for value in model.state_dict().values() if value.is_floating_point()} == {torch.float32}
    monkeypatch.setattr(releasing, "farthest", lambda one, other: 2)
    with pytest.raises(BenchError, match=r"differs by 2 of 255, at most 1 are allowed. Release it in float32"):
        release([run], tmp_path / "refused", "float16")
    with pytest.raises(BenchError, match=r"generates other videos than .*model\.pt: a value differs by 2 of 255\."):
        release([run], tmp_path / "refused")
    assert not list((tmp_path / "refused").iterdir())


def test_models_that_differ_are_told_apart(one_frame: None, tmp_path: Path) -> None:
    paths = [train(tmp_path / str(seed), "vgan", {"width": 4}, seed) for seed in (0, 1)]
    one, other = (checkpoints.load_model(path)[0] for path in paths)
    assert releasing.farthest(one, other) > releasing.LEVELS


def test_what_cannot_be_released_is_said(run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        BenchError, match=r"contains no finished training run\. Give the folder of a finished `bench run`"
    ):
        release([tmp_path], tmp_path / "release")
    with pytest.raises(BenchError, match=r"sky-mdgan-0\.pt would have .* MB, more than the limit of 1\.0 MB.*float16"):
        release([run], tmp_path / "release", largest=1_000_000)
    with pytest.raises(BenchError, match=r"Two checkpoints would be called sky-mdgan-0\.pt"):
        release([run, run], tmp_path / "release")
    with pytest.raises(BenchError, match="float32 or float16, not as 'int8'"):
        release([run], tmp_path / "release", "int8")
    assert not list(tmp_path.rglob("*.pt"))


def test_a_release_that_lacks_a_weight_is_refused_when_it_is_read(
    released: tuple[Path, list[Release]], tmp_path: Path
) -> None:
    folder, made = released
    content = checkpoints.load(folder / made[-1].file)
    content["weights"].pop(next(iter(content["weights"])))
    checkpoints.save(tmp_path / "short.pt", content)
    with pytest.raises(BenchError, match="does not fit the model 'vgan'"):
        checkpoints.load_model(tmp_path / "short.pt")
