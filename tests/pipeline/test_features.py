"""`bench score --features`, from the files to the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.data.predictions import Predictions
from bench.errors import BenchError
from bench.metrics.frechet import frechet_distance
from bench.metrics.jedi import jedi_mmd
from bench.metrics.mmd import unbiased_mmd
from bench.metrics.neighbours import coverage, density, precision, recall
from bench.pipeline.features import feature_sources, metrics_with
from bench.pipeline.score import score_folders
from bench.registry import METRICS
from bench.report.export_results import export
from bench.report.tables.score_table import stored_table
from bench.scoring.pairing import Row
from bench.scoring.protocol import Protocol
from bench.scoring.protocol_choices import Choices
from bench.scoring.score_tables import SummaryLine, read_summary
from bench.scoring.scoring_plan import ScoringPlan
from bench.scoring.set_metrics import REAL_HALVES
from tests.support.small import blank_figures

IDS = [f"clip{n:02d}" for n in range(14)]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fourteen tiny real clips, and two methods' predictions of them."""
    blank_figures(monkeypatch)
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for name in ("real", "mine", "theirs"):
        (tmp_path / name).mkdir()
        for id in IDS:
            np.save(tmp_path / name / f"{id}.npy", rng.integers(0, 256, (3, 8, 8, 3), np.uint8))
    return tmp_path


def vectors(seed: int, shift: float = 0.0, ids: list[str] = IDS, size: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {id: rng.normal(shift, 1, size) for id in ids}


def stored(folders: Path, **files: Mapping[str, np.ndarray]) -> None:
    for name, arrays in files.items():
        np.savez(folders / f"{name}.npz", **arrays)  # type: ignore[arg-type]  # a clip may be called anything


def scored(folders: Path, features: str, metrics: str = "mse", out: str = "out", **plan: int) -> Path:
    texts = [f"{name}={folders / name}" for name in ("mine", "theirs")]
    chosen = ScoringPlan(8, metrics.split(","), features=[features], **plan)  # type: ignore[arg-type]
    score_folders(texts, folders / out, chosen, reference=folders / "real")
    return folders / out


def of_row(out: Path, row: str) -> dict[str, SummaryLine]:
    return {line.metric: line for line in read_summary(out) if line.row == row}


def test_seven_metrics_of_vectors_by_clip_id(folders: Path) -> None:
    real, mine, theirs = vectors(1), vectors(2, 0.3), vectors(3, 1.0)
    stored(folders, real=real, mine=dict(reversed(mine.items())), theirs=theirs)
    out = scored(folders, f"vjepa={folders}/mine.npz,{folders}/theirs.npz:{folders}/real.npz")
    measures = {"frechet": frechet_distance, "mmd": unbiased_mmd, "jedi": jedi_mmd}
    measures |= {"precision": precision, "recall": recall, "density": density, "coverage": coverage}
    assert list(METRICS.families) == list(measures)
    expected = np.array([*real.values()])
    for row, own in (("mine", mine), ("theirs", theirs)):
        found = of_row(out, row)
        assert list(found) == ["mse", *(f"vjepa.{name}" for name in measures)]
        for name, measure in measures.items():
            line = found[f"vjepa.{name}"]
            assert line.value == pytest.approx(measure(np.array([*own.values()]), expected), rel=1e-9)
            assert line.ci_low <= line.value <= line.ci_high
            assert (line.clips, line.seeds) == (14, 1)
            assert (line.rank > 0) == (name == "mmd")  # the only one that the number of clips does not bias
        for name in ("precision", "recall", "coverage"):
            assert 0 <= found[f"vjepa.{name}"].ci_low <= found[f"vjepa.{name}"].ci_high <= 1
    assert of_row(out, "mine")["vjepa.mmd"].rank == 1
    assert of_row(out, REAL_HALVES).keys() == {f"vjepa.{name}" for name in measures}


def test_tables_protocol_and_files_know_the_features(folders: Path) -> None:
    stored(folders, real=vectors(1), mine=vectors(2, 0.3), theirs=vectors(3, 1.0))
    out = scored(folders, f"vjepa={folders}/mine.npz,{folders}/theirs.npz:{folders}/real.npz")
    table = stored_table(out, ci=True)
    assert "vjepa Fréchet ↓" in table.grid.heads
    assert "vjepa recall ↑" in table.grid.heads
    notes = "\n".join(table.notes)
    assert "vjepa.jedi: 14 clips; biased upwards by the number of clips; JEDi prints 100 times" in notes
    assert "vjepa.density: methods are not ranked by it; vjepa.mmd of the same features is unbiased." in notes
    assert "vjepa.mmd: features 6 numbers a clip, real clips' vectors sha256:" in notes
    protocol = Protocol.load(out / "scores" / "protocol.json")
    stamps = {line.protocol for line in read_summary(out) if line.metric == "vjepa.frechet"}
    assert stamps == {protocol.id_of("vjepa.frechet")} != {protocol.id}
    results = export(out, folders / "r.json")
    assert results.metrics["vjepa.frechet"].ranked is False
    assert results.command.endswith("--features vjepa=FEATURES.npz,FEATURES.npz:REAL_FEATURES.npz")
    # Other features of the same clips are another protocol; the same ones in a file of another form are not.
    ids, arrays = np.array(IDS[::-1]), np.array([*vectors(1).values()][::-1])
    np.savez(folders / "real.npz", ids=ids, features=arrays)
    again = scored(folders, f"vjepa={folders}/mine.npz,{folders}/theirs.npz:{folders}/real.npz", out="again")
    assert (again / "summary.csv").read_bytes() == (out / "summary.csv").read_bytes()
    stored(folders, real=vectors(9))
    other = scored(folders, f"vjepa={folders}/mine.npz,{folders}/theirs.npz:{folders}/real.npz", out="other")
    assert of_row(other, "mine")["vjepa.frechet"].protocol not in stamps


def test_of_a_sample_of_clips_only_their_vectors_are_used(folders: Path) -> None:
    stored(folders, real=vectors(1), mine=vectors(2), theirs=vectors(3))
    features = f"v={folders}/mine.npz,{folders}/theirs.npz:{folders}/real.npz"
    out = scored(folders, features, metrics="v.frechet,v.precision", count=8)
    found = of_row(out, "mine")
    assert list(found) == ["v.frechet", "v.precision"]
    assert found["v.frechet"].clips == 8
    few = scored(folders, features, metrics="v.frechet,v.precision", out="few", count=5)
    assert list(of_row(few, "mine")) == ["v.frechet"]  # five clips have no fifth neighbour
    assert "v.precision left out: it needs 6 clips, but there are only 5" in "\n".join(stored_table(few).notes)


def test_samples_of_a_clip_have_vectors_of_their_own(folders: Path) -> None:
    for id in IDS:
        (folders / "mine" / f"{id}.npy").rename(folders / "mine" / f"{id}@0.npy")
        np.save(folders / "mine" / f"{id}@1.npy", np.load(folders / "mine" / f"{id}@0.npy") // 2)
    first, second = vectors(2), vectors(4)
    both = {**{f"{id}@0": one for id, one in first.items()}, **{f"{id}@1": one for id, one in second.items()}}
    stored(folders, real=vectors(1), mine=both, theirs=vectors(3))
    out = scored(folders, f"v={folders}/mine.npz,{folders}/theirs.npz:{folders}/real.npz", metrics="v.frechet")
    real = np.array([*vectors(1).values()])
    apart = [frechet_distance(np.array([*one.values()]), real) for one in (first, second)]
    assert of_row(out, "mine")["v.frechet"].value == pytest.approx(np.mean(apart), rel=1e-9)
    del both["clip03@1"]
    stored(folders, mine=both)
    with pytest.raises(
        BenchError, match=r"has no features of clip03@1: add them \(vectors .* are called ID@0, ID@1, …\)"
    ):
        scored(folders, f"v={folders}/mine.npz,{folders}/theirs.npz:{folders}/real.npz", metrics="v.frechet", out="o2")


class MeanColours(torch.nn.Module):
    """[N, 3, H, W] or [N, 3, T, H, W] → the mean and the largest value of each channel, [N, 6]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x.flatten(2).mean(2), x.flatten(2).amax(2)], 1)


def program(folders: Path, network: torch.nn.Module | None = None) -> Path:
    path = folders / "network.pt"
    torch.jit.script(network or MeanColours()).save(str(path))
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("takes", ["NCHW,own,0..255", "NCTHW,own,-1..1"])
def test_a_program_is_given_the_input_that_is_stated(folders: Path, takes: str) -> None:
    out = scored(folders, f"colour={program(folders)}:{takes}", metrics="colour.frechet,colour.mmd")

    def expected(row: str) -> np.ndarray:
        clips = [np.load(folders / row / f"{id}.npy").astype(np.float64) for id in IDS]
        frames = clips if takes.startswith("NCTHW") else [frame[None] for clip in clips for frame in clip]
        values = [one if "255" in takes else one / 127.5 - 1 for one in frames]
        return np.array([[*one.mean(axis=(0, 1, 2)), *one.max(axis=(0, 1, 2))] for one in values])

    for row in ("mine", "theirs"):
        found = of_row(out, row)["colour.frechet"]
        assert found.value == pytest.approx(frechet_distance(expected(row), expected("real")), rel=1e-4)
        of = np.repeat(range(14), len(expected(row)) // 14)  # frames of one clip are not compared
        mmd, rounding = unbiased_mmd(expected(row), expected("real"), of, of), 1e-6 * np.mean(expected(row) ** 2) ** 3
        assert of_row(out, row)["colour.mmd"].value == pytest.approx(mmd, rel=1e-3, abs=rounding)
    assert f"TorchScript, input {takes}, sha256:" in "\n".join(stored_table(out).notes)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_programs_that_do_not_fit_get_their_sentence(folders: Path) -> None:
    with pytest.raises(
        BenchError, match=r"returns \[3, 3, 8, 8\] for an input \[3, 3, 8, 8\]: expected a tensor \[3, D\]"
    ):
        scored(folders, f"x={program(folders, torch.nn.Identity())}:NCHW,own,0..1")
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, 2))
    with pytest.raises(BenchError, match=r"failed on an input \[3, 3, 4, 4\], NCHW,4,0\.\.1"):
        scored(folders, f"x={program(folders, linear)}:NCHW,4,0..1")
    torch.save({"weight": torch.zeros(2)}, folders / "weights.pt")
    with pytest.raises(BenchError, match="is not a TorchScript program"):
        scored(folders, f"x={folders}/weights.pt:NCHW,4,0..1")
    for wrong in ("NHWC,224,0..1", "NCHW,224", "NCHW,0,imagenet", "NCHW,224,imagenet,x"):
        with pytest.raises(BenchError, match="does not describe a network's input"):
            scored(folders, f"x={program(folders)}:{wrong}")


def rows(folders: Path) -> list[Row]:
    return [Row("mine", Predictions(folders / "mine"))]


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({**vectors(1), "clip00": np.zeros(5)}, r"differ in length \(5, 6\)"),
        ({id: np.zeros(5) for id in IDS}, r"vectors of 5 numbers and .*real\.npz of 6"),
        ({**vectors(1), "clip99": np.zeros(6)}, r"has features of clip99, which .*real\.npz does not contain"),
        ({**vectors(1), "clip00": np.full(6, np.nan)}, r"infinite values or NaN for clip00"),
        ({**vectors(1), "clip00": np.array(["a"])}, r"has <U1 \[1\] for clip00: expected an \.npz file"),
        ({"ids": np.array(["a", "a"]), "features": np.zeros((2, 6))}, r"one ID for each vector, each ID once"),
        ({}, r"is empty: expected an \.npz file"),
    ],
)
def test_files_that_do_not_fit_get_their_sentence(folders: Path, arrays: dict[str, np.ndarray], sentence: str) -> None:
    stored(folders, real=vectors(1), mine=arrays)
    with pytest.raises(BenchError, match=sentence):
        feature_sources([f"x={folders}/mine.npz:{folders}/real.npz"], rows(folders))


def test_clips_without_a_vector_are_named(folders: Path) -> None:
    stored(folders, real=vectors(1), mine=vectors(1, ids=IDS[3:]), theirs=vectors(2))
    with pytest.raises(BenchError, match=r"mine\.npz has no features of clip00, clip01, clip02: add them"):
        scored(folders, f"x={folders}/mine.npz,{folders}/theirs.npz:{folders}/real.npz")


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (ScoringPlan(8, ["mse"], choices=Choices(unpaired=True)), "--unpaired compares windows that it draws"),
        (ScoringPlan(8, ["mse"], horizon=(2,)), "--horizon and --windows use some of them"),
    ],
)
def test_stored_vectors_say_nothing_of_other_clips_or_frames(folders: Path, plan: ScoringPlan, sentence: str) -> None:
    stored(folders, real=vectors(1), mine=vectors(2))
    plan = replace(plan, features=[f"v={folders}/mine.npz:{folders}/real.npz"])
    texts = [f"mine={folders}/mine"]
    with pytest.raises(BenchError, match=sentence):
        score_folders(texts, folders / "out", plan, reference=folders / "real")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_program_compares_sets_that_are_not_paired(folders: Path) -> None:
    for id in IDS[:3]:
        (folders / "mine" / f"{id}.npy").unlink()
    for path in sorted((folders / "mine").iterdir()):
        path.rename(folders / "mine" / f"other-{path.name}")
    features = [f"x={program(folders)}:NCHW,own,0..1"]
    plan = ScoringPlan(8, ["x.frechet", "x.coverage"], choices=Choices(unpaired=True), features=features)
    texts = [f"mine={folders}/mine"]
    score_folders(texts, folders / "out", plan, reference=folders / "real")
    clips = [
        np.concatenate([np.load(path).astype(np.float64) / 255 for path in sorted((folders / name).iterdir())])
        for name in ("mine", "real")
    ]
    sides = [np.concatenate([side.mean(axis=(1, 2)), side.max(axis=(1, 2))], axis=1) for side in clips]
    found = of_row(folders / "out", "mine")
    assert found["x.frechet"].value == pytest.approx(frechet_distance(*sides), rel=1e-4)
    assert found["x.coverage"].value == pytest.approx(coverage(*sides), abs=0.03)
    assert found["x.coverage"].ci_high <= 1


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["vjepa=a.npz"], r"--features is 'vjepa=a\.npz': expected NAME=FEATURES\.npz:REAL\.npz"),
        (["a b={f}/real.npz:{f}/real.npz"], "'a b' cannot be a name of features"),
        (["x={f}/real.npz,{f}/real.npz:{f}/real.npz"], "has 2 files for 1 methods"),
        (["x={f}/none.npz:{f}/real.npz"], r"The features file .*none\.npz"),
        (["x={f}/one.npy:{f}/real.npz"], "contains one array without clip IDs"),
        (["x={f}/broken.npz:{f}/real.npz"], "cannot be read"),
        (["x={f}/real.npz:{f}/real.npz"] * 2, "'x' are given twice"),
    ],
)
def test_texts_that_cannot_be_read_get_their_sentence(folders: Path, texts: list[str], sentence: str) -> None:
    stored(folders, real=vectors(1))
    np.save(folders / "one.npy", np.zeros(3))
    (folders / "broken.npz").write_bytes((folders / "real.npz").read_bytes()[:200])
    with pytest.raises(BenchError, match=sentence):
        feature_sources([text.replace("{f}", str(folders)) for text in texts], rows(folders))


def test_metrics_of_features_that_nobody_gave_are_told(folders: Path) -> None:
    with pytest.raises(BenchError, match=r"x\.mmd needs features: give bench score --features x="):
        score_folders([str(folders / "mine")], folders / "out", ScoringPlan(8, ["x.mmd"]), reference=folders / "real")
    assert METRICS.prefix("x.nothing") == METRICS.prefix("mmd") == METRICS.prefix(".mmd") == ""
    with pytest.raises(BenchError, match=r"There is no metric 'x\.nothing'"):
        metrics_with(ScoringPlan(8, ["x.nothing"]), {})
