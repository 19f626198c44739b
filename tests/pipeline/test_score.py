from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.dataset import Dataset
from bench.errors import BenchError
from bench.pipeline import score
from bench.pipeline.score import named_folders, readable, score_command, score_folders
from bench.report.export_results import export
from bench.scoring.score_tables import read_account, read_summary
from bench.scoring.scoring_plan import ScoringPlan
from tests.support.small import moving_clip, write_frames


def test_folders_have_their_own_name_or_the_given_one(tmp_path: Path) -> None:
    odd = tmp_path / "a=b"
    odd.mkdir()
    folders = named_folders([f"mine={tmp_path}/x", f"{tmp_path}/y/", str(odd)])
    assert [(one.name, one.seed, one.path) for one in folders] == [
        ("mine", 0, tmp_path / "x"),
        ("y", 0, tmp_path / "y"),
        ("a=b", 0, odd),
    ]


def test_training_runs_of_one_name_are_one_method() -> None:
    folders = named_folders(["a@3=x", "b=y", "a@0=z", "x/c@1"])
    assert [(one.label, one.seed) for one in folders] == [("a@3", 3), ("a", 0), ("b", 0), ("c@1", 0)]
    with pytest.raises(BenchError, match="called 'a' with seed 3"):
        named_folders(["a@3=x", "a@03=y"])


def test_two_folders_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="Two prediction folders are called 'x'"):
        named_folders([f"{tmp_path}/a/x", f"{tmp_path}/b/x"])


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    folder = tmp_path / "reference"
    folder.mkdir()
    for name in "ab":
        np.save(folder / f"{name}.npy", moving_clip(ord(name), size=32))
    return folder


def scored(folder: Path, reference: Path) -> dict[str, float]:
    out = folder.parent / "out"
    score_folders([str(folder)], out, ScoringPlan(32, ["mse", "ssim"]), reference=reference)
    return {line.metric: line.value for line in read_summary(out)}


def write_gif(path: Path, clip: np.ndarray) -> None:
    first, *others = (Image.fromarray(frame) for frame in clip)
    first.save(path, save_all=True, append_images=others, duration=100)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("corrupt", r"b\.mp4 cannot be decoded"),
        ("short", r"b\.gif has 8 frames: expected 32"),
        ("sizes", r"frames of .*b differ in size"),
        ("twice", r"The clip b appears twice"),
        ("empty", r"contains no videos named by clip ID"),
        ("grey", r"b\.npy is uint8 \[32, 32, 32, 1\]: expected uint8 \[frames, height, width, 3\]"),
    ],
)
def test_videos_that_cannot_be_scored_get_their_sentence(
    what: str, sentence: str, reference: Path, tmp_path: Path
) -> None:
    own = tmp_path / "mine"
    own.mkdir()
    if what != "empty":
        np.save(own / "a.npy", moving_clip(1, size=32))
    if what == "corrupt":
        (own / "b.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(1000))
    elif what == "short":
        write_gif(own / "b.gif", moving_clip(2, 8, 32))
    elif what == "sizes":
        write_frames(own / "b", moving_clip(2, 31, 32))
        Image.new("RGB", (40, 40)).save(own / "b" / "frame_32.jpg")
    elif what == "twice":
        np.save(own / "b.npy", moving_clip(2, size=32))
        write_gif(own / "b.gif", moving_clip(2, size=32))
    elif what == "grey":
        np.save(own / "b.npy", moving_clip(2, size=32)[..., :1])
    with pytest.raises(BenchError, match=sentence):
        scored(own, reference)
    assert not (tmp_path / "out" / "summary.csv").exists()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_grey_transparent_and_palette_frames_are_read_as_colour(mode: str, reference: Path, tmp_path: Path) -> None:
    own = tmp_path / "mine"
    for name in "ab":
        (own / name).mkdir(parents=True)
        for number, frame in enumerate(moving_clip(ord(name), size=32)):
            Image.fromarray(frame).convert(mode).save(own / name / f"{number}.png")
    scores = scored(own, reference)
    assert scores["mse"] == 0 if mode == "RGBA" else 0 < scores["mse"] < 0.1


def test_what_was_done_to_videos_stands_under_the_table(reference: Path, tmp_path: Path) -> None:
    own = tmp_path / "mine"
    own.mkdir()
    for name in "ab":
        write_gif(own / f"{name}.gif", moving_clip(ord(name), size=64))
    scored(own, reference)
    table = (tmp_path / "out" / "table.md").read_text()
    assert "mine: videos are lossy (.gif)" in table
    assert "mine: resized from 64×64" in table


def test_a_name_that_a_locale_took_apart_is_put_together_and_other_bytes_are_refused() -> None:
    assert readable("Küste") == "Küste"
    assert readable("K\udcc3\udcbcste") == "Küste"  # UTF-8 read as ASCII
    with pytest.raises(BenchError, match=r"K\\xfcste is not UTF-8"):
        readable("K\udcfcste")


def test_a_window_of_longer_clips_is_cut_from_both_sides(tmp_path: Path) -> None:
    clips = {name: moving_clip(ord(name), size=32) for name in "ab"}
    for folder, last in (("reference", 32), ("long", 32), ("short", 16)):
        (tmp_path / folder).mkdir()
        for name, clip in clips.items():
            frames = clip[:last].copy()
            frames[:16] //= 2 if folder != "reference" else 1
            np.save(tmp_path / folder / f"{name}.npy", frames)
    texts = [str(tmp_path / folder) for folder in ("long", "short")]
    plan = ScoringPlan(32, ["mse"], clip_length=16)
    score_folders(texts, tmp_path / "out", plan, reference=tmp_path / "reference")
    values = {line.row: line.value for line in read_summary(tmp_path / "out")}
    by_hand = np.mean([((clip[:16] // 2 / 255.0 - clip[:16] / 255.0) ** 2).mean() for clip in clips.values()])
    assert values["long"] == values["short"] == pytest.approx(by_hand)
    assert "the first 16 of 32 frames" in (tmp_path / "out" / "table.md").read_text().lower()
    with pytest.raises(BenchError, match="have 32 frames: 40 of them cannot be scored"):
        score_folders(
            texts, tmp_path / "o2", ScoringPlan(32, ["mse"], clip_length=40), reference=tmp_path / "reference"
        )


def test_a_scored_folder_says_how_it_was_made(reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    plan = ScoringPlan(32, ["mse", "ssim"], frames="future")
    score_folders([f"mine={reference}"], out, plan, reference=reference)
    results = export(out, tmp_path / "r.json")
    assert results.command == (
        "bench score mine=FOLDER --reference REFERENCE --resolution 32 --metrics mse,ssim --frames future"
    )
    assert {"bench", "commit", "processor", "instruction_set", "threads"} <= results.provenance.keys()
    assert results.provenance["packages"]["torch"]
    assert str(tmp_path) not in (tmp_path / "r.json").read_text() + (out / "scores" / "provenance.json").read_text()
    assert results.command in (out / "report.html").read_text()
    # Scored again elsewhere: what was computed first keeps its word, and the other place is named too.
    monkeypatch.setattr(score, "provenance", lambda device: {**results.provenance, "processor": "another"})
    score_folders([f"mine={reference}"], out, plan, reference=reference)
    assert export(out, tmp_path / "r.json").provenance == results.provenance
    account = read_account(out)
    assert [session["processor"] for session in account["sessions"]][1:] == ["another"]


def test_the_command_of_a_scored_dataset_names_no_folder() -> None:
    plan = ScoringPlan(0, (), count=5, clip_length=16, sampling="random", allow_partial=True)
    assert score_command(["[a] b", "c"], plan, Dataset("beach", "/data/beach")) == (
        "bench score '[a] b=FOLDER' c=FOLDER --dataset beach --data-root DATA_ROOT --clips 5 --clip-length 16 "
        "--sampling random --allow-partial"
    )
    assert score_command(["a"], ScoringPlan(0, ()), Dataset()) == "bench score a=FOLDER --dataset sky"
