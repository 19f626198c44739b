"""ColorVideoVDP's own example clips, scored by our metric, beside what its README prints: 8.89, 6.59 and 5.68 JOD.

Usage: `python -m tests.manual.cvvdp_readme FOLDER` in the root of a clone, some minutes a clip. FOLDER is
`example_media/structure` of the repository gfxdisp/ColorVideoVDP; a clip that is not there is left out. It needs
ffmpeg. The clips name no matrix of their colours. With BT.709 the printed numbers come out; with what ffmpeg guesses,
BT.601, "wb" is 5.56 JOD.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.metrics.cvvdp import ColorVideoVDP

#: JOD by clip, from its README.
PRINTED = {"noise": 8.89, "sat": 6.59, "wb": 5.68}
HEIGHT, WIDTH, RATE = 720, 1280, 25
#: Two decimals are printed, and frames are rounded to 8 bits of RGB here.
TOLERANCE = 0.02


def frames(path: Path) -> NDArray[np.uint8]:
    """The frames of an example clip, `[T, 720, 1280, 3]`."""
    matrix = "scale=in_color_matrix=bt709:flags=accurate_rnd+full_chroma_int"
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-vf", matrix, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, HEIGHT, WIDTH, 3)


def main(folder: Path) -> int:
    """Print both numbers of each clip; 1 where they differ, or where there is no clip."""
    reference, metric, apart = frames(folder / "ferris-ref.mp4"), ColorVideoVDP("standard_fhd", RATE), []
    for name, printed in PRINTED.items():
        path = folder / f"ferris-test-{name}.mp4"
        if not path.exists():
            print(f"{name}: not there")
            continue
        jod = metric.clip(metric.compute(frames(path), reference))
        apart.append(abs(jod - printed))
        print(f"{name}: {jod:.3f} JOD, printed {printed}", flush=True)
    return int(not apart or max(apart) > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
