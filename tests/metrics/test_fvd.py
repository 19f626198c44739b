from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from bench.errors import BenchError
from bench.metrics.base import UnfitError
from bench.metrics.check_values import random_logits
from bench.metrics.fvd import FVD, PortedFVD
from bench.metrics.kvd import KVD
from bench.metrics.networks.feature_cache import FeatureCache
from bench.metrics.networks.i3d import PORTED_EPSILON
from bench.metrics.networks.i3d_features import I3DFeatures

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def weight_file(i3d_tensors: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "i3d_pretrained_400.pt"
    torch.save(i3d_tensors, path)
    return path


@pytest.fixture(scope="module")
def network(weight_file: Path) -> I3DFeatures:
    return I3DFeatures(weight_file, device="cpu", epsilon=PORTED_EPSILON)


def test_features_are_the_published_logits(network: I3DFeatures, recipe: ModuleType, reference: Path) -> None:
    expected = np.load(reference / "i3d_logits.npz")["logits_16"]
    videos = recipe.videos(16, 3, 16, 64, 64)
    found = network.features(videos)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)
    np.testing.assert_array_equal(network.features(videos[1:2]), found[1:2])
    np.testing.assert_array_equal(network.features(list(videos[::-1])), found[::-1])


@pytest.mark.parametrize("threads", [2, 3])
def test_no_bit_depends_on_the_number_of_threads(
    threads: int, network: I3DFeatures, recipe: ModuleType, real_data: Path
) -> None:
    paths = sorted((real_data / "sky_timelapse").rglob("*.jpg"))[:9]
    photographs = np.stack([np.asarray(Image.open(path).convert("RGB").resize((64, 64))) for path in paths])
    clips = [photographs, photographs[:, ::-1], *recipe.videos(3, 1, 9, 21, 35)]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = network.each(clips)
        torch.set_num_threads(threads)
        np.testing.assert_array_equal(network.each(clips), alone)
    finally:
        torch.set_num_threads(before)


def test_features_are_kept_by_content_and_weights(
    weight_file: Path, recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = recipe.videos(5, 2, 9, 16, 16)
    first = I3DFeatures(weight_file, device="cpu", cache=tmp_path)
    found = first.features(videos)
    assert len(list(tmp_path.rglob("*.npy"))) == 2

    computed = []
    plain = I3DFeatures._clip
    monkeypatch.setattr(I3DFeatures, "_clip", lambda self, clip: computed.append(clip) or plain(self, clip))
    second = I3DFeatures(weight_file, device="cpu", cache=tmp_path)
    np.testing.assert_array_equal(second.features(videos), found)
    assert not computed

    changed = videos.copy()
    changed[1, -1, -1, -1, -1] ^= 1
    second.features(changed)
    assert len(computed) == 1

    tensors = torch.load(weight_file, weights_only=True)
    tensors["logits.conv3d.bias"] = tensors["logits.conv3d.bias"] + 1
    other_file = tmp_path / "i3d_pretrained_400.pt"
    torch.save(tensors, other_file)
    other = I3DFeatures(other_file, device="cpu", cache=tmp_path).features(videos)
    np.testing.assert_allclose(other, found + 1, atol=1e-4)


def test_a_cut_cache_file_is_computed_again(tmp_path: Path) -> None:
    cache, clip = FeatureCache(tmp_path, "x"), np.zeros((2, 3, 3, 3), np.uint8)
    cache.put(clip, np.ones((1, 4), np.float32))
    kept = cache.get(clip)
    assert kept is not None
    np.testing.assert_array_equal(kept, np.ones((1, 4)))
    cache.path(clip).write_bytes(cache.path(clip).read_bytes()[:-4])
    assert cache.get(clip) is None
    assert FeatureCache(tmp_path, "y").path(clip) != cache.path(clip)
    assert cache.path(clip.reshape(2, 9, 1, 3)) != cache.path(clip)


def test_the_metric_end_to_end_with_weights_that_are_not_the_published_ones(
    weight_file: Path, recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(weight_file.parent))
    metric = FVD(device="cpu", cache=tmp_path)
    assert metric.unavailable() is None
    assert "i3d_kinetics_400 sha256:" in metric.weights_id()
    assert "not the published weights" in metric.weights_id()
    real, other = recipe.videos(1, 4, 9, 24, 24), recipe.videos(2, 3, 9, 24, 24)
    features = metric.features(list(real)), metric.features(list(other))
    assert [part.shape for part in features[1]] == [(1, 400)] * 3
    assert metric.distance(features[0], features[0]) < 1e-6
    assert metric.distance(*features) > 0.1


def test_the_styleganv_export_is_accepted_and_named(tmp_path: Path, recipe: ModuleType) -> None:
    class Export(torch.nn.Module):
        """Has the call of the published export; returns what shows how it was called."""

        def forward(
            self, x: torch.Tensor, rescale: bool = True, resize: bool = True, return_features: bool = True
        ) -> torch.Tensor:
            value = x.mean() + (1000.0 if rescale else 0.0) + (10000.0 if resize else 0.0)
            return value * torch.ones(x.shape[0], 400)

    path = tmp_path / "i3d_torchscript.pt"
    torch.jit.save(torch.jit.script(Export()), path)
    network = I3DFeatures(path, device="cpu")
    assert "TorchScript export of StyleGAN-V" in network.identity
    videos = recipe.videos(1, 2, 9, 16, 16)
    np.testing.assert_allclose(network.features(videos)[:, 0], 11000 + videos.mean((1, 2, 3, 4)), rtol=1e-5)
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setenv("BENCH_WEIGHTS_DIR", str(tmp_path))
        assert "StyleGAN-V" in FVD(device="cpu").weights_id()
    with pytest.raises(BenchError, match="only `fvd` can use it"):
        PortedFVD(path, device="cpu").weights_id()


def test_without_weights_the_metric_says_why_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(tmp_path))
    reason = FVD().unavailable()
    assert reason is not None
    assert "bench weights fetch fvd" in str(reason)
    assert "i3d_kinetics_400.pt" in str(reason)
    with pytest.raises(BenchError, match="bench weights fetch fvd"):
        FVD().features([np.zeros((9, 8, 8, 3), np.uint8)])


def test_unusable_clips_are_refused(network: I3DFeatures) -> None:
    with pytest.raises(UnfitError, match="at least 9"):
        network.features(np.zeros((1, 8, 16, 16, 3), np.uint8))
    with pytest.raises(BenchError, match="uint8"):
        network.features(np.zeros((1, 9, 16, 16, 3), np.float32))  # type: ignore[arg-type]
    assert network.features(np.zeros((0, 9, 16, 16, 3), np.uint8)).shape == (0, 400)


def test_the_clips_of_the_check_value_are_numpys(network: I3DFeatures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "logits", lambda x: x[..., ::56, ::56].flatten(1))
    for seed, found in enumerate(random_logits(network, 2), start=1):
        videos = np.random.RandomState(seed).rand(2, 16, 224, 224, 3).astype(np.float32)
        expected = videos.transpose(0, 4, 1, 2, 3)[..., ::56, ::56].reshape(2, -1)
        np.testing.assert_array_equal(found, expected)


def test_fvd_and_kvd_run_the_network_once(
    weight_file: Path, recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = []
    plain = I3DFeatures._clip
    monkeypatch.setattr(I3DFeatures, "_clip", lambda self, clip: computed.append(clip) or plain(self, clip))
    fvd, kvd, ported = (kind(weight_file, "cpu", cache=tmp_path) for kind in (FVD, KVD, PortedFVD))
    assert fvd.network() is kvd.network()
    assert fvd.features_id() == kvd.features_id() != ported.features_id()
    videos = list(recipe.videos(1, 3, 9, 16, 16))
    found = fvd.features(videos)
    np.testing.assert_array_equal(kvd.features(videos), found)
    assert len(computed) == 3
    assert np.abs(np.subtract(ported.features(videos[:1]), found[:1])).max() > 1e-3
    assert len(computed) == 4


def test_features_are_kept_in_memory_where_the_cache_cannot_be_written_to(
    weight_file: Path,
    recipe: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("where a folder is due")
    computed = []
    plain = I3DFeatures._clip
    monkeypatch.setattr(I3DFeatures, "_clip", lambda self, clip: computed.append(clip) or plain(self, clip))
    videos = list(recipe.videos(1, 2, 9, 16, 16))
    found = FVD(weight_file, "cpu", cache=tmp_path / "file").features(videos)
    again = KVD(weight_file, "cpu", cache=tmp_path / "file").features(videos)
    np.testing.assert_array_equal(found, again)
    assert len(computed) == 2
    assert capsys.readouterr().err.count("Features are not cached") == 1
