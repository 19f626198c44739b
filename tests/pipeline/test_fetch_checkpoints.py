"""Checkpoints of a model's authors, by way of a stand-in for gdown that gives what Google Drive might."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from bench.errors import BenchError
from bench.pipeline.fetch_checkpoints import HASHES, authors_checkpoints, fetch_checkpoints
from mdgan.authors_checkpoints import PublishedMDGAN
from tests.mdgan.test_authors_checkpoints import generator, published

Give = Callable[[Path], None]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two checkpoints of the authors' form, narrow ones."""
    folder = tmp_path_factory.mktemp("authors")
    for seed, name in enumerate(PublishedMDGAN.files):
        torch.save(published(generator(seed)), folder / name)
    return [folder / name for name in PublishedMDGAN.files]


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Give, Give], None]:
    """Puts a stand-in in gdown's place: what it gives where a folder is asked for, and where a file is."""
    monkeypatch.setenv("BENCH_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.setenv("BENCH_OFFLINE", "")

    def stand_in(folder: Give, file: Give) -> None:
        def download_folder(*, id: str, output: str, quiet: bool, use_cookies: bool, timeout: float) -> None:
            assert id == PublishedMDGAN.drive
            Path(output).mkdir()
            folder(Path(output))

        def download(*, id: str, output: str, quiet: bool, use_cookies: bool, timeout: float) -> None:
            assert id == PublishedMDGAN.drive
            file(Path(output))

        module = ModuleType("gdown")
        module.__dict__.update(
            download_folder=download_folder,
            download=download,
            exceptions=SimpleNamespace(DownloadError=type("DownloadError", (Exception,), {})),
        )
        monkeypatch.setitem(sys.modules, "gdown", module)

    return stand_in


def no(_: Path) -> None:
    raise OSError("Connection refused")


def test_a_folder_or_an_archive_gives_checkpoints_that_are_checked_and_kept(
    drive: Callable[[Give, Give], None], files: list[Path], tmp_path: Path
) -> None:
    def folder(out: Path) -> None:
        (out / "checkpoints").mkdir()
        for file in files:
            shutil.copy(file, out / "checkpoints")

    drive(folder, no)
    fetched = fetch_checkpoints("mdgan")
    assert fetched == authors_checkpoints("mdgan")
    assert [path.read_bytes() for path in fetched] == [file.read_bytes() for file in files]
    lines = (fetched[0].parent / HASHES).read_text().split()
    assert lines[::2] == [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    drive(no, no)
    assert fetch_checkpoints("mdgan", offline=True) == fetched  # they are there
    shutil.rmtree(fetched[0].parent)
    shutil.make_archive(str(tmp_path / "all"), "zip", files[0].parent)
    drive(no, lambda out: shutil.copy(tmp_path / "all.zip", out / "models.zip"))  # type: ignore[arg-type, return-value]
    assert [path.read_bytes() for path in fetch_checkpoints("mdgan")] == [file.read_bytes() for file in files]


def test_what_is_no_checkpoint_is_refused_and_leaves_nothing(
    drive: Callable[[Give, Give], None], files: list[Path]
) -> None:
    def wrong(out: Path) -> None:
        for file in files:
            torch.save({"a": torch.zeros(1)}, out / file.name)

    for folder, sentence in ((wrong, "are not the authors' checkpoints"), (no, r"did not send .*Connection refused")):
        drive(folder, no)
        with pytest.raises(BenchError, match=rf"{sentence}.*with a browser and put them into"):
            fetch_checkpoints("mdgan")
        assert not any(path.exists() for path in authors_checkpoints("mdgan"))


def test_offline_nothing_is_asked(drive: Callable[[Give, Give], None]) -> None:
    drive(no, no)
    with pytest.raises(BenchError, match="--offline forbids downloads"):
        fetch_checkpoints("mdgan", offline=True)
