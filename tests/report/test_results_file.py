from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.report import results_file
from bench.report.export_results import export
from bench.report.results_file import MetricFacts, Results, ResultsRow, RowScore, read_results, write_results
from bench.runfolder import RunFolder
from bench.scoring.score_tables import read_summary
from tests.support.small import REPOSITORY

RUN = REPOSITORY / "results" / "reference" / "beach"
SCHEMA = json.loads((Path(results_file.__file__).parent / "results.schema.json").read_text())


def test_a_folder_is_exported_with_all_its_numbers(tmp_path: Path) -> None:
    export(RUN, tmp_path / "r.json", "A lab")
    results = read_results(tmp_path / "r.json")
    assert results.protocol["id"] == "v2/beach/64px/all32/26clips/abac1939"
    found = {(entry.row, name): score for entry in results.rows for name, score in entry.scores.items()}
    for line in read_summary(RUN):
        score = found.pop((line.row, line.metric))
        assert (score.value, score.clips, score.seeds) == (line.value, line.clips, line.seeds)
        assert score.ci_low == line.ci_low or math.isnan(line.ci_low)
    assert not found
    assert results.metrics["psnr"].title == "PSNR (dB)"
    assert results.metrics["motion"].direction == "one"
    assert (results.by, results.kind) == ("A lab", "measured")
    assert results.provenance["packages"]["torch"]


def test_no_path_of_the_sender_goes_with_it(tmp_path: Path) -> None:
    root = json.loads(RunFolder(RUN).account.read_text())["config"]["data_root"]
    results = export(RUN, tmp_path / "r.json")
    assert root not in (tmp_path / "r.json").read_text()
    assert "--data-root DATA_ROOT" in results.command


def test_what_made_the_videos_goes_with_it(scored: Path, tmp_path: Path) -> None:
    (scored / "run.json").write_text(
        json.dumps({"config": {"seeds": [0], "data_root": "synthetic"}, "command": "bench run"})
    )
    manifest = scored / "predictions" / "copy" / "manifest.json"
    made_by = json.loads(manifest.read_text())["made_by"]
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "made_by": {"checkpoint": "abc"}}))
    results = export(scored, tmp_path / "r.json")
    assert results.rows[0].made_by == [{"checkpoint": "abc"}]
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "made_by": made_by}))


def test_what_is_written_follows_the_stated_schema(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed: pip install jsonschema")
    export(RUN, tmp_path / "r.json")
    published = Results(
        "published", {"mse": MetricFacts("MSE", "lower")}, [ResultsRow("a", "A", {"mse": RowScore(math.nan)})]
    )
    write_results(replace(published, source={"title": "T", "where": "Table I"}), tmp_path / "p.json")
    for path in (tmp_path / "r.json", tmp_path / "p.json", *(REPOSITORY / "results" / "leaderboard").glob("*.json")):
        jsonschema.validate(json.loads(path.read_text()), SCHEMA)
        read_results(path)
    write_results(published, tmp_path / "p.json")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads((tmp_path / "p.json").read_text()), SCHEMA)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": "other"}, "is not a results file"),
        ({"version": 2}, "has version 2, expected 1"),
        ({"kind": "guessed"}, "kind is 'guessed'"),
        ({"protocol": {}}, "measured results need a protocol"),
        ({"kind": "published"}, "published figures must name their source"),
        ({"rows": []}, "there are no rows"),
        ({"rows": [{"row": "a", "title": "A", "scores": {"fid": {"value": 1}}}]}, "a row has fid, which"),
        ({"rows": [{"row": "a", "title": "A", "scores": {"mse": {"value": "1"}}}]}, "is not a score"),
        ({"metrics": {"mse": {"title": "MSE", "direction": "up"}}}, "the direction of mse"),
        ({"surplus": 1}, "surplus"),
    ],
)
def test_a_file_that_breaks_the_form_is_refused_by_name(change: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    metrics = {"mse": MetricFacts("MSE", "lower")}
    write_results(
        Results("measured", metrics, [ResultsRow("a", "A", {"mse": RowScore(1.0)})], protocol={"id": "x"}), path
    )
    read_results(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BenchError, match=sentence) as refused:
        read_results(path)
    assert str(path) in str(refused.value)
