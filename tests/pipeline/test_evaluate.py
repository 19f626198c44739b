from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

import bench
from bench.errors import BenchError
from tests.support.small import moving_clip


@pytest.fixture(scope="module")
def videos() -> tuple[np.ndarray, np.ndarray]:
    real = np.stack([moving_clip(n, 16, 32) for n in range(3)])
    noise = np.random.default_rng(0).integers(-20, 21, real.shape)
    return np.clip(real + noise, 0, 255).astype(np.uint8), real


def test_arrays_in_data_frame_out(videos: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, real = videos
    table = bench.evaluate(predicted, real).set_index("metric")
    assert table.loc["mse", "value"] == pytest.approx(((predicted / 255.0 - real / 255.0) ** 2).mean())
    by_hand = [
        structural_similarity(
            p, r, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=-1
        )
        for p, r in zip(predicted.reshape(-1, 32, 32, 3), real.reshape(-1, 32, 32, 3), strict=True)
    ]
    assert table.loc["ssim", "value"] == pytest.approx(np.mean(by_hand), abs=5e-6)
    assert set(table.columns) >= {"row", "ci_low", "ci_high", "clips", "protocol"}


def test_several_rows_and_values_per_clip(videos: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, real = videos
    table = bench.evaluate({"noisy": predicted, "real": real}, real, ["mse"], per_clip=True, frames="future")
    assert len(table) == 6
    assert (table[table["row"] == "real"]["value"] == 0).all()
    later = ((predicted[1, 1:] / 255.0 - real[1, 1:] / 255.0) ** 2).mean()
    assert table[table["row"] == "noisy"]["value"].iloc[1] == pytest.approx(later)


def test_arrays_that_do_not_fit_get_a_sentence(videos: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, real = videos
    with pytest.raises(BenchError, match=r"predicted is float64 \[3, 16, 32, 32, 3\]"):
        bench.evaluate(predicted / 255.0, real)
    with pytest.raises(BenchError, match="predicted has 2 clips where 3 are real"):
        bench.evaluate(predicted[:2], real)
    with pytest.raises(BenchError, match="Did you mean 'ssim'"):
        bench.evaluate(predicted, real, ["sim"])
    with pytest.raises(BenchError, match="predicted has 15 frames where 16 are real"):
        bench.evaluate(predicted[:, 1:], real)
    with pytest.raises(BenchError, match="is empty"):
        bench.evaluate(predicted[:0], real[:0])
    with pytest.raises(BenchError, match="predicted is 16×32 pixels where the real clips are 32×32"):
        bench.evaluate(predicted[:, :, :, :16], real)
    with pytest.raises(AttributeError):
        bench.no_such_thing  # noqa: B018


def test_arrays_that_are_not_square_are_scored_as_they_are() -> None:
    real = np.random.default_rng(0).integers(0, 256, (2, 4, 40, 64, 3), dtype=np.uint8)
    predicted = real.copy()
    predicted[:, :, :, ::2] = 0
    table = bench.evaluate(predicted, real, ["mse", "ssim"]).set_index("metric")
    assert table.loc["mse", "value"] == pytest.approx(((predicted / 255.0 - real / 255.0) ** 2).mean(), abs=1e-12)
    by_hand = [
        structural_similarity(
            p, r, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=-1
        )
        for p, r in zip(predicted.reshape(-1, 40, 64, 3), real.reshape(-1, 40, 64, 3), strict=True)
    ]
    assert table.loc["ssim", "value"] == pytest.approx(np.mean(by_hand), abs=1e-9)
    assert "/64x40px/" in table.loc["mse", "protocol"]
    squares = bench.evaluate(predicted, real, ["mse"], resolution=32).set_index("metric")
    assert "/32px/" in squares.loc["mse", "protocol"]


def test_rows_keep_their_names(videos: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, real = videos
    names = ["NA", "001", "run#3", "中文"]
    for per_clip in (False, True):
        table = bench.evaluate(dict.fromkeys(names, predicted), real, ["mse"], per_clip=per_clip)
        assert list(dict.fromkeys(table["row"])) == names


def test_metrics_may_be_one_text_with_commas() -> None:
    still = np.zeros((1, 16, 32, 32, 3), np.uint8)
    assert list(bench.evaluate(still, still, "mse, ssim")["metric"]) == ["mse", "ssim"]
    with pytest.raises(BenchError, match=r"no metric 'MSE'\. Did you mean 'mse'\?"):
        bench.evaluate(still, still, "MSE")


def test_several_samples_of_each_clip_have_an_axis_of_their_own() -> None:
    real = np.stack([moving_clip(n, 4, 32) for n in range(3)])
    drawn = np.stack([[moving_clip(10 * n + k, 4, 32) for k in range(1, 5)] for n in range(3)])
    apart = [bench.evaluate(drawn[:, k], real, "mse", per_clip=True)["value"] for k in range(4)]
    values = np.array(apart)  # [K, N]
    table = bench.evaluate({"drawn": drawn, "first": drawn[:, 0]}, real, "mse")
    assert table.loc[0, "value"] == pytest.approx(values.mean(), rel=1e-12)
    assert table.loc[1, "value"] == pytest.approx(values[0].mean(), rel=1e-12)
    assert table.loc[0, "protocol"].endswith("/4samples")
    best = [line["value"] for line in table.attrs["samples"] if line["statistic"] == "best"]
    assert best[-1] == pytest.approx(values.min(axis=0).mean(), rel=1e-12)
    assert best == sorted(best, reverse=True)
    with pytest.raises(BenchError, match=r"real is uint8 \[3, 4, 4, 32, 32, 3\]"):
        bench.evaluate(real, drawn, "mse")
