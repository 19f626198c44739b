from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
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
    assert set(table.index) == {"mse", "psnr", "psnr_frame", "ssim", "motion"}  # extras must be named


def test_several_rows_and_values_per_clip(videos: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, real = videos
    table = bench.evaluate({"noisy": predicted, "real": real}, real, ["mse"], per_clip=True, frames="future")
    assert len(table) == 6
    assert (table[table["row"] == "real"]["value"] == 0).all()
    later = ((predicted[1, 1:] / 255.0 - real[1, 1:] / 255.0) ** 2).mean()
    assert table[table["row"] == "noisy"]["value"].iloc[1] == pytest.approx(later)


def test_predictions_may_lack_the_given_frames(videos: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, real = videos
    whole = bench.evaluate(predicted, real, ["mse", "ssim"], context=10)
    with pytest.warns(UserWarning, match="3 of 3 videos contain only the 6 frames after the context"):
        future = bench.evaluate(predicted[:, 10:], real, ["mse", "ssim"], context=10)
    assert list(future["value"]) == list(whole["value"])
    with pytest.raises(BenchError, match="pass predictions of 16 frames or the 6 after the context"):
        bench.evaluate(predicted[:, 8:], real, ["mse"], context=10)


def test_arrays_that_do_not_fit_get_a_sentence(videos: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, real = videos
    with pytest.raises(BenchError, match=r"predicted is float64 \[3, 16, 32, 32, 3\]"):
        bench.evaluate(predicted / 255.0, real)
    with pytest.raises(BenchError, match="predicted has 2 clips but real has 3"):
        bench.evaluate(predicted[:2], real)
    with pytest.raises(BenchError, match="Did you mean 'ssim'"):
        bench.evaluate(predicted, real, ["sim"])
    with pytest.raises(BenchError, match="predicted has 15 frames but real has 16"):
        bench.evaluate(predicted[:, 1:], real)
    with pytest.raises(BenchError, match="is empty"):
        bench.evaluate(predicted[:0], real[:0])
    with pytest.raises(BenchError, match="predicted is 16×32 pixels but the real clips are 32×32"):
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


def openstl(predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """MSE and PSNR as OpenSTL's `core/metrics.py` defines them, of floats in [0, 1], `[N, T, C, H, W]`.

    MSE sums the squared errors of a frame over channels, rows and columns, and averages these sums over clips and
    frames. PSNR is 20·log10(1 / sqrt(mean squared error)) of each frame, averaged over all frames of all clips.
    """
    squared = (predicted - true) ** 2
    psnr = [20 * np.log10(1 / np.sqrt(frame.mean())) for frame in squared.reshape(-1, *squared.shape[2:])]
    return {"mse": float(squared.mean(axis=(0, 1)).sum()), "psnr": float(np.mean(psnr))}


@pytest.mark.parametrize("channels", [1, 3])
def test_openstl_prints_our_mse_times_the_pixels_and_our_psnr_by_frame(
    channels: int, videos: tuple[np.ndarray, np.ndarray]
) -> None:
    predicted, real = (clips[..., :channels].transpose(0, 1, 4, 2, 3) / 255.0 for clips in videos)
    theirs = openstl(predicted, real)
    ours = bench.evaluate(
        predicted.astype(np.float32), real.astype(np.float32), ["mse", "psnr_frame"], value_range=(0, 1)
    ).set_index("metric")["value"]
    assert ours["mse"] * channels * 32 * 32 == pytest.approx(theirs["mse"], rel=1e-9)
    assert ours["psnr_frame"] == pytest.approx(theirs["psnr"], rel=1e-9)


def test_floats_that_lie_between_two_grey_levels_are_rounded(videos: tuple[np.ndarray, np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    real = videos[1].transpose(0, 1, 4, 2, 3) / 255.0
    predicted = np.clip(real + rng.normal(0, 0.1, real.shape), 0, 1)
    theirs = openstl(predicted, real)
    ours = bench.evaluate(predicted, real, ["mse", "psnr_frame"], value_range=(0, 1)).set_index("metric")["value"]
    assert ours["mse"] * 3 * 32 * 32 == pytest.approx(theirs["mse"], rel=1e-3)  # 1/(12·255²) for each value
    assert ours["mse"] * 3 * 32 * 32 != pytest.approx(theirs["mse"], rel=1e-9)
    assert ours["psnr_frame"] == pytest.approx(theirs["psnr"], abs=1e-2)


@pytest.mark.parametrize("order", ["channels first", "grey", "frames first"])
def test_every_axis_order_gives_the_same_numbers(order: str, videos: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, real = videos
    if order == "grey":
        predicted, real = (np.repeat(clips[..., :1], 3, -1) for clips in videos)
    expected = bench.evaluate(predicted, real, ["mse", "ssim"])
    axes = ""
    if order == "grey":
        predicted, real = predicted[..., 0], real[..., 0]
    elif order == "channels first":
        predicted, real = predicted.transpose(0, 1, 4, 2, 3), real  # sides may differ
    else:
        predicted, real, axes = predicted.swapaxes(0, 1), real.swapaxes(0, 1), "TNHWC"
    found = bench.evaluate(predicted, real, ["mse", "ssim"], axes=axes)
    assert list(found["value"]) == list(expected["value"])
    assert list(found["protocol"]) == list(expected["protocol"])


def test_what_is_no_array_of_videos_gets_a_sentence(videos: tuple[np.ndarray, np.ndarray]) -> None:
    _, real = videos
    for predicted, sentence in (
        (list(real), "predicted is a list: expected a NumPy array of videos; make one with numpy.stack"),
        ("preds", "predicted is a str: expected a NumPy array"),
        (np.ma.masked_array(real, real > 9), "predicted is a masked array"),
        (
            torch.from_numpy(real),
            r"predicted is a torch.Tensor: expected a NumPy array of videos; convert it with tensor.cpu\(\).numpy",
        ),
        ({}, "predicted is an empty dictionary"),
        ({"real-halves": real}, "A method is called 'real-halves'"),
        ({"": real}, "A method is called ''"),
        (real.astype(np.float32), r"value_range=\(0, 1\)"),
    ):
        with pytest.raises(BenchError, match=sentence):
            bench.evaluate(predicted, real)
    with pytest.raises(BenchError, match="real is a list"):
        bench.evaluate(real, list(real))
    for wrong in ((1, 0), 1, (0, "a"), (0, 1, 2)):
        with pytest.raises(BenchError, match="two numbers, the values of black and white"):
            bench.evaluate(real, real, value_range=wrong)


def test_videos_that_are_not_what_is_meant_are_noted_and_warned_of(videos: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, real = videos
    ones = (real / 255).round().astype(np.uint8)
    with pytest.warns(UserWarning, match="predicted: no value is above 1 of 255"):
        table = bench.evaluate(ones, real, ["mse"])
    assert any("predicted: no value is above 1" in note for note in table.attrs["notes"])
    with pytest.warns(UserWarning, match="Real clips: no value is above 1 of 255"):
        bench.evaluate(ones, ones, ["mse"])
    with pytest.warns(UserWarning, match="predicted: the first frame is below 20 dB of the real one in 3 of 3 clips"):
        bench.evaluate(255 - predicted, real, ["mse"])
    with pytest.warns(UserWarning, match=r"the stated range -1,1; check that the range is right"):
        bench.evaluate(predicted / 255.0, real, ["mse"], value_range=(-1, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bench.evaluate(predicted, real, ["mse"]).attrs["notes"] == []
