from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.verify import verify
from bench.errors import BenchError
from tests.data.making import with_matrix, write_container
from tests.support.small import make_beach, make_sky, moving_clip, truncate, write_frames


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


def test_every_broken_file_of_a_split_is_named_and_the_rest_is_decoded(tmp_path: Path) -> None:
    root = make_beach(tmp_path)
    shore = root / "frames-stable-many/shore"
    (shore / "0000_0.jpg").unlink()
    (shore / "0001_0.jpg").write_bytes(b"no image")
    Image.fromarray(np.zeros((65, 64, 3), np.uint8)).save(shore / "0002_0.jpg")
    truncate(shore / "0003_0.jpg")
    found = verify("beach", root)
    errors = texts(found, "error")
    for message in (
        "0000_0.jpg is named",
        "0001_0.jpg cannot be read",
        "0002_0.jpg is 64×65",
        "0003_0.jpg cannot be dec",
    ):
        assert message in errors
    assert len([f for f in found.findings if f.kind == "error"]) == 4


def test_a_leak_does_not_hide_a_broken_file(tmp_path: Path) -> None:
    root = make_sky(tmp_path, train=2, test=1)
    write_frames(root / "sky_test/v0/v0_9", moving_clip(9))
    truncate(root / "sky_test/v0/v0_9/frame_8.jpg")
    errors = texts(verify("sky", root), "error")
    assert "v0 is in both train and test" in errors
    assert "v0_9/frame_8.jpg cannot be decoded" in errors


def test_a_plain_folder_needs_no_training_set(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", moving_clip(0))
    found = verify("folder", tmp_path)
    assert found.ok
    assert found.clips == {"train": 0, "val": 0, "test": 1}
    (tmp_path / "a.npy").unlink()
    assert "no test clips" in texts(verify("folder", tmp_path), "error")
    (tmp_path / "train").mkdir()
    assert "no train clips" in texts(verify("folder", tmp_path), "error")


def test_each_trait_of_the_frames_is_counted(tmp_path: Path) -> None:
    """Frames of a telephone that are turned as their EXIF orientation says pass for others without a word."""
    root, exif = make_sky(tmp_path, train=1, test=1), Image.Exif()
    exif[0x112] = 6
    for file in (root / "sky_test/v100/v100_1").iterdir():
        with Image.open(file) as image:
            image.transpose(Image.Transpose.ROTATE_90).save(file, quality=95, exif=exif)
    write_frames(root / "sky_test/Ku\u0308ste/Ku\u0308ste_1", moving_clip(1))
    see_through = np.concatenate([moving_clip(2), np.full((32, 64, 64, 1), 99, np.uint8)], -1)
    write_frames(root / "sky_test/w/w_1", see_through, name="{:d}.png")
    found = verify("sky", root)
    assert found.ok
    where = "sky_test/v100/v100_1"
    examples = f"{where}/frame_1.jpg, {where}/frame_10.jpg, {where}/frame_11.jpg and 29 more"
    assert texts(found, "remark").splitlines() == [
        f"rotated or mirrored according to the EXIF orientation: 32 files ({examples})",
        "with an alpha channel, composited on white: 32 files "
        "(sky_test/w/w_1/1.png, sky_test/w/w_1/10.png, sky_test/w/w_1/11.png and 29 more)",
        "named in decomposed Unicode: the clip's ID is composed (NFC): 1 file (sky_test/Ku\u0308ste/Ku\u0308ste_1)",
    ]


def test_traits_of_video_files_are_counted_once_a_file(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for number in range(3):
        write_container(tmp_path / "a.mp4", moving_clip(number, 64))
        with_matrix(tmp_path / "a.mp4", root / f"{number}.mp4", 90 if number < 2 else 0, hflip=number == 2)
    found = verify("folder", root)
    assert found.ok
    assert found.clips["test"] == 6
    assert texts(found, "remark").splitlines() == [
        "rotated according to the display matrix: 2 files (0.mp4, 1.mp4)",
        "mirrored according to the display matrix: 1 file (2.mp4)",
    ]


def test_broken_files_of_a_plain_folder_are_told_once(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", moving_clip(0))
    write_container(tmp_path / "b.mp4", moving_clip(0, 64))
    truncate(tmp_path / "b.mp4", 0.8)
    write_frames(tmp_path / "c", moving_clip(0))
    truncate(tmp_path / "c/frame_3.jpg")
    errors = texts(verify("folder", tmp_path), "error").splitlines()
    assert len(errors) == 2
    assert "b.mp4" in errors[0]
    assert "frame_3.jpg cannot be decoded" in errors[1]
