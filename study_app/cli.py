"""`bench study`: one function a verb, no logic."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.errors import BenchError
from bench.options import (
    ConfigFile,
    DataRoot,
    Device,
    Offline,
    Preset,
    Seeds,
    Settings,
    Steps,
    configure,
    numbers,
    print_grid,
    print_json,
)
from bench.registry import SYNTHETIC

app = typer.Typer(no_args_is_help=True, help="The human study: make it, serve it, export its votes.")
Database = Annotated[str | None, typer.Option("--db", help="SQLite file or URL; else BENCH_DATABASE_URL.")]
Name = Annotated[str | None, typer.Option("--study", help="Which study, where the database holds several.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _pairs(texts: list[str] | None) -> tuple[tuple[str, str], ...] | None:
    if not texts:
        return None
    pairs = [tuple(text.split(":")) for text in texts]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise BenchError("A comparison is written FIRST:SECOND, for example mdgan-2:vgan.")
    return tuple((pair[0], pair[1]) for pair in pairs)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"The text {path} cannot be read: give a UTF-8 file.") from error


@app.command()
def create(
    run: Annotated[list[Path], typer.Option(help="Run folder; several are joined.")],
    out: Annotated[
        str | None, typer.Option("--out", "--db", help="SQLite file or URL; else BENCH_DATABASE_URL.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the study.")] = "study",
    comparison: Annotated[list[str] | None, typer.Option(help="FIRST:SECOND; default: the paper's.")] = None,
    clips: Annotated[int, typer.Option(help="Clips per comparison.")] = 100,
    votes: Annotated[int, typer.Option(help="Votes per pair.")] = 1,
    workload: Annotated[int | None, typer.Option(help="Trials per rater; default 50 or as many as there are.")] = None,
    practice: Annotated[int, typer.Option(help="Practice trials per rater.")] = 3,
    catch: Annotated[int | None, typer.Option(help="Catch trials per rater; default 10.")] = None,
    catch_pass: Annotated[int | None, typer.Option(help="Catch trials to get right; default 9 of 10.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the schedule.")] = 0,
    rate: Annotated[float, typer.Option(help="Frames a second.")] = 10.0,
    size: Annotated[int | None, typer.Option(help="Show clips at this size; the paper showed 64.")] = None,
    lease: Annotated[float, typer.Option(help="Minutes after which an abandoned pair is given away.")] = 15.0,
    question: Annotated[str | None, typer.Option(help="The question.")] = None,
    consent: Annotated[Path | None, typer.Option(help="Text file of the consent page.")] = None,
    completion_code: Annotated[str, typer.Option(help="Shown at the end; default: one for each rater.")] = "",
    completion_url: Annotated[str, typer.Option(help="https address at the end, for example Prolific's.")] = "",
    accept_first_frames: Annotated[bool, typer.Option(help="Accept clips that do not start alike.")] = False,
) -> None:
    """Make a study from run folders."""
    from study_app.create import Wish
    from study_app.create import create as make
    from study_app.design.settings import CONSENT, QUESTION

    wish = Wish(
        tuple(run), name, _pairs(comparison), clips, votes, workload, practice, catch, catch_pass, seed, rate, size,
        lease, QUESTION if question is None else question, _text(consent) if consent else CONSENT,
        completion_code, completion_url, accept_first_frames,
    )  # fmt: skip
    made = make(out, wish)
    for note in made.notes:
        typer.echo(note, err=True)
    rule = f"catch trials {made.settings.catch_pass} of {made.settings.catch}"
    typer.echo(
        f"Study '{made.name}': {len(made.settings.comparisons)} comparisons, {len(made.schedule.slots)} votes wanted, "
        f"{made.settings.workload} trials a rater, {rule}."
    )


@app.command()
def serve(
    db: Database = None,
    study: Name = None,
    port: Annotated[int, typer.Option(help="Port.")] = 8501,
    address: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 for all.")] = "127.0.0.1",
) -> None:
    """Serve a study to raters."""
    from study_app.web.serve import prepare
    from study_app.web.serve import serve as run

    for hint in prepare(db, study):
        typer.echo(hint, err=True)
    raise typer.Exit(run(db, study, port, address))


@app.command()
def status(db: Database = None, study: Name = None, as_json: Json = False) -> None:
    """Say how far a study is."""
    from study_app.status import lines
    from study_app.status import status as look

    found = look(db, study)
    typer.echo(json.dumps(found, indent=2) if as_json else "\n".join(lines(found)))


@app.command()
def export(
    db: Database = None,
    study: Name = None,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("study-export"),
) -> None:
    """Write votes.csv, pos.csv, study.json, and table2 and table3 as CSV, JSON, LaTeX and Markdown."""
    from study_app.analysis.export import export as write

    for path in write(db, study, out):
        typer.echo(path)


@app.command()
def simulate(
    db: Database = None,
    study: Name = None,
    raters: Annotated[int, typer.Option(help="Synthetic raters.")] = 16,
    rater_sd: Annotated[float, typer.Option(help="How much raters differ (log odds).")] = 0.3,
    clip_sd: Annotated[float, typer.Option(help="How much clips differ (log odds).")] = 0.5,
    careless: Annotated[float, typer.Option(help="Share of raters who press keys at random.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the raters.")] = 0,
) -> None:
    """Let synthetic raters rate a marked copy of a study."""
    from study_app.simulate import PAPER_STRENGTHS, Crowd
    from study_app.simulate import simulate as run

    name, votes = run(db, study, raters, Crowd(PAPER_STRENGTHS, rater_sd, clip_sd, careless), seed)
    typer.echo(f"{votes} simulated votes in the study '{name}': look at it with --study '{name}'.")


@app.command()
def plan(as_json: Json = False) -> None:
    """Print how many trials a comparison needs to detect a preference."""
    from study_app.design.power import table

    found = table()
    typer.echo(found.to_json(orient="records", indent=2) if as_json else found.to_string(index=False))


def agree(
    run: Annotated[Path, typer.Argument(help="A folder that `bench run` or `bench score` has filled.")],
    study: Annotated[str, typer.Argument(help="Exported folder, votes.csv, SQLite file or database URL.")],
    name: Name = None,
    out: Annotated[Path | None, typer.Option(help="Folder for table and figure; RUN/agreement by default.")] = None,
    as_json: Json = False,
) -> None:
    """Say which metric predicts what people chose, how often, and how that compares with other people."""
    from bench.report.grid import to_json
    from study_app.analysis.agree import agree as hold_against

    _, grid = hold_against(run, study, name, out)
    if as_json:
        print_json(to_json(grid))
    else:
        print_grid(grid)
        print(f"Tables: {out or run / 'agreement'}/agree.csv, .json, .tex, .md   Figure: agree.png, .pdf")


def reproduce(
    table: Annotated[str, typer.Argument(help="table2, table3 or table4.")],
    data_root: DataRoot = SYNTHETIC,
    out: Annotated[Path | None, typer.Option(help="Run folder; named by the table and the preset by default.")] = None,
    preset: Preset = "auto",
    seeds: Seeds = "",
    steps: Steps = None,
    device: Device = "auto",
    config: ConfigFile = None,
    settings: Settings = None,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Make a table of the MD-GAN paper by its own protocol, with every deviation below it.

    table4: MSE, PSNR and SSIM on 1,000 test pairs of Beach. table2 and table3: preference scores on 100 clips of Sky
    Scene; the study is made, and its votes are tallied once there are any.
    """
    from bench.report.grid import to_json
    from study_app.reproduce import paper
    from study_app.reproduce import reproduce as make

    wanted = paper(table)
    given = {"data_root": data_root, "seeds": numbers(seeds) or None, "steps": steps, "device": device}
    chosen = configure(wanted.models, preset, config, settings or [], {**wanted.settings, **given}, baseline=True)
    folder = out or Path("results") / f"{wanted.folder}-{chosen.preset}"
    grid = make(table, chosen, folder, offline=offline)
    if as_json:
        print_json(to_json(grid))
    else:
        print_grid(grid)
        print(f"Tables: {folder}/{table}.csv, .json, .tex, .md   Page: {folder}/report.html")


def main() -> None:
    """Run the verbs alone, as `python -m study_app.cli`."""
    try:
        app()
    except BenchError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
