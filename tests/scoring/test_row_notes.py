"""What is said below a table of videos that are not what they seem; each is scored as a user would score it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.dataset import Dataset
from bench.data.predictions import Predictions
from bench.errors import BenchError
from bench.metrics.fvd import FVD
from bench.pipeline.score import score_folders
from bench.registry import METRICS
from bench.scoring.pairing import Row, no_counterpart
from bench.scoring.protocol import Protocol
from bench.scoring.row_notes import first_frame_psnr
from bench.scoring.score_tables import read_notes, read_summary
from bench.scoring.scoring_plan import ScoringPlan
from tests.support.small import moving_clip, write_frames

pytestmark = pytest.mark.heavy

IDS = ("a", "b", "c")


def store(folder: Path, clips: dict[str, np.ndarray]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for id, clip in clips.items():
        np.save(folder / f"{id}.npy", clip)
    return folder


@pytest.fixture
def clips() -> dict[str, np.ndarray]:
    return {id: moving_clip(number, 8, 32) for number, id in enumerate(IDS)}


@pytest.fixture
def reference(tmp_path: Path, clips: dict[str, np.ndarray]) -> Path:
    return store(tmp_path / "reference", clips)


def notes(folder: Path, reference: Path, metrics: tuple[str, ...] = ("mse",), **options: object) -> list[str]:
    out = folder.parent / f"out-{folder.name}"
    plan = ScoringPlan(32, metrics, **options)  # type: ignore[arg-type]
    table = score_folders([str(folder)], out, plan, reference=reference)
    found = read_notes(out)[1]
    assert set(found) <= set(table.notes)
    return found


def about(text: str, found: list[str]) -> str:
    return next((note for note in found if text in note), "")


def brighter(clip: np.ndarray) -> np.ndarray:
    return np.clip(clip.astype(int) + 3, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("metrics", [("mse",), ("psnr_frame", "ssim")])
def test_first_frames_of_another_picture_are_counted(
    metrics: tuple[str, ...], clips: dict[str, np.ndarray], reference: Path, tmp_path: Path
) -> None:
    mixed = {"a": clips["b"], "b": clips["a"], "c": brighter(clips["c"])}
    found = about("the first frame", notes(store(tmp_path / "mixed", mixed), reference, metrics))
    lowest = min(first_frame_psnr(mixed[id], clips[id]) for id in "ab")
    assert lowest < 20
    assert "mixed: the first frame is below 20 dB of the real one in 2 of 3 clips" in found
    assert f"(lowest: {lowest:.1f} dB, " in found
    good = notes(store(tmp_path / "good", {id: brighter(clip) for id, clip in clips.items()}), reference, metrics)
    assert not about("the first frame", good)


def test_a_centre_crop_is_another_picture_than_a_squashed_frame(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    squashed, cropped = {}, {}
    for number in range(2):
        wide = Image.fromarray(rng.integers(0, 255, (9, 16, 3)).astype(np.uint8)).resize(
            (160, 90), Image.Resampling.BICUBIC
        )
        write_frames(tmp_path / f"data/sky_test/v/v_{number}", np.stack([np.asarray(wide)] * 32), name="{:d}.png")
        for into, box in ((squashed, (0, 0, 160, 90)), (cropped, (35, 0, 125, 90))):
            frame = np.asarray(wide.crop(box).resize((32, 32), Image.Resampling.BILINEAR))
            into[f"v__v_{number}__000"] = np.stack([frame] * 32)
    texts = [str(store(tmp_path / "squashed", squashed)), str(store(tmp_path / "cropped", cropped))]
    score_folders(texts, tmp_path / "out", ScoringPlan(32, ["mse"]), dataset=Dataset("sky", str(tmp_path / "data")))
    (note,) = (note for note in read_notes(tmp_path / "out")[1] if "first frame" in note)
    assert note.startswith("cropped: the first frame is below 20 dB of the real one in 2 of 2 clips")


def test_values_of_0_and_1_in_8_bits_are_noted_on_either_side(
    clips: dict[str, np.ndarray], reference: Path, tmp_path: Path
) -> None:
    dark = {id: (clip / 255).round().astype(np.uint8) for id, clip in clips.items()}
    folder = store(tmp_path / "dark", dark)
    assert about("dark: no value is above 1 of 255", notes(folder, reference))
    assert about("Real clips: no value is above 1 of 255", notes(store(tmp_path / "mine", clips), folder))
    dark["c"][3, 0, 0, 0] = 2
    assert not about("no value", notes(store(tmp_path / "once", dark), reference))


def test_a_folder_scored_against_itself_is_noted(clips: dict[str, np.ndarray], reference: Path, tmp_path: Path) -> None:
    assert about("reference: 3 of 3 videos are identical to the real files", notes(reference, reference))
    other = {**clips, "a": brighter(clips["a"])}
    assert about(
        "other: 2 of 3 videos are identical to the real files", notes(store(tmp_path / "other", other), reference)
    )
    again = {id: brighter(clip) for id, clip in clips.items()}
    assert not about("identical to the real", notes(store(tmp_path / "again", again), reference))


def test_an_alpha_channel_is_noted_on_either_side(
    clips: dict[str, np.ndarray], reference: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "see_through"
    for id, clip in clips.items():
        (folder / id).mkdir(parents=True)
        for number, frame in enumerate(clip):
            Image.fromarray(frame).convert("RGBA" if id != "b" else "RGB").save(folder / id / f"{number}.png")
    assert about("see_through: an alpha channel in 2 of 3 videos, composited on white", notes(folder, reference))
    assert about("Real clips: an alpha channel in 2 of 3 videos", notes(reference, folder))


def test_files_that_are_skipped_are_named(clips: dict[str, np.ndarray], reference: Path, tmp_path: Path) -> None:
    for folder in (reference, store(tmp_path / "mine", clips)):
        for name in ("notes.txt", "scores.csv", "x.mp3", "y.mp3", ".hidden", "Thumbs.db"):
            (folder / name).write_text("")
        (folder / "empty").mkdir()
    found = notes(tmp_path / "mine", reference)
    for who in ("Reference", "mine"):
        assert f"{who}: skipped in its folder: empty/, notes.txt, scores.csv and 2 more." in found
    assert len(Predictions(reference).skipped) == 5


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("real-halves", "the name of real vs. real"), ("Real-Halves ", "real"), (" ", "printed"), ("a\nb", "printed")],
)
def test_names_that_tables_use_themselves_are_refused(name: str, sentence: str, reference: Path) -> None:
    with pytest.raises(BenchError, match=f"A method is called .*{sentence}.*another name|A method is called .*printed"):
        Row(name, Predictions(reference))


def test_random_windows_of_short_predictions_have_no_counterpart(
    clips: dict[str, np.ndarray], reference: Path, tmp_path: Path
) -> None:
    short = store(tmp_path / "short", {id: clip[:4] for id, clip in clips.items()})
    with pytest.raises(
        BenchError, match=r"No frames can be compared: short has 4 frames, but the window of 4 is drawn"
    ):
        notes(short, reference, ("mse", "ssim"), clip_length=4, sampling="random")
    assert not (tmp_path / "out-short" / "summary.csv").exists()
    mixed = store(tmp_path / "mixed", {**clips, "c": clips["c"][:4]})
    with pytest.raises(BenchError, match=r"c\.npy has 4 frames, but the window of 4 is drawn at random from the 8"):
        notes(mixed, reference, clip_length=4, sampling="random")
    whole = store(tmp_path / "whole", clips)
    assert notes(whole, reference, clip_length=4, sampling="random") != []
    values = {line.metric: line.value for line in read_summary(tmp_path / "out-whole")}
    assert values == {"mse": 0}
    assert not about(
        "first frame", notes(store(tmp_path / "first", {i: c[:4] for i, c in clips.items()}), reference, clip_length=4)
    )


def test_metrics_of_sets_are_given_where_frames_have_no_counterpart(
    clips: dict[str, np.ndarray], reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Means(FVD):
        """Mean colours in place of a network's features."""

        min_frames = 1

        def unavailable(self) -> None:
            return None

        def weights_id(self) -> str:
            return ""

        def features_id(self) -> str:
            return "means"

        def features(self, clips: Sequence[np.ndarray]) -> list[np.ndarray]:
            return [clip.mean(axis=(0, 1, 2))[None].astype(np.float32) for clip in clips]

    load = METRICS.load
    monkeypatch.setattr(METRICS, "load", lambda name: Means if name == "fvd" else load(name))
    short = store(tmp_path / "short", {id: clip[:4] for id, clip in clips.items()})
    plan = ScoringPlan(32, ["mse", "fvd"], clip_length=4, sampling="random")
    table = score_folders([str(short)], tmp_path / "out", plan, reference=reference)
    assert {line.metric for line in read_summary(tmp_path / "out")} == {"fvd"}
    assert about("short has 4 frames, but the window of 4", list(table.notes))
    assert [reason.metric for reason in read_notes(tmp_path / "out")[0]] == ["mse"]


def test_a_window_from_the_start_has_counterparts() -> None:
    protocol = Protocol("sky", 64, "all", 1, "0" * 8, False, length=16, whole=32)
    assert no_counterpart(16, protocol) == ""
    drawn = Protocol("sky", 64, "all", 1, "0" * 8, False, length=16, whole=32, sampling="random")
    assert no_counterpart(32, drawn) == ""
    assert "give predictions of 32 frames, or --sampling first" in no_counterpart(16, drawn)


def test_psnr_of_equal_frames_is_infinite() -> None:
    clip = moving_clip(0, 2, 16)
    assert first_frame_psnr(clip, clip) == math.inf
    assert first_frame_psnr(np.zeros_like(clip), np.full_like(clip, 255)) == pytest.approx(0)


def test_predictions_of_the_future_alone_are_paired_with_the_frames_after_the_context(
    clips: dict[str, np.ndarray], reference: Path, tmp_path: Path
) -> None:
    metrics = ("mse", "ssim", "motion")
    whole = {id: np.concatenate([clip[:5], brighter(clip[5:])]) for id, clip in clips.items()}
    options = {"frames": "context5-future"}
    before = notes(store(tmp_path / "whole", whole), reference, metrics, **options)
    found = notes(
        store(tmp_path / "future", {id: clip[5:] for id, clip in whole.items()}), reference, metrics, **options
    )
    assert set(found) - set(before) == {
        "future: 3 of 3 videos contain only the 3 frames after the context. The real given frames "
        "are put in front, and only the frames after them are compared."
    }
    values = [
        [(line.metric, line.value) for line in read_summary(tmp_path / out)] for out in ("out-whole", "out-future")
    ]
    assert values[0] == values[1]
    assert dict(values[0])["mse"] > 0
    # without metrics that know the first frame, it is not looked for among frames that begin later
    assert not about("the first frame", notes(tmp_path / "future", reference, ("ssim",), **options))


def test_samples_of_the_future_alone_have_the_spread_of_whole_ones(
    clips: dict[str, np.ndarray], reference: Path, tmp_path: Path
) -> None:
    drawn = {id: np.stack([clip, brighter(clip), clip[::-1]]) for id, clip in clips.items()}
    whole = {id: np.concatenate([np.stack([clips[id][:5]] * 3), one[:, 5:]], axis=1) for id, one in drawn.items()}
    for name, samples in (("whole", whole), ("future", {id: one[:, 5:] for id, one in drawn.items()})):
        notes(store(tmp_path / name, samples), reference, ("mse", "motion"), frames="context5-future")
    tables = [(tmp_path / f"out-{name}" / "scores" / "samples.csv").read_text() for name in ("whole", "future")]
    assert tables[0].replace("whole", "future") == tables[1]
    assert "spread" in tables[0]


def test_the_future_alone_needs_a_context(clips: dict[str, np.ndarray], reference: Path, tmp_path: Path) -> None:
    folder = store(tmp_path / "future", {id: clip[5:] for id, clip in clips.items()})
    with pytest.raises(BenchError, match=r"a\.npy has 3 frames: expected 8\. .* --clip-length, --stride or --context"):
        notes(folder, reference)
    with pytest.raises(BenchError, match=r"a\.npy has 3 frames: expected 8, or the 4 after the context\."):
        notes(folder, reference, frames="context4-future")
