"""Array files (`.npy`, `.npz`, `.pt`) with all clips of a method or a reference, unpacked into a folder of videos.

The folder is in the cache. Its name is derived from the file's bytes and from what the user stated about the array.
Code that reads folders of videos can therefore read arrays too.
"""

from __future__ import annotations

import os
import pickle
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.clip_arrays import ClipArray, Statement
from bench.data.readers.file_listing import on_one_line
from bench.errors import BenchError
from bench.files import ARRAY_HEADS, built_once, cache_dir, digest, read_json, sha256, write_json
from bench.progress import task
from bench.runfolder import PART

#: Suffixes of files that contain all clips.
NUMPY, TORCH = frozenset({".npy", ".npz"}), frozenset({".pt", ".pth"})
#: Key of the IDs in an `.npz` or `.pt`, and suffix of the text file with the IDs of an `.npy`.
IDS, IDS_ENDING = "ids", ".ids.txt"
#: File in a folder of clips with the notes on its array; hidden, so that it is not read as a clip.
_NOTES = ".array.json"


def is_array_file(path: Path) -> bool:
    """Whether a path names one file with all clips."""
    return path.suffix.lower() in NUMPY | TORCH and not path.is_dir()


def unpacked(path: Path, said: Statement, known: Sequence[str] | None = None) -> tuple[Path, list[str]]:
    """Return a folder with the clips of an array file, and the notes that must accompany their scores.

    Args:
        path: the array file.
        said: what the user states about arrays.
        known: IDs of the real clips, if they have names. They must be numbers if the array has no IDs.

    Raises:
        BenchError: the file cannot be read or contains something else, a required statement is missing, or its clips
            have no IDs.
    """
    if not path.is_file():
        raise BenchError(f"There is no file {path}.")
    array, ids = _opened(path)
    clips = ClipArray(array, str(path), said)
    names = _checked(ids, len(clips), path) if ids is not None else _numbered(len(clips), known, path)
    key = digest([sha256(path), said.axes, said.range, names])
    folder = cache_dir() / "unzipped" / key[:32]
    built_once(folder, lambda: _write(clips, names, folder))
    return folder, list(read_json(folder / _NOTES))


def _write(clips: ClipArray, names: Sequence[str], folder: Path) -> None:
    """Write all clips into a temporary folder, and rename it once it is complete."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=PART) as temporary:
        part = Path(temporary) / "all"
        part.mkdir()
        with task(f"unpacking {Path(clips.name).name}", len(clips)) as progress:
            for name, frames in zip(names, clips, strict=True):
                np.save(part / f"{name}.npy", frames)
                progress.advance()
        write_json(part / _NOTES, clips.notes())
        os.replace(part, folder)


def _opened(path: Path) -> tuple[np.ndarray, list[str] | None]:
    """Return the array of a file (memory-mapped for `.npy`) and the clips' IDs, if any."""
    if path.suffix.lower() in TORCH:
        array, ids = _torch(path)
    else:
        array, ids = _numpy(path)
    beside = path.with_name(path.name.removesuffix(path.suffix) + IDS_ENDING)
    if ids is None and beside.is_file():
        try:
            ids = beside.read_text(encoding="utf-8-sig").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise BenchError(f"The IDs in {beside} cannot be read ({error}): give one ID per line, UTF-8.") from error
        ids = [line.strip() for line in ids if line.strip()]
    return array, ids


def _numpy(path: Path) -> tuple[np.ndarray, list[str] | None]:
    try:
        with ARRAY_HEADS:
            content = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(content, np.ndarray):
            return content, None
        with content:
            return _videos(dict(content), path)
    except (OSError, EOFError, ValueError, TypeError, SyntaxError, zipfile.BadZipFile, zlib.error) as error:
        objects = "allow_pickle" in str(error) or "Python objects" in str(error)
        why = "it contains Python objects, which are not loaded; save one array of numbers" if objects else error
        raise BenchError(f"The array {path} cannot be read ({why}).") from error


def _torch(path: Path) -> tuple[np.ndarray, list[str] | None]:
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        first = str(error).strip().partition("\n")[0].rstrip(".")
        raise BenchError(
            f"The file {path} cannot be read as tensors ({first}). Save one tensor with torch.save; files with "
            "other objects are not loaded, because they may run code."
        ) from error
    if isinstance(content, torch.Tensor):
        return _as_numpy(content), None
    if not isinstance(content, dict):
        raise BenchError(f"{path} contains a {type(content).__name__}: expected a tensor, or a dictionary with one.")
    found = {str(key): _as_numpy(item) for key, item in content.items() if isinstance(item, torch.Tensor)}
    ids = content.get(IDS)
    return _videos(found | ({IDS: ids} if isinstance(ids, list | tuple) else {}), path)


def _as_numpy(tensor: Any) -> np.ndarray:
    """Convert a tensor to an array; types that NumPy lacks (bfloat16) become float32, which represents them exactly."""
    tensor = tensor.detach().to_dense() if tensor.layout.__str__() != "torch.strided" else tensor.detach()
    try:
        return np.asarray(tensor.numpy())
    except TypeError:
        return np.asarray(tensor.float().numpy())


def _videos(content: dict[str, Any], path: Path) -> tuple[np.ndarray, list[str] | None]:
    """Return the only array of videos among several arrays, and the IDs."""
    ids = content.pop(IDS, None)
    found = {name: array for name, array in content.items() if np.ndim(array) >= 4}
    if len(found) != 1:
        listed = ", ".join(f"{name} {list(np.shape(array))}" for name, array in content.items()) or "nothing"
        raise BenchError(
            f"{path} has the wrong content: found {listed}, expected one array of all clips with four or five "
            f"axes, and optionally their '{IDS}'."
        )
    return next(iter(found.values())), None if ids is None else [str(id) for id in np.ravel(np.asarray(ids))]


def _checked(ids: Sequence[str], count: int, path: Path) -> list[str]:
    if len(ids) != count:
        raise BenchError(f"{path} has {count} clips but {len(ids)} IDs: give one ID for each clip, in order.")
    if twice := [id for id, times in Counter(ids).items() if times > 1]:
        raise BenchError(f"The IDs of {path} contain {', '.join(twice[:3])} more than once: each names one clip.")
    if odd := [id for id in ids if not id or id != Path(id).name or id.startswith(".") or not on_one_line(id)]:
        raise BenchError(f"The IDs of {path} contain {odd[0]!r}: expected names as files have them, without folders.")
    return list(ids)


def _numbered(count: int, known: Sequence[str] | None, path: Path) -> list[str]:
    """Names for clips without IDs: their numbers, spelled as in the real clips' IDs."""
    if known is None:
        return [f"{number:06d}" for number in range(count)]
    spelled = {int(id): id for id in known if id.isascii() and id.isdigit()}
    if len(spelled) == len(known) and set(spelled) >= set(range(count)):
        return [spelled[number] for number in range(count)]
    raise BenchError(
        f"{path} does not say which clip is which, and the real clips are called {', '.join(known[:2])}, …: write "
        f"their IDs in the array's order, one per line, into {path.name.removesuffix(path.suffix)}{IDS_ENDING} beside "
        f"it, or save them as '{IDS}' in an .npz."
    )
