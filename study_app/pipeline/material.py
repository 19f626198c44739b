"""Source videos of a study: methods in run folders, and your own folders or archives of videos."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.data.predictions import Predictions
from bench.data.reference_folder import unzipped
from bench.errors import BenchError
from bench.files import read_json
from bench.runfolder import REAL, RunFolder
from study_app.design import catch_clips
from study_app.design.questions import ALONE, TIE


@dataclass
class Material:
    """The methods' videos, and the name of each scene's source video.

    Attributes:
        rows: method → videos; the real clips, if there are any, have the name `real`.
        videos: scene → source video, if a run records it. Any other scene is its own source video.
        dataset: dataset of the run; empty without a run.
        titles: method → display name, if a run records it.
        run: folder with the metrics of these videos, if there is one.
        own: methods that were not made by `bench run`, in order.
        notes: messages for the author of the study.
    """

    rows: dict[str, Predictions]
    videos: dict[str, str]
    dataset: str
    run: Path | None = None
    titles: dict[str, str] = field(default_factory=dict)
    own: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def has_real(self) -> bool:
        """Whether there are real clips."""
        return REAL in self.rows


def open_material(runs: Sequence[Path], folders: Sequence[tuple[str, Path]] = (), real: Path | None = None) -> Material:
    """Join the methods of run folders with your own folders.

    Args:
        runs: run folders, or folders of `bench score --keep-clips`. If `folders` are also given, a folder without
            predictions provides only its scores.
        folders: (method, folder or zip archive of videos that are named by clip ID).
        real: a folder or archive of real clips.

    Raises:
        BenchError: nothing is given, a folder has no videos, a name is taken, or the real clips differ.
    """
    if not runs and not folders:
        raise BenchError("A study needs videos. Give NAME=FOLDER for each method, and --real FOLDER; or give --run.")
    material = Material({}, {}, "", runs[0].resolve() if runs else None, own=[name for name, _ in folders])
    for run in runs:
        _add_run(run, material, needs_predictions=not folders)
    for name, folder in folders:
        _add_folder(name, folder, material)
    if real is not None:
        _add_real(real, material)
    if runs and not folders and not material.has_real:
        raise BenchError(
            f"The run folder {runs[0]} has no real clips in predictions/{REAL}. Generate it again with this "
            "version, or give them with --real."
        )
    return material


def shared_scenes(names: Sequence[str], material: Material) -> list[str]:
    """Clip IDs that all these methods share; a `BenchError` if a method lacks some of the first one's."""
    scenes = material.rows[names[0]].ids
    for name in names:
        missing = sorted(set(scenes) - set(material.rows[name].ids))
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise BenchError(
                f"{name} has no video of the clip {missing[0]}{more}. Videos are paired by clip ID, which is the "
                f"file name without its extension. Add the missing videos, or choose comparisons without {name}."
            )
    return scenes


def _add_run(run: Path, material: Material, needs_predictions: bool) -> None:
    folder = RunFolder(run).all_predictions
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            # folders with @ in their name are further seeds of the same method
            if not path.is_dir() or "@" in path.name or path.name.startswith("."):
                continue
            if path.name == REAL and material.has_real:
                _check_same_real(material.rows[REAL], Predictions(path))
                continue
            _add(path.name, Predictions(path), f"of {run}", material)
            if path.name != REAL and not RunFolder(run).account.exists():
                material.own.append(path.name)
    elif needs_predictions:
        raise BenchError(
            f"The run folder {run} has no predictions. Make them with `bench run` or `bench generate`. For "
            "videos scored by `bench score`, also give their folders, NAME=FOLDER, or score them with --keep-clips."
        )
    elif not run.is_dir():
        raise BenchError(f"There is no folder {run}: give a run folder, or a folder of `bench score`.")
    _read_clips(run, material)


def _add_folder(name: str, folder: Path, material: Material) -> None:
    if "@" in name or name == REAL:
        why = "a study shows one training run per method" if "@" in name else "real clips are given with --real FOLDER"
        raise BenchError(f"A method cannot be called '{name}': {why}. Give it another name, NAME=FOLDER.")
    _add(name, _opened(folder, material), f"in {folder}", material)


def _add_real(real: Path, material: Material) -> None:
    opened = _opened(real, material)
    if material.has_real:
        _check_same_real(material.rows[REAL], opened)
    else:
        material.rows[REAL] = opened


def _opened(folder: Path, material: Material) -> Predictions:
    """Open a folder's videos; for a folder inside a run, also read what the run records about its clips."""
    path = unzipped(folder)
    opened = Predictions(path)
    run = path.resolve().parent.parent
    if opened.manifest and RunFolder(run).all_predictions == path.resolve().parent:
        material.run = material.run or run
        _read_clips(run, material)
    return opened


def _add(name: str, row: Predictions, where: str, material: Material) -> None:
    if name in material.rows or name in (ALONE, TIE, *catch_clips.WAYS):
        raise BenchError(f"{name} {where} needs another name, because this one is taken.")
    material.rows[name] = row


def _check_same_real(one: Predictions, other: Predictions) -> None:
    differing = [id for id in other.ids if id not in one.ids or one.sha256(id) != other.sha256(id)]
    if differing:
        raise BenchError(f"The run folders contain different real clips ({differing[0]}). Give runs of the same data.")


def _read_clips(run: Path, material: Material) -> None:
    path = RunFolder(run).clips
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                clip = json.loads(line) if line.strip() else {}
            except json.JSONDecodeError as error:
                raise BenchError(f"{path} is not valid JSON lines ({error}).") from error
            if "id" in clip:
                material.videos[clip["id"]] = str(clip.get("video", clip["id"]))
    elif RunFolder(run).per_clip.exists():
        with RunFolder(run).per_clip.open(encoding="utf-8", newline="") as file:
            material.videos |= {line["clip"]: line["video"] for line in csv.DictReader(file)}
    account = RunFolder(run).account
    if account.exists():
        said = read_json(account)
        material.dataset = material.dataset or str(said.get("config", {}).get("dataset", ""))
        material.titles |= {row: stored["title"] for row, stored in said.get("rows", {}).items()}
