from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.data.verify import verify
from bench.errors import BenchError
from tests.small import make_beach, make_sky, moving_clip, truncate, write_frames


def texts(found: object, kind: str) -> str:
    return "\n".join(f.text for f in found.findings if f.kind == kind)  # type: ignore[attr-defined]


def test_a_good_dataset_has_nothing_to_say(sky: Path, beach: Path) -> None:
    for dataset, root in (("sky", sky), ("beach", beach)):
        found = verify(dataset, root)
        assert found.ok
        assert not found.findings
        assert found.clips == {"train": 3, "val": 1, "test": 2}


def test_real_data_is_good(real_data: Path) -> None:
    assert verify("beach", real_data / "beach").ok


def test_every_broken_file_is_named(tmp_path: Path) -> None:
    root = make_sky(tmp_path)
    truncate(root / "sky_train/v1/v1_1/frame_8.jpg")
    truncate(root / "sky_test/v100/v100_1/frame_2.jpg", 0.9)
    write_frames(root / "sky_test" / "c" / "c_1", moving_clip(9, 31))
    found = verify("sky", root)
    assert not found.ok
    assert "v1_1/frame_8.jpg cannot be decoded" in texts(found, "error")
    assert "v100_1/frame_2.jpg cannot be decoded" in texts(found, "error")
    assert "c_1: 31 frames" in texts(found, "remark")


def test_the_same_frames_in_train_and_test_are_an_error(tmp_path: Path) -> None:
    root = make_sky(tmp_path)
    shutil.copytree(root / "sky_train/v0/v0_1", root / "sky_test/z/z_1")
    assert "in training and in test" in texts(verify("sky", root), "error")


def test_half_a_dataset_is_an_error_and_the_rest_is_still_looked_at(tmp_path: Path) -> None:
    root = make_beach(tmp_path)
    (root / "frames-stable-many/shore/0001_0.jpg").unlink()
    found = verify("beach", root)
    assert "0001_0.jpg is named in the train list" in texts(found, "error")
    assert found.clips["test"] == 2


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="does not exist"):
        verify("sky", tmp_path / "nowhere")
