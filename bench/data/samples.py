"""Several samples per clip: which of a folder's videos are samples of one clip, in the common layouts.

- files or frame folders `ID@0`, `ID@1`, …; sample 0 may also be called `ID` (as in our own predictions),
- a folder `ID/` with one video or frame folder per sample: `ID/0.mp4`, `ID/1.mp4`, …,
- one array per clip with a leading axis of samples: uint8 `[K, T, H, W, 3]` in `ID.npy` or `ID.npz`.

Names are interpreted together with the test clips' ids: `ID@3` is a sample only if no test clip has exactly that name.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from bench.data.predictions import Predictions
from bench.data.readers.arrays import sample_count
from bench.errors import BenchError

#: Name of a sample: the name of its clip, and a number.
NAMED = re.compile(r"(?P<id>.+)@(?P<number>\d+)")
#: A file or frame folder, and the index in it if it is an array of several samples.
Video = tuple[Path, int | None]


def sample_name(id: str, sample: int) -> str:
    """Name of a clip's sample in a folder of predictions.

    >>> sample_name("v100", 0), sample_name("v100", 3)
    ('v100', 'v100@3')
    """
    return f"{id}@{sample}" if sample else id


def sampled(predictions: Predictions, test_ids: Collection[str], most: int | None = None) -> list[Predictions]:
    """Split predictions by sample, all with the same clip ids; a list of one if each clip has one video.

    If clips have different numbers of samples, the later samples lack some clips.

    Args:
        predictions: predictions of one method and training run.
        test_ids: ids of all test clips.
        most: how many samples of each clip to use, the first ones; all by default. One video per clip is always enough.

    Raises:
        BenchError: there are fewer samples than requested, or one sample appears twice.
    """
    found = _samples(predictions, test_ids)
    numbers = sorted({number for videos in found.values() for number in videos})
    if numbers == [0] and not predictions.nested and set(found) == set(predictions.ids):
        return [predictions]
    if most is not None and 1 < len(numbers) < most:
        raise BenchError(
            f"{predictions.folder} has {len(numbers)} samples per clip, but --samples asks for {most}. Generate "
            f"more, or give --samples {len(numbers)}."
        )
    return [
        predictions.sample(number, {id: videos[number] for id, videos in found.items() if number in videos})
        for number in numbers[:most]
    ]


def _samples(predictions: Predictions, test_ids: Collection[str]) -> dict[str, dict[int, Video]]:
    """Videos by clip id and sample number."""
    found: dict[str, dict[int, Video]] = {}

    def add(id: str, number: int, video: Video) -> None:
        if number in (of_clip := found.setdefault(id, {})):
            twice = f"as {of_clip[number][0].name} and as {video[0].name}"
            raise BenchError(
                f"Sample {number} of the clip {id} appears twice in {predictions.folder}, {twice}: keep one of them."
            )
        of_clip[number] = video

    for id in predictions.ids:
        path, named = predictions.path(id), NAMED.fullmatch(id)
        if named and id not in test_ids and named["id"] in test_ids:
            add(named["id"], int(named["number"]), (path, None))
        elif several := sample_count(path):
            for number in range(several):
                add(id, number, (path, number))
        else:
            add(id, 0, (path, None))
    for id, paths in predictions.nested.items():
        for number, path in paths.items():
            add(id, number, (path, None))
    return found
