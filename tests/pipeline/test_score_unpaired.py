from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from bench.data.dataset import Dataset
from bench.errors import BenchError
from bench.pipeline.compare import common_protocol
from bench.pipeline.score import score_folders
from bench.registry import METRICS
from bench.report.export_results import export
from bench.report.html.leaderboard import leaderboard
from bench.report.results_file import read_results
from bench.runfolder import RunFolder
from bench.scoring.horizon import read_horizon
from bench.scoring.named_protocols import NAMED_PROTOCOLS, plan_of
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import read_account, read_notes, read_summary
from bench.scoring.scoring_plan import ScoringPlan
from bench.scoring.set_metrics import REAL_HALVES
from tests.support.small import make_sky, moving_clip

pytestmark = pytest.mark.heavy


@pytest.fixture(autouse=True)
def colour(monkeypatch: pytest.MonkeyPatch, blank_figures: None) -> None:
    """A metric of whole sets that needs no weights."""
    monkeypatch.setattr(METRICS, "_targets", {**METRICS._targets, "colour": "tests.scoring.test_unpaired:Colour"})


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Eight real videos of 20 frames, twelve generated ones of 4 and nine of 8, none named alike."""
    for name, count, frames in (("real", 8, 20), ("mine", 12, 4), ("theirs", 9, 8)):
        (tmp_path / name).mkdir()
        for number in range(count):
            np.save(tmp_path / name / f"{name[0]}{number}.npy", moving_clip(number + count, frames, 16))
    return tmp_path


def plan(**flags: object) -> ScoringPlan:
    return plan_of(None, {"unpaired": True, "metrics": ("colour",), "clip_length": 4, **flags})


def run(folders: Path, out: str, rows: tuple[str, ...] = ("mine",), **flags: object) -> Path:
    texts = [str(folders / row) for row in rows]
    score_folders(texts, folders / out, plan(**flags), reference=folders / "real")
    return folders / out


def test_sets_of_any_names_and_numbers_have_a_table_and_a_report(folders: Path) -> None:
    out = run(folders, "out", ("mine", "theirs"))
    lines = {line.row: line for line in read_summary(out)}
    assert lines.keys() == {"mine", "theirs", REAL_HALVES}
    assert Protocol.load(RunFolder(out).protocol).id.endswith("/unpaired/9generated")
    notes = read_notes(out)[1]
    assert "mine: 9 of 12 videos, drawn by name." in notes
    assert "theirs: of videos with 8 frames, 4 are used, the first ones." in notes
    assert (
        "Real, 8 real clips, 16×16, 4 frames of each video, sets that are not paired" in (out / "table.md").read_text()
    )
    assert (out / "report.html").exists()
    assert read_account(out)["command"] == (
        "bench score mine=FOLDER theirs=FOLDER --reference REFERENCE --metrics colour --clip-length 4 --unpaired"
    )


def test_other_orders_and_numbers_of_workers_give_equal_bytes(folders: Path) -> None:
    choices = {"draws": 3, "sampling": "random", "generated": 9, "mirror": True}
    first = run(folders, "first", workers=1, **choices)
    other = folders / "other"
    other.mkdir()
    for path in sorted((folders / "mine").iterdir(), reverse=True):  # made in another order
        np.save(other / path.name, np.load(path))
    second = folders / "second"
    score_folders([f"mine={other}"], second, plan(workers=3, **choices), reference=folders / "real")
    for name in ("summary.csv", "table.csv", "scores/protocol.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert "± " in (first / "table.md").read_text()
    assert "Mean ± standard deviation over 3 draws of the clips." in (first / "table.md").read_text()


CHOICES: dict[str, dict[str, object]] = {
    "default": {},
    "stride": {"stride": 2},
    "mirror": {"mirror": True},
    "crop": {"crop": "centre"},
    "several": {"per_video": 2},
    "drawn": {"sampling": "random"},
    "draws": {"sampling": "random", "draws": 2},
    "fewer": {"count": 6},
    "generated": {"generated": 8},
    "given": {"context": 1},
}


def test_no_two_choices_are_ever_in_one_table(folders: Path) -> None:
    files = []
    for name, flags in CHOICES.items():
        export(run(folders, name, **flags), folders / f"{name}.json", name)
        files.append(folders / f"{name}.json")
    for one in CHOICES:
        for other in CHOICES.keys() - {one}:
            with pytest.raises(BenchError, match=r" is .* and "):
                common_protocol([folders / one, folders / other])
    tables = leaderboard(files, folders / "page")
    assert [len(table.files) for table in tables] == [1] * len(CHOICES)
    assert all(len(table.apart) == number for number, table in enumerate(tables))


def test_an_export_keeps_the_deviation_over_draws(folders: Path) -> None:
    out = run(folders, "out", sampling="random", draws=3)
    export(out, folders / "results.json")
    (line,) = (line for line in read_summary(out) if line.row == "mine")
    (entry,) = (entry for entry in read_results(folders / "results.json").rows if entry.row == "mine")
    score = entry.scores["colour"]
    assert (score.draws, score.draw_sd, score.seeds) == (3, line.draw_sd, 1)
    leaderboard([folders / "results.json"], folders / "page")
    deviation = re.search(r"± [0-9.]+", (out / "table.md").read_text())
    assert deviation is not None
    assert deviation[0] in (folders / "page" / "index.html").read_text()


def test_parts_of_the_frames_are_curves_beside_real_vs_real(folders: Path) -> None:
    out = run(folders, "out", horizon=(2, 4), windows=(2, 1))
    points = read_horizon(out)
    mine = [(p.part.curve, p.part.first, p.part.last) for p in points if p.row == "mine"]
    assert mine == [("horizon", 1, 2), ("horizon", 1, 4), ("windows", 1, 2), ("windows", 2, 3), ("windows", 3, 4)]
    assert {p.row for p in points} == {"mine", REAL_HALVES}
    whole = next(line.value for line in read_summary(out) if line.row == "mine")
    assert [p.value for p in points if p.row == "mine"][1] == whole
    assert "/frames1-2" in (out / "scores" / "horizon.csv").read_text()
    assert (out / "figures" / "horizon.png").exists()
    assert not (run(folders, "out") / "scores" / "horizon.csv").exists()
    with pytest.raises(BenchError, match="--horizon 5 exceeds the 4 scored frames"):
        run(folders, "out", horizon=(5,))


def test_training_videos_of_a_dataset_may_be_the_real_ones(folders: Path) -> None:
    sky = Dataset("sky", str(make_sky(folders / "sky", train=5, test=3, size=16)))
    for split, clips in (("test", 3), ("train", 5), ("all", 8)):
        chosen = plan(reference_split=split, resolution=16)
        score_folders([str(folders / "mine")], folders / split, chosen, dataset=sky)
        protocol = Protocol.load(RunFolder(folders / split).protocol)
        assert protocol.clips == clips
        assert ("real-" in protocol.id) == (split != "test")
    with pytest.raises(BenchError, match="chooses videos of a dataset, but --reference names a folder"):
        run(folders, "out", reference_split="train")


def test_metrics_of_pairs_are_left_out_with_the_reason(folders: Path) -> None:
    out = run(folders, "out", metrics=("mse", "colour"))
    assert [str(reason) for reason in read_notes(out)[0]] == [
        "mse left out: it compares pairs, but these sets have none"
    ]
    with pytest.raises(BenchError, match=r"--unpaired has none\. Choose from fid, fvd, kvd"):
        run(folders, "none", metrics=("mse", "ssim"))


@pytest.mark.parametrize("name", NAMED_PROTOCOLS)
def test_a_named_protocol_is_the_flags_of_a_paper(name: str) -> None:
    named, flags = plan_of(name, {}), dict(NAMED_PROTOCOLS[name])
    assert named == plan_of(None, flags)
    assert named.choices.unpaired == (name != "mdgan")
    other = plan_of(name, {"resolution": 32, "stride": 2})
    assert (other.resolution, other.choices.stride) == (32, 2)


def test_what_contradicts_itself_is_refused() -> None:
    with pytest.raises(BenchError, match="There is no protocol 'styleganv': expected one of stylegan-v"):
        plan_of("styleganv", {})
    with pytest.raises(BenchError, match="--frames all and --context 4 contradict each other"):
        plan_of(None, {"frames": "all", "context": 4})
    assert plan_of(None, {"frames": "future", "context": 1}).frames == "future"
