"""The only reader and writer of predictions: one lossless file per clip, named by clip id.

The writer produces PNGs that contain a clip's frames as a vertical strip (the Beach dataset's own layout). They are
8-bit, lossless and readable in every viewer. They are exact even if all frames are the same, which animation formats
merge. A `manifest.json` records what made them and the hash of each file. A folder without a manifest is third-party:
videos of any known kind, or frame folders, named by clip id.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.data.clips import content_hash
from bench.data.readers.arrays import sample_of
from bench.data.readers.file_listing import composed, file_state, files_below, printable, seen
from bench.data.readers.frames import Frames
from bench.data.readers.video import STILLS, VIDEOS, images_in, is_video, length, read_image, read_video, resize
from bench.errors import BenchError
from bench.files import atomic_path, digest, disk_error, read_json, sha256, write_json
from bench.runfolder import MANIFEST, PART

#: End of messages about a folder whose videos are in subfolders.
DEEPER = (
    "If each file is a video of its own, read them with `--dataset folder --data-root FOLDER`, which cuts "
    "them into clips of 32 frames."
)
#: Names that operating systems leave in folders and archives.
_OF_SYSTEMS = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})


class Predictions:
    """Videos of one method, by clip id.

    Attributes:
        folder: folder of the videos.
        manifest: content of the folder's own manifest; empty for a third-party folder.
        nested: videos by clip id and number, for clips that are folders of several videos (`bench.data.samples`).
        number: number of the sample, if this is one of several per clip (`sample`); None if a clip has one video.
        skipped: names in the folder that are not videos; names of folders end with a slash.

    Args:
        folder: folder of the videos, one per clip.
        what: what the videos are, for messages.
        given: what the user named, if that is not the folder itself (an archive, an array).
    """

    def __init__(self, folder: str | Path, what: str = "prediction", given: str | Path | None = None) -> None:
        self.folder = Path(folder)
        self.shown = Path(given or folder)
        self.skipped: list[str] = []
        if not self.folder.is_dir():
            found = (
                f"{self.shown} is a file, not a {what} folder"
                if self.folder.is_file()
                else f"There is no {what} folder {self.shown}"
            )
            raise BenchError(
                f"{found}: give a folder of videos, a .zip archive of one, or one array of all clips (.npy, .npz, .pt)."
            )
        self.manifest = own_manifest(self.folder)
        if self.manifest and not self.manifest.get("complete"):
            raise BenchError(f"The predictions in {self.shown} are incomplete. Repeat the command that made them.")
        self.nested: dict[str, dict[int, Path]] = {}
        self.number: int | None = None
        self._files = self._list()
        self._members: dict[str, int] = {}  # indices in arrays of several samples
        named = self.manifest["clips"].values() if self.manifest else ()
        self._hash_of = {self.folder / entry["file"]: entry["sha256"] for entry in named}
        self._hashes: dict[Path, tuple[list[tuple[int, ...]], str]] = {}
        if not self._files and not self.nested:
            raise BenchError(
                f"The {what} folder {self.shown} contains no videos named by clip ID: {seen(self.folder)}. "
                f"Expected videos directly in it.{_deeper(self.folder)}"
            )

    def _list(self) -> dict[str, Path]:
        if self.manifest:
            return {composed(id): self.folder / entry["file"] for id, entry in self.manifest["clips"].items()}
        files: dict[str, Path] = {}
        for path in sorted(self.folder.iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                if not images_in(path):
                    if videos := _numbered(path):
                        self.nested[composed(path.name)] = videos
                    elif path.name not in _OF_SYSTEMS:
                        self.skipped.append(f"{printable(path.name)}/")
                    continue
                id = composed(path.name)
            elif path.suffix.lower() in VIDEOS | STILLS:
                id = composed(path.stem)
            else:
                if path.name not in _OF_SYSTEMS:
                    self.skipped.append(printable(path.name))
                continue
            if id in files:
                raise BenchError(
                    f"The clip {id} appears twice in {self.shown}: as {files[id].name} and as {path.name}. Keep one."
                )
            files[id] = path
        return files

    @property
    def ids(self) -> list[str]:
        """Sorted clip ids, in composed Unicode."""
        return sorted(self._files)

    def path(self, id: str) -> Path:
        """The file or frame folder of one clip."""
        return self._files[id]

    def sha256(self, id: str) -> str:
        """Hash of a clip's bytes (of all its frames for a frame folder), cached until they change."""
        path = self._files[id]
        files = [path / name for name in images_in(path)] if path.is_dir() else [path]
        state = [file_state(file) for file in files]
        if path not in self._hashes or self._hashes[path][0] != state:
            self._hashes[path] = state, content_hash(files) if path.is_dir() else sha256(path)
        content = self._hashes[path][1]
        return digest([content, self._members[id]]) if id in self._members else content

    def sample(self, number: int, videos: Mapping[str, tuple[Path, int | None]]) -> Predictions:
        """Return the same folder, restricted to one sample of each clip.

        Args:
            number: number of the sample.
            videos: file or frame folder by clip id, and the index in it if it is an array of several samples.
        """
        one = copy.copy(self)  # known hashes are shared
        one.number, one.nested = number, {}
        one._files = {id: path for id, (path, _) in videos.items()}
        one._members = {id: place for id, (_, place) in videos.items() if place is not None}
        return one

    def read(self, id: str, resolution: int | None = None) -> Frames:
        """Read one clip as uint8 `[T, H, W, 3]`.

        Args:
            id: id of the clip.
            resolution: side of the square to which each frame is resized; by default, frames are not resized.

        Raises:
            BenchError: the clip cannot be decoded, or is not the file that the folder's manifest names.
        """
        self._check(id)
        if id in self._members:
            frames = sample_of(self._files[id], self._members[id])
        elif count := self.manifest.get("frames"):
            frames = _cut(self._files[id], count)
        else:
            return read_video(self._files[id], resolution=resolution)
        return frames if resolution is None else resize(frames, resolution)

    def length(self, id: str) -> int:
        """Number of frames of a clip; raises the same errors as `read`."""
        self._check(id)
        return len(self.read(id)) if id in self._members else length(self._files[id])

    def _check(self, id: str) -> None:
        if self._hash_of and self.sha256(id) != self._hash_of[self._files[id]]:
            raise BenchError(f"{self._files[id]} has changed since its manifest was written: generate it again.")


def _numbered(folder: Path) -> dict[int, Path]:
    """Videos and frame folders directly in a folder, ordered by number; empty if any of their names is not a number."""
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        is_video = bool(images_in(path)) if path.is_dir() else path.suffix.lower() in VIDEOS
        if not is_video or path.name.startswith("."):
            continue
        name = path.name if path.is_dir() else path.stem
        if not name.isdecimal():
            return {}
        if int(name) in found:
            raise BenchError(f"{folder} has sample {name} twice: as {found[int(name)].name} and {path.name}. Keep one.")
        found[int(name)] = path
    return dict(sorted(found.items()))


def _deeper(folder: Path) -> str:
    """Advice on a folder whose videos are in subfolders; "" if there are none."""
    return DEEPER if any(is_video(path) for path in files_below(folder)) else ""


def own_manifest(folder: Path) -> dict[str, Any]:
    """The manifest that this program wrote into a folder; empty if there is none, or only a third-party one."""
    path = folder / MANIFEST
    content = read_json(path) if path.is_file() else None
    # Other programs also write a manifest.json next to their videos, in their own format.
    return content if isinstance(content, dict) and {"format", "clips", "made_by"} <= content.keys() else {}


class PredictionWriter:
    """Writes a folder of predictions, clip by clip, and resumes where a killed writer stopped.

    Args:
        folder: folder to write; created if it does not exist.
        made_by: what determines the videos (row, model, seed, checkpoint hash, resolution, ...). Files from an earlier
            writer with the same `made_by` are kept. A folder with another `made_by` raises a `BenchError` and is never
            overwritten.
        frames: number of frames of every clip, which then need not be square; 0 for any number of square frames.
    """

    def __init__(self, folder: str | Path, made_by: Mapping[str, Any], frames: int = 0) -> None:
        self.folder = Path(folder)
        self.made_by = dict(made_by)
        self.frames = frames
        if manifest := own_manifest(self.folder):
            if (kept := manifest["made_by"]) != self.made_by:
                differing = ", ".join(sorted(k for k in kept | self.made_by if kept.get(k) != self.made_by.get(k)))
                raise BenchError(
                    f"{self.folder} contains predictions made with other settings (differing: {differing}). "
                    "Choose another folder, or remove this one."
                )
        elif self.folder.is_dir() and any(not p.name.startswith(PART) for p in self.folder.iterdir()):
            raise BenchError(
                f"{self.folder} is not empty and was not written by this program (it has no {MANIFEST}). Choose "
                "another folder."
            )
        else:
            write_json(self.folder / MANIFEST, {"format": 1, "complete": False, "made_by": self.made_by, "clips": {}})
        for left in self.folder.glob(f"{PART}*"):  # from a killed process
            left.unlink(missing_ok=True)

    def has(self, id: str) -> bool:
        """Whether a clip's video already exists, from this process or from a killed one."""
        return (self.folder / f"{id}.png").exists()

    def write(self, id: str, frames: Frames) -> None:
        """Write one clip, uint8 `[T, H, W, 3]`, atomically."""
        write_strip(self.folder / f"{id}.png", frames, square=not self.frames)

    def close(self) -> None:
        """Write the manifest, which marks the folder as complete.

        A manifest that is already complete is not rewritten, and the files must match it. Rewriting it would vouch for
        a file that was changed since.
        """
        if (known := own_manifest(self.folder)).get("complete"):
            for entry in known["clips"].values():
                path = self.folder / entry["file"]
                if not path.is_file() or sha256(path) != entry["sha256"]:
                    raise BenchError(
                        f"{path} has changed since its manifest was written. To generate it again, remove the folder."
                    )
            return
        files = sorted(self.folder.glob("*.png"))
        clips = {composed(p.stem): {"file": p.name, "sha256": sha256(p)} for p in files}
        count = {"frames": self.frames} if self.frames else {}
        manifest = {"format": 1, "complete": True, "made_by": self.made_by, **count, "clips": clips}
        write_json(self.folder / MANIFEST, manifest)


def _cut(path: Path, count: int) -> Frames:
    """Read a strip of `count` frames, which need not be square, as uint8 `[T, H, W, 3]`."""
    strip = read_image(path)
    return strip.reshape(count, len(strip) // count, *strip.shape[1:])


def write_strip(path: str | Path, frames: Frames, square: bool = True) -> None:
    """Write uint8 `[T, H, W, 3]` as one PNG, frames from top to bottom; `square` rejects non-square frames."""
    count, height, width, _ = frames.shape
    if square and height != width:
        raise BenchError(f"Predictions are square; {path} would be {width}×{height}.")
    try:
        with atomic_path(path) as part:
            Image.fromarray(frames.reshape(count * height, width, 3)).save(part, "PNG", compress_level=3)
    except OSError as error:
        raise disk_error(error, path) from error


def to_uint8(video: np.ndarray) -> Frames:
    """Round values in [-1, 1] to the 8 bits that are stored, shown and scored.

    Raises:
        BenchError: a value is NaN, which would become black.
    """
    if np.isnan(video).any():
        raise BenchError(
            "A generated video contains NaN: the model's weights or this machine's kernels are broken. "
            "Check the machine with `bench doctor --numerics`, and train the model again."
        )
    return np.clip(np.floor((video + 1.0) * 127.5 + 0.5), 0, 255).astype(np.uint8)
