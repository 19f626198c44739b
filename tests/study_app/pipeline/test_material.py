"""Studies of your own videos: folders and archives that no run has made."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.predictions import Predictions
from bench.errors import BenchError
from study_app.design.schedule import ALTERED
from study_app.design.settings import StudyRequest
from study_app.pipeline import export
from study_app.pipeline.create import create
from study_app.pipeline.extend import extend
from study_app.pipeline.material import open_material
from study_app.pipeline.simulate import PAPER_STRENGTHS, Crowd, simulate
from study_app.store.store import Store
from tests.study_app.conftest import study_request
from tests.study_app.runfolder import FRAMES, decode, sky, write_run

pytestmark = pytest.mark.heavy

ROWS = ("mdgan-1", "mdgan-2", "vgan", "rnngan")


def write_frames(folder: Path, clips: int, shift: int = 0, shape: tuple[int, int] = (24, 24)) -> Path:
    """A folder of frame folders, as somebody else's program leaves them; the first frames are those of `sky`."""
    height, width = shape
    for n in range(clips):
        frames = sky(n, FRAMES, max(shape))[:, :height, :width].copy()
        frames[1:] = np.roll(frames[1:], shift, axis=2)
        (folder / f"scene{n}").mkdir(parents=True)
        for t, frame in enumerate(frames):
            Image.fromarray(frame).save(folder / f"scene{n}" / f"{t:03d}.png")
    return folder


def own(tmp_path: Path, clips: int = 8, **changes: object) -> StudyRequest:
    folders = (("mine", write_frames(tmp_path / "a", clips, 1)), ("theirs", write_frames(tmp_path / "b", clips, 3)))
    chosen = {"workload": 4, "practice": 1, "catch": 2, "catch_pass": 1, "accept_weak_catch": True}
    return StudyRequest(folders=folders, **{**chosen, **changes})  # type: ignore[arg-type]


def test_a_runs_own_folders_give_the_runs_study(run_folder: Path, tmp_path: Path) -> None:
    at = run_folder / "predictions"
    create(tmp_path / "run.db", study_request(run_folder))
    folders = tuple((row, at / row) for row in ROWS)
    create(tmp_path / "own.db", replace(study_request(run_folder), runs=(), folders=folders, real=at / "real"))
    results = []
    for name in ("run.db", "own.db"):
        store = Store(tmp_path / name)
        study = store.open()
        twin, _ = simulate(store, study, 3, Crowd(PAPER_STRENGTHS))
        exported = export.outcomes(twin).files
        results.append((study.schedule_sha256(), study.clip_hashes(), study.settings.run, exported["pos.csv"]))
    assert results[0] == results[1]
    assert results[0][3].count("\n") == 8


def test_your_own_method_beside_a_runs_rows(run_folder: Path, tmp_path: Path) -> None:
    mine = shutil.copytree(run_folder / "predictions" / "copy", tmp_path / "mine")
    created = create(tmp_path / "s.db", study_request(run_folder, folders=(("mine", mine),)))
    pairs = created.settings.comparisons
    assert pairs[-1] == ("mine", "real")
    assert {first for first, _ in pairs} == {"mine"}
    assert {second for _, second in pairs} == {"copy", *ROWS, "real"}
    assert created.settings.run == str(run_folder.resolve())


def test_without_real_clips_catch_trials_alter_a_method(tmp_path: Path) -> None:
    request = own(tmp_path, 16, workload=6, practice=2, catch=4)
    created = create(tmp_path / "s.db", request)
    assert created.settings.comparisons == (("mine", "theirs"),)
    assert not created.settings.has_real
    study = Store(tmp_path / "s.db").open()
    clips = study.clips()
    checks = (*created.schedule.practice, *created.schedule.catch)
    assert {pair.first for pair in checks} == {"mine", "theirs"}
    assert {pair.second for pair in checks} == set(ALTERED)
    for pair in checks:
        whole, altered = (decode(clips[name, pair.scene].data, FRAMES) for name in (pair.first, pair.second))
        np.testing.assert_array_equal(whole[0], altered[0])
        assert (whole != altered).any()
    twin, votes = simulate(Store(tmp_path / "s.db"), study, 2, Crowd({}), seed=3)
    caught = twin.votes().query("catch")
    assert votes == 2 * 12
    assert (caught["chosen"] == caught["first"]).mean() > 0.8
    written = {path.name for path in export.export(twin, tmp_path / "out")}
    assert "votes.csv" in written
    assert not [name for name in written if name.startswith("table")]  # the paper has no such comparison
    assert any("no run folder" in note for note in export.results(twin.votes(), twin.settings).notes)


def test_clips_that_are_not_square(tmp_path: Path) -> None:
    a, b = (write_frames(tmp_path / name, 8, shift, (18, 32)) for name, shift in (("a", 1), ("b", 2)))
    request = StudyRequest(folders=(("a", a), ("b", b)), catch=0, practice=0, clips=8)
    settings = create(tmp_path / "s.db", request).settings
    assert (settings.size, settings.width) == (18, 32)
    sheet = Store(tmp_path / "s.db").open().clips()["a", "scene0"].data
    np.testing.assert_array_equal(decode(sheet, FRAMES), Predictions(a).read("scene0"))
    small = create(tmp_path / "t.db", StudyRequest(folders=request.folders, catch=0, practice=0, size=9)).settings
    assert (small.size, small.width) == (9, 16)


def test_archives_and_further_clips(tmp_path: Path) -> None:
    request = own(tmp_path, 8)
    packed = tuple(
        (name, Path(shutil.make_archive(str(tmp_path / name), "zip", folder))) for name, folder in request.folders
    )
    create(tmp_path / "s.db", StudyRequest(folders=packed, catch=0, practice=0, clips=4))
    study = Store(tmp_path / "s.db").open()
    with pytest.raises(BenchError, match="--run or NAME=FOLDER"):
        extend(study, StudyRequest(votes=0))
    assert "Added 2 votes" in extend(study, StudyRequest(folders=packed, votes=0, clips=2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folders": ()}, "Give NAME=FOLDER for each method"),
        ({"folders": ("mine",)}, "nothing to compare it with"),
        ({"folders": ("mine@1", "theirs")}, "one training run per method"),
        ({"folders": ("real", "theirs")}, "real clips are given with --real"),
        ({"folders": ("tiles", "theirs")}, "needs another name"),
        ({"comparisons": (("mine", "real"),)}, "no method 'real'"),
        ({"runs": ("away",)}, "There is no folder"),
    ],
)
def test_what_is_refused(tmp_path: Path, changes: dict[str, tuple[str, ...]], message: str) -> None:
    folder = write_frames(tmp_path / "a", 8)
    names = changes.pop("folders", ("mine", "theirs"))
    if "runs" in changes:
        changes["runs"] = (tmp_path / "away",)  # type: ignore[assignment]
    request = StudyRequest(folders=tuple((name, folder) for name in names), **changes)  # type: ignore[arg-type]
    with pytest.raises(BenchError, match=message):
        create(tmp_path / "s.db", request)
    assert not (tmp_path / "s.db").exists()


def test_videos_are_paired_by_name(tmp_path: Path) -> None:
    request = own(tmp_path, 8)
    shutil.rmtree(request.folders[1][1] / "scene3")
    with pytest.raises(BenchError, match="no video of the clip scene3"):
        create(tmp_path / "s.db", request)


def test_clips_that_bench_score_has_kept(tmp_path: Path) -> None:
    kept = write_run(tmp_path / "scored", clips=8, rows=("mine", "theirs"))
    for name in ("run.json", "clips.jsonl"):
        (kept / name).unlink()
    (kept / "scores").mkdir()
    ids = Predictions(kept / "predictions" / "real").ids
    lines = ["clip,video,row,metric,value", *(f"{id},{id[:7]},mine,mse,0.1" for id in ids)]
    (kept / "scores" / "per_clip.csv").write_text("\n".join(lines) + "\n")
    created = create(tmp_path / "s.db", StudyRequest(runs=(kept,), catch=0, practice=0))
    assert created.settings.comparisons == (("mine", "theirs"), ("mine", "real"))
    assert {clip.video for clip in Store(tmp_path / "s.db").open().clips().values()} == {id[:7] for id in ids}


def test_scores_come_from_a_folder_beside(tmp_path: Path) -> None:
    (tmp_path / "scored" / "scores").mkdir(parents=True)
    folders = own(tmp_path).folders
    assert open_material([tmp_path / "scored"], folders).run == (tmp_path / "scored").resolve()
    with pytest.raises(BenchError, match="also give their folders"):
        open_material([tmp_path / "scored"])


def test_real_clips_of_two_sources_must_be_the_same(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", clips=4, rows=("mdgan-1",))
    same = open_material([run], (), run / "predictions" / "real")
    assert same.has_real
    with pytest.raises(BenchError, match="different real clips"):
        open_material([run], (), write_frames(tmp_path / "other", 4))
