"""Comparison of two folders without a dataset: one of them provides the real clips."""

from __future__ import annotations

import os
import tempfile
import zipfile
import zlib
from pathlib import Path

from bench.data.clips import Clip, Manifest
from bench.data.predictions import DEEPER, Predictions
from bench.data.readers.video import images_in, is_video
from bench.errors import BenchError
from bench.files import built_once, cache_dir, sha256
from bench.progress import task
from bench.runfolder import PART


def reference_manifest(folder: Predictions | Path) -> tuple[Manifest, int]:
    """Return the clips of a folder of videos, each a test clip and a separate source video, and their number of frames.

    Raises:
        BenchError: the folder has no videos, a video cannot be read, or the videos differ in their number of frames.
    """
    videos = one_video_each(folder if isinstance(folder, Predictions) else Predictions(folder, "reference"))
    lengths: dict[int, str] = {}
    clips = []
    with task("reading the reference", len(videos.ids)) as progress:
        for id in videos.ids:
            path = videos.path(id)
            lengths.setdefault(videos.length(id), id)
            names = "/".join(images_in(path)) if path.is_dir() else ""
            where = path.relative_to(videos.folder).as_posix()
            clips.append(Clip(id, id, "test", where, names=names, sha256=videos.sha256(id)))
            progress.advance()
    if len(lengths) > 1:
        listed = ", ".join(f"{id} has {length}" for length, id in sorted(lengths.items()))
        raise BenchError(
            f"The videos in {videos.shown} differ in length ({listed}): cut them to the same number of frames."
        )
    return Manifest("reference", videos.folder, tuple(clips)), next(iter(lengths))


def one_video_each(videos: Predictions) -> Predictions:
    """Return the same videos; raise a `BenchError` if there are several per clip, or only in subfolders."""
    if videos.nested:
        raise BenchError(
            f"The reference folder {videos.shown} has folders of several videos ({next(iter(videos.nested))}): "
            f"expected one real video per clip, directly in the folder.{DEEPER}"
        )
    return videos


def unzipped(path: Path) -> Path:
    """Return a folder unchanged, or unpack a zip archive into a cache folder named after the archive's bytes.

    Raises:
        BenchError: the file is not a zip archive, is damaged or encrypted, or has a path that leads out of it; or the
            disk is full.
    """
    if path.suffix.lower() != ".zip" or path.is_dir():
        return path
    if not zipfile.is_zipfile(path):
        raise BenchError(f"{path} is not a zip archive, or is truncated.")
    folder = cache_dir() / "unzipped" / sha256(path)[:32]
    built_once(folder, lambda: _unpack(path, folder))
    inside = [p for p in folder.iterdir() if p.name != "__MACOSX" and not p.name.startswith(".")]
    # Most archives contain one folder with everything in it; a single frame folder, however, is a clip.
    return inside[0] if len(inside) == 1 and inside[0].is_dir() and not _holds_frames(inside[0]) else folder


def _holds_frames(folder: Path) -> bool:
    names = images_in(folder)
    return bool(names) and not is_video(folder / names[0])


def _unpack(path: Path, folder: Path) -> None:
    """Unpack into a temporary folder and rename it when complete: a killed process leaves no partial content."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=PART) as temporary:
        part = Path(temporary) / "all"
        part.mkdir()
        try:
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if not (part / name).resolve().is_relative_to(part.resolve()):
                        raise BenchError(
                            f"The archive {path} has the path {name}, which points outside it. For safety, it is "
                            "not unpacked."
                        )
                archive.extractall(part)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise BenchError(f"The archive {path} is damaged ({error}): copy or download it again.") from error
        except (RuntimeError, NotImplementedError) as error:  # zipfile's errors for encryption and unknown compression
            raise BenchError(
                f"The archive {path} cannot be unpacked ({error}): create it again as a plain zip archive."
            ) from error
        os.replace(part, folder)
