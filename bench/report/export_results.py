"""`bench export`: write a folder's stored numbers to one shareable file (`bench.report.results_file`)."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.config import as_command
from bench.data.predictions import own_manifest
from bench.metrics.base import Metric, SetMetric
from bench.registry import SYNTHETIC
from bench.report.results_file import MetricFacts, Results, ResultsRow, RowScore, write_results
from bench.report.tables.score_table import read_protocol, stored_table
from bench.runfolder import RunFolder
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import SummaryLine, read_account, read_notes, read_summary

#: Replaces the sender's data folder in an exported command.
DATA_ROOT = "DATA_ROOT"


def export(out: Path, to: Path, by: str = "") -> Results:
    """Write the numbers of a `bench run` or `bench score` folder to one file.

    The file describes the machine only by device and packages. It contains no path, user name or host name.

    Args:
        out: the folder.
        to: the file, `.json`.
        by: name of the sender.

    Raises:
        BenchError: the folder has no scores, or the file cannot be written.
    """
    table, folder, protocol = stored_table(out), RunFolder(out), read_protocol(out)
    account = read_account(out)
    summary = read_summary(out)
    results = Results(
        kind="measured",
        dataset=protocol.dataset,
        by=by,
        protocol=protocol.to_dict(),
        metrics={name: _facts(metric, protocol) for name, metric in table.metrics.items()},
        rows=[
            ResultsRow(row, table.title(row), _scores(summary, row), _made_by(folder, row, account))
            for row in table.rows
        ],
        notes=list(table.notes),
        left_out=[asdict(reason) for reason in read_notes(out)[0]],
        provenance=account.get("provenance", {}),
        command=public_command(account),
    )
    write_results(results, to)
    return results


def _facts(metric: type[Metric], protocol: Protocol) -> MetricFacts:
    ranked = not issubclass(metric, SetMetric) or metric.ranks(protocol.smaller_side)
    description = (metric.title, metric.direction, metric.decimals, metric.definition)
    return MetricFacts(*description, protocol.metrics.get(metric.name, ""), ranked)


def _scores(summary: Sequence[SummaryLine], row: str) -> dict[str, RowScore]:
    return {
        line.metric: RowScore(
            *(line.value, line.ci_low, line.ci_high, line.clips, line.left_out),
            *(line.seeds, line.seed_sd, line.draws, line.draw_sd),
        )
        for line in summary
        if line.row == row
    }


def _made_by(folder: RunFolder, row: str, account: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The `made_by` entry of each training run's predictions folder; empty for third-party videos."""
    seeds = account.get("config", {}).get("seeds", [])
    places = [RunFolder(folder.path, seeds[0]).predictions(row, seed) for seed in seeds]
    return [made_by for place in places if place.is_dir() and (made_by := own_manifest(place).get("made_by"))]


def public_command(account: Mapping[str, Any]) -> str:
    """The command of a run without the sender's data folder; a `bench score` command names none and is unchanged."""
    if not (config := account.get("config")):
        return str(account.get("command", ""))
    root, command = config["data_root"], account.get("command") or as_command(config)
    return (
        command
        if root == SYNTHETIC
        else command.replace(f"--data-root {shlex.quote(root)}", f"--data-root {DATA_ROOT}")
    )


def public_account(account: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a `run.json` without the sender's data folder."""
    if not (config := account.get("config")):
        return dict(account)
    root = SYNTHETIC if config["data_root"] == SYNTHETIC else DATA_ROOT
    return {**account, "config": {**config, "data_root": root}, "command": public_command(account)}
