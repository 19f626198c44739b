"""Print what grows with the number of clips, as Markdown: `python -m tests.manual.scale`, some minutes of one core.

Manifests are generated, as long as a real one's lines are; frames are not needed for anything here.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.batches import clip_numbers
from bench.data.clips import Clip, Manifest, by_file, sample, with_validation
from bench.data.packed_clips import pack_path, shape
from bench.metrics.mse import MSE
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import ScoredClips
from bench.scoring.summary import rank, summarise
from tests.support.processes import Forked

#: A tenth of Sky Scene's training clips, all of them, ten times as many; and as many test clips as may go with them.
CLIPS = (3_500, 35_000, 350_000)
SHARE_OF_TEST = 10
#: Clips of a short video and short videos of a long one, about as in Sky Scene.
CLIPS_A_SHORT, SHORTS_A_LONG = 12, 3


def make_clip(number: int) -> Clip:
    """A clip with names as long as Sky Scene's; clips of one short video are cut from its frames."""
    short, within = divmod(number, CLIPS_A_SHORT)
    long = short // SHORTS_A_LONG
    first = within * 32
    return Clip(
        id=f"long_video_{long:05d}__short_{short:06d}__{within:03d}",
        video=f"long_video_{long:05d}",
        split="train",
        path=f"sky_train/long_video_{long:05d}/short_{short:06d}",
        start=first,
        names="/".join(f"{t:02d}_frame{first + t:06d}.jpg" for t in range(32)),
        sha256=f"{number:064x}",
    )


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """How many seconds of a core a call takes, and what it returns."""
    begun = time.process_time()
    result = call()
    return time.process_time() - begun, result


def peak_megabytes() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def measure_manifest(count: int, folder: str) -> None:
    """Print how long a manifest of so many clips takes to write, read, split and name, and how much memory it has."""
    path = Path(folder) / "clips.jsonl"
    before = peak_megabytes()
    made = Manifest("sky", Path("/data"), tuple(with_validation([make_clip(number) for number in range(count)])))
    saved, _ = seconds(lambda: made.save(path))
    loaded, manifest = seconds(lambda: Manifest.load(path))
    train = manifest.split("train")
    named, _ = seconds(lambda: pack_path(train, 64, Path("cache")))
    grouped, _ = seconds(lambda: by_file(train))
    chosen, _ = seconds(lambda: sample(train, 1000))
    steps = 20
    drawn, _ = seconds(lambda: [clip_numbers(len(train), 16, 0, step * 1000) for step in range(steps)])
    gigabytes = [count * int(np.prod(shape(1, side))) / 1e9 for side in (64, 128)]
    print(
        f"| {count:,} | {path.stat().st_size / 1e6:.1f} | {saved:.2f} | {loaded:.2f} | {named:.2f} | "
        f"{chosen + grouped:.2f} | {1000 * drawn / steps:.1f} | {peak_megabytes() - before:.0f} | "
        f"{gigabytes[0]:.1f} | {gigabytes[1]:.1f} |"
    )


def measure_scores(count: int) -> None:
    """Print how long the summary and the ranking of five rows of one metric take over so many test clips."""
    before = peak_megabytes()
    clips = [make_clip(number) for number in range(count)]
    ids = [clip.id for clip in clips]
    rng = np.random.default_rng(0)
    metric = MSE()
    rows = [f"row{number}" for number in range(5)]
    frames = {
        (row, 0, id): {"mse": values}
        for number, row in enumerate(rows)
        for id, values in zip(ids, rng.gamma(2, 0.01 * (1 + number), (count, 32)), strict=True)
    }
    protocol = Protocol("sky", 64, "all", count, "0" * 64, False, {})
    scored = ScoredClips(ids, {clip.id: clip.video for clip in clips}, frames)
    summed, _ = seconds(lambda: summarise(scored, [metric], protocol))
    ranked, _ = seconds(lambda: rank(scored, metric, protocol))
    videos = len({clip.video for clip in clips})
    print(f"| {count:,} | {videos:,} | {summed:.2f} | {ranked:.2f} | {peak_megabytes() - before:.0f} |")


def alone(call: Callable[..., None], *arguments: object) -> None:
    """Call in a process of its own, whose memory has held nothing else, and print what it prints."""
    with tempfile.TemporaryDirectory() as output:
        done = Forked(Path(output), call, *arguments).wait(3600)
    if done.returncode:
        sys.exit(done.stderr)
    print(done.stdout, end="", flush=True)


def main() -> None:
    """Print both tables."""
    heads = "clips | manifest (MB) | write (s) | read (s) | pack's name (s) | sample, group (s) | draw a batch (ms) | "
    heads += "memory (MB) | pack at 64 px (GB) | at 128 px (GB)"
    print(f"| {heads} |\n|{'--:|' * 10}", flush=True)
    for count in CLIPS:
        with tempfile.TemporaryDirectory() as folder:
            alone(measure_manifest, count, folder)
    print(f"\n| test clips | videos | summary (s) | ranking (s) | memory (MB) |\n|{'--:|' * 5}", flush=True)
    for count in CLIPS:
        alone(measure_scores, count // SHARE_OF_TEST)


if __name__ == "__main__":
    main()
