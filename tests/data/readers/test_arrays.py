from __future__ import annotations

import ast
import io
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from bench.data.readers.arrays import mapped
from bench.data.readers.video import frames_of, length, read_video
from bench.errors import BenchError
from tests.data.making import drifting
from tests.support.small import truncate


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_of_one_array_is_its_frames(tmp_path: Path, save: object) -> None:
    clip = drifting(8)
    save(tmp_path / "a.npz", clip)  # type: ignore[operator]
    save(tmp_path / "b.npz", video=clip)  # type: ignore[operator]
    for name in ("a.npz", "b.npz"):
        assert (read_video(tmp_path / name) == clip).all()
        assert (read_video(tmp_path / name, 3) == clip[:3]).all()
        assert length(tmp_path / name) == 8


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_numpys_format_is_read(tmp_path: Path, version: tuple[int, int]) -> None:
    member = io.BytesIO()
    np.lib.format.write_array(member, drifting(4), version=version)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", member.getvalue())
    assert (read_video(tmp_path / "a.npz") == drifting(4)).all()


def test_several_arrays_none_and_other_kinds_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", real=drifting(4), fake=drifting(4))
    with pytest.raises(BenchError, match=r"two\.npz must contain one array, the video's frames: found real, fake"):
        read_video(tmp_path / "two.npz")
    np.savez(tmp_path / "none.npz")
    with pytest.raises(BenchError, match=r"none\.npz must contain one array, the video's frames: found none"):
        read_video(tmp_path / "none.npz")
    np.savez(tmp_path / "floats.npz", drifting(4) / 255)
    with pytest.raises(BenchError, match=r"floats\.npz is float64 \[4, 64, 96, 3\]: expected uint8"):
        read_video(tmp_path / "floats.npz")
    np.savez(tmp_path / "columns.npz", np.asfortranarray(drifting(4)))
    with pytest.raises(BenchError, match=r"columns\.npz is stored in column order"):
        read_video(tmp_path / "columns.npz")
    np.save(tmp_path / "empty.npy", np.zeros((0, 64, 64, 3), np.uint8))
    with pytest.raises(BenchError, match=r"empty\.npy is uint8 \[0, 64, 64, 3\]"):
        read_video(tmp_path / "empty.npy")


def test_damaged_archives_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", drifting(8))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[len(content) // 2] ^= 255
    (tmp_path / "b.npz").write_bytes(content)
    truncate(tmp_path / "a.npz")
    for name in ("a.npz", "b.npz"):  # one has no directory, one another checksum
        with pytest.raises(BenchError, match=rf"{name[0]}\.npz cannot be read"):
            list(frames_of(tmp_path / name))


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], object), allow_pickle=True)
    np.savez(tmp_path / "b.npz", np.array([{"a": 1}], object))
    for name in ("a.npy", "b.npz"):
        with pytest.raises(BenchError, match=name[0]):
            read_video(tmp_path / name)


def test_an_array_is_mapped_and_not_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", drifting(8))
    assert isinstance(mapped(tmp_path / "a.npy"), np.memmap)
    read = read_video(tmp_path / "a.npy", 2)
    read[:] = 0  # a copy: the file stays as it is
    assert (read_video(tmp_path / "a.npy") == drifting(8)).all()


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_heads_are_parsed_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Two at once may fail under Python 3.11, once in many thousand times."""
    clip, path = drifting(2), tmp_path / name
    inside: list[int] = []
    most = [0]
    (np.save if name == "a.npy" else np.savez)(path, clip)

    def watched(text: str, parse: Callable[[str], object] = ast.literal_eval) -> object:
        inside.append(1)
        most[0] = max(most[0], len(inside))
        time.sleep(0.002)
        inside.pop()
        return parse(text)

    monkeypatch.setattr(ast, "literal_eval", watched)
    with ThreadPoolExecutor(8) as threads:
        videos = list(threads.map(lambda _: read_video(path), range(24)))
    assert most == [1]
    assert all((video == clip).all() for video in videos)
