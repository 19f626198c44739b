from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.errors import BenchError
from bench.metrics.fid import FID, InceptionFeatures, inception
from bench.metrics.networks import weights_catalog
from bench.speed.metrics import random_inception

pytestmark = pytest.mark.heavy

pytest.importorskip("pytorch_fid", reason="the package pytorch_fid is not installed")


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (9, 40, 40, 3), dtype=np.uint8)


def test_features_are_those_of_the_package(frames: np.ndarray) -> None:
    network = random_inception()
    with torch.no_grad():
        x = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
        expected = network(x)[0].flatten(1).numpy()
    ours = InceptionFeatures(network, device="cpu")
    found = ours.features(frames)
    assert found.shape == (9, 2048)
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_array_equal(ours.features(frames), found)


def test_other_tensors_are_refused_and_the_package_is_left_as_it_was() -> None:
    from pytorch_fid import inception as package

    loader = package.load_state_dict_from_url
    with pytest.raises(BenchError, match="not weights of the Inception network"):
        inception({"something": torch.zeros(1)})
    assert package.load_state_dict_from_url is loader


def test_without_weights_the_metric_says_why_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(tmp_path))
    assert "bench weights fetch fid" in str(FID().unavailable())
    with pytest.raises(BenchError, match="bench weights fetch fid"):
        FID(cache=tmp_path).features([np.zeros((2, 8, 8, 3), np.uint8)])


def test_features_are_loaded_once_and_kept(frames: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pt_inception-2015-12-05-6726825d.pth"
    torch.save({"x": torch.zeros(1)}, path)
    built = []
    monkeypatch.setattr("bench.metrics.fid.inception", lambda tensors: built.append(1) or random_inception())
    metric = FID(path, device="cpu", cache=tmp_path)
    clips = [frames[:3], frames[3:5]]
    first = metric.features(clips)
    assert [part.shape for part in first] == [(3, 2048), (2, 2048)]
    again = metric.features(clips[::-1])
    np.testing.assert_array_equal(again[1], first[0])
    assert len(built) == 1
    assert metric.distance(first, first) <= 1e-6 * np.concatenate(first).var(0).sum()
    assert "not the published weights" in metric.weights_id()


def test_the_published_network_gives_the_packages_distance(frames: np.ndarray) -> None:
    found = weights_catalog.verify("fid")
    if found.state != "published":
        pytest.skip(f"needs the published weights: {found.message}")
    from pytorch_fid.fid_score import calculate_frechet_distance

    features = InceptionFeatures(inception(weights_catalog.load_tensors(found.path)), device="cpu").features(frames)
    one, other = features[:5].astype(np.float64), features[4:].astype(np.float64)
    statistics = [value for side in (one, other) for value in (side.mean(0), np.cov(side, rowvar=False))]
    assert FID().distance([one], [other]) == pytest.approx(calculate_frechet_distance(*statistics), rel=1e-3)
