from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.data.array_files import is_array_file, unpacked
from bench.data.clip_arrays import Statement
from bench.data.predictions import Predictions
from bench.errors import BenchError
from tests.support.small import moving_clip, truncate

NOTHING = Statement()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def clips() -> np.ndarray:
    """uint8 [3, 5, 16, 16, 3]."""
    return np.stack([moving_clip(n, 5, 16) for n in range(3)])


def store(path: Path, clips: np.ndarray, ids: list[str] | None = None) -> Path:
    if path.suffix == ".npy":
        np.save(path, clips)
    elif path.suffix == ".npz":
        np.savez_compressed(path, videos=clips, **({} if ids is None else {"ids": np.array(ids)}))
    elif ids is None:
        torch.save(torch.from_numpy(clips), path)
    else:
        torch.save({"videos": torch.from_numpy(clips), "ids": ids, "epoch": 3}, path)
    return path


def read(folder: Path) -> np.ndarray:
    videos = Predictions(folder)
    assert videos.skipped == []
    return np.stack([videos.read(id) for id in videos.ids])


@pytest.mark.parametrize("ending", [".npy", ".npz", ".pt", ".pth", ".NPY"])
def test_every_kind_of_file_is_a_folder_of_its_clips(ending: str, clips: np.ndarray, tmp_path: Path) -> None:
    kind = ending.lower()
    path = store(tmp_path / f"mine{kind}", clips).rename(tmp_path / f"mine{ending}")
    assert is_array_file(path)
    folder, notes = unpacked(path, NOTHING)
    assert notes == []
    assert Predictions(folder).ids == ["000000", "000001", "000002"]
    np.testing.assert_array_equal(read(folder), clips)
    assert unpacked(path, NOTHING)[0] == folder


@pytest.mark.parametrize("ending", [".npz", ".pt"])
def test_ids_within_the_file_name_the_clips(ending: str, clips: np.ndarray, tmp_path: Path) -> None:
    ids = ["sea", "Küste", "a b"]
    folder, _ = unpacked(store(tmp_path / f"m{ending}", clips, ids), NOTHING, ["a b", "sea", "x"])
    videos = Predictions(folder)
    for id, clip in zip(ids, clips, strict=True):
        np.testing.assert_array_equal(videos.read(id), clip)


def test_ids_beside_an_array_name_its_clips(clips: np.ndarray, tmp_path: Path) -> None:
    path = store(tmp_path / "m.npy", clips)
    (tmp_path / "m.ids.txt").write_text("\ufeffc\nb\n\na\n", encoding="utf-8")
    np.testing.assert_array_equal(read(unpacked(path, NOTHING, ["a"])[0]), clips[::-1])
    for text, sentence in (
        ("a\nb\n", "has 3 clips but 2 IDs"),
        ("a\na\nb\n", "contain a more than once"),
        ("a\nb\n../c\n", "expected names as files have them"),
        ("a\nb\n.c\n", "expected names as files have them"),
    ):
        (tmp_path / "m.ids.txt").write_text(text)
        with pytest.raises(BenchError, match=sentence):
            unpacked(path, NOTHING)
    (tmp_path / "m.ids.txt").write_bytes(b"a\nb\n\xff\n")
    with pytest.raises(BenchError, match="one ID per line, UTF-8"):
        unpacked(path, NOTHING)


def test_clips_without_ids_fit_real_ones_that_are_numbers_and_no_others(clips: np.ndarray, tmp_path: Path) -> None:
    path = store(tmp_path / "m.npy", clips)
    for known in (["0", "1", "2"], ["00", "01", "02", "03"], ["000000", "000001", "000002"]):
        assert Predictions(unpacked(path, NOTHING, known)[0]).ids == known[:3]
    for known in (["1", "2", "3"], ["sea", "sky", "sun"], ["0", "1", "x"]):
        with pytest.raises(BenchError, match=r"does not say which clip is which.*m\.ids\.txt"):
            unpacked(path, NOTHING, known)


def test_what_is_stated_makes_another_folder_and_notes_are_kept(clips: np.ndarray, tmp_path: Path) -> None:
    floats = (clips / 255.0).astype(np.float32)
    floats[0, 0, 0, 0, 0] = 1.2
    path = store(tmp_path / "m.npy", floats)
    with pytest.raises(BenchError, match=r"m\.npy is float32 \[3, 5, 16, 16, 3\].*--range"):
        unpacked(path, NOTHING)
    one, notes = unpacked(path, Statement("", (0, 1)))
    assert "outside the stated range 0,1" in notes[0]
    assert unpacked(path, Statement("", (0, 1))) == (one, notes)
    assert unpacked(path, Statement("", (-1, 1)))[0] != one
    assert (read(one)[1:] == clips[1:]).all()


def test_half_precision_and_gradients_are_read(clips: np.ndarray, tmp_path: Path) -> None:
    tensor = torch.from_numpy(clips).float().div(255).to(torch.bfloat16).requires_grad_()
    torch.save(tensor.permute(0, 1, 4, 2, 3), tmp_path / "m.pt")
    frames = read(unpacked(tmp_path / "m.pt", Statement("", (0, 1)))[0])
    assert abs(frames.astype(int) - clips).max() <= 1  # bfloat16 has 8 bits


def test_files_that_hold_something_else_get_a_sentence(clips: np.ndarray, tmp_path: Path, cache: Path) -> None:
    np.savez(tmp_path / "two.npz", pred=clips, true=clips)
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object))
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "text.pt").write_text("no tensor")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"a": torch.zeros(3)}, tmp_path / "flat.pt")
    (tmp_path / "code.pt").write_bytes(pickle.dumps(Path("/")))
    truncate(store(tmp_path / "cut.npz", clips))
    truncate(store(tmp_path / "cut.npy", clips))
    truncate(store(tmp_path / "cut.pt", clips))
    for name, sentence in {
        "two.npz": r"wrong content: found pred \[3, 5, 16, 16, 3\], true",
        "objects.npy": "Python objects, which are not loaded",
        "text.npy": "cannot be read",
        "text.pt": "cannot be read as tensors",
        "list.pt": "contains a list: expected a tensor",
        "flat.pt": r"wrong content: found a \[3\]",
        "code.pt": "files with other objects are not loaded",
        "cut.npz": "cannot be read",
        "cut.npy": "cannot be read",
        "cut.pt": "cannot be read as tensors",
        "none.npy": "There is no file",
    }.items():
        with pytest.raises(BenchError, match=sentence):
            unpacked(tmp_path / name, NOTHING)
    assert not cache.exists()


def test_a_clip_that_cannot_be_converted_leaves_nothing(clips: np.ndarray, tmp_path: Path, cache: Path) -> None:
    floats = clips / 255.0
    floats[2, 0, 0, 0, 0] = np.nan
    with pytest.raises(BenchError, match="clip 2"):
        unpacked(store(tmp_path / "m.npy", floats), Statement("", (0, 1)))
    assert [path for path in (cache / "unzipped").iterdir() if path.suffix != ".lock"] == []
