"""What of a run goes to others, and what stays."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.pipeline.publishable_files import PublishOptions, Upload, pack_up
from bench.report.results_file import read_results
from bench.scoring.score_tables import read_summary
from bench.scoring.set_metrics import REAL_HALVES
from tests.pipeline.test_release import train
from tests.support.small import REPOSITORY

#: What nobody else may have, in every form in which a run has it.
SECRET = "/home/somebody/my data"
VOTES = "rater,answer\nPARTICIPANT-0007,left\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run on somebody's data, with pictures, predictions and a study beside its tables."""
    folder = tmp_path / "sky"
    shutil.copytree(REPOSITORY / "results" / "reference" / "sky", folder)
    account = json.loads((folder / "run.json").read_text())
    account["config"]["data_root"] = SECRET
    account["command"] = f"bench run --models vgan --data-root '{SECRET}' --dataset sky"
    (folder / "run.json").write_text(json.dumps(account))
    page = f"<pre>--data-root &#39;{SECRET}&#39;</pre><dd>{SECRET}</dd><img src='data:image/png;base64,AAAA'>"
    (folder / "report.html").write_text(page)
    for name in ("frames_1.png", "frames_1.pdf", "motion.png", "samples.webp", "parts_vgan.png", "drawn.json"):
        (folder / "figures" / name).write_bytes(b"frames")
    for row in ("real", "vgan"):
        (folder / "predictions" / row).mkdir(parents=True)
        (folder / "predictions" / row / "a.png").write_bytes(b"frames")
    (folder / "study").mkdir()
    (folder / "study" / "votes.csv").write_text(VOTES)
    (folder / "scores" / "journal.jsonl").write_text("{}")
    train(folder / "checkpoints" / "vgan-0", "vgan", {"width": 4})
    return folder


def packed(run: Path, **options: object) -> Upload:
    staging = run.with_name("staging")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    return pack_up(run, staging, PublishOptions(**options))  # type: ignore[arg-type]


def names(upload: Upload) -> set[str]:
    return {item.name for item in upload.items}


ALWAYS = {"README.md", "results.json", "run.json", "summary.csv"}
ALWAYS |= {f"table.{ending}" for ending in ("csv", "json", "md", "tex")}
ALWAYS |= {f"scores/{name}" for name in ("per_clip.csv", "differences.csv", "protocol.json", "notes.json")}
ALWAYS |= {f"figures/{name}.{end}" for name in ("over_time", "distribution", "training") for end in ("pdf", "png")}
FRAMES = {"report.html", "figures/frames_1.png", "figures/frames_1.pdf", "figures/motion.png", "figures/samples.webp"}
FRAMES |= {"figures/parts_vgan.png"}


def test_numbers_and_charts_go_and_frames_of_other_peoples_data_stay(run: Path) -> None:
    upload = packed(run)
    assert names(upload) == ALWAYS
    assert any("frames of sky, which belong to others" in text for text in upload.held_back)
    assert "votes of individual raters" in upload.held_back[-1]


def test_frames_go_where_the_sender_says_so_and_where_the_scenes_are_ours(run: Path) -> None:
    assert names(packed(run, clips=True)) == ALWAYS | FRAMES
    account = json.loads((run / "run.json").read_text())
    account["config"]["data_root"] = "synthetic"
    (run / "run.json").write_text(json.dumps(account))
    upload = packed(run)
    assert names(upload) == ALWAYS | FRAMES
    assert len(upload.held_back) == 1


def test_no_path_of_the_sender_and_no_vote_goes_with_them(run: Path) -> None:
    for item in packed(run, clips=True, checkpoints=True, by="A lab").items:
        content = item.path.read_bytes()
        assert b"somebody" not in content.replace(b"somebody else", b""), item.name
        assert b"PARTICIPANT-0007" not in content
    page = (run.with_name("staging") / "report.html").read_text()
    assert "<dd>DATA_ROOT</dd>" in page
    assert "base64,AAAA" in page
    account = json.loads((run.with_name("staging") / "run.json").read_text())
    assert account["command"] == "bench run --models vgan --data-root DATA_ROOT --dataset sky"


def test_what_is_sent_can_be_used(run: Path) -> None:
    upload = packed(run, checkpoints=True, by="A lab")
    assert names(upload) - ALWAYS == {f"checkpoints/{n}" for n in ("sky-vgan-0.pt", "SHA256SUMS", "release.json")}
    staging = run.with_name("staging")
    assert read_results(staging / "results.json").by == "A lab"
    card = (staging / "README.md").read_text()
    assert card.startswith("---\npipeline_tag: image-to-video\ntags:\n- timelapse-bench\n")
    for text in (
        "Results of A lab.",
        "| MD-GAN Stage II |",
        "](figures/over_time.png)",
        "bench generate --checkpoint checkpoints/sky-vgan-0.pt",
        "--data-root DATA_ROOT",
        "The report, frames and animations are held back",
    ):
        assert text in card, text
    assert "frames_1" not in card
    shown = [part.partition(")")[0] for part in card.split("](")[1:]]
    assert set(shown) <= names(upload)


def test_a_folder_of_scored_videos_goes_with_its_page(run: Path) -> None:
    for name in ("run.json", "predictions", "checkpoints"):
        path = run / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    upload = packed(run)
    assert names(upload) - ALWAYS >= {"report.html"}
    assert "The same run again" not in (run.with_name("staging") / "README.md").read_text()


def test_kept_frames_of_scored_videos_stay_unless_asked_for(run: Path) -> None:
    (run / "run.json").unlink()
    shutil.rmtree(run / "checkpoints")
    assert not names(packed(run)) & FRAMES
    assert names(packed(run, clips=True)) >= FRAMES


def test_numbers_for_a_benchmark_are_in_the_form_that_the_hub_reads(run: Path) -> None:
    import yaml
    from huggingface_hub import parse_eval_result_entries

    upload = packed(run, benchmark="lab/sky-benchmark")
    stored = {(line.row, line.metric): line for line in read_summary(run) if np.isfinite(line.value)}
    files = {item.name: item.path for item in upload.items if item.name.startswith(".eval_results/")}
    rows = {row for row, _ in stored if row != REAL_HALVES}
    assert set(files) == {f".eval_results/{row}.yaml" for row in rows}
    for row in rows:
        entries = parse_eval_result_entries(yaml.safe_load(files[f".eval_results/{row}.yaml"].read_text()))
        assert {entry.dataset_id for entry in entries} == {"lab/sky-benchmark"}
        for entry in entries:
            assert entry.value == stored[row, entry.task_id].value
            assert f"protocol {stored[row, entry.task_id].protocol}" in entry.notes


def test_what_cannot_be_sent_is_said(run: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"nowhere contains no scores to report. Give a results folder of `bench run`"):
        packed(tmp_path / "nowhere")
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(BenchError, match="contains no finished training"):
        packed(run, checkpoints=True)
    for path in run.glob("table*"):
        path.unlink()
    with pytest.raises(BenchError, match=r"has scores but no tables. Make them with `bench report"):
        packed(run)
