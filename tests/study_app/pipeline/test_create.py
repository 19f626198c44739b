"""Making a study: what it refuses, and what it leaves in the database."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.data.predictions import Predictions, write_strip
from bench.errors import BenchError
from study_app.design import clip_encoding
from study_app.design.schedule import ALTERED, REAL
from study_app.pipeline.create import PAPER_COMPARISONS, create
from study_app.store.store import Store
from tests.study_app.conftest import study_request
from tests.study_app.runfolder import FRAMES, SIZE, decode, sky, write_run


def rewrite(run: Path, row: str, clip: str, frames: np.ndarray) -> None:
    """Put another video into a finished folder, manifest and all."""
    from bench.files import read_json, sha256, write_json

    folder = run / "predictions" / row
    write_strip(folder / f"{clip}.png", frames)
    manifest = read_json(folder / "manifest.json")
    manifest["clips"][clip]["sha256"] = sha256(folder / f"{clip}.png")
    write_json(folder / "manifest.json", manifest)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", clips=8, rows=("mdgan-1", "mdgan-2"))


def test_what_a_study_holds(sqlite: str, run_folder: Path) -> None:
    store = Store(sqlite)
    study = store.open()
    settings = study.settings
    assert settings.comparisons == PAPER_COMPARISONS
    assert (settings.frames, settings.size, settings.dataset) == (FRAMES, SIZE, "sky")
    clips = study.clips()
    assert {name for name, _ in clips} == {"mdgan-1", "mdgan-2", "vgan", "rnngan", REAL, *ALTERED}
    row = Predictions(run_folder / "predictions" / "vgan")
    name, scene = next(key for key in clips if key[0] == "vgan")
    clip = clips[name, scene]
    assert clip.video == scene[:7]
    assert clip.source_sha256 == row.sha256(scene)
    np.testing.assert_array_equal(decode(clip.data, FRAMES), row.read(scene))


def test_media_are_lossless_alike_and_bare() -> None:
    for frames, size in ((32, 32), (32, 128), (5, 16), (1, 8)):
        clip = np.random.default_rng(frames).integers(0, 256, (frames, size, size, 3), dtype=np.uint8)
        data = clip_encoding.encode(clip)
        np.testing.assert_array_equal(decode(data, frames), clip)
        # a RIFF of a single lossless chunk: no place for metadata
        assert data[:4] + data[8:16] == b"RIFFWEBPVP8L"
        riff, chunk = (int.from_bytes(data[at : at + 4], "little") for at in (4, 16))
        assert len(data) == riff + 8
        assert riff - 12 - chunk in (0, 1)
        assert not Image.open(io.BytesIO(data)).info.get("exif")


def test_a_run_without_predictions(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="has no predictions"):
        create(tmp_path / "s.db", study_request(tmp_path))
    (tmp_path / "predictions").mkdir()
    with pytest.raises(BenchError, match="no real clips"):
        create(tmp_path / "s.db", study_request(tmp_path))
    assert not (tmp_path / "s.db").exists()


def test_a_pair_with_a_missing_side(small: Path, tmp_path: Path) -> None:
    folder = small / "predictions" / "mdgan-1"
    manifest = json.loads((folder / "manifest.json").read_text())
    gone = sorted(manifest["clips"])[3]
    del manifest["clips"][gone]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BenchError, match=f"mdgan-1 has no video of the clip {gone}"):
        create(tmp_path / "s.db", study_request(small, practice=1, catch=1, catch_pass=1, workload=4))
    only = study_request(small, comparisons=(("mdgan-2", REAL),), practice=1, catch=1, catch_pass=1, workload=4)
    assert len(create(tmp_path / "s.db", only).schedule.trials) == 8


@pytest.mark.parametrize(("frames", "size"), [(FRAMES, 16), (FRAMES - 1, SIZE)])
def test_clips_that_differ_in_shape(small: Path, tmp_path: Path, frames: int, size: int) -> None:
    clip = Predictions(small / "predictions" / REAL).ids[2]
    rewrite(small, "mdgan-2", clip, sky(2, frames, size))
    with pytest.raises(BenchError, match=f"{clip} of mdgan-2 has {frames} frames of {size}×{size}"):
        create(tmp_path / "s.db", study_request(small, practice=1, catch=1, catch_pass=1, workload=4))


def test_clips_can_be_shown_smaller_as_the_paper_did(small: Path, tmp_path: Path) -> None:
    wanted = study_request(small, size=16, practice=1, catch=1, catch_pass=1, workload=4)
    made = create(tmp_path / "s.db", wanted)
    assert made.settings.size == 16
    store = Store(tmp_path / "s.db")
    clips = store.open().clips()
    real = Predictions(small / "predictions" / REAL)
    scene = next(scene for name, scene in clips if name == REAL)
    shown = decode(clips[REAL, scene].data, FRAMES).astype(float)
    blocks = real.read(scene).reshape(FRAMES, 16, 2, 16, 2, 3).mean(axis=(2, 4))
    assert np.abs(shown - blocks).max() <= 1.0  # Pillow rounds twice: along rows, then along columns
    with pytest.raises(BenchError, match="not enlarged"):
        create(tmp_path / "t.db", replace(wanted, size=64))


def test_first_frames_that_do_not_match_must_be_accepted(small: Path, tmp_path: Path) -> None:
    clip = Predictions(small / "predictions" / REAL).ids[2]
    rewrite(small, "mdgan-2", clip, 255 - sky(2, FRAMES))
    wanted = study_request(small, practice=1, catch=1, catch_pass=1, workload=4)
    with pytest.raises(BenchError, match=rf"mdgan-2 {clip} \(.* dB\).*--accept-first-frames"):
        create(tmp_path / "s.db", wanted)
    assert not (tmp_path / "s.db").exists()
    made = create(tmp_path / "s.db", replace(wanted, accept_first_frames=True))
    assert any(clip in note for note in made.notes)


def test_rows_that_state_different_rates(small: Path, tmp_path: Path) -> None:
    for row, rate in (("mdgan-1", 10), ("mdgan-2", 25)):
        path = small / "predictions" / row / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["made_by"]["rate"] = rate
        path.write_text(json.dumps(manifest))
    with pytest.raises(BenchError, match="different frame rates"):
        create(tmp_path / "s.db", study_request(small, practice=1, catch=1, catch_pass=1, workload=4))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"comparisons": (("mdgan-2", "mdgan-3"),)}, "Did you mean 'mdgan-2'"),
        ({"comparisons": (("mdgan-2", "mdgan-2"),)}, "two different methods"),
        ({"comparisons": (("mdgan-2", "mdgan-1"), ("mdgan-1", "mdgan-2"))}, "compared twice"),
        ({"votes": 0}, "votes of at least 1"),
        ({"clips": 0}, "clips of at least 1"),
        ({"catch": 5}, r"\(at least 20 in total\), compare fewer \(--clips 2 --catch 5\), give --catch 2 with"),
        ({"catch": 7}, r"too few for 7 catch trials\. Add clips \(at least 28 in total\), give --catch 2 with"),
        ({"catch_pass": 2}, "cannot pass"),
        ({"rate": 0.0}, "frames a second"),
        ({"workload": 500}, "Lower --workload"),
        ({"question": " "}, "a question and a consent text"),
        ({"completion_url": "javascript:alert(1)"}, "https"),
        ({"lease_minutes": 0.0}, "more than 0 minutes"),
    ],
)
def test_wishes_that_make_no_study(small: Path, tmp_path: Path, changes: dict[str, object], sentence: str) -> None:
    base: dict[str, object] = {"practice": 1, "catch": 1, "catch_pass": 1, "workload": 4}
    with pytest.raises(BenchError, match=sentence):
        create(tmp_path / "s.db", study_request(small, **(base | changes)))
    assert not (tmp_path / "s.db").exists()


def test_a_run_of_few_clips_gets_less_practice_and_says_so(small: Path, tmp_path: Path) -> None:
    made = create(tmp_path / "s.db", study_request(small, catch=2, catch_pass=1, workload=None, practice=3, clips=100))
    assert (made.settings.practice, made.settings.catch, made.settings.catch_pass) == (2, 2, 1)
    assert sorted(note[:20] for note in made.notes) == [
        "The methods share 8 ",
        "The rule of 1 right ",
        "With 8 clips, each r",
    ]
    assert made.settings.workload == 12


def test_a_rule_that_cannot_tell_who_attends_is_made_by_nobody_unasked(small: Path, tmp_path: Path) -> None:
    unasked = replace(study_request(small, catch=None, catch_pass=None, workload=None), accept_weak_catch=False)
    with pytest.raises(BenchError, match=r"8 clips, 8 of them compared, are too few for 10 catch trials.*--catch 0"):
        create(tmp_path / "s.db", unasked)
    with pytest.raises(BenchError, match=r"fails 4 % of attentive raters; at most 5 % each is allowed. Give 8 or more"):
        create(tmp_path / "s.db", replace(unasked, catch=2))  # two of two: one in four at random
    assert not (tmp_path / "s.db").exists()
    accepted = create(tmp_path / "s.db", replace(unasked, catch=2, accept_weak_catch=True))
    assert any("passes 25 % of random clickers" in note for note in accepted.notes)
    assert create(tmp_path / "u.db", replace(unasked, catch=0)).settings.catch_pass == 0
    large = write_run(tmp_path / "large", clips=40, rows=("mdgan-1", "mdgan-2"), size=16)
    made = create(tmp_path / "t.db", replace(unasked, runs=(large,)))
    assert (made.settings.catch, made.settings.catch_pass) == (10, 9)


def test_the_consent_text_tells_how_long_a_session_is(small: Path, tmp_path: Path) -> None:
    base = study_request(small, practice=1, catch=1, catch_pass=1, workload=4, rate=10.0)
    short = create(tmp_path / "s.db", base).settings
    assert "about 2 minutes" in short.consent
    longer = create(tmp_path / "t.db", replace(base, rate=0.5, consent="{minutes} min.")).settings
    assert longer.consent == "2 min."  # 6 pairs of 16 + 1.2 seconds, and half a minute for reading
    assert short.consent_version != longer.consent_version


def test_a_name_is_used_once(small: Path, tmp_path: Path) -> None:
    wanted = study_request(small, practice=1, catch=1, catch_pass=1, workload=4)
    create(tmp_path / "s.db", wanted)
    with pytest.raises(BenchError, match="Choose another --name"):
        create(tmp_path / "s.db", wanted)
    create(tmp_path / "s.db", replace(wanted, name="second"))
    with pytest.raises(BenchError, match="several studies"):
        Store(tmp_path / "s.db").open()
    with pytest.raises(BenchError, match="Did you mean 'second'"):
        Store(tmp_path / "s.db").open("secnd")


def test_several_runs_are_joined_when_their_real_clips_are_the_same(small: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "other", clips=8, rows=("vgan",))
    base = study_request(small, practice=1, catch=1, catch_pass=1, workload=4)
    made = create(tmp_path / "s.db", replace(base, runs=(small, other)))
    assert ("mdgan-2", "vgan") in made.settings.comparisons
    shutil.rmtree(other)
    write_run(other, clips=8, rows=("vgan",), size=16)
    with pytest.raises(BenchError, match="different real clips"):
        create(tmp_path / "t.db", replace(base, runs=(small, other)))


def test_further_seeds_are_left_alone(small: Path, tmp_path: Path) -> None:
    shutil.copytree(small / "predictions" / "mdgan-2", small / "predictions" / "vgan@2")
    made = create(tmp_path / "s.db", study_request(small, practice=1, catch=1, catch_pass=1, workload=4))
    assert all("vgan" not in pair for pair in made.settings.comparisons)


def test_a_study_in_german(small: Path, tmp_path: Path) -> None:
    asked = study_request(small, clips=4, workload=None, practice=1, catch=0, catch_pass=None, language="de")
    made = create(tmp_path / "de.db", asked).settings
    assert (made.language, made.question) == ("de", "Welches Video wirkt realistischer?")
    assert f"etwa {made.minutes} Minuten" in made.consent
    own = create(tmp_path / "own.db", replace(asked, question="Und?")).settings
    assert (own.question, own.consent) == ("Und?", made.consent)
    with pytest.raises(BenchError, match="no texts in the language 'xx'"):
        create(tmp_path / "xx.db", replace(asked, language="xx"))
    assert not (tmp_path / "xx.db").exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"completion_code": "12345"}, "spreadsheet would change the code 12345"),
        ({"failed_code": "12E45"}, "spreadsheet would change"),
        ({"consent": "See ![x](http://example.org/x.png)", "consent_format": "markdown"}, "contains a picture"),
        ({"link_parameter": "a b"}, "link parameter"),
        ({"entry": "friends"}, r"open \(to everybody\)"),
        ({"flagged_share": 0.0}, "share of flagged answers"),
    ],
)
def test_settings_that_would_do_harm_are_refused(
    run_folder: Path, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BenchError, match=sentence):
        create(tmp_path / "s.db", study_request(run_folder, **changes))
    assert not (tmp_path / "s.db").exists()
