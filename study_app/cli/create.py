"""`bench study create`: its options, and their conversion to a `StudyRequest`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.errors import BenchError
from study_app.cli.options import Folders, Real, named, print_notes
from study_app.design.question_file import read as read_questions
from study_app.design.settings import CATCH, CODES, WORKLOAD, StudyRequest, StudyTexts

if TYPE_CHECKING:
    from study_app.pipeline.create import CreatedStudy

Also = Annotated[
    list[str] | None, typer.Option(help="Further language, chosen by the browser or the rater; can be repeated.")
]
QuestionIn = Annotated[list[str] | None, typer.Option(help="LANGUAGE=TEXT: the question in a further language.")]
ConsentIn = Annotated[list[str] | None, typer.Option(help="LANGUAGE=FILE: the consent page in a further language.")]
Title = Annotated[str, typer.Option(help="The study's name as raters read it.")]
Lab = Annotated[str, typer.Option(help="Who runs the study, as raters read it.")]
Purpose = Annotated[str, typer.Option(help="Purpose of the study, in whole sentences; for the default consent text.")]
Pay = Annotated[str, typer.Option(help="What raters receive, for example '£2.50'; for the default consent text.")]
Retention = Annotated[
    str, typer.Option(help="How long data are kept, for example '10 years'; for the default consent text.")
]
MinimumAge = Annotated[int, typer.Option(help="Minimum age in years; 0: the consent page does not ask for an age.")]
Comprehension = Annotated[bool, typer.Option(help="Ask two questions about the instructions; raters have two tries.")]
Contact = Annotated[str, typer.Option(help="Contact for raters' questions; shown below the consent text.")]
Ethics = Annotated[str, typer.Option(help="Number of the ethics approval; shown below the consent text.")]
Calibration = Annotated[str, typer.Option(help="card: raters measure their screen with a bank card first; or none.")]
Distance = Annotated[float | None, typer.Option(help="Viewing distance in centimetres; default: raters are asked.")]
Looks = Annotated[
    int,
    typer.Option(help="Number of planned looks at outcomes; `extend` adds the votes for each look after the first."),
]
Boundary = Annotated[str, typer.Option(help="Boundary for planned looks: obrien-fleming or pocock.")]
Margin = Annotated[float | None, typer.Option(help="Equivalence margin, in percent from 50 or in grades; registered.")]
ErasedVotes = Annotated[str, typer.Option(help="Votes of raters who ask to be erased: kept, or left out.")]


def _pairs(texts: list[str] | None) -> tuple[tuple[str, str], ...] | None:
    if not texts:
        return None
    pairs = [tuple(text.split(":")) for text in texts]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise BenchError("A comparison is written FIRST:SECOND, for example mdgan-2:vgan.")
    return tuple((pair[0], pair[1]) for pair in pairs)


def _codes(texts: list[str] | None) -> dict[str, str]:
    """Settings from `--code`; codes that are not given are empty."""
    codes = [text.partition("=") for text in texts or []]
    if any(f"{outcome}_code" not in CODES[1:] or not code for outcome, _, code in codes):
        outcomes = ", ".join(f"{code.removesuffix('_code')}=CODE" for code in CODES[1:])
        raise BenchError(f"A code is written as one of {outcomes}.")
    given = {outcome: code for outcome, _, code in codes}
    return {name: given.get(name.removesuffix("_code"), "") for name in CODES[1:]}


def _say(created: CreatedStudy) -> None:
    print_notes(created.notes)
    typer.echo(created.summary)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"The text {path} cannot be read: give a UTF-8 file.") from error


def _format(consent: Path | None) -> str:
    return "markdown" if consent and consent.suffix.lower() in (".md", ".markdown") else StudyRequest.consent_format


def _translations(
    also: list[str] | None, questions: list[str] | None, consents: list[str] | None
) -> tuple[StudyTexts, ...]:
    """Further languages, each with the texts given for it."""
    questions_by_language = dict(_of_languages("--question-in", also, questions))
    files = {language: Path(file) for language, file in _of_languages("--consent-in", also, consents)}
    return tuple(
        StudyTexts(
            language,
            questions_by_language.get(language, ""),
            _text(files[language]) if language in files else "",
            consent_format=_format(files.get(language)),
        )
        for language in also or []
    )


def _of_languages(option: str, also: list[str] | None, texts: list[str] | None) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in texts or []]
    if any(language not in (also or []) or not text for language, _, text in pairs):
        raise BenchError(f"{option} is written LANGUAGE=…, of a language that --also names.")
    return [(language, text) for language, _, text in pairs]


#: Options of `bench study create`; all defaults are those of `StudyRequest`.
Runs = Annotated[
    list[Path] | None,
    typer.Option(help="Run folder; several are joined. With FOLDERS, also a folder of `bench score`."),
]


NewDatabase = Annotated[
    str | None, typer.Option("--out", "--db", help="SQLite file or URL; default: BENCH_DATABASE_URL.")
]


NewName = Annotated[str, typer.Option(help="Name of the study.")]


Comparisons = Annotated[list[str] | None, typer.Option(help="FIRST:SECOND; default: the paper's.")]


Clips = Annotated[int, typer.Option(help="Clips per comparison.")]


Votes = Annotated[int, typer.Option(help="Votes per pair.")]


Workload = Annotated[
    int | None, typer.Option(help=f"Trials per rater; default: {WORKLOAD}, or all if there are fewer.")
]


Practice = Annotated[int, typer.Option(help="Practice trials per rater.")]


Catch = Annotated[int | None, typer.Option(help=f"Catch trials per rater; default: {CATCH}; 0: none.")]


CatchPass = Annotated[
    int | None, typer.Option(help="Catch trials that raters must pass; default: allows the slips of 1 in 20 trials.")
]


Seed = Annotated[int | None, typer.Option(help="Seed for schedule and sides; default: random, kept by the study.")]


Rate = Annotated[float, typer.Option(help="Frames per second.")]


Size = Annotated[int | None, typer.Option(help="Size at which clips are shown; in the paper: 64.")]


Lease = Annotated[float, typer.Option(help="Minutes after which another rater gets an abandoned pair.")]


Language = Annotated[str, typer.Option(help="Language of raters' pages: en or de.")]


Question = Annotated[str, typer.Option(help="Question that raters answer; default: the language's own.")]


Consent = Annotated[
    Path | None, typer.Option(help="File with the consent text: plain text, or Markdown if it ends in .md.")
]


CompletionCode = Annotated[
    str, typer.Option(help="Completion code shown at the end; default: a different one for each rater.")
]


Codes = Annotated[
    list[str] | None,
    typer.Option(
        "--code",
        help="failed=, technical=, withdrawn=, ineligible=, full=, closed= or declined=CODE: how a session ended.",
    ),
]


QuestionsFile = Annotated[
    Path | None,
    typer.Option("--questions", help="TOML or JSON file with further questions: see docs/how-to/run-a-study.md."),
]


CompletionURL = Annotated[str, typer.Option(help="https address to which raters return, for example Prolific's.")]


LinkParameter = Annotated[
    str, typer.Option(help="URL parameter with the participant's ID in links of your own platform, such as id.")
]


Entry = Annotated[str, typer.Option(help="open: anyone can take part; links: only people with a signed link.")]


FlaggedShare = Annotated[
    float, typer.Option(help="Raters with a larger share of flagged answers do not count; 1: no such rule.")
]


AcceptFirstFrames = Annotated[bool, typer.Option(help="Accept pairs whose first frames differ.")]


AcceptWeakCatch = Annotated[bool, typer.Option(help="Accept too few catch trials to judge attention.")]


def create(
    folders: Folders = None,
    run: Runs = None,
    real: Real = None,
    out: NewDatabase = None,
    name: NewName = StudyRequest.name,
    comparison: Comparisons = None,
    clips: Clips = StudyRequest.clips,
    votes: Votes = StudyRequest.votes,
    workload: Workload = StudyRequest.workload,
    practice: Practice = StudyRequest.practice,
    catch: Catch = StudyRequest.catch,
    catch_pass: CatchPass = StudyRequest.catch_pass,
    seed: Seed = StudyRequest.seed,
    rate: Rate = StudyRequest.rate,
    size: Size = StudyRequest.size,
    lease: Lease = StudyRequest.lease_minutes,
    language: Language = StudyRequest.language,
    question: Question = StudyRequest.question,
    questions: QuestionsFile = None,
    consent: Consent = None,
    also: Also = None,
    question_in: QuestionIn = None,
    consent_in: ConsentIn = None,
    title: Title = StudyRequest.title,
    lab: Lab = StudyRequest.lab,
    purpose: Purpose = StudyRequest.purpose,
    pay: Pay = StudyRequest.pay,
    retention: Retention = StudyRequest.retention,
    minimum_age: MinimumAge = StudyRequest.minimum_age,
    comprehension: Comprehension = StudyRequest.comprehension,
    contact: Contact = StudyRequest.contact,
    ethics: Ethics = StudyRequest.ethics,
    calibration: Calibration = StudyRequest.calibration,
    distance: Distance = StudyRequest.distance_cm,
    completion_code: CompletionCode = StudyRequest.completion_code,
    code: Codes = None,
    completion_url: CompletionURL = StudyRequest.completion_url,
    erased_votes: ErasedVotes = StudyRequest.erased_votes,
    link_parameter: LinkParameter = StudyRequest.link_parameter,
    entry: Entry = StudyRequest.entry,
    flagged_share: FlaggedShare = StudyRequest.flagged_share,
    looks: Looks = StudyRequest.looks,
    boundary: Boundary = StudyRequest.boundary,
    margin: Margin = StudyRequest.margin,
    accept_first_frames: AcceptFirstFrames = StudyRequest.accept_first_frames,
    accept_weak_catch: AcceptWeakCatch = StudyRequest.accept_weak_catch,
) -> None:
    """Make a study of your own videos, or of a run folder.

    To compare two methods: `bench study create mine=/videos/mine theirs=/videos/theirs --real /videos/real`.
    """
    from study_app.pipeline.create import create as create_study

    request = StudyRequest(
        runs=tuple(run or ()),
        folders=named(folders),
        real=real,
        name=name,
        comparisons=_pairs(comparison),
        clips=clips,
        votes=votes,
        workload=workload,
        practice=practice,
        catch=catch,
        catch_pass=catch_pass,
        seed=seed,
        rate=rate,
        size=size,
        lease_minutes=lease,
        language=language,
        question=question,
        questions=read_questions(questions) if questions else StudyRequest.questions,
        consent=_text(consent) if consent else StudyRequest.consent,
        consent_format=_format(consent),
        translations=_translations(also, question_in, consent_in),
        title=title,
        lab=lab,
        purpose=purpose,
        pay=pay,
        retention=retention,
        minimum_age=minimum_age,
        comprehension=comprehension,
        contact=contact,
        ethics=ethics,
        calibration=calibration,
        distance_cm=distance,
        completion_code=completion_code,
        link_parameter=link_parameter,
        entry=entry,
        flagged_share=flagged_share,
        **_codes(code),
        completion_url=completion_url,
        erased_votes=erased_votes,
        looks=looks,
        boundary=boundary,
        margin=margin,
        accept_first_frames=accept_first_frames,
        accept_weak_catch=accept_weak_catch,
    )
    _say(create_study(out, request))
