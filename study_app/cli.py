"""`bench study`: one function a verb, no logic."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from study_app import cli_life, cli_prolific, cli_running
from study_app.cli_running import Database, Json, Name
from study_app.cli_wishes import (
    Also,
    Calibration,
    ConsentIn,
    Contact,
    Distance,
    ErasedVotes,
    Ethics,
    QuestionIn,
    wish_of,
)
from study_app.design.settings import CATCH, WORKLOAD, Wish

if TYPE_CHECKING:
    from study_app.create import Made

app = typer.Typer(no_args_is_help=True, help="The human study: make it, serve it, export its votes.")


def _warn(notes: Iterable[str]) -> None:
    for note in notes:
        typer.echo(note, err=True)


def _tell(made: Made) -> None:
    _warn(made.notes)
    typer.echo(made.summary)


#: What `bench study create` asks for; every default is `Wish`'s.
Runs = Annotated[list[Path], typer.Option(help="Run folder; several are joined.")]
NewDatabase = Annotated[str | None, typer.Option("--out", "--db", help="SQLite file or URL; else BENCH_DATABASE_URL.")]
NewName = Annotated[str, typer.Option(help="Name of the study.")]
Comparisons = Annotated[list[str] | None, typer.Option(help="FIRST:SECOND; default: the paper's.")]
Clips = Annotated[int, typer.Option(help="Clips per comparison.")]
Votes = Annotated[int, typer.Option(help="Votes per pair.")]
Workload = Annotated[int | None, typer.Option(help=f"Trials per rater; default {WORKLOAD} or as many as there are.")]
Practice = Annotated[int, typer.Option(help="Practice trials per rater.")]
Catch = Annotated[int | None, typer.Option(help=f"Catch trials per rater; default {CATCH}, 0 for none.")]
CatchPass = Annotated[
    int | None, typer.Option(help="Catch trials to get right; default: all but those slips that 1 in 20 may have.")
]
Seed = Annotated[int, typer.Option(help="Seed of the schedule.")]
Rate = Annotated[float, typer.Option(help="Frames a second.")]
Size = Annotated[int | None, typer.Option(help="Show clips at this size; the paper showed 64.")]
Lease = Annotated[float, typer.Option(help="Minutes after which an abandoned pair is given away.")]
Language = Annotated[str, typer.Option(help="Language of all that raters read: en or de.")]
Question = Annotated[str, typer.Option(help="The question; default: the language's own.")]
Consent = Annotated[Path | None, typer.Option(help="File of the consent page: text, or Markdown where it ends in .md.")]
CompletionCode = Annotated[str, typer.Option(help="Shown at the end; default: one for each rater.")]
Codes = Annotated[
    list[str] | None,
    typer.Option(
        "--code", help="failed=, technical=, withdrawn= or ineligible=CODE: shown instead of the completion code."
    ),
]
QuestionsFile = Annotated[
    Path | None,
    typer.Option("--questions", help="TOML or JSON file of what else is asked, and how: see docs/study.md."),
]
CompletionURL = Annotated[str, typer.Option(help="https address at the end, for example Prolific's.")]
AcceptFirstFrames = Annotated[bool, typer.Option(help="Accept clips that do not start alike.")]
AcceptWeakCatch = Annotated[bool, typer.Option(help="Accept catch trials too few to tell who attends.")]


@app.command()
def create(
    run: Runs,
    out: NewDatabase = None,
    name: NewName = Wish.name,
    comparison: Comparisons = None,
    clips: Clips = Wish.clips,
    votes: Votes = Wish.votes,
    workload: Workload = Wish.workload,
    practice: Practice = Wish.practice,
    catch: Catch = Wish.catch,
    catch_pass: CatchPass = Wish.catch_pass,
    seed: Seed = Wish.seed,
    rate: Rate = Wish.rate,
    size: Size = Wish.size,
    lease: Lease = Wish.lease_minutes,
    language: Language = Wish.language,
    question: Question = Wish.question,
    questions: QuestionsFile = None,
    consent: Consent = None,
    also: Also = None,
    question_in: QuestionIn = None,
    consent_in: ConsentIn = None,
    contact: Contact = Wish.contact,
    ethics: Ethics = Wish.ethics,
    calibration: Calibration = Wish.calibration,
    distance: Distance = Wish.distance_cm,
    completion_code: CompletionCode = Wish.completion_code,
    code: Codes = None,
    completion_url: CompletionURL = Wish.completion_url,
    erased_votes: ErasedVotes = Wish.erased_votes,
    accept_first_frames: AcceptFirstFrames = Wish.accept_first_frames,
    accept_weak_catch: AcceptWeakCatch = Wish.accept_weak_catch,
) -> None:
    """Make a study from run folders."""
    given = dict(locals())
    from study_app.create import create as make

    _tell(make(out, wish_of(given)))


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

    _warn(prepare(db, study))
    raise typer.Exit(run(db, study, port, address))


@app.command()
def status(db: Database = None, study: Name = None, as_json: Json = False) -> None:
    """Say how far a study is."""
    from study_app.status import lines
    from study_app.status import status as look

    standing = look(db, study)
    typer.echo(json.dumps(standing, indent=2) if as_json else "\n".join(lines(standing)))


@app.command()
def export(
    db: Database = None,
    study: Name = None,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("study-export"),
) -> None:
    """Write votes.csv, pos.csv, study.json, raters.csv, screens.csv, and Tables II and III in every form."""
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
def plan(
    comparisons: Annotated[int, typer.Option(help="Comparisons, over which Holm corrects.")] = 7,
    raters: Annotated[int, typer.Option(help="Raters.")] = 30,
    clips: Annotated[int, typer.Option(help="Clips per comparison.")] = 100,
    videos: Annotated[int | None, typer.Option(help="Source videos of the clips; default: each its own.")] = None,
    votes: Annotated[int, typer.Option(help="Votes per pair.")] = 1,
    preference: Annotated[float, typer.Option(help="True share of votes for the first.")] = 0.6,
    rater_sd: Annotated[float, typer.Option(help="How much raters differ (log odds).")] = 0.3,
    clip_sd: Annotated[float, typer.Option(help="How much clips differ (log odds).")] = 0.5,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for plan.json, plan.csv and a figure.")] = None,
    as_json: Json = False,
) -> None:
    """Say how probably a study finds a preference, and how many votes it needs, by simulation."""
    from study_app.design.plan import plan as simulate_plan
    from study_app.design.plan import write
    from study_app.design.power import Design

    of = clips if videos is None else videos
    planned = simulate_plan(Design(comparisons, raters, clips, votes, preference, of, rater_sd, clip_sd), seed=seed)
    written = write(planned, out) if out else []
    typer.echo(json.dumps(planned.as_json(), indent=2) if as_json else "\n".join(planned.lines()))
    for path in written:
        typer.echo(path, err=True)


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


app.add_typer(cli_prolific.app, name="prolific")
for verb in (*cli_running.VERBS, *cli_life.VERBS):
    app.command()(verb)


def main() -> None:
    """Run the verbs alone, as `python -m study_app.cli`."""
    try:
        app()
    except BenchError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
