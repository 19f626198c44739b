"""cd-fvd's own example, with our logits, beside what it prints: 3383.9646 (its author) and 3383.9670 (issue 2).

Usage: `python -m tests.manual.cdfvd_readme FOLDER` in the root of a clone, half a minute. FOLDER is `files` of the
repository content-debiased-fvd/content-debiased-fvd.github.io: `example_videos` and the moments of UCF-101's features.
The videos have 16 frames, as many as are read, so nothing is drawn. cd-fvd repeats them until there are 2,048, divides
covariances by N, and enlarges them to its own default of 256 pixels. The same folder gives 1064.6156 with VideoMAE.
That number is not checked: its network is not one of ours.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray

from bench.data.predictions import Predictions
from bench.metrics.fvd import PortedFVD

PRINTED = 3383.9646
#: Two machines of theirs differ by 7e-7.
TOLERANCE = 2e-6


class Arrays(pickle.Unpickler):
    """Reads NumPy arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """What an array is made of; anything else is refused."""
        if module.partition(".")[0] != "numpy" or name not in ("_reconstruct", "ndarray", "dtype"):
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return super().find_class(module, name)


def real_moments(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean `[400]` and covariance `[400, 400]` of the logits of 13,320 real videos."""
    with path.open("rb") as file:
        stored = Arrays(file).load()
    mean = stored["raw_mean"] / stored["num_items"]
    return mean, stored["raw_cov"] / stored["num_items"] - np.outer(mean, mean)


def as_they_decode(path: Path) -> NDArray[np.uint8]:
    """The frames of a video by PyAV's default conversion, `[T, 128, 128, 3]`."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_rgb().to_ndarray() for frame in container.decode(video=0)])


def enlarged(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Frames at cd-fvd's default of 256 pixels; values are cut off, not rounded."""
    values = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
    values = torch.nn.functional.interpolate(values, size=(256, 256), mode="bilinear", antialias=True)
    return (values.permute(0, 2, 3, 1) * 255).byte().numpy()


def distance(videos: list[NDArray[np.uint8]], real: tuple[NDArray[np.float64], NDArray[np.float64]]) -> float:
    """cd-fvd's distance of our logits of the videos, with covariances over N."""
    logits = np.float64(np.concatenate(PortedFVD(device="cpu").features(videos)))
    mean, covariance = logits.mean(axis=0), np.cov(logits, rowvar=False, bias=True)
    root = scipy.linalg.sqrtm(real[1] @ covariance)
    return float(np.square(real[0] - mean).sum() + np.trace(covariance + real[1] - 2 * np.real(root)))


def main(folder: Path) -> int:
    """Print the numbers; 1 where ours differs from theirs."""
    real = real_moments(folder / "i3d_ucf101_full_res128_len16_skip1_seed0.pkl")
    paths = sorted((folder / "example_videos").glob("*.mp4"))
    found = distance([enlarged(as_they_decode(path)) for path in paths], real)
    print(f"decoded as by cd-fvd: {found:.4f}, printed {PRINTED}", flush=True)
    read = Predictions(folder / "example_videos")
    print(f"decoded as by bench: {distance([enlarged(read.read(path.stem)) for path in paths], real):.4f}")
    return int(abs(found / PRINTED - 1) > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
