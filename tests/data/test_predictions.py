from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data import predictions as module
from bench.data.predictions import Predictions, PredictionWriter, to_uint8
from bench.data.readers.video import resize
from bench.errors import BenchError
from bench.files import sha256, write_json
from tests.support.small import moving_clip, write_frames, write_strip


def test_what_is_written_reads_back_bit_for_bit(tmp_path: Path) -> None:
    clips = {"a__000": moving_clip(0), "still__000": np.repeat(moving_clip(1, 1), 32, axis=0)}
    writer = PredictionWriter(tmp_path / "row", {"row": "x"})
    for id, clip in clips.items():
        writer.write(id, clip)
    writer.close()
    predictions = Predictions(tmp_path / "row")
    assert predictions.ids == sorted(clips)
    for id, clip in clips.items():
        assert (predictions.read(id) == clip).all()
    assert predictions.manifest["made_by"] == {"row": "x"}


def test_unfinished_and_changed_predictions_are_refused(tmp_path: Path) -> None:
    writer = PredictionWriter(tmp_path / "row", {"row": "x"})
    writer.write("a", moving_clip(0))
    with pytest.raises(BenchError, match="are incomplete"):
        Predictions(tmp_path / "row")
    writer.close()
    write_strip(tmp_path / "row" / "a.png", moving_clip(1))
    with pytest.raises(BenchError, match=r"a\.png has changed since its manifest"):
        Predictions(tmp_path / "row").read("a")


def test_a_writer_goes_on_and_keeps_what_others_made(tmp_path: Path) -> None:
    first = PredictionWriter(tmp_path / "row", {"row": "x", "seed": 0})
    first.write("a", moving_clip(0))
    (tmp_path / "row" / ".part-left.png").write_bytes(b"half")
    again = PredictionWriter(tmp_path / "row", {"row": "x", "seed": 0})
    assert again.has("a")
    assert not again.has("b")
    again.close()
    assert Predictions(tmp_path / "row").ids == ["a"]
    with pytest.raises(BenchError, match=r"made with other settings \(differing: seed\)"):
        PredictionWriter(tmp_path / "row", {"row": "x", "seed": 1})
    assert Predictions(tmp_path / "row").ids == ["a"]
    write_frames(tmp_path / "mine", moving_clip(0, 2))
    with pytest.raises(BenchError, match="not empty"):
        PredictionWriter(tmp_path / "mine", {})


def test_anybodys_folder_is_read_by_clip_id(tmp_path: Path) -> None:
    np.save(tmp_path / "b__000.npy", moving_clip(0))
    write_frames(tmp_path / "a__000", moving_clip(1))
    (tmp_path / "readme.txt").write_text("mine")
    predictions = Predictions(tmp_path)
    assert predictions.ids == ["a__000", "b__000"]
    assert (predictions.read("b__000") == moving_clip(0)).all()
    before = predictions.sha256("a__000")
    frame = tmp_path / "a__000" / "frame_4.jpg"
    frame.write_bytes(frame.read_bytes() + b"\0")
    assert predictions.sha256("a__000") != before


def test_missing_empty_and_double_are_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no prediction folder"):
        Predictions(tmp_path / "nowhere")
    with pytest.raises(
        BenchError, match=r"contains no videos named by clip ID: it contains no files. Supported: video files"
    ):
        Predictions(tmp_path)
    np.save(tmp_path / "a.npy", moving_clip(0))
    write_strip(tmp_path / "a.png", moving_clip(0))
    with pytest.raises(BenchError, match=r"The clip a appears twice .* a\.npy and as a\.png"):
        Predictions(tmp_path)


@given(st.integers(0, 255))
def test_eight_bits_survive_the_way_through_floats(value: int) -> None:
    assert to_uint8(np.float32(value) / np.float32(127.5) - np.float32(1)) == value


def test_values_are_rounded_and_clipped() -> None:
    assert to_uint8(np.array([-1.2, -1.0, 0.0, 1.0, 1.2])).tolist() == [0, 0, 128, 255, 255]
    with pytest.raises(BenchError, match=r"contains NaN.*bench doctor --numerics"):
        to_uint8(np.array([0.0, np.nan]))


def test_somebodys_own_manifest_is_none_of_ours(tmp_path: Path) -> None:
    np.save(tmp_path / "a__000.npy", moving_clip(0))
    for content in ({"model": "mine"}, ["a__000"]):
        write_json(tmp_path / "manifest.json", content)
        predictions = Predictions(tmp_path)
        assert (predictions.ids, predictions.manifest) == (["a__000"], {})
        with pytest.raises(BenchError, match="not empty"):
            PredictionWriter(tmp_path, {})


def test_a_writer_killed_at_its_very_start_does_not_block_the_next(tmp_path: Path) -> None:
    (tmp_path / ".part-abc.json").write_text("{")
    PredictionWriter(tmp_path, {"row": "x"}).close()
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_a_changed_file_is_not_vouched_for_by_doing_it_again(tmp_path: Path) -> None:
    def again() -> None:
        writer = PredictionWriter(tmp_path, {"row": "x"})
        if not writer.has("a"):
            writer.write("a", moving_clip(0))
        writer.close()

    again()
    before = (tmp_path / "manifest.json").stat()
    again()
    assert (tmp_path / "manifest.json").stat().st_ino == before.st_ino  # not written anew
    (tmp_path / "a.png").unlink()
    again()  # the same bytes again
    write_strip(tmp_path / "a.png", moving_clip(1))
    with pytest.raises(
        BenchError, match=r"a\.png has changed since its manifest was written\. To generate it again, remove the folder"
    ):
        again()
    with pytest.raises(BenchError, match=r"a\.png has changed"):
        Predictions(tmp_path).read("a")


def test_what_was_seen_is_told_where_nothing_fits(tmp_path: Path) -> None:
    write_frames(tmp_path / "a" / "frames", moving_clip(0, 3), name="{:d}.png")
    (tmp_path / "a.tga").write_bytes(b"")
    (tmp_path / "notes").write_bytes(b"")
    message = (
        r"it contains 1 file without an ending, 1 \.tga file, 3 \.png files in a/frames\. Supported: video files "
        r".*strips of frames \(\.bmp, \.jpeg, \.jpg, \.png, \.tif, \.tiff, \.webp\)\. Expected videos directly in it"
    )
    with pytest.raises(BenchError, match=message):
        Predictions(tmp_path)


@pytest.mark.parametrize("ending", ["tif", "bmp", "webp", "png"])
def test_frame_folders_of_every_kind_are_clips(tmp_path: Path, ending: str) -> None:
    write_frames(tmp_path / "a", moving_clip(0), name=f"{{:d}}.{ending}")
    assert Predictions(tmp_path).ids == ["a"]
    tolerance = 4 if ending == "webp" else 0
    assert np.abs(Predictions(tmp_path).read("a").astype(int) - moving_clip(0)).mean() <= tolerance


def test_names_that_differ_in_unicode_form_are_one_id(tmp_path: Path) -> None:
    composed, decomposed = "K\u00fcste__000", "Ku\u0308ste__000"
    np.save(tmp_path / f"{decomposed}.npy", moving_clip(0))
    predictions = Predictions(tmp_path)
    assert predictions.ids == [composed]
    assert (predictions.read(composed) == moving_clip(0)).all()
    write_strip(tmp_path / f"{composed}.png", moving_clip(0))
    with pytest.raises(BenchError, match=f"The clip {composed} appears twice"):
        Predictions(tmp_path)


def test_our_own_names_are_composed_whatever_the_disk_makes_of_them(tmp_path: Path) -> None:
    composed, decomposed = "K\u00fcste__000", "Ku\u0308ste__000"
    writer = PredictionWriter(tmp_path / "row", {})
    writer.write(decomposed, moving_clip(0))  # as a disk of macOS gives back what was written composed
    writer.close()
    predictions = Predictions(tmp_path / "row")
    assert list(predictions.manifest["clips"]) == predictions.ids == [composed]
    assert (predictions.read(composed) == moving_clip(0)).all()


def test_a_prediction_is_hashed_once_and_again_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = PredictionWriter(tmp_path / "row", {})
    writer.write("a", moving_clip(0))
    writer.close()
    hashed: list[Path] = []
    monkeypatch.setattr(module, "sha256", lambda path: (hashed.append(path), sha256(path))[1])
    predictions = Predictions(tmp_path / "row")
    before = predictions.sha256("a")
    assert (predictions.read("a") == moving_clip(0)).all()
    assert (predictions.read("a", 16) == resize(moving_clip(0), 16)).all()
    assert predictions.length("a") == 32
    assert len(hashed) == 1
    write_strip(tmp_path / "row/a.png", moving_clip(1))
    with pytest.raises(BenchError, match=r"a\.png has changed since its manifest"):
        predictions.read("a")
    assert predictions.sha256("a") != before
    assert len(hashed) == 2
