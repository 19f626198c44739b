"""`bench weights fetch mdgan`: the checkpoints that a model's authors publish on Google Drive, fetched with gdown.

The hashes of these files are not published anywhere. The files are checked by building the model from them, which
requires every tensor by name and shape. Their SHA-256 is then stored next to them.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from bench.config import is_offline
from bench.download.archive import unpack
from bench.errors import BenchError
from bench.files import disk_error, sha256, write_text
from bench.metrics.networks.weights_catalog import weights_dir
from bench.registry import PUBLISHED
from bench.runfolder import PART

#: Hashes of the files at the time of the download.
HASHES = "SHA256SUMS"
#: Seconds without an answer after which the attempt to reach Drive ends.
TIMEOUT = 30.0


def authors_checkpoints(name: str) -> list[Path]:
    """Paths of the checkpoints of a model's authors, in the order of its stages, whether or not they exist."""
    return [weights_dir() / name / file for file in PUBLISHED.load(name).files]


def fetch_checkpoints(name: str, offline: bool = False) -> list[Path]:
    """Fetch the checkpoints of a model's authors, unless they exist.

    Raises:
        BenchError: no authors' checkpoints are known for the model, there is no network, Drive does not send the files,
            or they are not the model's checkpoints. No files are then left under their names.
    """
    model, files = PUBLISHED.load(name), authors_checkpoints(name)
    if all(file.is_file() for file in files):
        return files
    folder = files[0].parent
    by_hand = f"download {' and '.join(model.files)} from {model.address} with a browser and put them into {folder}"
    if offline or is_offline():
        raise BenchError(f"The checkpoints of {name} do not exist, and --offline forbids downloads: {by_hand}.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=PART) as temporary:
            downloaded = _download(model, Path(temporary), by_hand)
            _check(model, downloaded, by_hand)
            for path, file in zip(downloaded, files, strict=True):
                os.replace(path, file)
        write_text(folder / HASHES, "".join(f"{sha256(file)}  {file.name}\n" for file in files))
    except OSError as error:
        raise disk_error(error, folder) from error
    return files


def _download(model: Any, folder: Path, by_hand: str) -> list[Path]:
    """Download a folder, a file or an archive from Drive; returns the paths of the model's files in it."""
    import gdown

    failure = ""
    for bring in (_bring_folder, _bring_file):
        try:
            bring(model.drive, folder)
        except (gdown.exceptions.DownloadError, OSError, ValueError) as error:  # errors of `requests` are OSErrors
            failure = " ".join(str(error).split())[:200]
        for archive in [path for path in folder.rglob("*") if path.is_file() and zipfile.is_zipfile(path)]:
            if archive.name not in model.files:  # PyTorch's own files may be zip archives too
                unpack(archive, folder / "unpacked")
        found = {path.name: path for path in folder.rglob("*") if path.is_file()}
        if found.keys() >= set(model.files):
            return [found[name] for name in model.files]
    why = failure or f"it sent {', '.join(sorted(found)) or 'nothing'}"
    raise BenchError(f"Google Drive did not send the checkpoints ({why}): {by_hand}.")


def _bring_folder(drive: str, folder: Path) -> None:
    import gdown

    gdown.download_folder(id=drive, output=str(folder / "folder"), quiet=True, use_cookies=False, timeout=TIMEOUT)


def _bring_file(drive: str, folder: Path) -> None:
    import gdown

    gdown.download(id=drive, output=f"{folder}{os.sep}", quiet=True, use_cookies=False, timeout=TIMEOUT)


def _check(model: Any, files: list[Path], by_hand: str) -> None:
    try:
        model(**{f"stage{number}": file for number, file in enumerate(files, start=1)})
    except BenchError as error:
        raise BenchError(f"What Google Drive sent are not the authors' checkpoints ({error}): {by_hand}.") from error
