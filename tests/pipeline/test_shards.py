from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data.predictions import Predictions
from bench.data.reference_folder import reference_manifest
from bench.errors import BenchError
from bench.metrics.base import Frames, SetMetric
from bench.metrics.frechet import frechet_distance
from bench.metrics.networks.feature_cache import FeatureCache, Features, through_cache
from bench.metrics.ssim import SSIM
from bench.pipeline.shards import Shard, fill
from bench.registry import METRICS
from bench.runfolder import RunFolder
from bench.scoring.pairing import Row
from bench.scoring.score import score
from bench.scoring.scoring_plan import ScoringPlan
from tests.support.processes import Forked, command, die_at, run_command
from tests.support.small import moving_clip

IDS = [f"clip{n:02d}" for n in range(9)]
PLAN = ScoringPlan(32, ("mse", "psnr", "psnr_frame", "ssim", "motion", "shade"), length=8)
#: What has to be equal to the last byte.
OUTPUTS = ("summary.csv", "scores/per_frame.csv", "scores/per_clip.csv", "scores/differences.csv")


class Shade(SetMetric):
    """Fréchet distance of mean colours, through the cache of features as a network's."""

    name = "shade"
    direction = "lower"
    range = "≥ 0"
    definition = "Fréchet distance of mean colours"
    dimension = 3
    per_frame = True
    folder = Path()

    def features(self, clips: Sequence[Frames]) -> list[Features]:
        return through_cache(clips, FeatureCache(self.folder, "shade"), self.computed)

    def computed(self, clips: list[Frames]) -> list[Features]:
        return [clip.mean(axis=(1, 2)).astype(np.float32) for clip in clips]

    def distance(self, predicted: Sequence[Features], real: Sequence[Features]) -> float:
        return frechet_distance(predicted, real)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nine real clips and two methods' predictions of them."""
    for name, offset in (("real", 0), ("mine", 100), ("theirs", 200)):
        (tmp_path / name).mkdir()
        for number, id in enumerate(IDS):
            np.save(tmp_path / name / f"{id}.npy", moving_clip(number + offset, 8, 32))
    monkeypatch.setattr(METRICS, "_targets", {**METRICS._targets, "shade": f"{__name__}:Shade"})
    load = METRICS.load
    monkeypatch.setattr(METRICS, "load", lambda name: Shade if name == "shade" else load(name))
    monkeypatch.setattr(Shade, "folder", tmp_path / "features")
    return tmp_path


def rows(folders: Path) -> list[Row]:
    return [Row(name, Predictions(folders / name)) for name in ("mine", "theirs")]


def finish(folders: Path, out: str, plan: ScoringPlan = PLAN) -> list[bytes]:
    score(rows(folders), reference_manifest(folders / "real")[0], folders / out, plan)
    return [(folders / out / name).read_bytes() for name in OUTPUTS]


def part(folders: Path, out: str, number: int, count: int) -> int:
    return fill(rows(folders), reference_manifest(folders / "real")[0], folders / out, PLAN, Shard(number, count))


def nothing_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def computed(*_: Any) -> Any:
        raise AssertionError("computed again")

    for metric in ("mse", "psnr", "psnr_frame", "ssim", "motion"):
        monkeypatch.setattr(METRICS.load(metric), "compute", computed)
    monkeypatch.setattr(Shade, "computed", computed)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_any_number_of_shards_gives_the_bytes_of_one_process(
    folders: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = finish(folders, "whole")
    monkeypatch.setattr(Shade, "folder", folders / "other_features")
    assert sum(part(folders, "out", number, count) for number in range(count, 0, -1)) == len(IDS)
    written = [path.name for path in (folders / "out").rglob("*")]
    assert len([name for name in written if name.startswith("journal-")]) == count
    assert not any(name.endswith(".lock") for name in written)  # a network drive may have no locks
    nothing_computed(monkeypatch)
    assert finish(folders, "out") == expected
    scores = RunFolder(folders / "out").scores
    assert [path.name for path in scores.glob("journal*")] == ["journal.jsonl"]
    assert finish(folders, "out") == expected  # from that journal


def test_a_killed_shard_is_repeated_and_loses_nothing(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = finish(folders, "whole")
    compute, calls = SSIM.compute, []

    def stopping(metric: Any, *clips: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return compute(metric, *clips)  # type: ignore[arg-type]

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(SSIM, "compute", stopping)
        part(folders, "out", 2, 2)
    (journal,) = RunFolder(folders / "out").scores.glob("journal-2-of-2-*")
    journal.write_bytes(journal.read_bytes()[:-20])  # the last line was cut in the middle
    calls.clear()
    with monkeypatch.context() as patched:
        patched.setattr(SSIM, "compute", lambda *a: (calls.append(1), compute(*a))[1])
        part(folders, "out", 2, 2)
    assert len(calls) == 5  # of the shard's four clips in two rows
    part(folders, "out", 1, 2)
    nothing_computed(monkeypatch)
    assert finish(folders, "out") == expected


def test_several_samples_per_clip_are_computed_in_shards_too(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, id in enumerate(IDS):
        (folders / "mine" / f"{id}.npy").rename(folders / "mine" / f"{id}@0.npy")
        np.save(folders / "mine" / f"{id}@1.npy", moving_clip(number + 300, 8, 32))
    expected = finish(folders, "whole")
    samples = (folders / "whole" / "scores" / "samples.csv").read_bytes()
    for number in (1, 2, 3):
        part(folders, "out", number, 3)
    nothing_computed(monkeypatch)
    assert finish(folders, "out") == expected
    assert (folders / "out" / "scores" / "samples.csv").read_bytes() == samples


def test_what_no_shard_has_computed_is_computed_at_the_end(folders: Path) -> None:
    expected = finish(folders, "whole")
    part(folders, "out", 2, 3)
    assert finish(folders, "out") == expected


def test_a_shard_of_more_parts_than_clips_has_nothing_to_do(folders: Path) -> None:
    assert part(folders, "out", 12, 12) == 0
    assert not (folders / "out").exists()


def test_shards_refuse_what_a_scoring_refuses(folders: Path) -> None:
    (folders / "mine" / "clip00.npy").unlink()
    with pytest.raises(BenchError, match="has no prediction for clip00"):
        part(folders, "out", 1, 2)
    np.save(folders / "mine" / "clip00.npy", moving_clip(1, 5, 32))
    with pytest.raises(BenchError, match=r"clip00\.npy has 5 frames: expected 8"):
        part(folders, "out", 1, 2)
    (folders / "out" / "letter.txt").write_text("mine")
    with pytest.raises(BenchError, match="is not empty and does not contain scores"):
        part(folders, "out", 2, 2)


@pytest.mark.parametrize("text", ["0/4", "5/4", "4", "1/0", "1/2/3", "a/b"])
def test_shards_that_there_are_not_get_a_sentence(text: str) -> None:
    with pytest.raises(BenchError, match=r"expected NUMBER/COUNT from 1/COUNT to COUNT/COUNT, as in 3/16"):
        Shard.parse(text)


@pytest.mark.process
def test_the_command_in_shards_of_which_one_is_killed(folders: Path, tmp_path: Path) -> None:
    words = ["score", folders / "mine", "--reference", folders / "real", "--metrics", "mse,psnr,ssim,motion"]

    whole = run_command(tmp_path / "said", *words, "--out", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    shard = [*words, "--out", tmp_path / "out", "--shard", "2/2"]
    killed = Forked(tmp_path / "killed", command, shard, kill_in_ssim).wait()
    assert killed.returncode == -signal.SIGKILL
    for number in (1, 2):
        done = run_command(tmp_path / "said", *words, "--out", tmp_path / "out", "--shard", f"{number}/2")
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"Shard {number}/2: {5 - (number - 1)} clips. To finish, omit --shard.\n"
    assert not (tmp_path / "out" / "summary.csv").exists()
    last = run_command(tmp_path / "said", *words, "--out", tmp_path / "out")
    assert last.returncode == 0, last.stderr
    for name in OUTPUTS:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def kill_in_ssim() -> None:
    die_at("bench.metrics.ssim:SSIM.compute", 3)
