"""What the documentation says a reader has: datasets, folders of videos, published checkpoints, and runs.

The runs are those that several pages build on. They are made by their own commands, smaller, in the session's first
test process that needs them; tests work on copies, in which the same command finds everything done.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from bench.cli.main import app, mount_commands
from bench.data.clips import build_manifest
from bench.data.predictions import PredictionWriter
from bench.data.samples import sample_name
from tests.mdgan.test_authors_checkpoints import generator, published
from tests.support.small import blank_figures, make_beach, make_sky, moving_clip

#: What `make demo` does.
DEMO = "bench run --models mdgan,vgan,rnngan --preset smoke --out results/demo"
TABLE2 = "bench reproduce table2 --data-root /data/sky_timelapse --out results/table2"
TABLE4 = "bench reproduce table4 --data-root /data/beach --out results/table4"
#: What keeps a training small. A reader's own takes an hour.
SMALL = ["--set", "steps=1", "--set", "batch=2", "--set", "device=cpu"]
WIDTH = {name: ["--set", f"options.{name}.width=4"] for name in ("mdgan", "vgan", "rnngan")}
#: Folders that the documentation takes as a reader's own.
ROOTS = ("/data/", "/videos/", "/shared/")


def build(here: Path) -> None:
    """Make all of it."""
    sky = make_sky(here / "data/sky_timelapse", test=8)
    make_sky(here / "data/demo", test=16)  # in place of the synthetic scenes, which other tests paint
    make_beach(here / "data/beach")
    for split, count in (("train", 3), ("test", 2)):
        (here / "data/stacks" / split).mkdir(parents=True)
        for number in range(count):
            np.save(here / f"data/stacks/{split}/{split}{number}.npy", moving_clip(number))
    for name in ("mine", "theirs", "real"):
        writer = PredictionWriter(here / "videos" / name, {})
        for clip in build_manifest("sky", sky, ("test",)).clips:
            writer.write(clip.id, np.roll(clip.read(sky), 0 if name == "real" else 2, axis=2))
        writer.close()
    writer = PredictionWriter(here / "videos/drawn", {})
    for clip in build_manifest("sky", sky, ("test",)).clips:
        for sample in range(3):
            writer.write(sample_name(clip.id, sample), np.roll(clip.read(sky), sample, axis=2))
    writer.close()
    shutil.make_archive(str(here / "mine"), "zip", here / "videos/mine")
    trues = np.stack([moving_clip(number, 10) for number in range(4)]).transpose(0, 1, 4, 2, 3).astype(np.float32) / 255
    np.save(here / "trues.npy", trues)
    np.save(here / "preds.npy", np.roll(trues, 2, axis=-1))
    np.save(here / "whole.npy", np.concatenate([trues, trues[:, ::-1]], axis=1))
    np.save(here / "future.npy", np.roll(trues[:, ::-1], 2, axis=-1))
    for seed, name in ((1, "netG_S1_030.pth"), (2, "netG_S2_067.pth")):
        torch.save(published(generator(seed)), here / name)
    with pytest.MonkeyPatch.context() as patch:
        blank_figures(patch)  # nobody looks at them: `tests/report` does at its own
        for command in (DEMO, TABLE2, TABLE4):
            run(command, here, here)
    for file in (here / "results/table2").glob("study.db*"):  # who wants a study makes one
        file.unlink()


def copy(world: Path, here: Path) -> Path:
    """A reader's folder of their own; the datasets are the shared ones."""
    return Path(shutil.copytree(world, here, ignore=lambda folder, _: ["data"] if folder == str(world) else []))


def local(command: str, here: Path, world: Path) -> list[str]:
    """The words of a command, a reader's folders below theirs; a dataset that is not there yet will be."""
    words = shlex.split(command)
    for root in ROOTS:
        for number, word in enumerate(words):
            place, found, rest = word.partition(root)
            if found:
                exists = (world / root[1:] / rest).exists() and root == "/data/"
                words[number] = f"{place}{world if exists else here}{root}{rest}"
    return words


def run(command: str, here: Path, world: Path) -> str:
    """Run a `bench` command in a folder, smaller where it trains or paints; it must end well. Returns its output."""
    _, *words = local(command, here, world)
    if words[:2] == ["data", "make"]:
        words += ["--clips-per-video", "1"]
    if words[0] in ("run", "train", "reproduce"):
        named = re.search(r"--models? (\S+)", command)
        widths = [word for name, words in WIDTH.items() if not named or name in named[1] for word in words]
        words += [*widths, *SMALL, *([] if words[0] == "train" else ["--offline"])]
    if words[0] == "reproduce":
        words += ["--preset", "smoke"]
    if words[0] == "run" and "--data-root" not in words:
        words += ["--data-root", str(world / "data/demo")]
    mount_commands()
    with contextlib.chdir(here):
        done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, (command, done.output[-2000:], done.exception)
    return done.stdout
